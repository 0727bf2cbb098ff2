"""The results are those of SciPy's curve_fit, and of leastsq."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from curve_fit.calls import CALLS, SIGMA, Call, M, X, Y, fit, scipys, with_jacobian
from minpack import curve_fit, leastsq
from models import decay, decay_jacobian


@pytest.mark.filterwarnings("ignore:absolute_sigma")
@pytest.mark.parametrize("absolute_sigma", [False, True])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_result_is_that_of_scipy(call: Call, absolute_sigma: bool) -> None:
    # Long steps: rounding errors in the differences would be the whole difference.
    call = {"absolute_sigma": absolute_sigma, "epsfcn": 1e-8} | call
    popt, pcov, info, mesg, ier = curve_fit(**call, full_output=True)
    popt_, pcov_, info_, _, ier_ = scipys(**call, full_output=True)
    np.testing.assert_allclose(popt, popt_, rtol=1e-8)
    np.testing.assert_allclose(pcov, pcov_, rtol=1e-7)
    np.testing.assert_allclose(info["fvec"], info_["fvec"], rtol=1e-6, atol=1e-8)
    assert info["nfev"] == info_["nfev"]
    assert set(info) == set(info_)
    assert {ier, ier_} <= {1, 2, 3, 4}
    assert mesg.startswith("Converged")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_differences_take_the_steps_of_scipy(call: Call) -> None:
    """To the bit, in the first Jacobian."""

    def points(curve_fit: Callable[..., Any]) -> Any:
        seen: list[Any] = []

        def f(x: Any, *p: Any) -> Any:
            seen.append(p)
            return call["f"](x, *p)

        curve_fit(**call | {"f": f, "p0": p0, "jac": None})
        return seen[: len(p0) + 1]

    p0 = np.linspace(1.0, 1.5, len(curve_fit(**call)[0]))
    assert points(curve_fit) == points(scipys)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_short_result_is_the_head_of_the_full_one(call: Call) -> None:
    short = curve_fit(**call)
    full = curve_fit(**call, full_output=True)
    assert len(short) == 2
    for part, whole in zip(short, full[:2], strict=True):
        assert part.dtype == np.float64
        np.testing.assert_array_equal(part, whole)


def test_the_signature_is_that_of_scipy_and_three_keywords() -> None:
    ours = dict(inspect.signature(curve_fit).parameters)
    theirs = inspect.signature(pytest.importorskip("scipy.optimize").curve_fit)
    for name in ("user_data", "vectorized", "acceleration"):
        assert ours.pop(name).kind is inspect.Parameter.KEYWORD_ONLY
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in theirs.parameters.values()
    ]


@pytest.mark.filterwarnings("ignore:absolute_sigma")
@pytest.mark.parametrize("kernels", ["fast", "reference"])
@pytest.mark.parametrize("sigma", [None, SIGMA], ids=["plain", "sigma"])
def test_the_fit_is_that_of_leastsq(kernels: str, sigma: Any) -> None:
    """Down to the bits, for the same residuals."""
    weights = 1.0 if sigma is None else 1.0 / sigma
    x, cov_x, info, mesg, ier = leastsq(
        lambda p: (decay(X, *p) - Y) * weights, np.ones(3), full_output=True,
        kernels=kernels,
    )  # fmt: skip
    popt, pcov, info_, mesg_, ier_ = curve_fit(
        **fit(sigma=sigma, kernels=kernels, absolute_sigma=True), full_output=True
    )
    np.testing.assert_array_equal(popt, x)
    np.testing.assert_array_equal(pcov, cov_x)
    assert (mesg_, ier_, info_.keys()) == (mesg, ier, info.keys())
    for name, value in info.items():
        np.testing.assert_array_equal(info_[name], value)


@pytest.mark.parametrize(
    ("ours", "leastsqs"),
    [
        ({"max_nfev": 100}, {"maxfev": 100}),
        ({"max_nfev": None}, {}),
        ({"x_scale": "jac"}, {}),
        ({"x_scale": [1.0, 0.5, 4.0]}, {"diag": [1.0, 2.0, 0.25]}),
        ({"x_scale": 2}, {"diag": [0.5, 0.5, 0.5]}),
        ({"max_nfev": 100, "jac": decay_jacobian}, {"maxfev": 100}),
    ],
)
def test_the_keywords_of_least_squares_say_the_same_as_those_of_leastsq(
    ours: Call, leastsqs: Call
) -> None:
    if "jac" in ours:
        leastsqs = leastsqs | {"jac": ours["jac"]}
    for part, other in zip(
        curve_fit(**fit(**ours)), curve_fit(**fit(**leastsqs)), strict=True
    ):
        np.testing.assert_array_equal(part, other)


def test_a_scalar_sigma_weighs_a_jacobian_too() -> None:
    """SciPy cannot do this."""
    for part, other in zip(
        curve_fit(**with_jacobian(sigma=0.2, absolute_sigma=True)),
        curve_fit(**with_jacobian(sigma=np.full(M, 0.2), absolute_sigma=True)),
        strict=True,
    ):
        np.testing.assert_array_equal(part, other)


def test_a_jacobian_by_columns_is_weighed_by_rows() -> None:
    """SciPy cannot do this either."""
    for part, other in zip(
        curve_fit(**with_jacobian(np.transpose, col_deriv=True, sigma=SIGMA)),
        curve_fit(**with_jacobian(sigma=SIGMA)),
        strict=True,
    ):
        np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("jac", [None, decay_jacobian])
def test_a_diagonal_covariance_says_what_sigma_says(jac: Any) -> None:
    for part, other in zip(
        curve_fit(**fit(sigma=np.diag(SIGMA**2), jac=jac, epsfcn=1e-8)),
        curve_fit(**fit(sigma=SIGMA, jac=jac, epsfcn=1e-8)),
        strict=True,
    ):
        np.testing.assert_allclose(part, other, rtol=1e-7)


def test_a_large_covariance_is_that_of_scipy() -> None:
    m = 700  # the lock is given up for this
    x = np.linspace(0, 4, m)
    y = decay(x, 2.5, 1.3, 0.5) + 0.1 * np.cos(40 * x)
    covariance = np.exp(-np.abs(x[:, None] - x))
    call = fit(xdata=x, ydata=y, sigma=covariance, jac=decay_jacobian)
    for part, other in zip(curve_fit(**call), scipys(**call), strict=True):
        np.testing.assert_allclose(part, other, rtol=1e-7)
