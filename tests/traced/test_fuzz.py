"""Functions drawn at random: a program has the bits of NumPy, and exact derivatives."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minpack import _minpack, traced
from traced.answers import bits, by_complex_steps

LENGTHS = (1, 2, 3, 7, 8, 9, 50, 64, 65, 200, 333, 1000, 4096, 5000)
N = 4  # parameters
STEPS = 30  # at most


class Drawn:
    """A function of t and N parameters, drawn at random.

    Each step applies an operation to what has been computed before, and so it can be
    done with arrays, with what stands for them and with complex numbers. Half of the
    functions return two arrays, one after the other.
    """

    def __init__(
        self,
        seed: int,
        operations: dict[str, tuple[int, Any]],
        captured: dict[str, Any],
    ) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.m = int(rng.choice(LENGTHS))
        self.t = rng.uniform(-2.0, 2.0, self.m)
        self.captured = [make(rng, self.m) for make in captured.values()]
        self.x = rng.uniform(-1.5, 1.5, N)
        self.cut = int(rng.integers(self.m)) * int(rng.integers(2))
        self.steps: list[tuple[Any, list[int], float]] = []
        names = list(operations)
        known = 1 + N + len(self.captured)
        for _ in range(rng.integers(1, STEPS + 1)):
            arity, operation = operations[rng.choice(names)]
            # What has been computed last is taken as often as all the rest.
            first = known - 1 if rng.random() < 0.5 else int(rng.integers(known))
            rest = [int(k) for k in rng.integers(0, known, arity - 1)]
            number = round(float(rng.normal(scale=2.0)), int(rng.integers(0, 4)))
            self.steps.append((operation, [first, *rest], number))
            known += 1

    def __call__(self, t: Any, *x: Any) -> Any:
        known = [t, *x]
        # NumPy computes functions of booleans in float16, which is not traced.
        known += [each * t if is_mask(each) else each for each in self.captured]
        for operation, which, number in self.steps:
            known.append(operation(*(known[k] for k in which), number))
        # Not an array of another shape, nor one of whole numbers
        y = known[-1] * 1.0 + 0.0 * t
        return np.concatenate([y[: self.cut], y[self.cut :]]) if self.cut else y

    def direct(self, x: Any) -> Any:
        return np.asarray(self(self.t, *x))

    def program(self) -> Any:
        """Record it, with the derivatives."""
        return traced(self).bind_curve(self.t, self.x, self.m)


def is_mask(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.char == "?"


def as_number(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose booleans become numbers."""
    return lambda *operands: function(*operands[:-1]) * 1


