"""
Recovery after bleaching, in 24 cells
=====================================

A spot of a fluorescent membrane is bleached by a flash, and molecules from around it
move in. How fast the light comes back tells how fast they diffuse; what never comes
back was held in place. The curve for a round spot (Soumpasis, 1983) has two Bessel
functions, SciPy's ``i0e`` and ``i1e``. 24 cells are fitted by one call of
``curve_fit_batch``, with a standard error for each. Needs SciPy; the data are made
here.
"""

import numpy as np
from picture import BLUE, ERRORS, GREY, ORANGE, POINTS, new_figure, pm, save
from scipy.special import i0e, i1e

from minpack import curve_fit_batch, traced

# %%
# The model. The time of diffusion follows from D and from the radius of the spot, 1 µm.


@traced
def recovery(t, bleached, mobile, diffusion):
    """Return the light of the spot, 1 before the flash, at `t` in seconds."""
    z = 1 / (2 * diffusion * t)  # twice the time of diffusion, over t
    return bleached + mobile * (i0e(z) + i1e(z))


# %%
# The data: half the cells were given a drug that makes the membrane stiffer.
rng = np.random.default_rng(6)
t = np.arange(0.1, 25, 0.2)
drug = np.arange(24) >= 12
true = np.stack(
    [
        rng.normal(0.25, 0.03, 24),
        rng.normal(0.6, 0.04, 24),
        np.where(drug, 0.21, 0.42) * np.exp(rng.normal(0, 0.15, 24)),
    ]
)
noise = np.where(drug, 0.04, 0.03)[:, None]
y = recovery(t, *true[..., None]) + noise * rng.normal(size=(24, t.size))

bounds = [0, 0, 1e-3], [1, 2, 9]
result = curve_fit_batch(recovery, t, y, [0.2, 0.5, 0.3], bounds=bounds)
print(result)

# %%
# Cells differ by more than the error of a fit. So the mean and its standard error come
# from the scatter of the cells.
diffusion, error = result.x[:, 2], result.stderr[:, 2]
for name, chosen in ("without", ~drug), ("with the drug", drug):
    d = diffusion[chosen]
    mean = pm(d.mean(), d.std(ddof=1) / np.sqrt(d.size))
    print(f"{name:13} D = {mean} µm²/s (true: {true[2, chosen].mean():.3f})")
    print(f"{'':13} standard error of one cell: {np.median(error[chosen]):.3f}")
is_near = np.abs(result.x.T - true) < 2 * result.stderr.T
print(f"within two standard errors of the truth: {is_near.mean():.0%}, of 95 %")

# %%
# Left, a cell of each kind. Right, D of all.
figure = new_figure(figsize=(8, 4.4))
axes, points = figure.subplots(1, 2, width_ratios=(1.5, 1))
grid = np.linspace(0.02, 25, 400)
for k, color, name, marker in (
    (0, BLUE, "without", "o"),
    (12, ORANGE, "with the drug", "s"),
):
    style = {"color": color, "marker": marker}
    axes.plot(t, y[k], **POINTS | style | {"ms": 3, "alpha": 0.5})
    axes.plot(grid, recovery(grid, *result.x[k]), color=color, label=name)
    group = slice(k, k + 12)
    points.errorbar(np.arange(24)[group] + 1, diffusion[group], error[group],
                    **ERRORS | style | {"ms": 5})  # fmt: skip
    mean = diffusion[group].mean()
    points.plot([k + 0.5, k + 12.5], [mean, mean], color=color, lw=1)
axes.axhline(1, color=GREY, ls=":", lw=1)
axes.text(24.5, 0.985, "before the flash", ha="right", va="top", color=GREY)
axes.set(xlabel="time after the flash (s)", ylabel="light of the spot", ylim=(0, 1.05))
axes.legend(loc="lower right")
points.set(xlabel="cell", ylabel="D (µm²/s)", ylim=0, xticks=[1, 6, 12, 18, 24])
save(figure, "frap")
