"""The fast kernels: the same bits everywhere, and as accurate as MINPACK's own."""
