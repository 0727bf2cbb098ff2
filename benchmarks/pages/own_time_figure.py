"""The own time of a fit against m, as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from measure.own_time import OwnTime

STYLES: dict[str, dict[str, Any]] = {
    "SciPy": {"color": "#e0a040", "marker": "o", "ms": 6.5, "lw": 3, "label": "SciPy"},
    "reference": {"color": "#5c7f96", "label": "minpack, reference"},
    "fast": {"color": "#12597f", "lw": 2.2, "label": "minpack, fast"},
}
UNITS = ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"))


def _time(seconds: float, _: object = None) -> str:
    unit, name = max(pair for pair in UNITS if pair[0] <= 1.001 * seconds)
    return f"{seconds / unit:.3g} {name}"


def draw(results: list[OwnTime], path: Path) -> None:
    """Draw a panel for n = 3 and one for n = 10."""
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True, width_ratios=(5, 4))
    for panel, n in zip(axes, (3, 10), strict=True):
        draw_panel(panel, sorted((r for r in results if r.n == n), key=lambda r: r.m))
        panel.set_title(f"n = {n} parameters", loc="left", fontsize=10)
    axes[0].set_ylabel("own time of a fit")
    axes[0].legend(frameon=False, fontsize=9, loc="upper left")
    figure.suptitle(
        "What a fit takes besides its evaluations", x=0.01, ha="left", fontweight="bold"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def draw_panel(axes: Axes, results: list[OwnTime]) -> None:
    """Draw the solvers' times, below them that of a copy, and SciPy's over ours."""
    m = [r.m for r in results]
    for name, style in STYLES.items():
        times = [r.median(name) for r in results]
        look: dict[str, Any] = {"marker": "o", "ms": 4, "lw": 1.2} | style
        axes.plot(m, times, **look)
    copy = [r.copy for r in results]
    axes.plot(
        m, copy, color="0.6", ls=(0, (4, 2)), lw=1.2, label="copying the residuals"
    )
    axes.fill_between(m, 1e-9, copy, color="0.94", lw=0)
    note = {"color": STYLES["fast"]["color"], "fontsize": 9, "va": "center"}
    for r in results:
        axes.text(
            r.m, 1.1e-7, f"{r.ratio():.1f}", ha="center", fontweight="bold", **note
        )
    axes.text(m[0] / 1.2, 2.3e-7, "SciPy / fast", **note)
    axes.set(xscale="log", yscale="log", xlabel="m residuals", ylim=(6e-8, 0.5))
    axes.set_xlim(m[0] / 1.6, m[-1] * 2.2)
    axes.set_xticks(
        [x for x in (10, 100, 1000, 10**4, 10**5, 10**6) if m[0] <= x <= m[-1]]
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1])
    axes.yaxis.set_major_formatter(FuncFormatter(_time))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(axis="y", color="0.9", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("0.7")
    axes.tick_params(color="0.7", labelsize=9)
