"""Fit a decay in each pixel of a fluorescence lifetime image and draw the maps.

The image is made here: cells in 256 by 256 pixels, with counts in 50 time gates. The
65,536 fits are one call of curve_fit_batch. The maps go to OUTPUT, build/image.png
unless told: python examples/image.py [OUTPUT]
"""

import sys
import time
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from minpack import curve_fit_batch, traced

SIZE, TIME = 256, np.arange(0.125, 12.5, 0.25)  # pixels, ns
CELLS = ((70, 75, 42, 58, 0.5), (165, 60, 48, 34, -0.4), (195, 165, 40, 62, 0.3),
         (85, 185, 56, 44, -0.8))  # fmt: skip
NAMES = ("amplitude", "counts"), ("lifetime", "ns"), ("background", "counts")
OUTPUT = Path(sys.argv[1] if len(sys.argv) > 1 else "build/image.png")
KINDS = "true {} ({})", "fitted {} ({})", "its standard deviation ({1})"


@traced
def decay(t: NDArray, a: NDArray, tau: NDArray, c: NDArray) -> NDArray:
    """Return 2 √(mean counts + 3/8): for Poisson counts that has variance 1."""
    return 2 * np.sqrt(a * np.exp(-t / tau) + c + 0.375)


def specimen() -> NDArray:
    """Return the true amplitude, lifetime and background, shape (256, 256, 3)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    amplitude, lifetime = np.full(x.shape, 60.0), np.full(x.shape, 3.4)
    for cx, cy, a, b, turn in CELLS:  # centre, half axes, direction
        z = (x - cx + 1j * (y - cy)) * np.exp(-1j * turn)
        u, r = z.real / a, np.hypot(z.real / a, z.imag / b)
        amplitude += 240 * np.clip(9 * (1 - r), 0, 1) * (1 + 0.5 * r)
        amplitude += 400 * np.exp(-(((r - 0.93) / 0.04) ** 2))  # the membrane
        lifetime[r < 1] = 2.3 - 0.6 * u[r < 1]
        amplitude[r < 0.4], lifetime[r < 0.4] = 180.0, 1.1  # the nucleus
    background = 4 + 16 * np.exp(-(np.hypot(x - SIZE, y - SIZE) ** 2) / 2 / 130**2)
    return np.stack([amplitude, lifetime, background], axis=-1)


def draw(path: Path, *maps: NDArray) -> None:
    """Draw the true parameters, the fitted ones and their standard deviations."""
    figure = Figure(figsize=(9.4, 7.6), layout="constrained")
    for k, row in enumerate(figure.subplots(3, 3)):
        limits = np.percentile(maps[1][..., k], [0.5, 98])
        norm, colors, bar = Normalize(*limits), "viridis", {}
        for axes, kind, values in zip(row, KINDS, maps, strict=True):
            if kind == KINDS[2]:
                norm, colors = LogNorm(*np.percentile(values[..., k], [1, 99])), "magma"
                bar = {"ticks": np.geomspace(norm.vmin, norm.vmax, 5), "format": "%.2g"}
            cmap = colormaps[colors].resampled(24)
            image = axes.imshow(values[..., k], cmap, norm, interpolation="nearest")
            axes.set(xticks=(), yticks=())
            axes.set_title(kind.format(*NAMES[k]), fontsize=9)
            figure.colorbar(image, ax=axes, shrink=0.9, **bar).minorticks_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    Image.open(path).convert("RGB").quantize(100).save(path, optimize=True)


def main() -> None:
    """Make the image, fit, print, draw."""
    true = specimen()
    a, tau, c = np.moveaxis(true[..., None], 2, 0)
    counts = np.random.default_rng(0).poisson(a * np.exp(-TIME / tau) + c)
    began = time.perf_counter()
    result = curve_fit_batch(
        decay, TIME, 2 * np.sqrt(counts + 0.375), p0=[300, 2, 10], sigma=1.0,
        absolute_sigma=True, bounds=([0, 0.2, 0], [5000, 8, 200]), progress=True,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    is_near = np.abs(result.x - true) <= 2 * result.stderr
    at_bound = result.active_mask.any(axis=-1).sum()
    print(f"{result.ier.size} fits, {result.ier.size / seconds:,.0f} a second")
    print("Within 2 standard deviations of the truth, where 95.4 % should be:")
    for (name, _), share in zip(NAMES, is_near.mean(axis=(0, 1)), strict=True):
        print(f"  {name:12}{share:.1%}")
    print(f"At a bound: {at_bound}. Failed: {(~result.success).sum()}.")
    draw(OUTPUT, true, result.x, result.stderr)
    print(f"Figure: {OUTPUT.as_posix()}")


if __name__ == "__main__":
    main()
