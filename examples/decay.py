"""
Two half-lives from one decay curve
===================================

A silver coin that has lain among neutrons holds two radioactive isotopes, which decay
side by side over a constant background. A Geiger counter counted their electrons in
intervals of 15 s. Five parameters are told from one curve, with weights that follow
from the fit itself. Data: table 8.1 of P. R. Bevington and D. K. Robinson, Data
Reduction and Error Analysis for the Physical Sciences.
"""

import numpy as np
from picture import ERRORS, GREEN, GREY, ORANGE, band, panels, pm, save

from minpack import curve_fit, traced

counts = np.array(
    [
        *(775, 479, 380, 302, 185, 157, 137, 119, 110, 89, 74, 61, 66, 68, 48, 54, 51),
        *(46, 55, 29, 28, 37, 49, 26, 35, 29, 31, 24, 25, 35, 24, 30, 26, 28, 21, 18),
        *(20, 27, 17, 17, 14, 17, 24, 11, 22, 17, 12, 10, 13, 16, 9, 9, 14, 21, 17),
        *(13, 12, 18, 10),
    ]
)
t = 15.0 * np.arange(1, counts.size + 1)  # s, the end of each interval

# %%
# The model. ``traced`` records it, so the fits run without Python and with exact
# derivatives.


@traced
def model(t, background, fast, t_fast, slow, t_slow):
    """Return the counts in 15 s; `t_fast` and `t_slow` are half-lives."""
    return background + fast * 2 ** (-t / t_fast) + slow * 2 ** (-t / t_slow)


# %%
# A count varies by the root of the count that is expected. That is known once there is
# a fit; the root of what was counted would favour the low counts.
p = (10, 900, 20, 100, 150)
expected = counts
for _ in range(5):
    p, pcov = curve_fit(
        model, t, counts, p, sigma=np.sqrt(expected), absolute_sigma=True
    )
    expected = model(t, *p)

# %%
# The half-lives, and whether the model explains the counts.
error = np.sqrt(np.diag(pcov))
pull = (counts - expected) / np.sqrt(expected)
print(f"half-life of silver-110: {pm(p[2], error[2])} s (in tables: 24.6 s)")
print(f"half-life of silver-108: {pm(p[4], error[4])} s (in tables: 142.9 s)")
print(f"background: {pm(p[0], error[0])} counts in 15 s")
print(f"chi-squared: {pull @ pull:.0f} for {t.size - p.size} degrees of freedom")

# %%
# The counts, the fit and what it is made of.
figure, axes, residuals = panels("time (s)", "counts in 15 s", "residual / σ")
grid = np.linspace(t[0], t[-1], 500)
axes.errorbar(t, counts, np.sqrt(expected), label="counts", **ERRORS)
band(axes, model, grid, p, pcov, label="fit ± one standard deviation")
axes.plot(grid, p[1] * 2 ** (-grid / p[2]), "--", color=ORANGE, label="silver-110")
axes.plot(grid, p[3] * 2 ** (-grid / p[4]), "-.", color=GREEN, label="silver-108")
axes.axhline(p[0], ls=":", color=GREY, label="background")
axes.set(yscale="log", ylim=(4, 1200))
axes.legend()
residuals.errorbar(t, pull, 1, **ERRORS)
save(figure, "decay")
