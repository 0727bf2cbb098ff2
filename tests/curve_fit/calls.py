"""Calls of curve_fit with data, errors and derivatives of every kind."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arrays import strided
from models import decay, decay_jacobian

Call = dict[str, Any]

RNG = np.random.default_rng(20240229)
M = 30
X = np.linspace(0.0, 4.0, M)
SIGMA = RNG.uniform(0.05, 0.3, M)
SQUARE = RNG.normal(size=(M, M))
COVARIANCE = 0.01 * (SQUARE @ SQUARE.T + M * np.eye(M))
Y = decay(X, 2.5, 1.3, 0.5) + 0.2 * RNG.normal(size=M)
Y.flags.writeable = X.flags.writeable = False


def fit(**changes: Any) -> Call:
    """A fit of three parameters to thirty points, with `changes`."""
    return {"f": decay, "xdata": X, "ydata": Y} | changes


def returning(convert: Callable[[Any], Any], **changes: Any) -> Call:
    """The values of the model go through `convert`."""
    return fit(f=lambda x, a, b, c: convert(decay(x, a, b, c)), **changes)


def with_jacobian(convert: Callable[[Any], Any] = lambda j: j, **changes: Any) -> Call:
    """The derivatives of the model go through `convert`."""
    return fit(jac=lambda x, a, b, c: convert(decay_jacobian(x, a, b, c)), **changes)


def line(**changes: Any) -> Call:
    call = {
        "f": lambda x, a, b: a * x + b,
        "xdata": [0, 1, 2, 3, 4],
        "ydata": [1, 3, 4, 7.5, 8],
    }
    return call | changes


def with_gaps(x: Any, y: Any, **changes: Any) -> Call:
    """A fit to data with NaN at some points."""
    x, y = np.array(x), np.array(y)
    x[..., 3] = y[[3, 7]] = np.nan
    return {
        "f": lambda x, a, b: a * x + b,
        "xdata": x,
        "ydata": y,
        "p0": [1, 1],
    } | changes


class Table:
    """Data that are no array."""

    column = X


class Model:
    def __call__(self, x: Any, a: Any, b: Any, c: Any = 0.0) -> Any:
        return decay(x, a, b, c)

    def method(self, x: Any, a: Any, b: Any, c: Any, *rest: Any, k: Any = 0) -> Any:
        return decay(x, a, b, c)


CALLS: dict[str, Call] = {
    "plain": fit(),
    "p0": fit(p0=np.array([2.0, 1.0, 0.0])),
    "p0 in a list of integers": fit(p0=[2, 1, 0]),
    "p0 in two dimensions": fit(p0=[[2.0], [1.0], [0.0]]),
    "p0 is a number": fit(f=lambda x, b: np.exp(-b * x), p0=0.5),
    "p0 in float32": fit(p0=np.ones(3, np.float32)),
    "one parameter": fit(f=lambda x, b: np.exp(-b * x)),
    "an object as a model": fit(f=Model()),
    "a method as a model": fit(f=Model().method),
    "a partial function as a model": fit(
        f=functools.partial(lambda shift, x, a, b: decay(x - shift, a, b, 0.5), 0.1)
    ),
    "any number of parameters": fit(f=lambda x, *p: decay(x, *p), p0=[1, 1, 1]),
    "more parameters than fit on the stack": fit(
        f=lambda x, *p: sum(p[k] * np.cos(k * x) for k in range(9)), p0=np.ones(9)
    ),
    "no xdata": fit(f=lambda _, a, b, c: decay(X, a, b, c), xdata=None),
    "xdata in an object": fit(
        f=lambda t, a, b, c: decay(t.column, a, b, c), xdata=Table()
    ),
    "xdata in a dictionary": fit(
        f=lambda t, a, b, c: decay(t["x"], a, b, c), xdata={"x": X}
    ),
    "xdata in a list": fit(xdata=X.tolist()),
    "xdata in a tuple": fit(xdata=tuple(X)),
    "xdata in integers": line(xdata=np.arange(5, dtype=np.int8)),
    "xdata in rows": fit(
        f=lambda x, a, b, c: decay(x[0], a, b, c) + x[1], xdata=np.stack([X, 0.1 * X])
    ),
    "xdata in three dimensions": fit(
        f=lambda x, a, b, c: decay(x[0, 0], a, b, c), xdata=[[X, X]]
    ),
    "xdata not contiguous": fit(xdata=strided(X)),
    "ydata in a list": fit(ydata=Y.tolist()),
    "ydata in integers": line(ydata=np.array([1, 3, 4, 7, 8])),
    "ydata in float32": fit(ydata=Y.astype(np.float32)),
    "ydata in the other byte order": fit(ydata=Y.astype(Y.dtype.newbyteorder())),
    "ydata not contiguous": fit(ydata=strided(Y)),
    "ydata is a number": fit(f=lambda x, a, b, c: decay(x, a, b, c) - Y, ydata=0),
    "ydata is one number in a list": fit(
        f=lambda x, a, b, c: decay(x, a, b, c) - Y, ydata=[0.5]
    ),
    "one point": fit(
        f=lambda x, a: a * x, xdata=[2.0], ydata=[3.0], absolute_sigma=True, sigma=1.0
    ),
    "ydata is a number, and so is sigma": fit(
        f=lambda x, a, b, c: decay(x, a, b, c) - Y, ydata=0, sigma=[0.3]
    ),
    "values in a list": returning(np.ndarray.tolist),
    "values in a tuple": returning(lambda r: tuple(r.tolist())),
    "values not contiguous": returning(strided),
    "values backwards in memory": returning(lambda r: r[::-1].copy()[::-1]),
    "values in the other byte order": returning(
        lambda r: r.astype(r.dtype.newbyteorder())
    ),
    "values read only": returning(lambda r: np.frombuffer(r.tobytes())),
    "values in a masked array": returning(np.ma.masked_array),
    "values in float32": returning(lambda r: r.astype(np.float32), epsfcn=1e-6),
    "values in integers": fit(
        f=lambda x, a: np.round(1e6 * a * x).astype(int), ydata=1e6 * Y, epsfcn=1e-4
    ),
    "values are one number": fit(f=lambda x, a: a),
    "values are one number of Python": fit(f=lambda x, a: float(a)),
    "values are one number in an array": fit(f=lambda x, a: np.array([a])),
    "sigma": fit(sigma=SIGMA),
    "sigma in a list": fit(sigma=SIGMA.tolist()),
    "sigma in integers": line(sigma=[1, 2, 1, 2, 1]),
    "sigma is a number": fit(sigma=0.2),
    "sigma is one number in a list": fit(sigma=[0.2]),
    "sigma is infinite at some points": fit(sigma=np.where(X < 2, 0.1, np.inf)),
    "sigma with signs": fit(sigma=np.where(X < 2, 0.1, -0.2)),
    "covariance": fit(sigma=COVARIANCE),
    "covariance in a list": line(sigma=(np.eye(5) + 0.1).tolist()),
    "covariance, lower triangle": fit(sigma=np.tril(COVARIANCE)),
    "covariance, another memory order": fit(sigma=np.asfortranarray(COVARIANCE)),
    "values in a list, sigma": returning(np.ndarray.tolist, sigma=SIGMA),
    "values are one number, sigma": fit(f=lambda x, a: a, sigma=SIGMA),
    "values are one number, covariance": fit(f=lambda x, a: a, sigma=COVARIANCE),
    "jac": with_jacobian(),
    "jac, sigma": with_jacobian(sigma=SIGMA),
    "jac, covariance": with_jacobian(sigma=COVARIANCE),
    "jac in lists": with_jacobian(np.ndarray.tolist, sigma=SIGMA),
    "jac by columns in memory": with_jacobian(np.asfortranarray, sigma=SIGMA),
    "jac in float32": with_jacobian(lambda j: j.astype(np.float32)),
    "jac in integers": line(
        jac=lambda x, a, b: np.stack([x, np.ones(5)], axis=1).astype(int)
    ),
    "jac transposed, col_deriv": with_jacobian(np.transpose, col_deriv=True),
    "as many points as parameters, absolute sigma": fit(
        xdata=X[:3], ydata=Y[:3], sigma=0.1, absolute_sigma=True, p0=[2.5, 1.3, 0.5]
    ),
    "ftol": fit(ftol=1e-4),
    "xtol": fit(xtol=1e-3),
    "gtol": fit(gtol=0.1),
    "maxfev": fit(maxfev=1000),
    "epsfcn": fit(epsfcn=1e-10),
    "factor": fit(factor=0.1),
    "diag": fit(diag=[1.0, 2.0, 3.0]),
    "method": fit(method="lm"),
    "infinite bounds": fit(bounds=([-np.inf] * 3, np.inf)),
    "nan_policy without NaN": fit(nan_policy="omit"),
    "nan_policy with nothing to omit": fit(nan_policy="raise"),
    "NaN omitted": with_gaps(X, Y, nan_policy="omit"),
    "NaN omitted from rows": with_gaps(
        [X, X], Y, f=lambda x, a, b: a * x[0] + b * x[1] ** 2, nan_policy="omit"
    ),
    "NaN omitted, sigma": with_gaps(X, Y, sigma=SIGMA, nan_policy="omit"),
    "NaN omitted, covariance": with_gaps(X, Y, sigma=COVARIANCE, nan_policy="omit"),
    "NaN omitted, sigma is a number": with_gaps(X, Y, sigma=0.2, nan_policy="omit"),
    "infinite xdata": fit(
        f=lambda x, a, b: a * np.minimum(x, 4) + b,
        xdata=np.append(X[:-1], np.inf),
        check_finite=False,
    ),
}  # fmt: skip


def scipys(**call: Any) -> Any:
    return pytest.importorskip("scipy.optimize").curve_fit(**call)
