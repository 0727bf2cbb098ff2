"""Functions that are recorded and run without Python."""
