"""
Cycles of El Niño, from 900 starts
==================================

The difference of the air pressures at Easter Island and at Darwin drives the trade
winds. Its monthly means have a cycle of a year and two longer ones, whose periods are
to be found. A period is a hard parameter: there are many local minima, and a fit ends
in the one in which it starts. So 900 fits start from 30 by 30 pairs of periods, in one
call of ``curve_fit_batch``, and the best of them wins. Data: ENSO of NIST's Statistical
Reference Datasets, which certifies the results.
"""

import numpy as np
from picture import ORANGE, POINTS, band, new_figure, nist, report, save

from minpack import curve_fit, curve_fit_batch, traced

y, month = nist("ENSO")

# %%
# The model: each cycle is a sum of a cosine and a sine, in whose heights it is linear.


@traced
def pressure(month, mean, c1, s1, period2, c2, s2, period3, c3, s3):
    """Return the difference of the pressures in NIST's units."""
    total = mean
    for period, c, s in (12, c1, s1), (period2, c2, s2), (period3, c3, s3):
        angle = 2 * np.pi * month / period
        total = total + c * np.cos(angle) + s * np.sin(angle)
    return total


# %%
# Each fit has a start of its own: the last axis of ``start`` is that of the parameters.
periods = np.geomspace(18, 90, 30)  # months
start = np.ones((30, 30, 9))
start[..., 3], start[..., 6] = np.meshgrid(periods, periods)
result = curve_fit_batch(pressure, month, np.broadcast_to(y, (30, 30, y.size)), start)
best = result.x[np.unravel_index(np.nanargmin(result.cost), result.cost.shape)]
if best[3] < best[6]:  # the two long cycles may have changed places
    best = best[[0, 1, 2, 6, 7, 8, 3, 4, 5]]
popt, pcov = curve_fit(pressure, month, y, best)

is_best = result.cost < 1.0001 * np.nanmin(result.cost)
print(f"of {result.cost.size} starts {is_best.sum()} lead to the least sum of squares")
names = ["mean", "cosine, 12 months", "sine, 12 months"]
for cycle in "period 2 (months)", "period 3 (months)":
    names += [cycle, "  its cosine", "  its sine"]
report(names, popt, pcov)
print(f"sum of squares: {np.sum((y - pressure(month, *popt)) ** 2):.8g}")

# %%
# Above, the data and the fit. Below, the sum of squares in which each start ends, a
# square a start; the circles mark the periods found.
figure = new_figure(figsize=(8, 7))
top, bottom = figure.subfigures(2, height_ratios=(1, 1.1))
axes = top.subplots()
axes.plot(month, y, **POINTS, label="monthly means")
grid = np.linspace(1, 168, 1000)
band(axes, pressure, grid, popt, pcov, label="fit ± one standard deviation")
axes.plot(grid, pressure(grid, popt[0], 0, 0, *popt[3:]), "--", color=ORANGE,
          label="without the cycle of a year")  # fmt: skip
axes.set(xlabel="month", ylabel="pressure difference", ylim=(0, 23))
axes.legend(ncols=3, fontsize=10, loc="upper center")

axes = bottom.subplots()
half = np.sqrt(periods[1] / periods[0])
edges = np.append(periods / half, periods[-1] * half)
shown = axes.pcolormesh(edges, edges, 2 * result.cost, cmap="cividis", vmax=1100)
bottom.colorbar(shown, label="sum of squares", extend="max")
axes.set(xscale="log", yscale="log")
for axis in axes.xaxis, axes.yaxis:
    axis.set_ticks([20, 30, 40, 60, 80], labels=["20", "30", "40", "60", "80"])
    axis.set_ticks([], minor=True)
axes.set(xlabel="start of period 2 (months)", ylabel="start of period 3 (months)")
axes.plot(*popt[[3, 6]], "o", ms=8, mfc="none", mec="w", mew=1.5)
axes.plot(*popt[[6, 3]], "o", ms=8, mfc="none", mec="w", mew=1.5)
save(figure, "cycles")
