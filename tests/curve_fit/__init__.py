"""curve_fit does what SciPy's does, and takes bounds with MINPACK's method."""
