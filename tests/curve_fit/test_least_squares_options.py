"""What SciPy's function hands to least_squares: losses, steps, callbacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minpack
from curve_fit.calls import COVARIANCE, SIGMA, Call, M, X, Y, fit, scipys
from minpack import curve_fit
from models import decay, decay_jacobian

BOUNDS = ([0, 0, -np.inf], [5, 5, 2.0])
HANDED: dict[str, Call] = {
    "loss": {"loss": "soft_l1"},
    "a loss and its scale": {"loss": "cauchy", "f_scale": 0.1},
    "a loss of one's own": {
        "loss": lambda z: np.stack([2 * (1 + z) ** 0.5 - 2, (1 + z) ** -0.5,
                                    -0.5 * (1 + z) ** -1.5]),
        "f_scale": 0.1,
    },
    "a loss, sigma": {"loss": "huber", "sigma": SIGMA, "f_scale": 0.5},
    "a loss, jac": {"loss": "huber", "jac": decay_jacobian, "f_scale": 0.1},
    "2-point": {"jac": "2-point"},
    "3-point": {"jac": "3-point"},
    "3-point, sigma": {"jac": "3-point", "sigma": SIGMA},
    "cs": {"jac": "cs"},
    "cs, covariance": {"jac": "cs", "sigma": COVARIANCE},
    "x_scale": {"x_scale": [1.0, 2.0, 0.5]},
    "diff_step": {"diff_step": 1e-6},
    "diff_step of each": {"diff_step": [1e-6, 1e-7, 1e-5], "jac": "3-point"},
    "max_nfev": {"max_nfev": 1e4},
    "max_nfev None": {"max_nfev": None},
    "maxfev": {"maxfev": 1e5},
    "tolerances": {"ftol": None, "gtol": None},
    "tr_solver": {"tr_solver": "exact", "tr_options": {}},
    "absolute sigma": {"sigma": SIGMA, "absolute_sigma": True, "jac": "3-point"},
}  # fmt: skip


@pytest.mark.parametrize("method", ["trf", "dogbox", None])
@pytest.mark.parametrize("options", HANDED.values(), ids=HANDED)
def test_what_scipy_hands_to_least_squares_is_taken(
    options: Call, method: str | None
) -> None:
    call = fit(bounds=BOUNDS, method=method, **options)
    popt, pcov, info, mesg, ier = curve_fit(**call, full_output=True)
    exact = {"ftol": 1e-13, "xtol": 1e-13, "gtol": 1e-13}
    theirs, their_cov = scipys(**call | exact)
    np.testing.assert_allclose(popt, theirs, rtol=1e-4)
    np.testing.assert_allclose(pcov, their_cov, rtol=2e-3)
    assert ier in (1, 2, 3, 4)
    assert mesg.startswith("Converged")
    assert info["fvec"].shape == (M,)


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm", None])
def test_every_name_is_that_of_the_one_algorithm(method: str | None) -> None:
    popt, pcov = curve_fit(**fit(method=method))
    plain, plain_cov = curve_fit(**fit())
    np.testing.assert_array_equal(popt, plain)
    np.testing.assert_array_equal(pcov, plain_cov)


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
def test_the_covariance_with_a_loss_is_that_of_the_weighted_residuals(
    loss: str,
) -> None:
    popt, pcov = curve_fit(**fit(loss=loss, f_scale=0.1, jac="3-point"))
    end = minpack.least_squares(
        lambda p: decay(X, *p) - Y, popt, "3-point", loss=loss, f_scale=0.1
    )
    variance = 2 * end.cost / (M - 3)
    expected = variance * np.linalg.inv(end.jac.T @ end.jac)
    np.testing.assert_allclose(pcov, expected, rtol=1e-3)


@pytest.mark.parametrize("jac", ["2-point", decay_jacobian], ids=["differences", "jac"])
@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
def test_standard_errors_with_outliers_are_those_of_the_loss(
    loss: str, jac: Any
) -> None:
    """The fit itself bounds the weights of outliers from below; its result does not."""
    ydata = Y.copy()
    ydata[::4] += np.random.default_rng(1).normal(size=ydata[::4].size)
    exact = {"ftol": 1e-13, "xtol": 1e-13, "gtol": 1e-13, "method": "trf"}
    start, _ = curve_fit(**fit(ydata=ydata, loss="soft_l1", f_scale=0.1))
    call = fit(ydata=ydata, p0=start, loss=loss, f_scale=0.1, jac=jac, **exact)
    popt, pcov = curve_fit(**call)
    theirs, their_cov = scipys(**call | {"p0": popt, "max_nfev": 10_000})
    np.testing.assert_allclose(popt, theirs, rtol=1e-6)
    np.testing.assert_allclose(pcov, their_cov, rtol=1e-4)


def test_with_bounds_the_limit_leaves_differences_out() -> None:
    """As in SciPy, where it is then that of least_squares."""
    call = fit(bounds=BOUNDS, p0=[0.1, 4, 1])
    *_, info, _, _ = curve_fit(**call, full_output=True)
    trials = info["nfev"]
    curve_fit(**call, maxfev=trials)
    with pytest.raises(RuntimeError, match=f"maxfev = {trials - 1}"):
        curve_fit(**call, maxfev=trials - 1)
    *_, info, _, _ = curve_fit(**fit(p0=[0.1, 4, 1], full_output=True))
    assert info["nfev"] > trials


def test_a_callback_sees_the_iterates_and_may_stop_the_fit() -> None:
    seen = []
    curve_fit(**fit(method="trf", callback=lambda x: seen.append(x)))
    assert len(seen) > 2
    with pytest.raises(RuntimeError, match="Stopped by the callback"):
        curve_fit(**fit(bounds=BOUNDS, callback=lambda intermediate_result: True))


def test_verbose_prints_the_iterates_and_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    curve_fit(**fit(bounds=BOUNDS, verbose=2))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["Iteration", "Total"]
    assert lines[-2].startswith("Converged")
    assert "optimality" in lines[-1]
    curve_fit(**fit(bounds=BOUNDS, verbose=1))
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    "bounds", [([0, 0, 0], 9), (None, [9, 9, 9]), [(0, 9), (0, None), (0, 9)]]
)
def test_bounds_tell_the_number_of_parameters(bounds: Any) -> None:
    popt, _ = curve_fit(lambda x, *p: decay(x, *p), X, Y, bounds=bounds)
    np.testing.assert_allclose(popt, curve_fit(**fit())[0], rtol=1e-4)


def test_one_complex_value_stands_for_all() -> None:
    popt, _ = curve_fit(lambda x, a: a * a, X, Y, jac="cs")
    assert popt[0] == pytest.approx(np.sqrt(Y.mean()), rel=1e-6)
