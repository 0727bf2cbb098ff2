"""Curves that are written in all the forms that NumPy has."""

from __future__ import annotations

from functools import partial

import numpy as np

from traced.curves import decay
from traced.model import DESIGN, T, curve, real_only

X = np.linspace(-5.0, 5.0, 101)
INTEGERS = np.arange(1, 41)
MESH = np.meshgrid(np.linspace(-2.0, 2.0, 12), np.linspace(-2.0, 1.0, 9))
ROWS = np.stack([each.ravel() for each in MESH])
SINGLE = np.cos(T).astype(np.float32)


# --- Pieces -----------------------------------------------------------------------


@real_only(T, (1.0, 0.8, 4.12, -0.3), (0.8, 0.6, 3.77, -0.2))
def two_lines(t, y0, k1, t0, k2):
    return np.piecewise(
        t,
        [t < t0],
        [lambda t: y0 + k1 * (t - t0), lambda t: y0 + k2 * (t - t0)],
    )


@curve(T, (1.0, 0.5, 2.0), (0.8, 0.4, 1.5))
def three_pieces(t, a, b, c):
    return np.select([t < 2, t < 6], [a * t, a * 2 + b * (t - 2)], default=c)


@real_only(T, (1.0, 2.0), (0.5, 1.0))
def step(t, before, after):
    return before + (after - before) * np.heaviside(t - 5.01, 0.5)


@real_only(T, (1.3, -1.0, 6.0), (1.2, -0.9, 5.5))
def clipped(t, slope, offset, top):
    return np.clip(slope * t + offset, 0.0, top)


@curve(T, (1.0, 0.4, 3.07), (0.8, 0.5, 2.87))
def hinge(t, a, b, t0):
    return a + b * (t - t0) * (t > t0)


@curve(T, (1.0, 0.4, 3.07), (0.8, 0.5, 2.87))
def hinge_by_maximum(t, a, b, t0):
    return a + b * np.maximum(t - t0, 0)


@curve(T, (1.2, 0.4), (1.0, 0.5))
def mask_of_data(t, a, b):
    late = t > 3
    return np.concatenate([a * t[~late], b + a * t[late]])


@curve(T, (1.2, 0.4), (1.0, 0.5))
def branch_on_data(t, a, b):
    if t.max() > 5 and len(t) > 10:
        return a * np.log1p(b * t)
    return a * t + b


@real_only(X, (1.2, 0.43, 1.5), (1.0, 0.54, 1.2))
def absolute(x, a, b, c):
    return a * np.abs(x - b) + c * np.sign(x + 0.033)


@real_only(T, (2.0, 1.713, 0.2), (1.8, 1.711, 0.1))
def sawtooth(t, a, period, offset):
    return a * np.mod(t, period) / period + offset


# --- Polynomials and rational functions -------------------------------------------


@curve(X, (0.1, -0.5, 0.3, 1.0), (0.0, 0.0, 0.0, 0.0))
def polyval(x, *coefficients):
    return np.polyval(coefficients, x)


@curve(X, (0.1, -0.5, 0.3, 1.0), (0.0, 0.0, 0.0, 0.0))
def horner(x, *c):
    y = c[0]
    for each in c[1:]:
        y = y * x + each
    return y


@curve(X / 5, (1.0, 0.5, -0.4, 0.3, 0.2), (0.5, 0.5, 0.5, 0.5, 0.5))
def chebyshev(x, *c):
    low, high = 1.0, x
    y = c[0] + c[1] * x
    for each in c[2:]:
        low, high = high, 2 * x * high - low
        y = y + each * high
    return y


@curve(X / 5, (1.0, 0.5, -0.4, 0.3), (0.5, 0.5, 0.5, 0.2))
def clenshaw(x, *c):
    b1 = b2 = 0
    for each in reversed(c[1:]):
        b1, b2 = each + 2 * x * b1 - b2, b1
    return c[0] + x * b1 - b2


@curve(T, (1.0, 0.5, 0.3, 0.1), (0.8, 0.6, 0.2, 0.2))
def rational(x, *p):
    top, bottom = np.split(np.array(p), 2)
    return (top[0] + top[1] * x) / (1 + bottom[0] * x + bottom[1] * x**2)


