"""
A calibration whose points err together
=======================================

An assay's optical density was measured at eight concentrations of an enzyme, in eleven
runs (here the means of two wells). A run lies on a smooth curve, but every run on
another one: the points of a run err together. How well does the last run tell the curve
of the assay? ``curve_fit`` takes the covariance matrix of the data as ``sigma``. Data:
M. Davidian and D. M. Giltinan, Nonlinear Models for Repeated Measurement Data, Chapman
& Hall 1995.
"""

import numpy as np
from picture import BLUE, ORANGE, POINTS, deviation, panels, pm, save

from minpack import curve_fit, traced

c = 12.5 / 2.0 ** np.array([8, 6, 5, 4, 3, 2, 1, 0])  # ng/ml
*earlier, last = np.array(
    [
        [0.0175, 0.1225, 0.2105, 0.3755, 0.6115, 1.0100, 1.3490, 1.7200],
        [0.0475, 0.1300, 0.2160, 0.3920, 0.6765, 1.0970, 1.5400, 1.9230],
        [0.0690, 0.1690, 0.2625, 0.4300, 0.6960, 1.0720, 1.5540, 1.9435],
        [0.0135, 0.1130, 0.2030, 0.3620, 0.6300, 0.9760, 1.4115, 1.7360],
        [0.0350, 0.1335, 0.2220, 0.3875, 0.6525, 1.0455, 1.4170, 1.7440],
        [0.0945, 0.1900, 0.2745, 0.4330, 0.6810, 1.0670, 1.4415, 1.7870],
        [0.0930, 0.1820, 0.2775, 0.4415, 0.6770, 1.0435, 1.4005, 1.7490],
        [0.0540, 0.1500, 0.2240, 0.3875, 0.6510, 1.0225, 1.4235, 1.7335],
        [0.0375, 0.1485, 0.2405, 0.4075, 0.6645, 1.0360, 1.4015, 1.7110],
        [0.0730, 0.1650, 0.2575, 0.4390, 0.6955, 1.0585, 1.3730, 1.7035],
        [0.0520, 0.1570, 0.2490, 0.4190, 0.6940, 0.9870, 1.4030, 1.7180],
    ]
)
start = (0, 2, 4)

# %%
# The model: a density that saturates.


@traced
def model(c, offset, gain, half):
    """Return the density at concentration `c`; at `half` the gain is half used."""
    return offset + gain * c / (half + c)


# %%
# From the earlier runs: the noise of a point, and how the curves differ by run. Then
# two fits of the last run, without the covariance matrix and with it.
curves = np.array([curve_fit(model, c, run, start)[0] for run in earlier])
rest = np.array([run - model(c, *p) for run, p in zip(earlier, curves, strict=True)])
noise = np.sum(rest**2) / (rest.size - curves.size)
mean = curves.mean(axis=0)
slopes = np.stack([c**0, c / (mean[2] + c), -mean[1] * c / (mean[2] + c) ** 2])
between = np.cov(curves.T) - noise * np.linalg.inv(slopes @ slopes.T)
covariance = noise * np.eye(c.size) + slopes.T @ between @ slopes

alone, alone_cov = curve_fit(model, c, last, start)
p, pcov = curve_fit(model, c, last, start, sigma=covariance, absolute_sigma=True)

# %%
# The last run, with points that err alone and with points that err together.
print("              points independent  points err together  mean of earlier runs")
names = "offset", "gain", "half (ng/ml)"
fits = (alone, np.sqrt(np.diag(alone_cov))), (p, np.sqrt(np.diag(pcov)))
for i, name in enumerate(names):
    left, right = (pm(value[i], error[i]) for value, error in fits)
    print(f"{name:12}  {left:18}  {right:19}  {mean[i]:.{len(right.split()[0]) - 2}f}")

# %%
# Above, the runs; below, how far they are from the fit, with the bands of both fits.
figure, axes, residuals = panels(
    "concentration (ng/ml)", "optical density", "less the fit", heights=(5, 4)
)
grid = np.geomspace(c[0], c[-1], 300)
EARLIER = {"color": "0.7", "lw": 0.9}
for panel, base in (axes, 0), (residuals, model(c, *p)):
    for run in earlier:
        panel.plot(c, run - base, **EARLIER)
    panel.plot(c, last - base, **POINTS, zorder=4)
axes.plot([], [], **POINTS, label="last run")
axes.plot(
    grid, model(grid, *p), color=BLUE, lw=2, zorder=3, label="fit of the last run"
)
axes.plot([], [], **EARLIER, label="earlier runs")
for cov, color, label in (
    (pcov, BLUE, "± one σ, points err together"),
    (alone_cov, ORANGE, "± one σ, points independent"),
):
    spread = deviation(model, grid, p, cov)
    residuals.fill_between(
        grid, -spread, spread, color=color, alpha=0.4, lw=0, label=label
    )
axes.set_xscale("log")
axes.legend()
residuals.legend(loc="upper left")
save(figure, "calibration")
