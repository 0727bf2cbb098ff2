"""least_squares: SciPy's contract, and what is new in it for Levenberg-Marquardt."""