@curve(T, (1.0, -0.5, 0.7, 0.2), (0.0, 0.0, 0.0, 0.0))
def design_matrix(t, *p):
    return DESIGN @ np.array(p)


@curve(DESIGN, (1.0, -0.5, 0.7, 0.2), (0.0, 0.0, 0.0, 0.0))
def design_as_data(x, *p):
    return np.dot(x, p)


@curve(DESIGN.T.copy(), (1.0, -0.5, 0.7), (0.5, 0.0, 0.5))
def rows_of_data(x, a, b, c):
    _, t, root, sine = x
    return a * root + b * t / 4 + c * sine


# --- Two dimensions ---------------------------------------------------------------


@curve(
    (ROWS[0], ROWS[1]), (3.0, 0.2, -0.3, 0.8, 0.6, 0.1), (2.0, 0.0, 0.0, 1.0, 1.0, 0.0)
)
def gaussian_2d(xy, a, x0, y0, sx, sy, offset):
    x, y = xy
    exponent = (x - x0) ** 2 / (2 * sx**2) + (y - y0) ** 2 / (2 * sy**2)
    return a * np.exp(-exponent) + offset


@curve(ROWS, (3.0, 0.2, -0.3, 0.9, 0.5, 0.4), (2.0, 0.0, 0.0, 1.0, 0.6, 0.3))
def rotated_gaussian(xy, a, x0, y0, sx, sy, theta):
    p = np.cos(theta) ** 2 / (2 * sx**2) + np.sin(theta) ** 2 / (2 * sy**2)
    q = -np.sin(2 * theta) / (4 * sx**2) + np.sin(2 * theta) / (4 * sy**2)
    r = np.sin(theta) ** 2 / (2 * sx**2) + np.cos(theta) ** 2 / (2 * sy**2)
    dx, dy = xy[0] - x0, xy[1] - y0
    return (a * np.exp(-(p * dx**2 + 2 * q * dx * dy + r * dy**2))).ravel()


@curve(np.stack(MESH), (1.0, 0.3, -0.4), (0.5, 0.1, 0.1))
def paraboloid_on_mesh(xy, a, b, c):
    x, y = xy
    return np.ravel(a + b * x**2 + c * y**2)


@curve(ROWS, (0.5, -0.7, 1.0), (0.0, 0.0, 0.0))
def plane(xy, a, b, c):
    return a * xy[0] + b * xy[1] + c


@real_only(ROWS, (2.0, 0.33, -0.21, 0.5), (1.8, 0.25, -0.15, 0.4))
def cone(xy, a, x0, y0, twist):
    dx, dy = xy[0] - x0, xy[1] - y0
    return a * np.hypot(dx, dy) + twist * np.arctan2(dy, dx + 5)


def image(x, y, a, x0, y0, width):
    return a * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * width**2))


@curve(np.stack(MESH), (3.0, 0.2, -0.3, 0.8), (2.0, 0.0, 0.0, 1.0))
def image_on_mesh(mesh, *p):
    return image(mesh[0], mesh[1], *p).ravel()


@curve(np.arange(30.0), (3.0, 12.5, 8.5, 4.0), (2.0, 12.0, 9.0, 5.0))
def image_with_captured_mesh(_, *p):
    x, y = np.meshgrid(np.arange(30), np.arange(20))
    return np.ravel(image(x, y, *p))


@curve(np.linspace(-2.0, 2.0, 25), (3.0, 0.2, -0.3, 0.8), (2.0, 0.0, 0.0, 1.0))
def image_with_mesh_of_data(side, *p):
    x, y = np.meshgrid(side, side[:20])
    return image(x, y, *p).reshape(-1)


@curve(np.linspace(-2.0, 2.0, 25), (3.0, 0.2, -0.3, 0.8), (2.0, 0.0, 0.0, 1.0))
def image_by_broadcasting(side, *p):
    return image(side[:, None], side[None, :20], *p).flatten()


# --- Other functions of NumPy -----------------------------------------------------


@curve(X, (2.0, 1.7, 0.4), (1.8, 1.5, 0.3))
def sinc_squared(x, a, k, c):
    return a * np.sinc(k * (x - 0.013)) ** 2 + c


@real_only(X, (1.5, 0.8, 0.4), (1.3, 1.0, 0.2))
def softplus(x, a, k, c):
    return a * np.logaddexp(0, k * (x - c))


