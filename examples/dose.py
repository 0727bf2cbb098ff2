"""
Dose and response, with an upper plateau that was not reached
=============================================================

Three compounds were given to cells in eight doses, each three times. The response goes
from a lower plateau to an upper one along a logistic curve of the logarithm of the
dose; half of it is reached at the dose EC50. The weakest compound reaches only half of
its response, so its curve alone tells neither EC50 nor plateau. Bounds of ``curve_fit``
keep the plateau at 100 % or below. Equal bounds hold it there, as is known from the
other compounds, and then the data do tell the EC50. The data are made here.
"""

import numpy as np
from picture import BLUE, GREEN, GREY, ORANGE, POINTS, band, new_figure, pm, save

from minpack import curve_fit, traced

# %%
# The model. The fit takes the logarithm of EC50, in which the curve is symmetric.


@traced
def response(dose, bottom, top, log_ec50, hill):
    """Return the response in percent."""
    return bottom + (top - bottom) / (1 + (10**log_ec50 / dose) ** hill)


# %%
# The data: 24 responses for each compound, with a standard deviation of 4 %.
dose = np.repeat(10.0 ** np.arange(-2.5, 1.5, 0.5), 3)  # µmol/l
true = {
    "strong": (4, 100, np.log10(0.04), 1.1),
    "medium": (4, 100, np.log10(0.7), 1.0),
    "weak": (4, 100, np.log10(9), 1.2),
}
rng = np.random.default_rng(5)
measured = {
    name: response(dose, *p) + rng.normal(0, 4, dose.size) for name, p in true.items()
}

# %%
# Three fits of each: the upper plateau free, at 100 or below, and held at 100. A bound
# is no measurement: a plateau that ends on one has the error that it would have
# without.
start, known = [0, 100, 0, 1], {"sigma": 4, "absolute_sigma": True}
kinds = {"free": (0, np.inf), "100 at most": (0, 100), "held at 100": (100, 100)}
fits = {}
for name, y in measured.items():
    for kind, (least, most) in kinds.items():
        lower, upper = [-20, least, -4, 0.2], [30, most, 4, 5]
        p, pcov = curve_fit(response, dose, y, start, bounds=(lower, upper), **known)
        fits[name, kind] = p, pcov
        error = np.sqrt(np.diag(pcov))
        top = pm(p[1], error[1]) if error[1] > 0 else f"{p[1]:g} (held)"
        print(
            f"{name:7} plateau {kind:11}  {top:12}  log10(EC50) {pm(p[2], error[2])}"
            f" (true: {true[name][2]:.2f})"
        )

# %%
# The bands are one standard deviation, with the plateau held at 100 %. The dotted curve
# is the weak compound's with a free plateau: beyond the data it is a guess.
figure = new_figure()
axes = figure.subplots()
grid = np.geomspace(dose[0], 1000, 400)
for (name, y), color, marker in zip(
    measured.items(), (BLUE, GREEN, ORANGE), "osD", strict=True
):
    p, pcov = fits[name, "held at 100"]
    band(axes, response, grid, p, pcov, color=color)
    style = POINTS | {"color": color, "marker": marker, "ms": 5}
    axes.plot(dose, y, **style, label=f"{name}: EC50 = {10 ** p[2]:.2g} µmol/l")
p, _ = fits["weak", "free"]
axes.plot(grid, response(grid, *p), ":", color=ORANGE, label="weak, plateau free")
axes.axvline(dose[-1], color=GREY, lw=0.8, zorder=0)
axes.annotate("highest dose", (dose[-1], 3), (14, 3), color=GREY, va="center")
axes.set(xscale="log", xlabel="dose (µmol/l)", ylabel="response (%)", ylim=(-12, 132))
axes.legend(loc="upper left")
save(figure, "dose")
