"""The arguments that steer a fit."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from arrays import byte_swapped, read_only, strided
from contract.calls import (
    Case,
    decay,
    decay_jacobian,
    decay_with_columns,
    decay_with_jacobian,
    made,
    over,
    single,
)
from contract.objects import AsFloat, AsIndex

FLAGS = [
    *over(
        "col_deriv is",
        [True, 1, 2, -1, np.int8(1), AsIndex(1)],
        lambda value: decay_with_columns(col_deriv=value),
    ),
    *over(
        "col_deriv is",
        [False, 0],
        lambda value: decay_with_jacobian(col_deriv=value),
    ),
    Case("col_deriv without Dfun", lambda: decay(col_deriv=True)),
]

# The cases that say themselves which form of the result they want.
FORMS = [
    *over(
        "full_output is",
        [True, False, 1, 0, 2, -1, np.int64(1), AsIndex(1)],
        lambda value: decay(full_output=value),
    ),
    Case(
        "every argument by position",
        lambda: decay(
            positional=(
                (),
                decay_jacobian,
                True,
                False,
                1e-10,
                1e-10,
                0.0,
                50,
                None,
                10.0,
                [1.0, 2.0],
            )
        ),
    ),
]

ODD = [np.inf, np.nan, -1.0, -np.inf, 10**400, "1e-8", b"1", None, 1j, (1e-8,)]
OTHER_COUNTS = [
    *(-1, -(2**31), np.int64(6), np.uint8(6), AsIndex(6)),
    *(2**31, 2**70, -(2**31) - 1, 10.0, np.nan, np.inf, "10", None, (10,)),
]

TOLERANCES = [
    *(
        case
        for name in ("ftol", "xtol", "gtol")
        for case in [
            *over(
                f"{name} is",
                [0.0, -0.0, 1, True, 1e-3, np.float32(0.125), Decimal("0.125"), *ODD],
                lambda value, name=name: decay_with_jacobian(**{name: value}),
                name,
            ),
            *made(
                f"{name} is",
                {
                    "a 0-d array": lambda: np.array(1e-3),
                    "an array of one": lambda: np.array([1e-3]),
                    "an array of two": lambda: np.array([1e-3, 1e-3]),
                },
                lambda value, name=name: decay(**{name: value}),
                name,
            ),
        ]
    ),
    Case(
        "every tolerance is zero",
        lambda: single(
            lambda x: [x[0] - 1.0, 2.0],
            Dfun=lambda x: [[1.0], [0.0]],
            ftol=0.0,
            xtol=0.0,
            gtol=0.0,
        ),
    ),
    Case(
        "every tolerance is NaN, until maxfev",
        lambda: decay(ftol=np.nan, xtol=np.nan, gtol=np.nan, maxfev=10),
    ),
]

COUNTS = [
    *over(
        "maxfev is",
        [0, 0.0, False, True, 1, 2, 3, 5, 10**6, 2**31 - 1, *OTHER_COUNTS],
        lambda value: decay(maxfev=value),
        "maxfev",
    ),
    *over(
        "maxfev, with a Jacobian, is",
        [0, 1, 2, 3, -1, 10.0, 2**31],
        lambda value: decay_with_jacobian(maxfev=value),
        "maxfev",
    ),
]

STEPS = [
    *over(
        "epsfcn is",
        [None, 0, 0.0, 1e-20, 1e-10, 1e-4, 0.25, True, np.float32(0.0625), np.nan],
        lambda value: decay(epsfcn=value),
    ),
    *over(
        "epsfcn is",
        [-1.0, -np.inf, 10**400, "1e-8", 1j, (1e-8,)],
        lambda value: decay(epsfcn=value),
        "epsfcn",
    ),
    Case("epsfcn beside Dfun", lambda: decay_with_jacobian(epsfcn=0.25)),
    *over(
        "factor is",
        [0.1, 1e-2, 1, True, 100, 1e6, 1e300, np.inf, AsFloat(1.0)],
        lambda value: decay(factor=value),
    ),
    *over(
        "factor is",
        [0, 0.0, -1.0, -np.inf, 10**400, "100", None, 1j, (100.0,)],
        lambda value: decay(factor=value),
        "factor",
    ),
]

SCALES = [
    *made(
        "diag is",
        {
            "None": lambda: None,
            "ones": lambda: [1.0, 1.0],
            "a list": lambda: [1.0, 20.0],
            "a tuple of integers": lambda: (1, 20),
            "an array": lambda: np.array([1.0, 20.0]),
            "in float32": lambda: np.array([1.0, 20.0], dtype=np.float32),
            "in integers": lambda: np.array([1, 20]),
            "read-only": lambda: read_only([1.0, 20.0]),
            "strided": lambda: strided([1.0, 20.0]),
            "byte-swapped": lambda: byte_swapped([1.0, 20.0]),
            "a masked array": lambda: np.ma.masked_array([1.0, 20.0]),
            "very small": lambda: [1e-100, 1e-100],
            "very large": lambda: [1e100, 1e100],
            "zero": lambda: [0.0, 0.0],
            "zero in one place": lambda: [1.0, 0.0],
            "negative in one place": lambda: [1.0, -1.0],
            "minus infinity": lambda: [-np.inf, -np.inf],
            "a number": lambda: 1.0,
            "False": lambda: False,
            "a 0-d array": lambda: np.array(1.0),
            "a column": lambda: np.array([[1.0], [20.0]]),
            "a row": lambda: [[1.0, 20.0]],
            "a list of complex numbers": lambda: [1j, 1j],
            "an array of complex numbers": lambda: np.array([1j, 1j]),
            "an array of objects": lambda: np.array([1.0, 20.0], dtype=object),
            "ragged": lambda: [[1.0], [1.0, 2.0]],
        },
        lambda value: decay(diag=value, factor=0.1),
        "diag",
    ),
    *made(
        "diag, with a Jacobian, is",
        {
            "a list": lambda: [1.0, 20.0],
            "zero in one place": lambda: [0.0, 1.0],
            "of three dimensions": lambda: np.ones((1, 1, 2)),
        },
        lambda value: decay_with_jacobian(diag=value, factor=0.1),
        "diag",
    ),
]
