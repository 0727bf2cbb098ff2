"""
Growth of onions, by three laws
===============================

The dry weight of onion bulbs and tops was measured over one season. It follows a curve
of the shape of an S, for which there are several laws. Three of them are fitted and
compared by Akaike's criterion. The best one is drawn with two bands: a narrow one for
the curve, from the errors of the parameters, and a wide one for the next measurement,
which has an error of its own. ``jacobian`` of a traced function gives the derivatives
for both. Data: Rat43 of NIST's Statistical Reference Datasets, which certifies the fit
of Richards's law.
"""

import numpy as np
from picture import BLUE, GREEN, ORANGE, POINTS, deviation, nist, panels, report, save

from minpack import curve_fit, traced

y, time = nist("Rat43")

# %%
# The laws. Richards's has one parameter more, for which 1 makes the logistic curve.


@traced
def richards(t, final, b, rate, power):
    """Return the weight at time `t`."""
    return final / (1 + np.exp(b - rate * t)) ** (1 / power)


@traced
def logistic(t, final, b, rate):
    """Return the weight at time `t`."""
    return final / (1 + np.exp(b - rate * t))


@traced
def gompertz(t, final, b, rate):
    """Return the weight at time `t`."""
    return final * np.exp(-np.exp(b - rate * t))


# %%
# Akaike's criterion, corrected for few data: the least value is the best. The variance
# of the errors counts as a parameter.
fits = {}
for law, start in (
    (richards, [700, 5, 0.75, 1.3]),
    (logistic, [700, 5, 0.75]),
    (gompertz, [700, 2, 0.4]),
):
    p, pcov = curve_fit(law, time, y, start)
    rss = np.sum((y - law(time, *p)) ** 2)
    m, k = y.size, p.size + 1
    criterion = m * np.log(rss / m) + 2 * k + 2 * k * (k + 1) / (m - k - 1)
    fits[law] = p, pcov, np.sqrt(rss / (m - p.size))
    print(f"{law.__name__:9} sum of squares {rss:8.1f}   criterion {criterion:6.1f}")

# %%
# The parameters of Richards's law, whose power is not to be told from 1; and those of
# the logistic curve, the best by the criterion.
report(["final weight", "b", "rate", "power"], *fits[richards][:2])
p, pcov, scatter = fits[logistic]
print("logistic:")
report(["final weight", "b", "rate"], p, pcov)
print(f"one measurement has a standard deviation of {scatter:.1f}")

# %%
# The three curves, with both bands of the logistic one; below, all less that curve. The
# scatter of the measurements hides what the laws differ by, but for Gompertz's.
figure, axes, residuals = panels(
    "growing time", "dry weight", "less the logistic curve", heights=(5, 4)
)
grid = np.linspace(0.5, 15.5, 300)
curve, spread = logistic(grid, *p), deviation(logistic, grid, p, pcov)
for width, alpha, label in (
    (np.hypot(spread, scatter), 0.12, "± one σ, next measurement"),
    (spread, 0.35, "± one σ, curve"),
):
    shade = {"color": BLUE, "alpha": alpha, "lw": 0, "label": label}
    axes.fill_between(grid, curve - width, curve + width, **shade)
    residuals.fill_between(grid, -width, width, **shade)
for law, color, style in (
    (logistic, BLUE, "-"),
    (richards, ORANGE, "--"),
    (gompertz, GREEN, ":"),
):
    values = law(grid, *fits[law][0])
    axes.plot(grid, values, style, color=color, label=law.__name__.title())
    residuals.plot(grid, values - curve, style, color=color, lw=1)
axes.plot(time, y, **POINTS | {"ms": 5}, label="measured")
axes.legend(loc="upper left")
residuals.plot(time, y - logistic(time, *p), **POINTS)
save(figure, "growth")
