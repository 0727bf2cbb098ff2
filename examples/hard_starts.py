"""The ways of two fits that are hard from their starts, without and with acceleration.

Rosenbrock's canyon, and MGH17 of NIST's datasets from its first start. The pictures go
to build/canyon.png and build/mgh17.png.
"""

import numpy as np
from matplotlib.figure import Figure
from picture import BLUE, GREY, ORANGE, save

from minpack import least_squares

LOOKS = {False: ("without", ORANGE), True: ("with acceleration", BLUE)}


def way(residuals, start, jac, bends):
    """Return the iterates, the evaluations at each, and the end of a fit.

    A Jacobian counts as so many evaluations as there are parameters.
    """
    iterates, evaluations = [start], [1 + len(start)]

    def look(intermediate_result):
        r = intermediate_result
        iterates.append(r.x.copy())
        evaluations.append(r.nfev + len(start) * len(iterates))

    end = least_squares(
        residuals, start, jac, callback=look, acceleration=bends, max_nfev=20_000,
        ftol=1e-13, xtol=1e-13, gtol=None,
    )  # fmt: skip
    return np.array(iterates), np.array(evaluations), end


# --- The canyon ----------------------------------------------------------------------


def canyon(x):
    """Return Rosenbrock's residuals, whose sum of squares is a bent canyon."""
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def canyon_jacobian(x):
    """Return their derivatives."""
    return np.array([[-20 * x[0], 10], [-1, 0]])


figure = Figure(figsize=(8, 4.2), layout="constrained")
axes = figure.subplots()
x, y = np.meshgrid(np.linspace(-1.8, 1.8, 300), np.linspace(-0.9, 2.6, 300))
cost = (10 * (y - x**2)) ** 2 + (1 - x) ** 2
axes.contour(x, y, np.log10(cost + 1e-3), 14, colors=GREY, linewidths=0.5, alpha=0.6)
for bends, (label, color) in LOOKS.items():
    points, evaluations, end = way(canyon, [-1.2, 1.0], canyon_jacobian, bends)
    total = end.nfev + 2 * end.njev
    axes.plot(*points.T, "o-", color=color, ms=3, lw=1, label=f"{label}: {total}")
    print(f"canyon, {label}: {len(points)} iterates, {total} evaluations")
axes.plot(1, 1, "k*", ms=11)
axes.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(-1.8, 1.8), ylim=(-0.9, 2.6))
axes.legend(frameon=False, title="evaluations", loc="lower left")
save(figure, "canyon")

# --- MGH17 ---------------------------------------------------------------------------

t = np.arange(0.0, 321.0, 10.0)
data = np.array(
    [
        *(0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751),
        *(0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490),
        *(0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406),
    ]
)


def two_decays(b):
    """Return a sum of two decays and a constant, less the data."""
    with np.errstate(all="ignore"):  # a step too far is infinite
        return b[0] + b[1] * np.exp(-b[3] * t) + b[2] * np.exp(-b[4] * t) - data


def two_decays_jacobian(b):
    """Return the derivatives."""
    e, f = np.exp(-b[3] * t), np.exp(-b[4] * t)
    return np.stack([np.ones_like(t), e, f, -b[1] * t * e, -b[2] * t * f], axis=1)


figure = Figure(figsize=(8, 4.2), layout="constrained")
axes, rates = figure.subplots(1, 2)
start = [50.0, 150.0, -100.0, 1.0, 2.0]
for bends, (label, color) in LOOKS.items():
    points, evaluations, end = way(two_decays, start, two_decays_jacobian, bends)
    total = end.nfev + 5 * end.njev
    costs = [np.sum(two_decays(point) ** 2) for point in points]
    axes.loglog(evaluations, costs, color=color, label=label)
    rates.loglog(*np.abs(points[:, 3:].T), ".-", color=color, ms=3, lw=0.8)
    print(f"MGH17, {label}: sum of squares {2 * end.cost:.4g}, {total} evaluations")
rates.plot(*start[3:], "o", mfc="w", mec="k", label="start")
rates.plot(0.0128675, 0.0221227, "k*", ms=11, label="solution")
axes.set(xlabel="evaluations", ylabel="sum of squares")
rates.set(xlabel="$|b_4|$", ylabel="$|b_5|$")
axes.legend(frameon=False)
rates.legend(frameon=False)
save(figure, "mgh17")
