"""Functions of residuals, as leastsq and least_squares take them."""

from __future__ import annotations

import numpy as np

from traced.curves import decay, gaussian
from traced.model import DESIGN, T, noisy, residuals

# --- Functions of residuals -------------------------------------------------------

Y = noisy(decay(T, 2.5, 0.7, 0.3))


@residuals((T, Y), (2.5, 0.7, 0.3), (2.0, 0.5, 0.0))
def plain_residuals(p, t, y):
    a, b, c = p
    return y - (a * np.exp(-b * t) + c)


@residuals((T, Y, 0.1 + 0.01 * T), (2.5, 0.7, 0.3), (2.0, 0.5, 0.0))
def weighted_residuals(p, t, y, sigma):
    return (decay(t, *p) - y) / sigma


@residuals((), (2.5, 0.7, 0.3), (2.0, 0.5, 0.0))
def captured_residuals(x):
    return x[0] * np.exp(-x[1] * T) + x[2] - Y


@residuals(({"t": T, "y": Y}, "exponential"), (2.5, 0.7, 0.3), (2.0, 0.5, 0.0))
def residuals_of_dictionary(p, data, kind):
    model = decay if kind == "exponential" else gaussian
    return data["y"] - model(data["t"], *p)


@residuals((T, Y), (2.5, 0.7), (2.0, 0.5))
def penalized(p, t, y):
    """A prior as one residual more."""
    fit = p[0] * np.exp(-p[1] * t) + 0.3
    return np.concatenate([fit - y, [0.1 * (p[1] - 0.6)]])


@residuals((T, Y), (2.5, 0.7, 0.3), (2.0, 0.5, 0.0))
def positive_by_logarithm(q, t, y):
    a, *rest = q
    b, c = rest
    return a * np.exp(-np.exp(np.log(b)) * t) + c - y


@residuals(
    (DESIGN, noisy(DESIGN @ [1.0, -0.5, 0.7, 0.2])),
    (1.0, -0.5, 0.7, 0.2),
    (0.0, 0.0, 0.0, 0.0),
)
def linear_system(x, matrix, y):
    return matrix @ x - y


@residuals((), (1.0, 1.0), (-1.2, 1.0))
def rosenbrock(x):
    return [10 * (x[1] - x[0] ** 2), 1 - x[0]]


@residuals((), (1.0, 1.0, 1.0, 1.0), (-1.2, 1.0, -1.2, 1.0))
def extended_rosenbrock(x):
    return np.concatenate([10 * (x[1::2] - x[::2] ** 2), 1 - x[::2]])


@residuals((), (0.0, 0.0, 0.0, 0.0), (3.0, -1.0, 0.0, 1.0))
def powell_singular(x):
    return np.array(
        [
            x[0] + 10 * x[1],
            np.sqrt(5.0) * (x[2] - x[3]),
            (x[1] - 2 * x[2]) ** 2,
            np.sqrt(10.0) * (x[0] - x[3]) ** 2,
        ]
    )


@residuals((), (5.0, 4.0), (4.5, 3.5))
def freudenstein_roth(x):
    a, b = x
    return np.array((-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b))


@residuals((), (1.0, 0.0, 0.0), (0.8, 0.3, 0.2), takes_complex=False)
def helical_valley(x):
    theta = np.arctan2(x[1], x[0]) / (2 * np.pi)
    return [10 * (x[2] - 10 * theta), 10 * (np.hypot(x[0], x[1]) - 1), x[2]]


BARD = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96,
                 1.34, 2.10, 4.39])  # fmt: skip


@residuals((BARD,), (0.08, 1.13, 2.34), (1.0, 1.0, 1.0))
def bard(x, y):
    u = np.arange(1, len(y) + 1)
    v = 16 - u
    return y - (x[0] + u / (v * x[1] + np.minimum(u, v) * x[2]))


@residuals((), (1.0, 10.0, 1.0), (0.0, 8.0, 1.5))
def box_3d(x):
    t = 0.1 * np.arange(1, 11)
    x1, x2, x3 = x
    return np.exp(-t * x1) - np.exp(-t * x2) - x3 * (np.exp(-t) - np.exp(-10 * t))


@residuals((), (1.0, 1.0, 1.0, 1.0), (-3.0, -1.0, -3.0, -1.0))
def wood(x):
    w, x, y, z = x
    return np.hstack((
        10 * (x - w**2), 1 - w, np.sqrt(90) * (z - y**2), 1 - y,
        np.sqrt(10) * (x + z - 2), (x - z) / np.sqrt(10),
    ))  # fmt: skip


@residuals((), (1.0, 0.5), (0.8, 0.6))
def stacked_residuals(p):
    return np.ravel([p[0] - 1.0, p[1] - 0.5, p[0] * p[1] - 0.5])


@residuals((np.array([1.0, 2.0, 3.0]),), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0))
def vector_of_parameters(x, target):
    return x**2 * 0.1 + x - target


@residuals((), (0.5, 0.5, 0.5), (0.9, 0.2, 0.6))
def smoothness(x):
    return np.concatenate((x - 0.5, 3 * np.diff(x), [x.sum() - 1.5]))
