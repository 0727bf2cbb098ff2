"""
The lattice of silicon, from eleven reflections at once
=======================================================

Silicon powder scatters X-rays into cones. Their angles all follow from one length, the
edge of the cubic cell, by Bragg's law. So do not fit the peaks one after the other: fit
the whole pattern, in which the places of the peaks have two parameters, with the zero
of the scale, and their widths three. Only the areas of the peaks are free. X-rays from
copper come in two wavelengths, so each peak is two. The loop over the peaks is plain
Python, which ``minpack.traced`` records once. The data are made here.
"""

import numpy as np
from picture import BLUE, GREY, ORANGE, POINTS, new_figure, report, save

from minpack import curve_fit, traced

WAVELENGTHS = ((1.540593, 2 / 3), (1.544427, 1 / 3))  # ångström, share
PLANES = ["111", "220", "311", "400", "331", "422", "511", "440", "531", "620", "533"]
SQUARES = [sum(int(digit) ** 2 for digit in plane) for plane in PLANES]

# %%
# The model: pseudo-Voigt peaks, whose width follows Caglioti's law, on a smooth
# background. The angles are 2θ in degrees.


@traced
def pattern(angle, cell, zero, u, v, w, share, b0, b1, b2, *areas):
    """Return counts at `angle`; `cell` is in ångström."""
    away = (angle - 80) / 60
    total = b0 + b1 * away + b2 * away**2
    for square, area in zip(SQUARES, areas, strict=True):
        for wavelength, part in WAVELENGTHS:
            theta = np.arcsin(wavelength * np.sqrt(square) / (2 * cell))
            tan = np.tan(theta)
            width = np.sqrt(u * tan**2 + v * tan + w) / 2  # half of the full width
            z = (angle - zero - np.degrees(2 * theta)) / width
            lorentz = share / (np.pi * (1 + z**2))
            gauss = (1 - share) * np.sqrt(np.log(2) / np.pi) * np.exp(-np.log(2) * z**2)
            total = total + part * area / width * (lorentz + gauss)
    return total


# %%
# The data: 6,001 angles. Areas follow the powder pattern of silicon.
angle = np.linspace(20, 140, 6001)
areas = 9 * np.array([100, 60, 35, 8, 13, 17, 9, 5, 7, 8, 3])
true = np.array([5.4309, 0.018, 0.012, -0.010, 0.009, 0.45, 90, -40, 30, *areas])
expected = pattern(angle, *true)
counts = np.random.default_rng(8).poisson(expected)

# %%
# The fit, with 20 parameters. A count varies by the root of what is expected, which the
# fit says, so it is repeated with better weights.
start = [5.43, 0, 0.01, 0, 0.01, 0.5, 60, 0, 0] + 11 * [300]
popt, sigma = start, np.sqrt(counts + 10)
bounds = [5.3, -1, 0, -0.02, 0.004, 0] + 3 * [-np.inf] + 11 * [0], np.inf
for _ in range(3):
    popt, pcov = curve_fit(
        pattern, angle, counts, popt, sigma=sigma, absolute_sigma=True, bounds=bounds
    )
    sigma = np.sqrt(pattern(angle, *popt))
names = ["cell (Å)", "zero (°)", "u (°²)", "v (°²)", "w (°²)", "share of Lorentz"]
report(names, popt[:6], pcov[:6, :6], true)
report([f"area of {plane}" for plane in PLANES], popt[9:], pcov[9:, 9:], true[9:])
pull = (counts - pattern(angle, *popt)) / sigma
print(f"chi-squared: {pull @ pull:.0f}, degrees of freedom: {pull.size - popt.size}")

# %%
# The root of the counts shows weak peaks too. The inset shows the two wavelengths.
figure = new_figure(figsize=(8, 5.6))
axes, residuals = figure.subplots(2, sharex=True, height_ratios=(4, 1))
axes.plot(angle, np.sqrt(counts), ".", ms=2, color=GREY, label="counts")
axes.plot(angle, np.sqrt(pattern(angle, *popt)), color=BLUE, lw=1, label="fit")
for plane, square in zip(PLANES, SQUARES, strict=True):
    place = 2 * np.degrees(np.arcsin(WAVELENGTHS[0][0] * np.sqrt(square) / 2 / popt[0]))
    top = np.sqrt(counts[np.abs(angle - place) < 1].max())
    axes.text(place, top + 1, plane, ha="center", fontsize=9)
axes.set(ylabel="√counts", ylim=0)
axes.legend(loc="upper right")
inset = axes.inset_axes((0.42, 0.52, 0.34, 0.45))
near = (angle > 94) & (angle < 96)
inset.plot(angle[near], counts[near], **POINTS | {"ms": 3})
inset.plot(angle[near], pattern(angle[near], *popt), color=BLUE)
inset.set_title("511, counts", fontsize=9)
inset.tick_params(labelsize=9)
residuals.plot(angle, pull, ".", ms=1.5, color="0.2")
residuals.axhline(0, color=ORANGE, lw=0.8)
residuals.set(xlabel="2θ (degrees)", ylabel="residual / σ", ylim=(-5, 5))
figure.align_ylabels()
save(figure, "diffraction")
