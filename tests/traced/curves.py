"""Curves of spectra, decays, kinetics and physics."""

from __future__ import annotations

import numpy as np
from scipy import special

from traced.model import T, curve, real_only

X = np.linspace(-5.0, 5.0, 101)
INTEGERS = np.arange(1, 41)
CENTRES = np.array([-2.0, 0.5, 3.0])


# --- Peaks ------------------------------------------------------------------------


@curve(X, (3.0, 0.5, 0.8, 0.2), (2.0, 0.2, 1.0, 0.0))
def gaussian(x, amplitude, centre, width, offset):
    return amplitude * np.exp(-((x - centre) ** 2) / (2 * width**2)) + offset


@curve(X, (3.0, 0.5, 0.8), (2.0, 0.2, 1.0))
def normalized_gaussian(x, area, mu, sigma):
    z = (x - mu) / sigma
    return area / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * z * z)


@curve(X, (3.0, 0.5, 0.8), (2.0, 0.2, 1.0))
def lorentzian(x, a, x0, gamma):
    return a * gamma**2 / ((x - x0) ** 2 + gamma**2)


@curve(X, (3.0, 0.5, 1.2, 0.4), (2.0, 0.2, 1.0, 0.5))
def pseudo_voigt(x, a, x0, fwhm, eta):
    """The sum of two functions, each defined elsewhere."""
    sigma = fwhm / (2 * np.sqrt(2 * np.log(2)))
    g = np.exp(-((x - x0) ** 2) / 2 / sigma**2)
    return a * (eta * lorentzian(x, 1, x0, fwhm / 2) + (1 - eta) * g)


@real_only(X, (3.0, 0.5, 0.6, 0.4), (2.0, 0.2, 0.5, 0.5))
def voigt(x, a, x0, sigma, gamma):
    return a * special.voigt_profile(x - x0, sigma, gamma)


@curve(X, (3.0, 0.5, 1.0, 0.3), (2.0, 0.2, 1.2, 0.1))
def asymmetric_peak(x, a, x0, width, skew):
    w = 2 * width / (1 + np.exp(skew * (x - x0)))
    return a * np.exp(-4 * np.log(2) * ((x - x0) / w) ** 2)


@curve(X, (2.0, 0.5, 0.8, 1.5), (1.5, 0.2, 1.0, 1.0))
def skew_normal(x, a, xi, omega, alpha):
    z = (x - xi) / omega
    return a * np.exp(-(z**2) / 2) * (1 + special.erf(alpha * z / np.sqrt(2)))


@curve(X, (2.0, 0.5, 1.2, 0.7), (1.5, 0.2, 1.0, 1.0))
def bigaussian(x, a, mu, left, right):
    sigma = np.where(x < mu, left, right)
    return a * np.exp(-0.5 * ((x - mu) / sigma) ** 2)


@curve(X, (1.0, 0.3, 0.5, 1.0), (0.8, 0.2, 0.4, 0.7))
def fano(x, a, x0, gamma, q):
    eps = 2 * (x - x0) / gamma
    return a * (q + eps) ** 2 / (1 + eps**2)


@curve(X, (3.0, -2.0, 0.7, 2.0, 1.5, 0.9), (2.5, -2.2, 0.8, 1.8, 1.7, 1.0))
def peaks_in_triples(x, *p):
    y = 0.0
    for i in range(0, len(p), 3):
        a, c, w = p[i : i + 3]
        y = y + a * np.exp(-(((x - c) / w) ** 2))
    return y


@real_only(X, (3.0, -2.0, 2.0, 1.5, 1.0, 3.5), (2.5, -2.2, 1.8, 1.7, 1.2, 3.6))
def peaks_in_pairs(x, *p):
    y = np.zeros_like(x)
    for a, c in zip(p[::2], p[1::2], strict=True):
        y += a / np.cosh(x - c)
    return y


