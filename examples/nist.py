"""Fit the 27 NIST StRD nonlinear regression datasets and count correct digits.

Each dataset is fitted from both of NIST's starting points. The certified results
have 11 digits; the table says how many of them each fit reproduces: in the worst
parameter, in the worst standard deviation, and in the residual sum of squares (RSS).

    python examples/nist.py [--factor FACTOR] [--output PATH]
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from tqdm import tqdm

from minpack import leastsq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from problems import nist
from problems.nist import DATASETS, RUNS, Dataset, Digits

CONVERGED = 4  # digits; a fit that ends elsewhere has none

DATA: dict[str, Any] = {"ls": "", "marker": "o", "mew": 0, "color": "0.6"}
COLORS = {"Lower": "#1f78a4", "Average": "#c47f0a", "Higher": "#b0306a"}
ELSEWHERE: dict[str, Any] = {"ls": (0, (3, 2)), "color": "#d00000"}


@dataclass(frozen=True)
class Fit:
    """A fit and how many digits of its results agree with the certified ones."""

    dataset: Dataset
    start: int
    b: NDArray[np.float64]
    ier: int
    nfev: int
    milliseconds: float
    digits: Digits


def fit(dataset: Dataset, start: int, factor: float) -> Fit:
    """Fit `dataset` from one of its two starts, with its exact Jacobian."""
    began = time.perf_counter()
    result = nist.fit(leastsq, dataset, start, factor=factor)
    elapsed = time.perf_counter() - began
    b, _, info, _, ier = result
    return Fit(
        dataset=dataset,
        start=start,
        b=b,
        ier=ier,
        nfev=info["nfev"],
        milliseconds=1e3 * elapsed,
        digits=nist.correct_digits(dataset, result),
    )


def print_table(fits: list[Fit]) -> None:
    """Print a line for each fit, and how many of them succeeded."""
    print("                                                      certified digits of")
    print("dataset    level    start   n    m  ier  nfev     ms      b  stddev     RSS")
    for f in fits:
        d = f.dataset
        print(
            f"{d.name:10} {d.difficulty:8} {f.start + 1:5} {d.n:3} {d.m:4} {f.ier:4} "
            f"{f.nfev:5} {f.milliseconds:6.1f} "
            f"{f.digits.b:6.1f} {f.digits.stddev:7.1f} {f.digits.rss:7.1f}"
        )
    print(
        "\nThe residuals of Lanczos1 are near 1e-13: in double precision they, and what"
        "\nis computed from them, have about three digits."
    )
    reached = [sum(f.digits.b >= digits for f in fits) for digits in (CONVERGED, 6)]
    print(
        f"\nOf {len(fits)} fits, {reached[0]} reach {CONVERGED} digits or more in "
        f"every parameter, {reached[1]} reach 6 or more."
    )
    for f in fits:
        if f.digits.b < CONVERGED:
            print(
                f"{f.dataset.name} from start {f.start + 1} ends elsewhere; a shorter "
                "first step (--factor 10) may help."
            )


def draw_panel(axes: Axes, fits: list[Fit]) -> None:
    """Draw a dataset and its fits, with their digits in the title.

    Nelson has two predictors: it is drawn over time, with a line a temperature.
    """
    dataset = fits[0].dataset
    x, *temperature = np.atleast_2d(dataset.x)
    grid = np.linspace(x.min(), x.max(), 500)
    levels = np.unique(temperature)
    predictors = [np.array([grid, np.full_like(grid, t)]) for t in levels] or [grid]
    axes.plot(x, dataset.y, ms=5 if dataset.m < 100 else 3, **DATA)
    for f in fits:
        converged = f.digits.b >= CONVERGED
        style: dict[str, Any] = (
            {"color": COLORS[dataset.difficulty]} if converged else ELSEWHERE
        )
        for predictor in predictors:
            axes.plot(grid, dataset.model(f.b, predictor), lw=1.2, **style)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.05, 0.08)
    axes.spines[:].set_color("0.8")
    digits = " | ".join(f"{f.digits.b:.1f}" for f in fits)
    axes.set_title(dataset.name, loc="left", fontsize=9, fontweight="bold", pad=4)
    axes.set_title(digits, loc="right", fontsize=8, color="0.35", pad=4)


def draw_key(axes: Axes) -> None:
    """Explain the panels in the cell that is left over."""
    axes.axis("off")
    handles = [Line2D([], [], ms=5, label="data", **DATA)]
    handles += [
        Line2D([], [], color=color, label=f"fit, {level.lower()} difficulty")
        for level, color in COLORS.items()
    ]
    handles.append(Line2D([], [], label="fit that ends elsewhere", **ELSEWHERE))
    axes.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(-0.03, 0.5),
        frameon=False,
        fontsize=8,
        title="Numbers: correct digits of the\nparameters, start 1 | start 2",
        title_fontsize=8,
        alignment="left",
    )


def draw(fits: list[Fit], path: Path) -> None:
    """Draw all datasets and their fits, and save the figure."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
    figure = Figure(figsize=(14, 7.4), layout=layout)
    grid = figure.subplots(4, 7)
    for axes, dataset in zip(grid.flat, DATASETS, strict=False):
        draw_panel(axes, [f for f in fits if f.dataset is dataset])
    draw_key(grid.flat[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def main() -> None:
    """Fit, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--factor",
        type=float,
        default=100,
        help="bound on the first step, see leastsq (default: %(default)s, as there)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("build/nist.png"),
        help="where to draw the fits (default: %(default)s)",
    )
    args = parser.parse_args()
    progress = tqdm(RUNS, desc="fitting", unit="fit", leave=False, disable=None)
    fits = [fit(dataset, start, args.factor) for dataset, start in progress]
    print_table(fits)
    draw(fits, args.output)
    print(f"Figure: {args.output}")


if __name__ == "__main__":
    main()
