"""Where minpack.leastsq and scipy.optimize.leastsq differ on purpose.

``python -m contract.differences``, in tests/, prints them as a Markdown table.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from arrays import last_masked
from contract import answers
from contract import observations as see
from contract.calls import (
    Call,
    T,
    decay,
    decay_jacobian,
    decay_residuals,
    decay_returning,
    decay_with_columns,
    decay_with_jacobian,
    jacobian_returning,
    rate,
    rate_derivatives,
    single,
)
from contract.objects import AsFloat, AsIndex, RaisesAsFloat
from contract.observations import Difference
from functions import at_point


def as_markdown(differences: list[Difference]) -> str:
    lines = ["| Call | SciPy 1.17 | minpack | Why |", "|---|---|---|---|"]
    for d in differences:
        lines.append(f"| {d.name} | {d.scipy} | {d.minpack} | {d.why} |")
    return "\n".join(lines).replace("__", r"\_\_")


def alike(
    scipy: str,
    minpack: str,
    why: str,
    calls: dict[str, Callable[[], Call]],
    argument: str = "",
    unsafe: bool = False,
) -> list[Difference]:
    """Calls that all end in the same way."""
    return [
        Difference(name, see.ends(build), scipy, minpack, why, argument, unsafe)
        for name, build in calls.items()
    ]


def single_value(value: object) -> Callable[[], Call]:
    return lambda: single(lambda x: value)


def later(name: str, change: Callable) -> Callable[[], Call]:
    """A fit whose function `name` answers differently from its second point on."""
    functions = {"func": decay_residuals, "Dfun": decay_jacobian}
    return lambda: decay_with_jacobian(**{name: at_point(2, change, functions[name])})


def residuals_in(convert: Callable) -> Callable[[], Call]:
    return lambda: decay_returning(convert)


def jacobian_in(convert: Callable) -> Callable[[], Call]:
    return lambda: jacobian_returning(convert)


def option(**changes: object) -> Callable[[], Call]:
    return lambda: decay(**changes)


EVALUATIONS = [
    Difference(
        f"calls of {name}",
        see.times_at_start(name),
        f"{times} at x0",
        "1 at x0",
        "The value is still there; evaluating is what costs.",
    )
    for name, times in [("func", 3), ("Dfun", 2)]
]

START = [
    *(
        Difference(
            f"x of the first call, x0 in {dtype}",
            see.first_x(np.ones(2, dtype=dtype)),
            dtype,
            "float64",
            "func always sees float64, in its first call as in its last.",
        )
        for dtype in ("int64", "float32", "bool")
    ),
    Difference(
        "differences from a float32 x0",
        see.difference_step,
        "steps of 3.5e-04 x",
        "steps of 1.5e-08 x",
        "What counts is the precision of the residuals, and those are float64.",
    ),
    *alike(
        "raises TypeError",
        "ier 1",
        "The numbers are 1.0 and 1.0, which can be negated.",
        {"x0 of booleans": option(x0=[True, True])},
    ),
    *alike(
        "ier 4",
        "ier 1",
        "A step that is too short to change the residuals says nothing of them.",
        {
            "x0 is subnormal": option(x0=[1e-310, 1e-310]),
            "x0 is tiny": option(x0=[1e-30, 1e-30]),
        },
    ),
    *alike(
        "raises IndexError",
        "raises TypeError",
        "The mistake is in x0, not in func.",
        {"x0 is None": option(x0=None), "x0 is a set": option(x0={1.0, 2.0})},
        "x0",
    ),
]

DIAG = [
    *alike(
        "reads past the end",
        "raises ValueError",
        "The scales of the other parameters would be whatever lies in memory.",
        {
            "diag too short": option(diag=[1.0]),
            "diag empty": lambda: decay_with_jacobian(diag=[]),
        },
        "diag",
        unsafe=True,
    ),
    *alike(
        "ier 1",
        "raises ValueError",
        "Scales without a parameter are a mistake.",
        {"diag too long": option(diag=[1.0, 1.0, -1.0])},
        "diag",
    ),
    *alike(
        "raises ValueError",
        "raises TypeError",
        "It is not the shape that is wrong.",
        {
            "diag is a string": option(diag="ab"),
            "diag is a list of words": option(diag=["a", "b"]),
            "diag is a set": option(diag={1.0, 20.0}),
            "diag is a generator": lambda: decay(diag=(v for v in (1.0, 20.0))),
        },
        "diag",
    ),
]

ERROR = "`_minpack.error` cannot be caught without SciPy, and hides the cause."

NOT_REAL = alike(
    "raises _minpack.error",
    "raises TypeError",
    ERROR,
    {
        "residuals complex": residuals_in(lambda r: r + 0j),
        "residuals complex after the first call": later("func", lambda r: r + 0j),
        "residuals in an array of objects": residuals_in(lambda r: r.astype(object)),
        "residuals in an array of strings": residuals_in(lambda r: r.astype(str)),
        "residuals in dates": residuals_in(lambda r: r.astype("M8[s]")),
        "residuals in records": residuals_in(lambda r: np.zeros(9, dtype="f8, f8")),
        "one residual as a complex number": single_value(1j),
        "one residual as a word": single_value("abc"),
        "one residual as a set": single_value({1.0}),
        "one residual as a function": single_value(len),
    },
    "func",
) + alike(
    "raises _minpack.error",
    "raises TypeError",
    ERROR,
    {
        "Jacobian complex": jacobian_in(lambda j: j + 0j),
        "Jacobian in an array of objects": jacobian_in(lambda j: j.astype(object)),
        "Jacobian in an array of strings": jacobian_in(lambda j: j.astype(str)),
        "Jacobian of one parameter as a number": lambda: rate(Dfun=lambda x: 1.0),
        "Jacobian of one parameter as None": lambda: rate(Dfun=lambda x: None),
        "Jacobian of one parameter in three dimensions": lambda: rate(
            Dfun=lambda x: T[:, None, None]
        ),
    },
    "Dfun",
)

if np.longdouble(0).itemsize > np.float64(0).itemsize:
    NOT_REAL += alike(
        "raises _minpack.error",
        "raises TypeError",
        ERROR,
        {"residuals in long double": residuals_in(lambda r: r.astype(np.longdouble))},
        "func",
    )

NOT_A_VECTOR = (
    alike(
        "raises _minpack.error",
        "raises ValueError",
        ERROR,
        {
            "residuals in a column": residuals_in(lambda r: r[:, None]),
            "residuals in a column after the first call": later(
                "func", lambda r: r[:, None]
            ),
            "residuals in two columns": residuals_in(lambda r: np.stack([r, r], 1)),
            "residuals in nested lists": residuals_in(lambda r: [[v] for v in r]),
            "residuals in three dimensions": residuals_in(lambda r: r.reshape(5, 2, 1)),
            "one residual as a matrix": single_value(np.ones((1, 1))),
        },
        "func",
    )
    + alike(
        "raises _minpack.error",
        "raises OverflowError",
        ERROR,
        {"residuals beyond float64": residuals_in(lambda r: [10**400] * 10)},
        "func",
    )
    + alike(
        "raises _minpack.error",
        "raises ValueError",
        ERROR,
        {
            "Jacobian of three dimensions after the first call": later(
                "Dfun", lambda j: j[..., None]
            )
        },
        "Dfun",
    )
)

SHAPES = [
    *alike(
        "ier 1",
        "raises ValueError",
        "The same size, but another Jacobian.",
        {
            "Jacobian transposed after the first call": later("Dfun", np.transpose),
            "Jacobian flat after the first call": later("Dfun", np.ravel),
            "Jacobian in shape (5, 4) after the first call": later(
                "Dfun", lambda j: j.reshape(5, 4)
            ),
        },
        "Dfun",
    ),
    *alike(
        "ier 1",
        "raises TypeError",
        "The same size, but no column.",
        {
            "Jacobian of one parameter in shape (2, 5)": lambda: rate(
                Dfun=lambda x: rate_derivatives(x).reshape(2, 5)
            )
        },
        "Dfun",
    ),
    *alike(
        "raises ValueError",
        "raises TypeError",
        "A TypeError at the first call, as with two parameters.",
        {
            "Jacobian of one parameter, a row too few": lambda: rate(
                Dfun=lambda x: T[1:]
            )
        },
        "Dfun",
    ),
]

NONSENSE = "Certainly a mistake, and SciPy calls it a solution."

SILENT = [
    *alike(
        "ier 1",
        "raises TypeError",
        "A masked residual has no value, and SciPy takes what is behind the mask.",
        {"residuals in a masked array with a mask": residuals_in(last_masked)},
        "func",
    ),
    *alike(
        "ier 4",
        "raises TypeError",
        NONSENSE,
        {
            "one residual as None": single_value(None),
            "one residual as a string of digits": single_value("1.5"),
            "one residual as a complex NumPy scalar": single_value(np.complex128(1j)),
            "one residual as a date": single_value(np.datetime64("2020-01-01")),
            "residuals in a list of None": residuals_in(lambda r: [None] * r.size),
        },
        "func",
    ),
    *alike(
        "ier 1",
        "raises TypeError",
        NONSENSE,
        {
            "residuals in a list of complex numbers": residuals_in(
                lambda r: list(r + 1j)
            ),
            "residuals in a list of strings of digits": residuals_in(
                lambda r: [str(v) for v in r]
            ),
        },
        "func",
    ),
    *alike(
        "ier 4",
        "raises TypeError",
        NONSENSE,
        {"Jacobian in lists of None": jacobian_in(lambda j: [[None, None]] * 10)},
        "Dfun",
    ),
]

OWN = "Memory is the solver's or the user's, never both."

MEMORY = [
    *(
        Difference(name, observe, scipy, minpack, OWN)
        for name, observe, scipy, minpack in [
            ("func fills one buffer", see.reused_buffer, "stays at x0", "the same fit"),
            (
                "func overwrites its x",
                see.overwritten_x,
                "another fit",
                "the same fit",
            ),
            (
                "residuals that func keeps",
                see.kept_residuals,
                "overwritten",
                "unchanged",
            ),
            ("fvec, beside what func keeps", see.shared_fvec, "shared", "its own"),
        ]
    ),
    # To look at these in SciPy is to read memory that it has freed.
    Difference(
        "an x that func keeps", see.kept_x, "overwritten", "unchanged", OWN, unsafe=True
    ),
    Difference(
        "x, beside what func keeps", see.shared_x, "shared", "its own", OWN, unsafe=True
    ),
    Difference(
        "fvec of one residual that func returns as a scalar",
        see.shape_of_one_residual,
        "shape ()",
        "shape (1,)",
        "fvec is an array of m residuals, also where m is 1.",
    ),
    Difference(
        "fjac and qtf after improper input",
        see.improper_arrays,
        "uninitialised",
        "zeros",
        "Nobody wants to see what was in that memory before.",
        unsafe=True,
    ),
]

CONVERSION = [
    Difference(
        "residuals that cannot be converted",
        see.printed,
        "prints a traceback",
        "prints nothing",
        "The exception says it all.",
    ),
    *alike(
        "raises _minpack.error",
        "raises KeyboardInterrupt",
        "An interrupt is the caller's to handle.",
        {
            "KeyboardInterrupt while residuals are converted": single_value(
                RaisesAsFloat(KeyboardInterrupt)
            )
        },
    ),
    *alike(
        "ends the process",
        "raises SystemExit",
        "An exit is the caller's to handle.",
        {
            "SystemExit while residuals are converted": single_value(
                RaisesAsFloat(SystemExit)
            )
        },
        unsafe=True,
    ),
]

OPTIONS = [
    *alike(
        "raises TypeError",
        "ier 1",
        "A flag is true or false; a comparison of arrays gives np.True_.",
        {
            f"full_output is {value!r}": option(full_output=value)
            for value in (np.True_, "yes", "", None, 1.0)
        }
        | {
            f"col_deriv is {value!r}": lambda value=value: decay_with_columns(
                col_deriv=value
            )
            for value in (np.True_, "yes", 1.0)
        },
    ),
    *alike(
        "raises TypeError",
        "ier 1",
        "SciPy accepts the number, and fails in the text of a message.",
        {
            f"{name} is {value!r}": option(**{name: value})
            for name, value in [
                ("ftol", AsFloat(1e-8)),
                ("xtol", AsFloat(1e-8)),
                ("gtol", AsFloat(0.0)),
                ("ftol", AsIndex(1)),
            ]
        },
    ),
]

# With kernels="reference" these end as they do in SciPy.
NOT_FINITE = alike(
    "ier 4",
    "ier 9",
    "A fit must not report that it has converged where there is nothing to fit.",
    {
        case.name: lambda case=case: case.build() | {"full_output": True}
        for case in answers.NOT_FINITE
    },
)

DIFFERENCES = [
    *EVALUATIONS,
    *START,
    *DIAG,
    *NOT_REAL,
    *NOT_A_VECTOR,
    *SHAPES,
    *SILENT,
    *NOT_FINITE,
    *MEMORY,
    *CONVERSION,
    *OPTIONS,
]

if __name__ == "__main__":
    print(as_markdown(DIFFERENCES))
