"""What func and Dfun may return, and what they may not."""

from __future__ import annotations

import array
from decimal import Decimal
from fractions import Fraction

import numpy as np

from arrays import Sub, backwards, byte_swapped, read_only, strided, unaligned
from contract.calls import (
    Case,
    T,
    decay,
    decay_jacobian,
    decay_jacobian_by_columns,
    decay_residuals,
    decay_returning,
    decay_with_columns,
    decay_with_jacobian,
    jacobian_returning,
    line,
    over,
    rate,
    rate_derivatives,
    single,
)
from contract.objects import AsArray, AsIndex
from functions import at_point


def residuals_cases(table: dict, argument: str | None = None, **more) -> list[Case]:
    def build(convert):
        return lambda: decay_returning(convert)

    return [
        Case(f"residuals {name}", build(convert), argument, **more)
        for name, convert in table.items()
    ]


def jacobian_cases(table: dict, argument: str | None = None, **more) -> list[Case]:
    def build(convert):
        return lambda: jacobian_returning(convert)

    return [
        Case(f"Jacobian {name}", build(convert), argument, **more)
        for name, convert in table.items()
    ]


# SciPy calls these solved: its largest cosine passes over NaN.
NOT_FINITE = [
    *residuals_cases(
        {
            "all NaN": lambda r: r * np.nan,
            "with one NaN": lambda r: np.where(T == 0.0, np.nan, r),
            "all infinite": lambda r: r + np.inf,
            "with one infinity": lambda r: np.where(T == 0.0, np.inf, r),
        },
        noisy=True,
    ),
    *jacobian_cases(
        {"NaN": lambda j: j * np.nan, "infinite": lambda j: j + np.inf},
        noisy=True,
    ),
    Case(
        "Jacobian NaN at point 3",
        lambda: decay(Dfun=at_point(3, lambda j: j * np.nan, decay_jacobian)),
        noisy=True,
    ),
    *(
        Case(
            f"residuals NaN at point {point}, of the differences",
            lambda point=point: decay(
                func=at_point(point, lambda r: r * np.nan, decay_residuals)
            ),
            noisy=True,
        )
        for point in (2, 5)
    ),
    *(
        Case(f"x0 is {x0}", lambda x0=x0: decay(x0=x0), noisy=True)
        for x0 in ([np.nan, np.nan], [1.0, np.nan], [np.inf, np.inf], [1.0, np.inf])
    ),
    Case("epsfcn is infinite", lambda: decay(epsfcn=np.inf), noisy=True),
]

RESIDUALS = [
    *residuals_cases(
        {
            "in a list": list,
            "in a list of Python floats": lambda r: r.tolist(),
            "in a tuple": tuple,
            "in an array.array": lambda r: array.array("d", r),
            "in a memoryview": memoryview,
            "in an object with __array__": AsArray,
            "in a list of 0-d arrays": lambda r: [np.array(v) for v in r],
            "in a list of Decimals": lambda r: [Decimal(float(v)) for v in r],
            "in a list of Fractions": lambda r: [Fraction(float(v)) for v in r],
            "in a list of huge integers": lambda r: [int(v * 1e25) for v in r],
            "in a range": lambda r: range(4),
            "strided": strided,
            "backwards": backwards,
            "byte-swapped": byte_swapped,
            "unaligned": unaligned,
            "read-only": read_only,
            "in an ndarray subclass": lambda r: r.view(Sub),
            "in a masked array without a mask": np.ma.masked_array,
            "in integers": lambda r: np.rint(100 * r).astype(int),
            "in unsigned bytes": lambda r: np.abs(10 * r).astype(np.uint8),
            "in booleans": lambda r: r > 0,
            "near the largest number": lambda r: r * 1e300,
        }
    ),
    *residuals_cases(
        {
            "in float32": lambda r: r.astype(np.float32),
            "in float16": lambda r: r.astype(np.float16),
        },
        rtol=1e-6,
    ),
    Case(
        "residuals in a list of integers, with wide differences",
        lambda: decay_returning(lambda r: [int(v * 1000) for v in r], epsfcn=1e-4),
    ),
    *(
        Case(f"one residual, as {name}", lambda func=func: single(func))
        for name, func in {
            "a Python float": lambda x: float(x[0]) ** 2 - 3.0,
            "a Python integer": lambda x: round(x[0]) - 3,
            "a boolean": lambda x: bool(x[0] > 0),
            "a Decimal": lambda x: Decimal(float(x[0])) ** 2 - 3,
            "an object with __index__": lambda x: AsIndex(2),
            "a list": lambda x: [x[0] ** 2 - 3.0],
            "an array": lambda x: x**2 - 3.0,
        }.items()
    ),
    *residuals_cases(
        {
            "fewer than parameters": lambda r: r[:1],
            "as one number": lambda r: r[0],
            "as a 0-d array": lambda r: np.array(r[0]),
            "as one string": lambda r: "residuals",
            "as None": lambda r: None,
            "in an empty list": lambda r: [],
            "in an empty array of two dimensions": lambda r: np.empty((0, 2)),
            "in a row": lambda r: r[None, :],
            "in a matrix": np.matrix,
            "in a set": set,
            "in a dictionary": lambda r: dict(enumerate(r)),
            "in a generator": lambda r: (v for v in r),
            "in a ragged list": lambda r: [[1.0, 2.0], [3.0]],
        },
        "func",
    ),
    Case(
        "residuals fewer than parameters, with a Jacobian",
        lambda: decay_with_jacobian(func=lambda x: decay_residuals(x)[:1]),
        "func",
    ),
    *over(
        "residuals NaN at trial point",
        [4, 7],
        lambda point: decay(
            func=at_point(point, lambda r: r * np.nan, decay_residuals)
        ),
    ),
    *over(
        "residuals infinite at trial point",
        [4, 7],
        lambda point: decay(
            func=at_point(point, lambda r: r + np.inf, decay_residuals)
        ),
    ),
    Case(
        "residuals NaN at a trial point, with a Jacobian",
        lambda: decay_with_jacobian(
            func=at_point(2, lambda r: r * np.nan, decay_residuals)
        ),
    ),
    *over(
        "residuals one fewer at point",
        [2, 3, 4, 7],
        lambda point: decay(func=at_point(point, lambda r: r[:-1], decay_residuals)),
        "func",
    ),
    *over(
        "residuals one more at point",
        [2, 3, 4, 7],
        lambda point: decay(
            func=at_point(point, lambda r: np.append(r, 0.0), decay_residuals)
        ),
        "func",
    ),
    *over(
        "residuals one fewer, with a Jacobian, at point",
        [2, 3],
        lambda point: decay_with_jacobian(
            func=at_point(point, lambda r: r[:-1], decay_residuals)
        ),
        "func",
    ),
    Case(
        "residuals as one number at point 2",
        lambda: decay(func=at_point(2, lambda r: 1.0, decay_residuals)),
        "func",
    ),
]

