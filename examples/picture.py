"""What the scripts of the gallery share: a style, and how numbers are written."""

import sys
from math import floor, log10
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]

# Colours of Okabe and Ito, which the colour-blind tell apart too.
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "0.45"
POINTS: dict[str, Any] = {"ls": "", "marker": "o", "ms": 4, "color": "0.2", "mew": 0}
ERRORS: dict[str, Any] = {"elinewidth": 0.8} | POINTS
STYLE = {
    "figure.figsize": (8, 5),
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "image.origin": "lower",
}


def nist(name: str) -> Array:
    """Return the columns of one of NIST's datasets in the tests, y first."""
    tests = Path(__file__).resolve().parents[1] / "tests"
    return np.loadtxt(tests / f"problems/nist/{name}.dat", skiprows=60, unpack=True)


def new_figure(**options: Any) -> Figure:
    """Return a figure in the style of the gallery."""
    plt.rcParams.update(STYLE)
    return plt.figure(**options)


def panels(
    xlabel: str, ylabel: str, residual: str, heights: tuple[int, int] = (3, 1)
) -> tuple[Figure, Axes, Axes]:
    """Return a figure with a panel for the fit and, below it, one for its residuals."""
    figure = new_figure()
    fit, residuals = figure.subplots(2, sharex=True, height_ratios=heights)
    fit.set(ylabel=ylabel)
    residuals.set(xlabel=xlabel, ylabel=residual)
    residuals.axhline(0, color=GREY, lw=0.8, zorder=0)
    figure.align_ylabels()
    return figure, fit, residuals


def deviation(model: Any, x: Array, p: Array, pcov: Array) -> Array:
    """Return the standard deviation of a traced model's values, from that of `p`."""
    slopes = model.jacobian(x, *p)
    return np.sqrt(np.einsum("xi,ij,xj->x", slopes, pcov, slopes))


def band(
    axes: Axes,
    model: Any,
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


def report(names: list[str], p: Array, pcov: Array, true: Any = ()) -> None:
    """Print parameters with their standard errors and, where known, the truth."""
    width = max(map(len, names))
    texts = [pm(*pair) for pair in zip(p, np.sqrt(np.diag(pcov)), strict=True)]
    for i, (name, text) in enumerate(zip(names, texts, strict=True)):
        truth = f"   (true: {true[i]:g})" if len(true) else ""
        print(f"{name:{width}}  {text:{max(map(len, texts))}}{truth}".rstrip())


def save(figure: Figure, name: str) -> None:
    """Save a figure as ``build/<name>.png`` and say so."""
    if "sphinx_gallery" in sys.modules:  # it takes the open figures itself
        return
    path = Path("build", name).with_suffix(".png")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path)
    # 256 colours take a third of the bytes, and no eye sees a difference.
    small = Image.open(path).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    small.save(path, optimize=True)
    print(f"Figure: {path.as_posix()}")