@real_only(X, (1.5, 0.83), (1.3, 0.73))
def cube_root(x, a, c):
    return a * np.cbrt(x - c)


@curve(X, (1.5, 0.8, 0.4), (1.3, 1.0, 0.2))
def hyperbolic(x, a, b, c):
    return a * np.tanh(b * x) + c * np.arctan(x) + np.sqrt(1 + c**2)


@curve(X, (1.5, 0.8), (1.3, 1.0))
def reciprocal_square(x, a, b):
    return np.reciprocal(a + np.square(b * x)) - 1 / a


@curve(T, (1.0, 0.4, 0.8), (0.8, 0.5, 0.7))
def spectrum_of_cosines(t, a, phase, omega):
    """A complex response written out by its real and imaginary part."""
    real = a * np.cos(phase) / (1 + (omega * t) ** 2)
    imaginary = -a * np.sin(phase) * omega * t / (1 + (omega * t) ** 2)
    return np.concatenate([real, imaginary])


@real_only(T, (2.0, 0.5), (1.5, 0.4))
def rounded_data(t, a, b):
    return a * np.floor(t) + b * np.rint(2 * t) + np.fmod(t, a) * 0


@curve(T, (0.5, 0.7, 0.3), (0.4, 0.5, 0.2))
def logarithms(t, a, b, c):
    return a * np.log10(t + b) - np.log2(1 + c * t) + np.exp2(-a * t)


@curve(np.arange(0, 360, 5), (2.0, 30.0, 0.4), (1.5, 20.0, 0.2))
def angles_in_degrees(angle, a, phase, offset):
    return a * np.cos(np.deg2rad(1.0) * (angle - phase)) ** 2 + offset


@curve(T, (2.0, 0.7, 0.3), (1.5, 0.5, 0.1))
def step_by_step(t, a, b, c):
    y = np.exp(-b * t)
    y *= a
    y += c
    y /= 1 + c**2
    y -= 0.1
    y **= 2
    return y


@curve(T, (2.0, 0.7, 0.3), (1.5, 0.5, 0.1))
def reversed_points(t, a, b, c):
    y = a * np.exp(-b * t[::-1]) + c
    return y[::-1]


@curve(T, (2.0, 0.7), (1.5, 0.5))
def differences(t, a, b):
    """What falls into each bin of a histogram."""
    edges = np.append(t, 2 * t[-1] - t[-2])
    return np.diff(a * (1 - np.exp(-b * edges)))


@curve(T, (2.0, 0.7, 0.3), (1.5, 0.5, 0.1))
def by_dictionary(t, *p):
    named = dict(zip(("a", "b", "c"), p, strict=True))
    return decay(t, **named)


@curve(np.linspace(0.1, 5.0, 5000), (2.0, 0.7, 0.3), (1.5, 0.5, 0.1))
def many_points(t, a, b, c):
    return a * np.exp(-b * t) + c * np.sqrt(t)


@curve(np.linspace(0.1, 5.0, 5000), (2.0, 3.0, 0.3), (1.5, 2.9, 0.1))
def many_masked_points(t, a, b, c):
    return a * t * (t < b) + c * np.where((t >= b) & ~(t > 4), t - b, 0.0)


@curve([3.0], (2.0,), (1.5,))
def one_point(t, a):
    return a**2 * t


@curve(T, (2.0, 0.7), (1.5, 0.5))
def parameters_alone(t, a, b):
    """Values of which many depend on no parameter."""
    return np.where(t < 3, 1.0, a) * np.where(t > 6, b, 2.0)


# --- Data of all kinds ------------------------------------------------------------


@curve(INTEGERS, (3.0, 0.1), (2.0, 0.2))
def integers(n, a, r):
    return a * (1 + r) ** -n


