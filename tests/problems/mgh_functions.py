"""Residuals and Jacobians of the MINPACK least-squares test problems.

Each function takes the parameters x, real or complex, and the number of residuals
m, and returns fvec (m,) and fjac (m, n). Numbers in parentheses are those of the
problems in MINPACK's tests; symbols are those of Moré, Garbow & Hillstrom, "Testing
unconstrained optimization software", ACM TOMS 7 (1981), with x_1 at index 0.

Sums are NumPy's own rather than the BLAS's, so that the same x gives the same bits
whatever the alignment of its memory.
"""

from typing import Any

import numpy as np
from numpy import cos, exp, pi, sin, sqrt
from numpy.typing import NDArray

Array = NDArray[Any]
Evaluation = tuple[Array, Array]


def _numbers(text: str) -> Array:
    return np.array(text.split(), dtype=float)


Y_BARD = _numbers(
    "0.14 0.18 0.22 0.25 0.29 0.32 0.35 0.39 0.37 0.58 0.73 0.96 1.34 2.10 4.39"
)
U_KOWALIK = _numbers("4 2 1 0.5 0.25 0.167 0.125 0.1 0.0833 0.0714 0.0625")
Y_KOWALIK = _numbers(
    "0.1957 0.1947 0.1735 0.1600 0.0844 0.0627 0.0456 0.0342 0.0323 0.0235 0.0246"
)
Y_MEYER = _numbers(
    "34780 28610 23650 19630 16370 13720 11540 9744 8261 7030 6005 5147 4427 3820 "
    "3307 2872"
)
Y_OSBORNE1 = _numbers(
    "0.844 0.908 0.932 0.936 0.925 0.908 0.881 0.850 0.818 0.784 0.751 0.718 0.685 "
    "0.658 0.628 0.603 0.580 0.558 0.538 0.522 0.506 0.490 0.478 0.467 0.457 0.448 "
    "0.438 0.431 0.424 0.420 0.414 0.411 0.406"
)
Y_OSBORNE2 = _numbers(
    "1.366 1.191 1.112 1.013 0.991 0.885 0.831 0.847 0.786 0.725 0.746 0.679 0.608 "
    "0.655 0.616 0.606 0.602 0.626 0.651 0.724 0.649 0.649 0.694 0.644 0.624 0.661 "
    "0.612 0.558 0.533 0.495 0.500 0.423 0.395 0.375 0.372 0.391 0.396 0.405 0.428 "
    "0.429 0.523 0.562 0.607 0.653 0.672 0.708 0.633 0.668 0.645 0.632 0.591 0.559 "
    "0.597 0.625 0.739 0.710 0.729 0.720 0.636 0.581 0.428 0.292 0.162 0.098 0.054"
)


def linear_full_rank(x: Array, m: int) -> Evaluation:
    """(1) The minimum is sqrt(m - n), at x = -1."""
    fvec = np.full(m, -2 / m * x.sum() - 1)
    fvec[: x.size] += x
    return fvec, np.eye(m, x.size) - 2 / m


def linear_rank_one(x: Array, m: int) -> Evaluation:
    """(2) The minimum is sqrt(m (m - 1) / (2 (2m + 1)))."""
    i, j = np.arange(1.0, m + 1), np.arange(1.0, x.size + 1)
    return i * (j * x).sum() - 1, np.outer(i, j)


def linear_zeros(x: Array, m: int) -> Evaluation:
    """(3) The outer rows and columns of the rank-one Jacobian are zero.

    The minimum is sqrt((m^2 + 3m - 6) / (2 (2m - 3))).
    """
    i, j = np.arange(0.0, m), np.arange(1.0, x.size + 1)
    i[-1], j[0], j[-1] = 0, 0, 0
    return i * (j * x).sum() - 1, np.outer(i, j)


def rosenbrock(x: Array, m: int) -> Evaluation:
    """(4) The curved valley."""
    fvec = np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])
    return fvec, np.array([[-20 * x[0], 10], [-1, 0]])


def helical_valley(x: Array, m: int) -> Evaluation:
    """(5) The angle theta is in turns, from -1/4 to 3/4."""
    if x[0] == 0:
        theta = 0.25 if x[1].real >= 0 else -0.25
    else:
        theta = np.arctan(x[1] / x[0]) / (2 * pi) + (0.5 if x[0].real < 0 else 0)
    square = x[0] ** 2 + x[1] ** 2
    radius = sqrt(square)
    fvec = np.array([10 * (x[2] - 10 * theta), 10 * (radius - 1), x[2]])
    turn = 50 / (pi * square)
    fjac = [
        [turn * x[1], -turn * x[0], 10],
        [10 * x[0] / radius, 10 * x[1] / radius, 0],
        [0, 0, 1],
    ]
    return fvec, np.array(fjac)


def powell_singular(x: Array, m: int) -> Evaluation:
    """(6) The Jacobian is singular at the solution."""
    c, d = x[1] - 2 * x[2], x[0] - x[3]
    fvec = [x[0] + 10 * x[1], sqrt(5) * (x[2] - x[3]), c**2, sqrt(10) * d**2]
    fjac = [
        [1, 10, 0, 0],
        [0, 0, sqrt(5), -sqrt(5)],
        [0, 2 * c, -4 * c, 0],
        [2 * sqrt(10) * d, 0, 0, -2 * sqrt(10) * d],
    ]
    return np.array(fvec), np.array(fjac)


