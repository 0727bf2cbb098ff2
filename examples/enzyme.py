"""
The rate of an enzyme before and after a treatment
==================================================

The rate of a reaction that an enzyme drives saturates as there is more substrate: v = V
c / (K + c), the law of Michaelis and Menten. Does the antibiotic puromycin change V, K
or both? Absolute weights in ``curve_fit``, from repeated measurements, let chi-squared
test the law itself. Data: M. A. Treloar (1974), in appendix 1 of D. M. Bates and D. G.
Watts, Nonlinear Regression Analysis and Its Applications, Wiley 1988.
"""

import numpy as np
from picture import BLUE, ERRORS, ORANGE, band, panels, pm, save

from minpack import curve_fit, traced

concentration = np.array([0.02, 0.06, 0.11, 0.22, 0.56, 1.10])  # ppm
nan = np.nan  # the last rate without puromycin was measured once
rates = {  # counts/min², each measured twice
    "with puromycin": [[76, 97, 123, 159, 191, 207], [47, 107, 139, 152, 201, 200]],
    "without": [[67, 84, 98, 131, 144, 160], [51, 86, 115, 124, 158, nan]],
}

# %%
# The law.


@traced
def rate(c, v, k):
    """Return the rate at concentration `c`."""
    return v * c / (k + c)


# %%
# The two measurements of each rate tell how much one varies, whatever the model.
repeats = np.concatenate([np.diff(pair, axis=0).ravel() for pair in rates.values()])
one = np.sqrt(np.nanmean(repeats**2) / 2)
print(f"one measurement has a standard deviation of {one:.1f} counts/min²")
print("V in counts/min², K in ppm:")

# %%
# A fit and a curve for each. The mean of two rates varies less than a single one.
figure, axes, residuals = panels(
    "substrate (ppm)", "rate (counts/min²)", "residual / σ"
)
fits = []
for (name, pair), color, marker in zip(
    rates.items(), (ORANGE, BLUE), "os", strict=True
):
    mean = np.nanmean(pair, axis=0)
    sigma = one / np.sqrt(np.sum(np.isfinite(pair), axis=0))
    p, pcov = curve_fit(
        rate, concentration, mean, (200, 0.05), sigma=sigma, absolute_sigma=True
    )
    pull = (mean - rate(concentration, *p)) / sigma
    error = np.sqrt(np.diag(pcov))
    fits.append((p, error))
    print(
        f"{name:15} V = {pm(p[0], error[0])}   K = {pm(p[1], error[1])}"
        f"   chi-squared {pull @ pull:.0f}, degrees of freedom {pull.size - p.size}"
    )
    band(axes, rate, np.linspace(0, 1.15, 300), p, pcov, color=color)
    style = ERRORS | {"color": color, "marker": marker, "ms": 5}
    axes.errorbar(concentration, mean, sigma, label=name, **style)
    residuals.errorbar(concentration, pull, 1, **style)

(treated, treated_error), (untreated, untreated_error) = fits
change, error = treated - untreated, np.hypot(treated_error, untreated_error)
print(
    f"puromycin adds {pm(change[0], error[0])} to V ({change[0] / error[0]:.1f} sigma)"
    f" and {pm(change[1], error[1])} to K ({change[1] / error[1]:.1f} sigma)"
)

axes.set_ylim(0)
axes.legend(loc="lower right")
save(figure, "enzyme")
