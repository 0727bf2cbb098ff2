"""
Two Voigt lines, and the temperature of a gas
=============================================

A laser is swept over two blended absorption lines of carbon dioxide at low pressure.
Collisions give each line a Lorentz profile. The motion of the molecules spreads it by a
Gaussian, which is the same for both lines and tells the temperature. Together they are
Voigt profiles. ``minpack.traced`` takes SciPy's ``voigt_profile`` along with NumPy's
functions, so the fit runs without Python. Needs SciPy; the data are made here.
"""

import numpy as np
from picture import BLUE, GREY, ORANGE, POINTS, panels, pm, report, save
from scipy.special import voigt_profile

from minpack import curve_fit, traced

# %%
# The model has nine parameters: a straight baseline, three for each line, and one
# Gaussian width for both.


@traced
def absorbance(x, offset, slope, area1, x1, gamma1, area2, x2, gamma2, sigma):
    """Return two lines on a baseline; `x` is the detuning in GHz."""
    first = area1 * voigt_profile(x - x1, sigma, gamma1)
    return offset + slope * x + first + area2 * voigt_profile(x - x2, sigma, gamma2)


# %%
# The data: 401 points with a noise of 0.002. The Gaussian width is that of a molecule
# of 44 atomic mass units at 296 K and 187.3 THz.
per_root_kelvin = 187.3e3 * np.sqrt(1.380649e-23 / (43.99 * 1.66053907e-27)) / 299792458
true = 0.02, 0.001, 0.30, -0.42, 0.11, 0.12, 0.31, 0.16, per_root_kelvin * 296**0.5
x = np.linspace(-3, 3, 401)
noise = 0.002
y = absorbance(x, *true) + np.random.default_rng(1).normal(0, noise, x.size)

start = [0, 0, 0.2, -0.5, 0.1, 0.2, 0.3, 0.1, 0.1]
bounds = [-1, -1, 0, -3, 0, 0, -3, 0, 0], 3  # areas and widths are not negative
known = {"sigma": noise, "absolute_sigma": True}
popt, pcov = curve_fit(absorbance, x, y, start, bounds=bounds, **known)
print(absorbance)

# %%
# That was the program that the fit ran. What was found, and the temperature: it goes
# with the square of the Gaussian width.
names = ["offset", "slope (1/GHz)"]
for line in "12":
    names += [f"area {line} (GHz)", f"centre {line} (GHz)", f"gamma {line} (GHz)"]
names.append("sigma (GHz)")
report(names, popt, pcov, np.round(true, 5))
temperature = (popt[8] / per_root_kelvin) ** 2
error = 2 * temperature / popt[8] * np.sqrt(pcov[8, 8])
print(f"temperature: {pm(temperature, error)} K (true: 296)")

# %%
# Data, fit and the two lines. The residuals show nothing but noise.
figure, axes, residuals = panels("detuning (GHz)", "absorbance", "residual / σ")
baseline = popt[0] + popt[1] * x
axes.plot(x, y, **POINTS | {"ms": 3}, label="data")
axes.plot(x, absorbance(x, *popt), color=BLUE, label="fit")
for (area, centre, gamma), color, style in (
    (popt[2:5], ORANGE, "--"),
    (popt[5:8], GREY, "-."),
):
    line = area * voigt_profile(x - centre, popt[8], gamma)
    axes.plot(x, baseline + line, style, color=color, label=f"line at {centre:.2f} GHz")
axes.legend()
residuals.plot(x, (y - absorbance(x, *popt)) / noise, **POINTS | {"ms": 3})
save(figure, "voigt")
