"""
A circle through a short arc
============================

How large is a wheel of which a shard was found? Points along the rim are measured, and
a circle is drawn through them. The algebraic fit (Kåsa, 1976) takes one linear system,
but on a short arc its radius is too small. ``leastsq`` minimizes the distances from the
circle themselves: any residuals will do. 2,000 shards, fitted by one call of
``leastsq_batch``, show the difference. The data are made here.
"""

import numpy as np
from picture import BLUE, GREY, ORANGE, POINTS, new_figure, pm, save

from minpack import leastsq, leastsq_batch, traced

# %%
# The residuals: the distance of each point from the circle.


@traced
def distance(circle, x, y):
    """Return how far points are from a circle; it is centre and radius, in mm."""
    a, b, radius = circle
    return np.hypot(x - a, y - b) - radius


def algebraic(x, y):
    """Return the circle that minimizes the sum of ((x - a)² + (y - b)² - radius²)²."""
    rows = np.stack([2 * x, 2 * y, np.ones_like(x)], axis=1)
    a, b, c = np.linalg.lstsq(rows, x**2 + y**2)[0]
    return np.array([a, b, np.sqrt(c + a**2 + b**2)])


# %%
# The data: 40 points along 50 degrees of a circle, with an error of 0.5 mm in x and in
# y, again and again.
RADIUS, NOISE = 60.0, 0.5
angle = np.radians(np.linspace(65, 115, 40))
rng = np.random.default_rng(3)
points = RADIUS * np.stack([np.cos(angle), np.sin(angle)])
x, y = np.moveaxis(points + rng.normal(0, NOISE, (2000, 2, 40)), 1, 0)

# %%
# The first shard. The covariance that ``leastsq`` returns is for residuals of variance
# 1.
linear = algebraic(x[0], y[0])
popt, pcov, info, _, _ = leastsq(distance, linear, (x[0], y[0]), full_output=True)
pcov = pcov * np.sum(info["fvec"] ** 2) / (x[0].size - 3)
print(f"radius of the first: {pm(popt[2], np.sqrt(pcov[2, 2]))} mm (true: {RADIUS:g})")
print(f"by the algebraic fit: {linear[2]:.1f} mm")

# %%
# All of them: the function gets the parameters of some fits, and which fits they are.


def distances(circles, shards):
    """Return the distances for several fits, shape (fits, points)."""
    a, b, radius = np.split(circles, 3, axis=1)
    return np.hypot(x[shards] - a, y[shards] - b) - radius


start = np.array([algebraic(*shard) for shard in zip(x, y, strict=True)])
result = leastsq_batch(distances, start)
radii = {"geometric fit": result.x[:, 2], "algebraic fit": start[:, 2]}
for name, radius in radii.items():
    print(f"{name}: median radius of {radius.size} {np.median(radius):.1f} mm")

# %%
# Left, the first shard and both circles. Right, the radii of all.
figure = new_figure(figsize=(8, 4.2))
axes, histogram = figure.subplots(1, 2, width_ratios=(1, 1.15))
turn = np.linspace(0, 2 * np.pi, 400)
for circle, color, style, label in (
    (np.array([0, 0, RADIUS]), GREY, ":", "true"),
    (popt, BLUE, "-", "geometric"),
    (linear, ORANGE, "--", "algebraic"),
):
    rim = circle[2] * np.stack([np.cos(turn), np.sin(turn)])
    axes.plot(*(rim + circle[:2, None]), style, color=color, label=label)
axes.plot(x[0], y[0], **POINTS | {"ms": 3}, label="points")
axes.set(aspect="equal", xlabel="x (mm)", ylabel="y (mm)")
axes.legend(loc="center")
bins = np.arange(46, 79, 1)
for (name, radius), color, style in zip(
    radii.items(), (BLUE, ORANGE), ("-", "--"), strict=True
):
    histogram.hist(radius, bins, color=color, alpha=0.3)
    histogram.hist(radius, bins, color=color, histtype="step", ls=style, label=name)
histogram.axvline(RADIUS, color=GREY, ls=":")
histogram.set(xlabel="radius (mm)", ylabel="shards")
histogram.legend(loc="upper right", handlelength=1.5)
save(figure, "circle")
