"""Models of the NIST StRD nonlinear regression datasets.

Each function takes the parameters b, with b_1 at index 0, and the predictor x, and
returns the response. All are analytic in b, which may be complex.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import arctan, cos, exp, pi, sin
from numpy.typing import NDArray

Array = NDArray[Any]
Model = Callable[[Array, Array], Array]

MODELS: dict[str, Model] = {}


def model(*names: str) -> Callable[[Model], Model]:
    """Register a function as the model of the named datasets.

    Trial parameters may overflow a model. That is the solver's affair, which sees
    the infinities, and no reason for a warning.
    """

    def register(function: Model) -> Model:
        MODELS.update(dict.fromkeys(names, np.errstate(all="ignore")(function)))
        return function

    return register


@model("Bennett5")
def _shifted_power(b: Array, x: Array) -> Array:
    return b[0] * (b[1] + x) ** (-1 / b[2])


@model("BoxBOD", "Misra1a")
def _saturation(b: Array, x: Array) -> Array:
    return b[0] * (1 - exp(-b[1] * x))


@model("Misra1b")
def _misra1b(b: Array, x: Array) -> Array:
    return b[0] * (1 - (1 + b[1] * x / 2) ** -2)


@model("Misra1c")
def _misra1c(b: Array, x: Array) -> Array:
    return b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5)


@model("Misra1d")
def _misra1d(b: Array, x: Array) -> Array:
    return b[0] * b[1] * x / (1 + b[1] * x)


@model("Chwirut1", "Chwirut2")
def _chwirut(b: Array, x: Array) -> Array:
    return exp(-b[0] * x) / (b[1] + b[2] * x)


@model("DanWood")
def _power(b: Array, x: Array) -> Array:
    return b[0] * x ** b[1]


@model("ENSO")
def _three_cycles(b: Array, x: Array) -> Array:
    year, second, third = (2 * pi * x / period for period in (12, b[3], b[6]))
    return (
        b[0]
        + b[1] * cos(year)
        + b[2] * sin(year)
        + b[4] * cos(second)
        + b[5] * sin(second)
        + b[7] * cos(third)
        + b[8] * sin(third)
    )


@model("Eckerle4")
def _gaussian_peak(b: Array, x: Array) -> Array:
    return b[0] / b[1] * exp(-0.5 * ((x - b[2]) / b[1]) ** 2)


@model("Gauss1", "Gauss2", "Gauss3")
def _decay_and_two_peaks(b: Array, x: Array) -> Array:
    decay = b[0] * exp(-b[1] * x)
    first = b[2] * exp(-(((x - b[3]) / b[4]) ** 2))
    second = b[5] * exp(-(((x - b[6]) / b[7]) ** 2))
    return decay + first + second


@model("Hahn1", "Thurber")
def _cubic_over_cubic(b: Array, x: Array) -> Array:
    numerator = b[0] + x * (b[1] + x * (b[2] + x * b[3]))
    return numerator / (1 + x * (b[4] + x * (b[5] + x * b[6])))


@model("Kirby2")
def _quadratic_over_quadratic(b: Array, x: Array) -> Array:
    return (b[0] + x * (b[1] + x * b[2])) / (1 + x * (b[3] + x * b[4]))


@model("Lanczos1", "Lanczos2", "Lanczos3")
def _three_exponentials(b: Array, x: Array) -> Array:
    return b[0] * exp(-b[1] * x) + b[2] * exp(-b[3] * x) + b[4] * exp(-b[5] * x)


@model("MGH09")
def _kowalik_osborne(b: Array, x: Array) -> Array:
    return b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3])


@model("MGH10")
def _meyer(b: Array, x: Array) -> Array:
    return b[0] * exp(b[1] / (x + b[2]))


@model("MGH17")
def _osborne1(b: Array, x: Array) -> Array:
    return b[0] + b[1] * exp(-x * b[3]) + b[2] * exp(-x * b[4])


@model("Nelson")
def _nelson(b: Array, x: Array) -> Array:
    time, temperature = x
    return b[0] - b[1] * time * exp(-b[2] * temperature)


@model("Rat42")
def _logistic(b: Array, x: Array) -> Array:
    return b[0] / (1 + exp(b[1] - b[2] * x))


@model("Rat43")
def _richards(b: Array, x: Array) -> Array:
    return b[0] / (1 + exp(b[1] - b[2] * x)) ** (1 / b[3])


@model("Roszman1")
def _roszman(b: Array, x: Array) -> Array:
    return b[0] - b[1] * x - arctan(b[2] / (x - b[3])) / pi