@real_only(list(INTEGERS), (3.0, 0.4), (2.0, 0.2))
def list_of_integers(n, a, b):
    return a + b * (n // 2) + b * n


@curve(T, (1.5, 0.5), (1.0, 1.0))
def single_precision(t, a, b):
    return a * SINGLE + b * t


@real_only(T, (1.5, 0.5), (1.0, 1.0))
def interpolated_data(t, a, b):
    return a * np.interp(t, [0, 2, 10], [0.0, 1.0, 0.5]) + b


@curve(T, (1.5, 0.5), (1.0, 1.0))
def normalized_data(t, a, b):
    scaled = (t - t.mean()) / np.std(t)
    return a * scaled + b * scaled**2


LEVELS = np.array([1.0, 4.0, 9.0, 16.0])
WHICH = np.arange(len(T)) % 4


@curve(T, (1.5, 0.5), (1.0, 1.0))
def table(t, a, b):
    return a * LEVELS[WHICH] + b * t


@curve(T, (1.0, 2.0, 3.0, 4.0, 0.5), (0.0, 0.0, 0.0, 0.0, 0.0))
def groups(t, *p):
    """A level for each group, by its number."""
    *levels, slope = p
    return np.array(levels)[WHICH] + slope * t


@curve(T, (2.0, 0.7, 0.3), (1.5, 0.5, 0.1))
def with_keywords(t, amplitude, rate, offset):
    return decay(t, c=offset, b=rate, a=amplitude)


def _with_options(t, a, b, *, background=0.1, scale=2.0):
    return background + scale * a * np.exp(-b * t)


curve(T, (2.0, 0.7), (1.5, 0.5), "partial")(partial(_with_options, background=0.3))
curve(T, (2.0, 0.7), (1.5, 0.5), "lambda")(lambda t, a, b: a * (1 - np.exp(-b * t)))


def _closure(order):
    def model(t, *c):
        total = 0
        for k in range(order + 1):
            total += c[k] * np.exp(-k * t / 3)
        return total

    return model


curve(T, (1.0, 2.0, -1.0), (0.5, 1.0, 0.5), "closure")(_closure(2))


class _Instrument:
    """A class with a method that is a model, and an object that is one."""

    def __init__(self, gain, dark):
        self.gain = gain
        self.dark = dark

    def respond(self, t, a, b):
        return self.gain * a * np.exp(-b * t) + self.dark

    def __call__(self, t, a, b):
        return self.respond(t, a, b) ** 2


curve(T, (2.0, 0.7), (1.5, 0.5), "method")(_Instrument(1.5, 0.1).respond)
curve(T, (2.0, 0.7), (1.5, 0.5), "object")(_Instrument(1.5, 0.1))


# --- Several curves at once -------------------------------------------------------


@curve(T, (1.0, 2.0, 0.5, 0.2), (0.8, 1.5, 0.4, 0.3))
def shared_rate(t, a1, a2, rate, offset):
    return np.hstack([decay(t, a1, rate, offset), decay(t, a2, rate, offset)])


HALVES = np.concatenate([T, T[:50]])


@curve(HALVES, (1.0, 2.0, 0.5), (0.8, 1.5, 0.4))
def two_data_sets(t, a1, a2, rate):
    first, second = t[: len(T)], t[len(T) :]
    return np.append(a1 * np.exp(-rate * first), a2 * np.exp(-rate * second))


# --- Integrals on a grid ----------------------------------------------------------

NODES, WEIGHTS = np.polynomial.legendre.leggauss(9)


@curve(T, (2.0, 0.5, 0.3), (1.5, 0.4, 0.2))
def quadrature_by_loop(t, a, rate, width):
    """Decays whose rates are spread evenly."""
    total = np.zeros(t.shape)
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        total = total + weight * np.exp(-(rate + width * node) * t)
    return a * total / 2


@curve(T, (2.0, 0.5, 0.3), (1.5, 0.4, 0.2))
def quadrature_by_rows(t, a, rate, width):
    rates = rate + width * NODES
    return a / 2 * np.sum(WEIGHTS[:, None] * np.exp(-rates[:, None] * t), axis=0)


@curve(T, (2.0, 0.5, 0.3), (1.5, 0.4, 0.2))
def quadrature_by_columns(t, a, rate, width):
    rates = rate + width * NODES
    return a / 2 * np.sum(WEIGHTS * np.exp(-t[:, None] * rates), axis=-1)


@curve(T, (2.0, 0.5, 0.3), (1.5, 0.4, 0.2))
def quadrature_by_outer(t, a, rate, width):
    terms = np.exp(-np.outer(rate + width * NODES, t))
    return a * (terms * WEIGHTS[:, np.newaxis]).mean(axis=0)
