"""Functions that cannot be recorded, each for a reason of its own."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate, optimize, stats

MARK = "# this one"
T = np.linspace(0.1, 5.0, 30)


@dataclass(frozen=True)
class Refused:
    """A function with two parameters and what the refusal tells."""

    function: Callable[..., Any]
    fragment: str

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def line(self) -> int | None:
        """The number of the line that is marked, if there is one."""
        source, first = inspect.getsourcelines(self.function)
        marked = [k for k, text in enumerate(source) if MARK in text]
        return first + marked[0] if marked else None


REFUSED: list[Refused] = []


def refused(fragment: str) -> Callable[[Any], Any]:
    def keep(function: Any) -> Any:
        REFUSED.append(Refused(function, fragment))
        return function

    return keep


# --- Choices by the value of a parameter ------------------------------------------


@refused("a branch on a parameter")
def branch(t, a, b):
    if a > 1:  # this one
        return a * t
    return b * t


@refused("a branch on a parameter")
def loop_until(t, a, b):
    y = a * t
    while a > 1:  # this one
        a = a / 2
    return y + b


@refused("a branch on a parameter")
def conditional_expression(t, a, b):
    return a * t if b else t  # this one


@refused("a branch on a parameter")
def both_conditions(t, a, b):
    return np.where((a > 0) and (b > 0), a * t, b)  # this one


@refused("a branch on a parameter")
def smaller_one(t, a, b):
    return min(a, b) * t  # this one


@refused("a branch on a parameter")
def in_order_of_size(t, a, b):
    low, high = sorted([a, b])  # this one
    return low + high * t


@refused("a branch on a parameter")
def in_range(t, a, b):
    assert 0 < a < 100  # this one
    return a * t + b


@refused("any")
def any_negative(t, a, b):
    y = a * t + b
    if np.any(y < 0):  # this one
        return np.full_like(t, np.inf)
    return y


# --- Numbers outside NumPy --------------------------------------------------------


@refused("float(...) of a parameter")
def as_float(t, a, b):
    return float(a) * t + b  # this one


@refused("int(...) of a parameter")
def as_int(t, a, b):
    return t ** int(a) + b  # this one


@refused("int(...) of a parameter")
def as_many_terms(t, a, b):
    y = b
    for k in range(int(a)):  # this one
        y = y + t**k
    return y


@refused("float(...) of a parameter")
def with_math(t, a, b):
    return math.exp(a) * t + b  # this one


@refused("complex")
def complex_response(t, a, b):
    return np.abs(a / (1 + 1j * b * t))  # this one


@refused("complex")
def complex_array(t, a, b):
    return np.real(a * np.exp(1j * t) * b)  # this one


@refused("a parameter")
def by_text(t, a, b):
    return np.float64(f"{a:.3f}") * t + b  # this one


# --- What needs all points --------------------------------------------------------


@refused("a sum over the points")
def normalized(t, a, b):
    y = np.exp(-a * t)
    return b * y / y.sum()  # this one


@refused("a sum over the points")
def sum_of_squares(t, a, b):
    return np.sum((a * t - b) ** 2)  # this one


@refused("a mean over the points")
def centred(t, a, b):
    y = np.exp(-a * t)
    return b * (y - np.mean(y))  # this one


@refused("a maximum over the points")
def relative_to_maximum(t, a, b):
    y = t * np.exp(-a * t)
    return b * y / np.max(y)  # this one


@refused("cumsum")
def cumulated(t, a, b):
    return b * np.cumsum(np.exp(-a * t))  # this one


@refused("convolve")
def convolved(t, a, b):
    return b * np.convolve(np.exp(-a * t), [0.2, 0.6, 0.2], mode="same")  # this one


@refused("gradient")
def slope(t, a, b):
    return b * np.gradient(np.exp(-a * t), t)  # this one


@refused("trapezoid")
def area(t, a, b):
    y = np.exp(-a * t)
    return b * y / np.trapezoid(y, t)  # this one


@refused("fft")
def transformed(t, a, b):
    return b * np.abs(np.fft.fft(np.exp(-a * t)))  # this one


@refused("sort")
def sorted_values(t, a, b):
    return np.sort(a * np.sin(b * t))  # this one


@refused("a loop over the points")
def point_by_point(t, a, b):
    return np.array([a * math.exp(-b) * each for each in t * a])  # this one


# --- Other functions that are no ufuncs -------------------------------------------


@refused("interp")
def moved_table(t, a, b):
    return b * np.interp(t - a, T, np.sin(T))  # this one


@refused("solve")
def linear_equations(t, a, b):
    matrix = np.stack([np.stack([a, 1.0]), np.stack([1.0, b])])
    first, second = np.linalg.solve(matrix, np.ones(2))  # this one
    return first + second * t


@refused("a product of matrices")
def product_of_parameters(t, a, b):
    rotation = np.stack([np.stack([a, b]), np.stack([-b, a])])
    y = rotation @ np.stack([a, b])  # this one
    return y[0] + y[1] * t


@refused("a parameter")
def differential_equation(t, a, b):
    solved = integrate.solve_ivp(  # this one
        lambda t, y: -a * y, (0.0, t[-1]), [b], t_eval=t
    )
    return solved.y[0]


@refused("a parameter")
def integral(t, a, b):
    total, _ = integrate.quad(lambda u: np.exp(-a * u**2), 0, 1)  # this one
    return b * total * t


@refused("a parameter")
def root(t, a, b):
    return optimize.brentq(lambda u: u**3 - a, 0, 10) * t + b  # this one


@refused("a parameter")
def density(t, a, b):
    return a * stats.norm.pdf(t, b, 1.0)  # this one


@refused("a parameter")
def vectorized(t, a, b):
    return np.vectorize(lambda u, a, b: a * math.exp(-b * u))(t, a, b)  # this one


@refused("vectorized")
def of_python(t, a, b):
    decayed = np.frompyfunc(lambda u, k: math.exp(-k * u), 2, 1)
    return a * decayed(t, b).astype(float)  # this one


# --- Assignments ------------------------------------------------------------------


@refused("an assignment to some points")
def assigned_by_mask(t, a, b):
    y = a * t
    y[t > 2] = b  # this one
    return y


@refused("stored in another array")
def filled_in(t, a, b):
    y = np.empty(len(t))
    y[:] = a * np.exp(-b * t)  # this one
    return y


@refused("float(...) of a parameter")
def one_number_filled_in(t, a, b):
    y = np.zeros(len(t))
    y[t > 2] = a  # this one
    return y + b


@refused("out=")
def with_out(t, a, b):
    y = np.empty(len(t))
    np.multiply(a, t, out=y)  # this one
    return y + b


@refused("an index that depends on a parameter")
def chosen_points(t, a, b):
    y = a * t + b
    return np.where(t > 2, y, y[y > 1][0])  # this one


# --- What is only seen once the record is compared with the function --------------


_random = np.random.default_rng(0)


@refused("must depend on its arguments alone")
def random_noise(t, a, b):
    return a * t + b + _random.standard_normal(len(t))


_count = itertools.count()


@refused("must depend on its arguments alone")
def counting(t, a, b):
    return a * t + b + next(_count)


_calls: list[int] = []


@refused("must depend on its arguments alone")
def remembering(t, a, b):
    _calls.append(1)
    return a * t + b * len(_calls)
