"""
Overlapping peaks, and a bound that keeps one of them from turning negative
===========================================================================

Data: Gauss3 of NIST's Statistical Reference Datasets, a made spectrum of two blended
lines over a decaying baseline. Does it hold a third line as well? Its place and its
width are known, 90 and 10, and its height cannot be negative: bounds of ``curve_fit``
say both.
"""

import numpy as np
from picture import BLUE, GREY, ORANGE, POINTS, nist, panels, pm, save

from minpack import curve_fit, traced

y, x = nist("Gauss3")

# %%
# The model: lines on a baseline.


def line(x, height, place, width):
    """Return a line of Gauss's shape."""
    return height * np.exp(-(((x - place) / width) ** 2))


@traced
def model(x, base, rate, h1, x1, w1, h2, x2, w2, h3, x3, w3):
    """Return three lines over a decaying baseline."""
    lines = line(x, h1, x1, w1) + line(x, h2, x2, w2) + line(x, h3, x3, w3)
    return base * np.exp(-rate * x) + lines


# %%
# Two fits: with a third line of any height, and with one that is not negative.
names = ["base", "rate", "h1", "x1", "w1", "h2", "x2", "w2", "h3", "x3", "w3"]
start = [95, 0.009, 90, 113, 20, 74, 140, 20, 5, 90, 10]
lower = np.array([0, 0, 0, 0, 0, 0, 0, 0, -np.inf, 90, 10])
upper = np.append(np.full(9, np.inf), [90, 10])  # equal bounds fix a parameter
noise = {"sigma": np.full(x.size, 2.5), "absolute_sigma": True}  # as it was made
any_sign, any_sign_cov = curve_fit(model, x, y, start, bounds=(lower, upper), **noise)

lower[names.index("h3")] = 0
p, pcov = curve_fit(model, x, y, start, bounds=(lower, upper), **noise)

# %%
# A bound is no measurement: 0.0 ± 2.1 says that a line of height 2 would not have been
# noticed.


def text(value, variance):
    """Write a parameter and its standard deviation, if it is free to have one."""
    return pm(value, np.sqrt(variance)) if variance > 0 else f"{value:g} (held)"


print("      h3 of any sign     h3 not negative")
for i, name in enumerate(names):
    left = text(any_sign[i], any_sign_cov[i, i])
    print(f"{name:4}  {left:17}  {text(p[i], pcov[i, i])}")

# %%
# The spectrum and the fit with the bound.
figure, axes, residuals = panels("x", "response", "residual / σ")
axes.plot(x, y, **POINTS, label="data")
axes.plot(x, model(x, *p), color=BLUE, label="fit")
axes.plot(x, p[0] * np.exp(-p[1] * x), ":", color=GREY, label="its baseline")
for peak, label in (p[2:5], "its two lines"), (p[5:8], None):
    axes.plot(x, line(x, *peak), "--", color=ORANGE, label=label)
axes.annotate(
    "third line:\nheld at height 0",
    xy=(90, 0),
    xytext=(55, 22),
    ha="center",
    arrowprops={"arrowstyle": "->", "color": BLUE},
)
axes.axhline(0, color=GREY, lw=0.8, zorder=0)
axes.legend()
residuals.plot(x, (y - model(x, *p)) / noise["sigma"], **POINTS)
save(figure, "peaks")