DFUN = [
    Case("Dfun is None", lambda: decay(Dfun=None)),
    *over(
        "Dfun is",
        [0, False, "2-point", (1.0, 2.0)],
        lambda value: decay(Dfun=value),
        "Dfun",
    ),
    *jacobian_cases(
        {
            "in nested lists": lambda j: j.tolist(),
            "in a list of arrays": list,
            "in a list of Decimals": lambda j: [
                [Decimal(float(v)) for v in r] for r in j
            ],
            "in an object with __array__": AsArray,
            "in Fortran order": np.asfortranarray,
            "strided": strided,
            "backwards": backwards,
            "byte-swapped": byte_swapped,
            "unaligned": unaligned,
            "read-only": read_only,
            "in an ndarray subclass": lambda j: j.view(Sub),
            "in a matrix": np.matrix,
            "in a masked array": np.ma.masked_array,
            "wrong in sign": lambda j: -j,
        }
    ),
    *jacobian_cases(
        {
            "in float32": lambda j: j.astype(np.float32),
            "in float16": lambda j: j.astype(np.float16),
        },
        rtol=1e-6,
    ),
    Case(
        "Jacobian as a transposed view",
        lambda: decay(Dfun=lambda x: decay_jacobian_by_columns(x).T),
    ),
    Case(
        "Jacobian by columns as a transposed view",
        lambda: decay_with_columns(Dfun=lambda x: decay_jacobian(x).T),
    ),
    Case(
        "Jacobian in integers",
        lambda: line(Dfun=lambda x: [[1, 0], [1, 1], [1, 2], [1, 3]], gtol=1e-6),
    ),
    *jacobian_cases(
        {
            "transposed": lambda j: j.T,
            "flat": np.ravel,
            "of one row": lambda j: j[0],
            "of three dimensions": lambda j: j[..., None],
            "as a number": lambda j: 1.0,
            "as None": lambda j: None,
            "empty": lambda j: [],
            "with a row too few": lambda j: j[:-1],
            "with a row too many": lambda j: np.vstack([j, j[:1]]),
            "with a column too many": lambda j: np.hstack([j, j[:, :1]]),
        },
        "Dfun",
    ),
    Case(
        "Jacobian ragged",
        lambda: decay(Dfun=lambda x: [[1.0, 2.0], [3.0]]),
        "Dfun",
    ),
    Case(
        "Jacobian by columns, but not transposed",
        lambda: decay_with_columns(Dfun=decay_jacobian),
        "Dfun",
    ),
    *(
        Case(
            f"Jacobian of one parameter in shape {shape}, col_deriv {col_deriv}",
            lambda shape=shape, col_deriv=col_deriv: rate(
                Dfun=lambda x: rate_derivatives(x).reshape(shape), col_deriv=col_deriv
            ),
        )
        for shape in ((10,), (10, 1), (1, 10))
        for col_deriv in (False, True)
    ),
    Case(
        "Jacobian of one parameter and one residual in a list",
        lambda: single(lambda x: x**2 - 3.0, Dfun=lambda x: [2.0 * x[0]]),
    ),
    *over(
        "Jacobian a row smaller at point",
        [2, 3],
        lambda point: decay(Dfun=at_point(point, lambda j: j[:-1], decay_jacobian)),
        "Dfun",
    ),
    *over(
        "Jacobian a row larger, by columns, at point",
        [2, 3],
        lambda point: decay_with_columns(
            Dfun=at_point(
                point, lambda j: np.vstack([j, j[:1]]), decay_jacobian_by_columns
            )
        ),
        "Dfun",
    ),
]
