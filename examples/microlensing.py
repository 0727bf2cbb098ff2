"""
The light curve of a lensed star, with profile intervals
========================================================

When a dim star passes before a distant one, its gravity bends the light of the other:
for some weeks that star seems brighter, in a way that Einstein (1936) and Paczyński
(1986) worked out. How long the event lasts and how much of the light is lensed can
hardly be told apart, so the standard error of the duration misleads. A profile tells
more: the duration is held at many values, the other parameters are fitted for each, and
chi-squared says which values the data allow. All these fits are one call of
``curve_fit_batch``. The data are made here.
"""

import numpy as np
from picture import BLUE, ERRORS, GREY, ORANGE, new_figure, report, save

from minpack import curve_fit, curve_fit_batch, traced

# %%
# The model: at the distance u from the line of sight, in units of the Einstein radius,
# the light of the source is magnified by (u² + 2) / (u √(u² + 4)).


@traced
def flux(t, peak, duration, u0, source, blend):
    """Return the flux at `t`: of the lensed source, and of its unlensed neighbours."""
    u2 = u0**2 + ((t - peak) / duration) ** 2
    return source * (u2 + 2) / np.sqrt(u2 * (u2 + 4)) + blend


# %%
# The data: a night's mean a day for 150 days, a third of which were cloudy.
rng = np.random.default_rng(2)
t = np.sort(rng.choice(np.arange(150), 100, replace=False)) + rng.normal(0, 0.1, 100)
true = 71.3, 26, 0.35, 0.5, 0.5
noise = 0.025 * np.sqrt(flux(t, *true))
y = rng.normal(flux(t, *true), noise)

bounds = [0, 1, 1e-3, 0, -1], [150, 500, 5, 20, 2]
known = {"sigma": noise, "absolute_sigma": True}
popt, pcov = curve_fit(flux, t, y, [70, 20, 0.3, 1, 0], bounds=bounds, **known)
names = ["peak (day)", "duration (days)", "least distance", "source", "blend"]
report(names, popt, pcov, true)

# %%
# The profile: in fit i the lower and the upper bound of the duration are both grid[i].
grid = np.linspace(15, 60, 181)
lower, upper = (np.tile(np.float64(bound), (grid.size, 1)) for bound in bounds)
start = np.tile(popt, (grid.size, 1))
lower[:, 1] = upper[:, 1] = start[:, 1] = grid
profile = curve_fit_batch(
    flux, t, np.tile(y, (grid.size, 1)), start, bounds=(lower, upper), **known
)
assert profile.success.all()
best = np.sum(((y - flux(t, *popt)) / noise) ** 2)
rise = 2 * profile.cost - best

# %%
# Where chi-squared has risen by 1 (by 4) ends the interval of 68.3 % (of 95.4 %).
is_left = grid < popt[1]
intervals = {}
for share, level in ("68.3 %", 1), ("95.4 %", 4):
    low = np.interp(-level, -rise[is_left], grid[is_left])
    high = np.interp(level, rise[~is_left], grid[~is_left])
    intervals[level] = low, high
    half = np.sqrt(level * pcov[1, 1])
    print(
        f"duration, {share}: {low:.1f} to {high:.1f} days by the profile,"
        f" {popt[1] - half:.1f} to {popt[1] + half:.1f} by the standard error"
    )

# %%
# The light curve, and its residuals beside what changes with a duration at the ends of
# the interval of 95.4 %: no eye would see it. Below, the profile beside the parabola
# that the standard error stands for.
figure = new_figure(figsize=(8, 7))
top, bottom = figure.subfigures(2, height_ratios=(3, 2.2))
axes, residuals = top.subplots(2, sharex=True, height_ratios=(2.2, 1))
axes.errorbar(t, y, noise, **ERRORS, label="nightly means")
days = np.linspace(0, 150, 600)
axes.plot(days, flux(days, *popt), color=BLUE, label="fit")
axes.set(ylabel="flux (of the star unlensed)", ylim=(0.9, 2.15))
axes.legend(loc="upper left")
residuals.errorbar(t, (y - flux(t, *popt)) / noise, 1, **ERRORS)
for k, style in zip(np.searchsorted(grid, intervals[4]), ("--", ":"), strict=True):
    change = (flux(t, *profile.x[k]) - flux(t, *popt)) / noise
    residuals.plot(
        t, change, style, color=ORANGE, zorder=3, label=f"at {grid[k]:.1f} days"
    )
residuals.legend(ncols=2, loc="upper right")
residuals.axhline(0, color=GREY, lw=0.8, zorder=0)
residuals.set(xlabel="day", ylabel="residual / σ", ylim=(-4, 8))

axes = bottom.subplots()
axes.plot(grid, rise, color=BLUE, label="profile")
parabola = (grid - popt[1]) ** 2 / pcov[1, 1]
axes.plot(grid, parabola, ":", color=ORANGE, label="from the standard error")
for level, ends in intervals.items():
    axes.plot(ends, (level, level), "|-", ms=10, color="0.2", lw=1)
axes.text(intervals[1][1] + 0.7, 1, "68.3 %", va="center")
axes.text(intervals[4][1] + 0.7, 4, "95.4 %", va="center")
axes.plot(popt[1], 0, "o", color=BLUE, clip_on=False)
axes.set(
    xlabel="duration (days)", ylabel="rise of chi-squared", ylim=(0, 9), xlim=(15, 60)
)
axes.legend(loc="upper right")
save(figure, "microlensing")
