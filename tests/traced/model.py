"""A function as people write it, with its data and its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

T = np.linspace(0.05, 10.0, 120)
DESIGN = np.stack([np.ones_like(T), T, np.sqrt(T), np.sin(T)], axis=1)


@dataclass(frozen=True)
class Model:
    """A function, its data and its parameters.

    `xdata` is None for functions of residuals, which are called with the vector of
    parameters and `args`. `takes_complex` tells whether the derivatives can be found
    by complex steps.
    """

    name: str
    function: Callable[..., Any]
    xdata: Any
    args: tuple[Any, ...]
    true: tuple[float, ...]
    start: tuple[float, ...]
    takes_complex: bool


MODELS: dict[str, Model] = {}


def _keep(model: Model) -> None:
    assert model.name not in MODELS, model.name
    MODELS[model.name] = model


def curve(
    xdata: Any, true: Any, start: Any, name: str = "", takes_complex: bool = True
) -> Callable[[Any], Any]:
    """Keep a function of curve_fit, which is called with xdata and the parameters."""

    def keep(function: Any) -> Any:
        key = name or function.__name__
        _keep(Model(key, function, xdata, (), true, start, takes_complex))
        return function

    return keep


def residuals(
    args: tuple[Any, ...],
    true: Any,
    start: Any,
    name: str = "",
    takes_complex: bool = True,
) -> Callable[[Any], Any]:
    """Keep a function of leastsq and least_squares."""

    def keep(function: Any) -> Any:
        key = name or function.__name__
        _keep(Model(key, function, None, args, true, start, takes_complex))
        return function

    return keep


def noisy(values: Any, scale: float = 0.02) -> Any:
    """Data: values with errors, the same at each call."""
    values = np.asarray(values)
    return values + scale * np.random.default_rng(1).standard_normal(values.shape)


# Of functions that NumPy or SciPy has for real numbers alone
real_only = partial(curve, takes_complex=False)
