"""NumPy functions that run without Python: recorded, differentiated, and run in C."""