def applied(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without the number that each step has."""
    return lambda *operands: function(*operands[:-1])


def halves(a: Any, b: Any) -> tuple[Any, Any]:
    """Two arrays' first and last half: vectors of other lengths."""
    a, b = a + 0.0 * b, b + 0.0 * a
    if np.ndim(a) == 0:
        return a, b
    cut = a.shape[0] // 2
    return a[:cut], b[cut:]


def joined(a: Any, b: Any, number: float) -> Any:
    """The sum of halves, each half computed by itself."""
    first, last = halves(a, b)
    if np.ndim(a + b) == 0:
        return first * last
    total = np.stack([a + 0.0 * b, b + 0.0 * a, number + 0.0 * (a + b)])
    return (total[:, ::-1] * np.array([1.0, -0.5, 2.0])[:, None]).sum(axis=0)


def table(a: Any, b: Any, c: Any, number: float) -> Any:
    """A sum over rows of as many points, or over numbers."""
    rows = np.stack([a + 0.0 * (b + c), b + 0.0 * (a + c), c + 0.0 * (a + b)])
    return rows.sum(axis=0) + rows[1]


def polynomial(a: Any, b: Any, number: float) -> Any:
    """A polynomial, one of whose coefficients may be a parameter.

    Of float64: np.polyval of float32 and a list of parameters cannot be intercepted.
    """
    return np.polyval([0.1, number, 2.0 if np.ndim(b) else b], np.float64(1) * a)


# What is differentiable, or is so in pieces; NumPy orders complex numbers by their real
# part first.
EXACT = {
    "add": (2, applied(operator.add)),
    "subtract": (2, applied(operator.sub)),
    "multiply": (2, applied(operator.mul)),
    "shift": (1, lambda a, number: a + number),
    "scale": (1, lambda a, number: number * a),
    "over": (2, lambda a, b, number: a / (2.5 + np.sin(b))),
    "negative": (1, applied(operator.neg)),
    "square": (1, lambda a, number: np.sin(a) ** 2),
    "cube": (1, lambda a, number: np.cos(a) ** 3),
    "power": (1, lambda a, number: (1.5 + np.sin(a)) ** number),
    "powers": (2, lambda a, b, number: (1.5 + np.sin(a)) ** np.cos(b)),
    "power_of_number": (1, lambda a, number: (abs(number) + 0.1) ** np.sin(a)),
    "exp": (1, lambda a, number: np.exp(np.sin(a))),
    "log": (1, lambda a, number: np.log(1.5 + np.cos(a))),
    "sqrt": (1, lambda a, number: np.sqrt(1.5 + np.cos(a))),
    "tanh": (1, applied(np.tanh)),
    "arctan": (1, applied(np.arctan)),
    "expm1": (1, lambda a, number: np.expm1(np.sin(a))),
    "table": (3, table),
    "joined": (2, joined),
    "where": (3, lambda a, b, c, number: np.where(a > b + number / 8, b, c)),
    "maximum": (2, lambda a, b, number: np.maximum(a, b + number / 8)),
    "minimum": (2, lambda a, b, number: np.minimum(a + number / 8, b)),
    "masked": (2, lambda a, b, number: (a > number / 8) * b),
    "clipped": (1, lambda a, number: np.clip(a, number - 2, number + 2)),
    "selected": (3, lambda a, b, c, number: np.select([a > b, b > number], [a, c])),
    "polynomial": (2, lambda a, b, number: polynomial(np.sin(a), b, number)),
    "sinc": (1, lambda a, number: np.sinc(np.sin(a) + 1.1)),
}

ORDINARY = EXACT | {
    "divide": (2, applied(operator.truediv)),
    "power_operator": (2, applied(operator.pow)),
    "squared": (1, lambda a, number: a**2),
    "cubed": (1, lambda a, number: a**3),
    "root": (1, lambda a, number: a**0.5),
    "inverse": (1, lambda a, number: a**-1),
    "any_power": (1, lambda a, number: a**number),
    "of_two": (1, lambda a, number: 2**a),
    "modulo": (2, applied(operator.mod)),
    "floor_divide": (2, applied(operator.floordiv)),
    "absolute": (1, applied(abs)),
    "less": (2, as_number(operator.lt)),
    "greater_equal": (1, lambda a, number: (a >= number) * 2.5),
    "logic": (2, as_number(np.logical_and)),
    "unequal": (2, as_number(np.not_equal)),
    "is_finite": (1, as_number(np.isfinite)),
    "sign_bit": (1, as_number(np.signbit)),
    "where_number": (2, lambda a, b, number: np.where(a < number, number, b)),
    "masked": (2, lambda a, b, number: (a > 0) * b),
    "both": (3, lambda a, b, c, number: np.where((a > b) & ~(b > c), a, 1)),
    "select": (3, lambda a, b, c, number: np.select([a > b, b > c], [a, c], 2)),
    "clip": (2, lambda a, b, number: np.clip(a, -1.0, 1.5) + b),
    "clip_from_below": (1, lambda a, number: np.clip(a, number, None)),
    "polynomial_of_any": (2, polynomial),
    "backwards": (1, lambda a, number: a[::-1] * 1.0 if np.ndim(a) else a),
    "isnan": (1, lambda a, number: np.where(np.isnan(a), number, a)),
    "sinc_of_any": (1, applied(np.sinc)),
    **{f"np.{name}": (1, applied(getattr(np, name))) for name in (
        "exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "arcsin", "arcsinh",
        "log1p", "log2", "log10", "exp2", "cbrt", "square", "reciprocal", "sign",
        "floor", "ceil", "rint", "trunc", "fabs", "deg2rad",
        "nan_to_num", "zeros_like", "ones_like",
    )},
    **{f"np.{name}": (2, applied(getattr(np, name))) for name in (
        "maximum", "minimum", "fmax", "fmin", "hypot", "arctan2", "logaddexp",
        "copysign", "float_power", "fmod", "heaviside", "nextafter",
    )},
}  # fmt: skip

DOUBLE = {
    "normal": lambda rng, m: rng.standard_normal(m),
    "strided": lambda rng, m: rng.standard_normal(2 * m)[::-2],
    "number": lambda rng, m: 0.75,
}
ANY = DOUBLE | {
    "single": lambda rng, m: rng.standard_normal(m).astype(np.float32),
    "integers": lambda rng, m: rng.integers(-5, 6, m),
    "mask": lambda rng, m: rng.random(m) < 0.5,
    "integer": lambda rng, m: 3,
    "special": lambda rng, m: rng.choice([0.0, -0.0, 1.0, np.inf, -np.inf, np.nan], m),
}


def can_be_computed(drawn: Drawn) -> bool:
    """Whether NumPy can: it refuses integers to negative powers, for one."""
    try:
        return drawn.direct(drawn.x).dtype == np.float64  # not complex
    except (TypeError, ValueError, ArithmeticError):
        return False


@pytest.mark.parametrize("seed", range(300))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_program_computes_the_bits_of_numpy(seed):
    drawn = next(
        filter(
            can_be_computed, (Drawn(seed + 1000 * k, ORDINARY, ANY) for k in range(100))
        )
    )
    bound = drawn.program()
    for x in (drawn.x, -drawn.x, np.zeros(N), 100 * drawn.x):
        found = _minpack.program_values(bound.record.program, bound.arrays, x)
        assert bits(found) == bits(drawn.direct(x))


@pytest.mark.parametrize("seed", range(100))
def test_derivatives_are_exact(seed):
    drawn = Drawn(1000 + seed, EXACT, DOUBLE)
    bound = drawn.program()
    assert bound.record.missing == ""
    for x in (drawn.x, drawn.x / 3):
        found = _minpack.program_jacobian(bound.record.program, bound.arrays, x)
        wanted = by_complex_steps(drawn.direct, x)
        assert np.all(np.isfinite(wanted))
        size = np.abs(wanted).max(axis=0)
        assert np.all(np.abs(found - wanted) <= 1e-11 * np.maximum(size, 1e-3))
