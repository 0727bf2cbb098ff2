"""
An image of decays
==================

A fluorescence lifetime image holds a decay in each pixel: here 256 by 256 pixels with
counts in 50 time gates. The 65,536 fits of three parameters within bounds are one call
of ``curve_fit_batch``, which takes the image as it is and returns images of the
parameters and of their standard errors. The image is made here.
"""

import time

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import LogLocator
from picture import new_figure, save

from minpack import curve_fit_batch, traced

# %%
# Poisson counts vary by the root of their mean. Twice the root of a count, plus 3/8,
# has variance 1 whatever the mean (Anscombe, 1948), so this is what is fitted.


@traced
def decay(t, a, tau, c):
    """Return 2 √(mean counts + 3/8)."""
    return 2 * np.sqrt(a * np.exp(-t / tau) + c + 0.375)


# %%
# The image: cells with a membrane and a nucleus, and light from a corner.
SIZE, TIME = 256, np.arange(0.125, 12.5, 0.25)  # pixels, ns
CELLS = ((70, 75, 42, 58, 0.5), (165, 60, 48, 34, -0.4), (195, 165, 40, 62, 0.3),
         (85, 185, 56, 44, -0.8))  # fmt: skip


def specimen():
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


true = specimen()
a, tau, c = np.moveaxis(true[..., None], 2, 0)
counts = np.random.default_rng(0).poisson(a * np.exp(-TIME / tau) + c)

# %%
# The fits. The axis of the points, here the gates, comes last.
began = time.perf_counter()
result = curve_fit_batch(
    decay, TIME, 2 * np.sqrt(counts + 0.375), p0=[300, 2, 10], sigma=1.0,
    absolute_sigma=True, bounds=([0, 0.2, 0], [5000, 8, 200]),
)  # fmt: skip
seconds = time.perf_counter() - began

# %%
# Are the standard errors to be believed?
NAMES = ("amplitude", "counts"), ("lifetime", "ns"), ("background", "counts")
is_near = np.abs(result.x - true) <= 2 * result.stderr
at_bound = result.active_mask.any(axis=-1).sum()
print(f"{result.ier.size} fits, {result.ier.size / seconds:,.0f} a second")
print("Within 2 standard deviations of the truth, where 95.4 % should be:")
for (name, _), share in zip(NAMES, is_near.mean(axis=(0, 1)), strict=True):
    print(f"  {name:12}{share:.1%}")
print(f"At a bound: {at_bound}. Failed: {(~result.success).sum()}.")

# %%
# The true parameters, the fitted ones and their standard deviations.
figure = new_figure(figsize=(9.4, 7.6))
for k, row in enumerate(figure.subplots(3, 3)):
    name, unit = NAMES[k]
    limits = np.percentile(result.x[..., k], [0.5, 98])
    errors = result.stderr[..., k]
    value = Normalize(*limits), "viridis", {}
    error = LogNorm(*np.percentile(errors, [1, 99])), "magma", {
        "ticks": LogLocator(subs=(1, 2, 5)), "format": "%g"
    }  # fmt: skip
    for axes, title, values, (norm, colors, bar) in (
        (row[0], f"true {name} ({unit})", true[..., k], value),
        (row[1], f"fitted {name} ({unit})", result.x[..., k], value),
        (row[2], f"its standard deviation ({unit})", errors, error),
    ):
        cmap = colormaps[colors].resampled(24)
        image = axes.imshow(values, cmap, norm, origin="upper", interpolation="nearest")
        axes.axis("off")
        axes.set_title(title, fontsize=10)
        figure.colorbar(image, ax=axes, shrink=0.9, **bar).minorticks_off()
save(figure, "image")
