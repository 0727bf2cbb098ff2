"""
The impedance of a battery: complex data
========================================

An alternating current through a battery meets a resistance of the electrolyte, then a
charge transfer beside the capacity of the electrode, and last the diffusion of ions.
Each shows at other frequencies, and the impedance is complex. A least squares fit takes
real numbers: ``view(float)`` makes real and imaginary parts of each of them. A function
of complex numbers cannot be traced, so here the model is plain NumPy, called from
Python. The data are made here.
"""

import numpy as np
from picture import BLUE, GREY, ORANGE, POINTS, new_figure, report, save

from minpack import curve_fit

# %%
# The model: Randles's circuit, with a constant-phase element for the capacity. Values
# that may differ by powers of ten are fitted by their logarithms.


def impedance(omega, series, transfer, log_q, power, log_warburg):
    """Return the complex impedance in mΩ."""
    diffusion = 10**log_warburg * (1 - 1j) / np.sqrt(omega)
    capacity = 10**log_q * (1j * omega) ** power
    return series + 1 / (capacity + 1 / (transfer + diffusion))


def parts(omega, *p):
    """Return real and imaginary parts in turn, twice as many numbers."""
    return impedance(omega, *p).view(float)


# %%
# The data: 61 frequencies from 5 kHz down to 5 mHz, with an error of 0.5 % of the
# modulus.
frequency = np.geomspace(5e3, 5e-3, 61)
omega = 2 * np.pi * frequency
true = 12.0, 25.0, np.log10(2e-3), 0.86, np.log10(6.0)
exact = impedance(omega, *true)
noise = 0.005 * np.abs(exact)
rng = np.random.default_rng(2)
z = exact + noise * (rng.normal(size=61) + 1j * rng.normal(size=61))

sigma = np.repeat(0.005 * np.abs(z), 2)  # for each number its two parts
popt, pcov = curve_fit(
    parts, omega, z.view(float), [8, 15, -2, 1, 1], sigma=sigma, absolute_sigma=True,
    bounds=([0, 0, -8, 0.3, -4], [100, 500, 2, 1, 4]),
)  # fmt: skip
names = ["series (mΩ)", "transfer (mΩ)", "log10 of Q", "power", "log10 of Warburg's"]
report(names, popt, pcov, np.round(true, 4))
pull = (z.view(float) - parts(omega, *popt)) / sigma
print(f"chi-squared: {pull @ pull:.0f}, degrees of freedom: {pull.size - popt.size}")

# %%
# Above, the plane of the complex numbers, as electrochemists draw it. Below, the phase
# over the frequency, and the residuals of both parts.
figure = new_figure(figsize=(8, 7))
grid = figure.add_gridspec(2, 2, height_ratios=(1.5, 1))
plane = figure.add_subplot(grid[0, :])
many = np.geomspace(omega[0], omega[-1], 500)
fit = impedance(many, *popt)
plane.plot(z.real, -z.imag, **POINTS, label="data")
plane.plot(fit.real, -fit.imag, color=BLUE, label="fit")
for k in 20, 30, 40, 50, 60:
    plane.annotate(f"{frequency[k]:.3g} Hz", (z[k].real, -z[k].imag), (8, -14),
                   textcoords="offset points", color=GREY)  # fmt: skip
plane.set(xlabel="real part (mΩ)", ylabel="− imaginary part (mΩ)", aspect="equal")
plane.set(xlim=(10, 78), ylim=(-1, 37))
plane.legend(loc="upper left")
phase, residuals = (figure.add_subplot(grid[1, k], xscale="log") for k in range(2))
phase.plot(frequency, np.degrees(np.angle(z)), **POINTS | {"ms": 3})
phase.plot(many / (2 * np.pi), np.degrees(np.angle(fit)), color=BLUE)
phase.set(xlabel="frequency (Hz)", ylabel="phase (degrees)")
for part, name, color, marker in (0, "real", "0.2", "o"), (1, "imaginary", ORANGE, "s"):
    style = POINTS | {"ms": 3, "color": color, "marker": marker}
    residuals.plot(frequency, pull[part::2], **style, label=f"{name} part")
residuals.axhline(0, color=GREY, lw=0.8, zorder=0)
residuals.set(xlabel="frequency (Hz)", ylabel="residual / σ", ylim=(-4, 6))
residuals.legend(loc="upper right", ncols=2)
save(figure, "impedance")