@real_only(X, (0.5, -0.1, 0.02, 3.0, 0.5, 0.8), (0.4, 0.0, 0.0, 2.5, 0.3, 1.0))
def peak_on_baseline(x, b0, b1, b2, *peak):
    y = np.zeros(len(x))
    for power, b in enumerate((b0, b1, b2)):
        y += b * x**power
    return y + lorentzian(x, *peak)


@curve(X, (1.0, 2.0, 0.5, 0.6), (0.8, 1.7, 0.7, 0.7))
def peaks_at_known_centres(x, *p):
    *amplitudes, width = p
    z = (x[:, None] - CENTRES) / width
    return (np.exp(-0.5 * z**2) * np.array(amplitudes)).sum(axis=1)


@curve(X, (3.0, 1.0, -2.0, 1.5, 0.9), (2.5, 1.2, -1.8, 1.7, 1.0))
def peaks_by_broadcasting(x, *p):
    p = np.array(p)
    heights, centres, width = p[:2], p[2:4], p[4]
    terms = heights[:, None] * np.exp(-(((x - centres[:, np.newaxis]) / width) ** 2))
    return np.sum(terms, axis=0)


# --- Decays -----------------------------------------------------------------------


@curve(T, (2.5, 0.7, 0.3), (2.0, 0.5, 0.0))
def decay(t, a, b, c):
    return a * np.exp(-b * t) + c


@curve(T, (2.0, 0.5, 1.0, 4.0), (1.5, 0.4, 1.2, 5.0))
def two_decays(t, a1, tau1, a2, tau2):
    return a1 * np.exp(-t / tau1) + a2 * np.exp(-t / tau2)


@curve(T, (2.0, 1.5, 0.7), (1.5, 1.2, 0.9))
def stretched(t, a, tau, beta):
    return a * np.exp(-((t / tau) ** beta))


@curve(X, (2.0, 0.8, 0.5, 0.3), (1.5, 1.0, 0.4, 0.2))
def decay_with_response(t, a, k, sigma, t0):
    t = t - t0
    grown = np.exp(k * (k * sigma**2 / 2 - t))
    return a / 2 * grown * special.erfc((k * sigma**2 - t) / (np.sqrt(2) * sigma))


@curve(T, (1.0, -0.3, 0.05), (0.8, -0.2, 0.0))
def log_polynomial(t, *c):
    return np.exp(sum(ck * t**k for k, ck in enumerate(c)))


@curve(T, (1.5, 0.4, 3.0, 0.6), (1.4, 0.3, 3.05, 0.5))
def damped_sine(t, a, decay_rate, omega, phase):
    return a * np.exp(-decay_rate * t) * np.sin(omega * t + phase)


@curve(T, (1.5, 1.0, 0.1, 0.3), (1.4, 1.01, 0.098, 0.25))
def chirp(t, a, f0, k, phase):
    return a * np.cos(2 * np.pi * (f0 * t + k * t**2 / 2) * 0.5 + phase)


