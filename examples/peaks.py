"""Overlapping peaks, and a bound that keeps one of them from turning negative.

Data: Gauss3 of NIST's Statistical Reference Datasets, a made spectrum of two blended
lines over a decaying baseline. Does it hold a third line as well? Its place and its
width are known, 90 and 10, and its height cannot be negative.
"""

from pathlib import Path

import numpy as np
from picture import BLUE, GREY, ORANGE, POINTS, panels, pm, save

from minpack import curve_fit, traced

tests = Path(__file__).resolve().parents[1] / "tests"
y, x = np.loadtxt(tests / "problems/nist/Gauss3.dat", skiprows=60, unpack=True)


def line(x, height, place, width):
    """Return a line of Gauss's shape."""
    return height * np.exp(-(((x - place) / width) ** 2))


@traced
def model(x, base, rate, h1, x1, w1, h2, x2, w2, h3, x3, w3):
    """Return three lines over a decaying baseline."""
    lines = line(x, h1, x1, w1) + line(x, h2, x2, w2) + line(x, h3, x3, w3)
    return base * np.exp(-rate * x) + lines


names = ["base", "rate", "h1", "x1", "w1", "h2", "x2", "w2", "h3", "x3", "w3"]
start = [95, 0.009, 90, 113, 20, 74, 140, 20, 5, 90, 10]
lower = np.array([0, 0, 0, 0, 0, 0, 0, 0, -np.inf, 90, 10])
upper = np.append(np.full(9, np.inf), [90, 10])  # equal bounds fix a parameter
noise = {"sigma": np.full(x.size, 2.5), "absolute_sigma": True}  # as it was made
any_sign, any_sign_cov = curve_fit(model, x, y, start, bounds=(lower, upper), **noise)

lower[names.index("h3")] = 0
p, pcov = curve_fit(model, x, y, start, bounds=(lower, upper), **noise)


def text(value, variance):
    """Write a parameter and its standard deviation, if it is free to have one."""
    return pm(value, np.sqrt(variance)) if variance > 0 else f"{value:g} (held)"


print("      h3 of any sign     h3 not negative")
for i, name in enumerate(names):
    left = text(any_sign[i], any_sign_cov[i, i])
    print(f"{name:4}  {left:17}  {text(p[i], pcov[i, i])}")

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
axes.legend(frameon=False)
residuals.plot(x, (y - model(x, *p)) / noise["sigma"], **POINTS)
save(figure, "peaks")
