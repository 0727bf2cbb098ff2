"""What the pictures of the gallery have in common."""

from collections.abc import Callable
from math import floor, log10
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Colours of Okabe and Ito, which the colour-blind tell apart too.
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "0.45"
POINTS: dict[str, Any] = {"ls": "", "marker": "o", "ms": 4, "color": "0.2", "mew": 0}
ERRORS: dict[str, Any] = {"elinewidth": 0.8} | POINTS


def panels(
    xlabel: str, ylabel: str, residual: str, heights: tuple[int, int] = (3, 1)
) -> tuple[Figure, Axes, Axes]:
    """Return a figure with a panel for the fit and, below it, one for its residuals."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    fit, residuals = figure.subplots(2, sharex=True, height_ratios=heights)
    fit.set(ylabel=ylabel)
    residuals.set(xlabel=xlabel, ylabel=residual)
    residuals.axhline(0, color=GREY, lw=0.8, zorder=0)
    for axes in (fit, residuals):
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels()
    return figure, fit, residuals


def deviation(model: Callable[..., Array], x: Array, p: Array, pcov: Array) -> Array:
    """Return the standard deviation of ``model(x, *p)``, by propagation of errors."""
    steps = np.diag(1e-6 * np.abs(p))
    slopes = [(model(x, *(p + h)) - model(x, *(p - h))) / (2 * h.sum()) for h in steps]
    return np.sqrt(np.einsum("ix,ij,jx->x", slopes, pcov, slopes))


def band(
    axes: Axes,
    model: Callable[..., Array],
    x: Array,
    p: Array,
    pcov: Array,
    color: str = BLUE,
    **line: Any,
) -> None:
    """Draw a fitted curve with a band of one standard deviation."""
    curve, spread = model(x, *p), deviation(model, x, p, pcov)
    axes.plot(x, curve, color=color, **line)
    axes.fill_between(x, curve - spread, curve + spread, color=color, alpha=0.2, lw=0)


def pm(value: float, error: float) -> str:
    """Write a value and its standard deviation, which gets two digits."""
    decimals = max(0, 1 - floor(log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def save(figure: Figure, name: str) -> None:
    """Save a figure as ``build/<name>.png`` and say so."""
    path = Path("build", name).with_suffix(".png")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=100)
    print(f"Figure: {path.as_posix()}")