@curve(T, (1.0, 0.5, -0.4, 0.2, 1.3), (0.8, 0.4, -0.3, 0.1, 1.28))
def fourier(t, mean, *p):
    omega = p[-1]
    y = mean
    for k, coefficient in enumerate(p[:-1]):
        wave = np.cos if k % 2 == 0 else np.sin
        y = y + coefficient * wave((k // 2 + 1) * omega * t)
    return y


# --- Kinetics, pharmacology, physics ----------------------------------------------


@curve(T, (2.0, 1.5), (1.5, 1.0))
def michaelis_menten(s, vmax, km):
    return vmax * s / (km + s)


@curve(T, (2.0, 1.5, 8.0), (1.5, 1.0, 6.0))
def substrate_inhibition(s, vmax, km, ki):
    return vmax * s / (km + s * (1 + s / ki))


@curve(T, (2.0, 3.0, 2.5), (1.5, 2.0, 2.0))
def hill(c, top, half, n):
    return top * c**n / (half**n + c**n)


@curve(T, (0.2, 2.0, 3.0, 2.0), (0.0, 1.8, 2.5, 1.5))
def logistic_4(x, bottom, top, ec50, slope=1.0):
    return bottom + (top - bottom) / (1 + (x / ec50) ** -slope)


@curve(T, (0.2, 2.0, 3.0, 2.0, 0.8), (0.1, 1.9, 2.8, 1.8, 1.0))
def logistic_5(x, a, d, c, b, g):
    return d + (a - d) / np.power(1 + np.power(x / c, b), g)


@real_only(X, (2.0, 1.2, 0.4), (1.5, 1.0, 0.0))
def expit_curve(x, top, k, x0):
    return top * special.expit(k * (x - x0))


@curve(T, (2.5, 1.5, 0.3), (2.0, 1.8, 0.25))
def bateman(t, dose, ka, ke):
    return dose * ka / (ka - ke) * (np.exp(-ke * t) - np.exp(-ka * t))


@curve(np.linspace(280.0, 400.0, 50), (20.0, 50.0), (15.0, 49.0))
def arrhenius(temperature, log_a, energy):
    return np.exp(log_a - energy * 1e3 / (8.314 * temperature))


@curve(T, (1.5, 1.3, 0.4), (1.0, 1.0, 0.0))
def power_law(t, a, b, c):
    return a * t**b + c


@curve(T, (3.0, 4.0, 0.5, 1.8), (2.5, 4.2, 0.4, 1.5))
def broken_power_law(x, a, x_break, alpha1, alpha2):
    return np.where(
        x < x_break, a * (x / x_break) ** -alpha1, a * (x / x_break) ** -alpha2
    )


@curve(T, (2.0, 0.8, 1.2), (1.8, 0.9, 1.0))
def sips_isotherm(p, q, b, n):
    bp = (b * p) ** (1 / n)
    return q * bp / (1 + bp)


@curve(T, (2.0, 0.8, 0.5, 0.1), (1.8, 0.9, 0.4, 0.2))
def dual_langmuir(p, q1, b1, q2, b2):
    return sum(q * b * p / (1 + b * p) for q, b in ((q1, b1), (q2, b2)))


@curve(np.linspace(0.0, 0.7, 60), (-12.0, 1.6), (-11.0, 1.7))
def diode(v, log_i0, ideality):
    return np.exp(log_i0) * np.expm1(v / (ideality * 0.02585))


@curve(np.linspace(0.2, 3.0, 80), (1.0, 5.8), (1.2, 5.0))
def planck(wavelength, scale, temperature):
    x = 14.388 / (wavelength * temperature)
    return scale * 100 / wavelength**5 / np.expm1(x)


@real_only(np.linspace(0.1, 20.0, 90), (2.0, 0.9, 0.3), (1.8, 1.0, 0.2))
def airy_pattern(r, a, k, offset):
    z = k * r
    return a * (2 * special.j1(z) / z) ** 2 + offset * special.j0(z)


@real_only(T, (2.0, 1.1, 0.2), (1.8, 1.0, 0.1))
def bessel(t, a, k, c):
    return a * special.jv(2, k * t) + c


@real_only(INTEGERS, (3.0, 8.0), (2.5, 7.0))
def poisson(k, scale, lam):
    return scale * np.exp(k * np.log(lam) - lam - special.gammaln(k + 1.0))


@real_only(T, (2.0, 2.5, 1.2), (1.8, 2.0, 1.0))
def gamma_density(t, scale, shape, rate):
    log_density = shape * np.log(rate) + (shape - 1) * np.log(t) - rate * t
    return scale * np.exp(log_density - special.gammaln(shape))


@curve(T, (2.0, 1.1, 0.7), (1.8, 1.0, 0.5))
def log_normal(t, a, mu, sigma):
    return a / t * np.exp(-((np.log(t) - mu) ** 2) / (2 * sigma**2))


@curve(T, (0.3, 1.2, 2.0), (0.2, 1.0, 1.8))
def gompertz(t, a, b, c):
    return c * np.exp(-b * np.exp(-a * t))