def freudenstein_roth(x: Array, m: int) -> Evaluation:
    """(7) A local minimum of 6.998875 besides the zero at (5, 4)."""
    u, v = x
    fvec = [-13 + u + ((5 - v) * v - 2) * v, -29 + u + ((v + 1) * v - 14) * v]
    fjac = [[1, (10 - 3 * v) * v - 2], [1, (3 * v + 2) * v - 14]]
    return np.array(fvec), np.array(fjac)


def bard(x: Array, m: int) -> Evaluation:
    """(8) A rational function of three parameters."""
    u = np.arange(1.0, m + 1)
    v = m + 1 - u
    w = np.minimum(u, v)
    denominator = v * x[1] + w * x[2]
    slope = u / denominator**2
    fjac = np.stack([-np.ones_like(slope), slope * v, slope * w], axis=1)
    return Y_BARD - (x[0] + u / denominator), fjac


def kowalik_osborne(x: Array, m: int) -> Evaluation:
    """(9) Enzyme kinetics; the data are those of NIST's MGH09."""
    u = U_KOWALIK
    numerator, denominator = u * (u + x[1]), u * (u + x[2]) + x[3]
    ratio = numerator / denominator
    slope = x[0] * ratio / denominator
    fjac = np.stack([-ratio, -x[0] * u / denominator, slope * u, slope], axis=1)
    return Y_KOWALIK - x[0] * ratio, fjac


def meyer(x: Array, m: int) -> Evaluation:
    """(10) Thermistor resistance; the data are those of NIST's MGH10."""
    t = 45 + 5 * np.arange(1.0, m + 1) + x[2]
    growth = exp(x[1] / t)
    slope = x[0] * growth / t
    return x[0] * growth - Y_MEYER, np.stack([growth, slope, -slope * x[1] / t], 1)


def watson(x: Array, m: int) -> Evaluation:
    """(11) A polynomial in t = i/29, its derivative, and two conditions."""
    powers = np.vander(np.arange(1, 30) / 29, x.size, increasing=True)
    derivative = np.zeros_like(powers)
    derivative[:, 1:] = powers[:, :-1] * np.arange(1, x.size)
    s = (powers * x).sum(axis=1)
    slope = (derivative * x).sum(axis=1)
    fvec = np.append(slope - s**2 - 1, [x[0], x[1] - x[0] ** 2 - 1])
    last = np.zeros((2, x.size), dtype=x.dtype)
    last[0, 0], last[1, :2] = 1, (-2 * x[0], 1)
    return fvec, np.vstack([derivative - 2 * s[:, None] * powers, last])


def box(x: Array, m: int) -> Evaluation:
    """(12) Three-dimensional, zero on a line as well as at (1, 10, 1)."""
    t = np.arange(1.0, m + 1) / 10
    first, second, third = exp(-t * x[0]), exp(-t * x[1]), exp(-10 * t) - exp(-t)
    return first - second + x[2] * third, np.stack([-t * first, t * second, third], 1)


def jennrich_sampson(x: Array, m: int) -> Evaluation:
    """(13) Two exponentials, equal at the minimum."""
    i = np.arange(1.0, m + 1)
    growth = exp(np.outer(i, x))
    return 2 + 2 * i - growth.sum(axis=1), -i[:, None] * growth


def brown_dennis(x: Array, m: int) -> Evaluation:
    """(14) Large residuals at the minimum."""
    t = np.arange(1.0, m + 1) / 5
    u, v = x[0] + t * x[1] - exp(t), x[2] + sin(t) * x[3] - cos(t)
    return u**2 + v**2, 2 * np.stack([u, t * u, v, sin(t) * v], axis=1)


def chebyquad(x: Array, m: int) -> Evaluation:
    """(15) Mean of the shifted Chebyshev polynomials minus their integrals."""
    y = 2 * x - 1
    values, slopes = [np.ones_like(y), y], [np.zeros_like(y), np.ones_like(y)]
    for _ in range(1, m):
        slopes.append(2 * values[-1] + 2 * y * slopes[-1] - slopes[-2])
        values.append(2 * y * values[-1] - values[-2])
    i = np.arange(2, m + 1, 2)
    fvec = np.mean(values[1:], axis=1)
    fvec[i - 1] += 1 / (i**2 - 1)
    return fvec, 2 * np.array(slopes[1:]) / x.size


def brown_almost_linear(x: Array, m: int) -> Evaluation:
    """(16) All equations but the last are linear."""
    fvec = x + x.sum() - (m + 1)
    fvec[-1] = x.prod() - 1
    fjac = np.eye(m, dtype=x.dtype) + 1
    fjac[-1] = [np.delete(x, j).prod() for j in range(m)]
    return fvec, fjac


def osborne1(x: Array, m: int) -> Evaluation:
    """(17) Two exponentials and a constant; the data are those of NIST's MGH17."""
    t = 10 * np.arange(0.0, m)
    first, second = exp(-t * x[3]), exp(-t * x[4])
    fjac = [-np.ones_like(t), -first, -second, t * x[1] * first, t * x[2] * second]
    return Y_OSBORNE1 - (x[0] + x[1] * first + x[2] * second), np.stack(fjac, axis=1)


def osborne2(x: Array, m: int) -> Evaluation:
    """(18) An exponential and three Gaussian peaks."""
    t = np.arange(0.0, m) / 10
    decay = exp(-t * x[4])
    shift = t[:, None] - x[8:]
    peaks = exp(-(shift**2) * x[5:8])
    fjac = np.column_stack(
        [
            -decay,
            -peaks,
            t * x[0] * decay,
            x[1:4] * shift**2 * peaks,
            -2 * x[1:4] * x[5:8] * shift * peaks,
        ]
    )
    return Y_OSBORNE2 - x[0] * decay - (x[1:4] * peaks).sum(axis=1), fjac
