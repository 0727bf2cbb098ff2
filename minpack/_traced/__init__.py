"""NumPy functions that run without Python: recorded, differentiated, and run in C."""

import numpy as _np

INT = _np.dtype(_np.int64).char
CHARS = frozenset(("d", "f", "?", INT))  # the types that a program computes in
