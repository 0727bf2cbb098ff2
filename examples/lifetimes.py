"""
Eight decays with two lifetimes in common
=========================================

Two dyes glow in one sample. Their light decays with a lifetime each, and their spectra
overlap. The decay is counted at eight wavelengths. Alone, each of these curves hardly
tells the two lifetimes apart. One fit of all eight, in which the lifetimes are shared
and the amplitudes are not, finds the lifetimes and the spectrum of each dye. The data
are made here.
"""

import numpy as np
from matplotlib import colormaps
from picture import BLUE, ERRORS, ORANGE, new_figure, pm, report, save

from minpack import curve_fit, curve_fit_batch, traced

# %%
# A count has the noise of Poisson's law. Twice the root of a count, plus 3/8, has
# variance 1 whatever the mean (Anscombe, 1948), so this is what is fitted.


@traced
def decay(t, tau1, tau2, a, b):
    """Return what the decay at one wavelength looks like."""
    return 2 * np.sqrt(a * np.exp(-t / tau1) + b * np.exp(-t / tau2) + 0.375)


@traced
def decays(t, tau1, tau2, *amplitudes):
    """Return all decays, one behind the other."""
    pairs = zip(amplitudes[::2], amplitudes[1::2], strict=True)
    return np.concatenate([decay(t, tau1, tau2, a, b) for a, b in pairs])


# %%
# The data: 150 channels at each of eight wavelengths.
t = np.arange(0.05, 15, 0.1)  # ns
wavelength = np.arange(460, 620, 20)  # nm


def spectra(wavelength):
    """Return the amplitudes of both dyes."""
    first = 700 * np.exp(-(((wavelength - 495) / 26) ** 2) / 2)
    return first, 450 * np.exp(-(((wavelength - 550) / 32) ** 2) / 2)


true = np.array([1.4, 3.1, *np.ravel(spectra(wavelength), order="F")])
rng = np.random.default_rng(0)
counts = rng.poisson(decays(t, *true) ** 2 / 4 - 0.375).reshape(8, t.size)
y = 2 * np.sqrt(counts + 0.375)

# %%
# One fit of all, with 18 parameters; beside it, eight fits of one curve each.
start = [1, 5] + 16 * [200]
known = {"sigma": 1.0, "absolute_sigma": True}
popt, pcov = curve_fit(decays, t, y.ravel(), start, bounds=(0.01, np.inf), **known)
bounds = 0.01, [2.2, 9, 1e4, 1e4]  # so that the lifetimes cannot change places
alone = curve_fit_batch(decay, t, y, start[:4], bounds=bounds, **known)

error = np.sqrt(np.diag(pcov))
report(["lifetime 1 (ns)", "lifetime 2 (ns)"], popt[:2], pcov[:2, :2], true)
best = np.argmin(alone.stderr[:, 0])
print(
    f"from the decay at {wavelength[best]} nm alone: "
    f"{pm(alone.x[best, 0], alone.stderr[best, 0])}"
    f" and {pm(alone.x[best, 1], alone.stderr[best, 1])}"
)
pull = decays(t, *popt) - y.ravel()
print(f"chi-squared: {pull @ pull:.0f}, degrees of freedom: {pull.size - popt.size}")

# %%
# Left, five of the decays with their fits. Right, the spectra that the fit finds,
# beside the true ones as lines; and the lifetimes of the single curves, beside the
# shared ones as lines. Where a dye hardly glows, its lifetime stays at a bound.
figure = new_figure(figsize=(8, 5.4))
grid = figure.add_gridspec(2, 2, width_ratios=(1.15, 1))
axes = figure.add_subplot(grid[:, 0])
fitted = (decays(t, *popt) ** 2 / 4 - 0.375).reshape(8, t.size)
colors = colormaps["viridis"](np.linspace(0, 0.85, 5))
for k, color in zip((0, 1, 3, 5, 7), colors, strict=True):
    axes.plot(t, counts[k], "o", ms=3, color=color, alpha=0.35, mew=0)
    axes.plot(t, fitted[k], color=color, label=f"{wavelength[k]} nm")
axes.set(yscale="log", ylim=(0.8, 1500), xlabel="time (ns)", ylabel="counts")
axes.legend()

upper = figure.add_subplot(grid[0, 1])
lower = figure.add_subplot(grid[1, 1], sharex=upper)
fine = np.linspace(455, 605, 200)
for k, color, marker in ((0, BLUE, "o"), (1, ORANGE, "s")):
    style = ERRORS | {"color": color, "marker": marker, "ms": 5}
    amplitude = popt[2 + k :: 2], error[2 + k :: 2]
    upper.errorbar(wavelength, *amplitude, **style, label=f"{popt[k]:.2f} ns")
    upper.plot(fine, spectra(fine)[k], color=color, lw=0.8)
    lower.errorbar(wavelength, alone.x[:, k], alone.stderr[:, k], **style)
    lower.axhspan(popt[k] - error[k], popt[k] + error[k], color=color, alpha=0.4, lw=0)
upper.set(ylabel="amplitude (counts)")
upper.legend(title="shared lifetime")
upper.tick_params(labelbottom=False)
lower.set(xlabel="wavelength (nm)", ylabel="lifetime alone (ns)", ylim=(0, 6))
save(figure, "lifetimes")
