"""Code that was written for SciPy's leastsq runs with ours in its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minpack

pytest.importorskip("scipy", minversion="1.17")
from scipy import optimize
from scipy.optimize import _minpack_py

RNG = np.random.default_rng(1)
T = np.linspace(0.0, 10.0, 101)


def peak(t: Any, amplitude: float, center: float, width: float, offset: float) -> Any:
    return amplitude * np.exp(-(((t - center) / width) ** 2)) + offset


Y = peak(T, 3.0, 4.0, 1.5, 0.5) + RNG.normal(scale=0.1, size=T.size)
START = [2.0, 5.0, 1.0, 0.0]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Puts our leastsq in the place of SciPy's and counts its calls."""
    calls = {"leastsq": 0}

    def leastsq(*args: Any, **kwargs: Any) -> Any:
        calls["leastsq"] += 1
        return minpack.leastsq(*args, **kwargs)

    monkeypatch.setattr(_minpack_py, "leastsq", leastsq)
    monkeypatch.setattr(optimize, "leastsq", leastsq)
    return calls


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sigma": np.full(T.size, 0.1), "absolute_sigma": True},
        {"sigma": np.diag(np.full(T.size, 0.01))},
        {"maxfev": 2000},
        {"jac": lambda t, *p: np.stack(
            [(peak(t, *(p + h)) - peak(t, *(p - h))) / 2e-6 for h in 1e-6 * np.eye(4)],
            axis=1)},
    ],
    ids=["plain", "weights", "covariance", "maxfev", "Jacobian"],
)  # fmt: skip
def test_curve_fit_works_with_it(counted, monkeypatch, options):
    ours, our_cov = optimize.curve_fit(peak, T, Y, START, **options)
    assert counted["leastsq"] == 1
    monkeypatch.undo()
    theirs, their_cov = optimize.curve_fit(peak, T, Y, START, **options)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    np.testing.assert_allclose(our_cov, their_cov, rtol=1e-4, atol=1e-9)


def test_curve_fit_raises_where_the_fit_fails(counted):
    with pytest.raises(RuntimeError, match="maxfev"):
        optimize.curve_fit(peak, T, Y, START, maxfev=3)
    assert counted["leastsq"] == 1


def test_lmfit_works_with_it(monkeypatch):
    lmfit = pytest.importorskip("lmfit")

    def fit() -> Any:
        model = lmfit.Model(peak)
        parameters = model.make_params(amplitude=2, center=5, width=1, offset=0)
        parameters["width"].min = 0.0
        return model.fit(Y, parameters, t=T)

    theirs = fit()
    calls = []

    def leastsq(*args: Any, **kwargs: Any) -> Any:
        calls.append(kwargs)
        return minpack.leastsq(*args, **kwargs)

    monkeypatch.setattr("lmfit.minimizer.scipy_leastsq", leastsq)
    ours = fit()
    assert len(calls) == 1
    assert ours.success
    for name, parameter in ours.params.items():
        other = theirs.params[name]
        np.testing.assert_allclose(parameter.value, other.value, rtol=1e-6)
        np.testing.assert_allclose(parameter.stderr, other.stderr, rtol=1e-4)
