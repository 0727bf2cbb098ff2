"""Geodesic acceleration: off it changes nothing, on it bends the steps."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import minpack
from minpack import curve_fit, least_squares, leastsq
from problems import mgh, nist
from problems.bounded import PROBLEMS as BOUNDED

from .fits import (
    CANYON,
    P0,
    WAYS,
    Array,
    T,
    Y,
    canyon,
    canyon_jacobian,
    decay,
    jacobian,
    of_leastsq,
    residuals,
)

TIGHT: dict[str, Any] = {"ftol": 1e-13, "xtol": 1e-13, "maxfev": 20_000}


def counted(function: Any) -> Any:
    def call(x: Array) -> Array:
        call.points.append(x.copy())  # type: ignore[attr-defined]
        return function(x)

    call.points = []  # type: ignore[attr-defined]
    return call


def accelerated_mgh(problem: mgh.Problem, factor: float) -> Array:
    with np.errstate(all="ignore"):
        result = leastsq(
            problem.residuals, problem.scaled_start(factor), Dfun=problem.jacobian,
            full_output=True, acceleration=True, **TIGHT,
        )  # fmt: skip
    return result[2]["fvec"]


# --- Off and on ----------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_off_is_the_default_and_has_the_same_bits(way: Any) -> None:
    x, nfev = way()
    off, count = way(acceleration=False)
    np.testing.assert_array_equal(x, off)
    assert nfev == count


@pytest.mark.parametrize("way", WAYS)
def test_every_way_into_a_fit_bends_its_steps(way: Any) -> None:
    x, _ = way()
    bent, _ = way(acceleration=True)
    np.testing.assert_allclose(bent, x, rtol=1e-5)
    assert (bent != x).any()


@pytest.mark.parametrize(
    "name",
    ["leastsq", "curve_fit", "least_squares", "curve_fit_batch", "leastsq_batch"],
)
def test_the_keyword_has_no_place(name: str) -> None:
    parameter = inspect.signature(getattr(minpack, name)).parameters["acceleration"]
    assert parameter.kind is parameter.KEYWORD_ONLY
    assert parameter.default is False


@pytest.mark.parametrize("way", WAYS[1:])
def test_all_ways_make_the_same_fit(way: Any) -> None:
    """But for tolerances, which are set alike here."""
    limits = {"ftol": 1e-10, "xtol": 1e-10, "gtol": 1e-14, "acceleration": True}
    np.testing.assert_array_equal(way(**limits)[0], of_leastsq(**limits)[0])


# --- Convergence ---------------------------------------------------------------------


def test_the_canyon_takes_fewer_evaluations() -> None:
    nfev = {}
    for bends in (False, True):
        x, _, info, _, _ = leastsq(
            canyon, CANYON, Dfun=canyon_jacobian, full_output=True, acceleration=bends
        )
        np.testing.assert_allclose(x, 1, rtol=1e-10)
        nfev[bends] = info["nfev"] + 2 * info["njev"]
    assert nfev[True] < nfev[False]


def test_a_bent_step_is_exact_where_the_residuals_are_of_second_order() -> None:
    """From x0 with J = I, f = x + x²/2: the bent step is v + a/2, with a = -v²."""

    def parabolas(x: Array) -> Array:
        return x + 0.5 * x**2

    fun = counted(parabolas)
    leastsq(
        fun, [0.1, 0.2], Dfun=lambda x: np.diag(1 + x), acceleration=True, factor=1e5
    )
    start, ahead, trial = fun.points[:3]
    v = -parabolas(start) / (1 + start)
    np.testing.assert_allclose(ahead, start + 0.1 * v, rtol=1e-14)
    bent = start + v - 0.5 * v**2 / (1 + start)
    np.testing.assert_allclose(trial, bent, rtol=0, atol=1e-14)


def nist_digits(dataset: nist.Dataset, start: int) -> float:
    fit = nist.fit(leastsq, dataset, start, acceleration=True, **TIGHT)
    return nist.correct_digits(dataset, fit).b


def test_all_nist_runs_are_found() -> None:
    """Also BoxBOD from its first start, which MINPACK's steps miss.

    ENSO's residuals are large: with MINPACK's steps, which then converge linearly, a
    tolerance of 1e-13 ends both of its runs before the sixth digit.
    """
    digits = {f"{d.name} {s + 1}": nist_digits(d, s) for d, s in nist.RUNS}
    assert min(digits.values()) > 4
    assert sum(found >= 6 for found in digits.values()) >= 53


def test_nearly_all_mgh_runs_reach_the_known_minimum() -> None:
    """Those whose minimum is known: some starts lead to another one."""
    runs = [(p, f) for p, f in mgh.RUNS if p.known_norm is not None]
    found = sum(
        np.linalg.norm(accelerated_mgh(p, f)) <= p.known_norm * (1 + 1e-4) + 1e-7
        for p, f in runs
        if p.known_norm is not None
    )
    plain = 0
    for p, f in runs:
        with np.errstate(all="ignore"):
            info = leastsq(p.residuals, p.scaled_start(f), Dfun=p.jacobian,
                           full_output=True, **TIGHT)[2]  # fmt: skip
        assert p.known_norm is not None
        plain += np.linalg.norm(info["fvec"]) <= p.known_norm * (1 + 1e-4) + 1e-7
    assert found > plain


# --- Evaluations ---------------------------------------------------------------------


@pytest.mark.parametrize("analytic", [False, True])
def test_every_evaluation_is_counted(analytic: bool) -> None:
    fun = counted(residuals)
    Dfun = jacobian if analytic else None
    info = leastsq(fun, P0, Dfun=Dfun, full_output=True, acceleration=True)[2]
    assert info["nfev"] == len(fun.points)


def test_least_squares_counts_all_but_those_for_differences() -> None:
    fun = counted(residuals)
    fit = least_squares(fun, P0, jacobian, acceleration=True)
    assert fit.nfev == len(fun.points)


@pytest.mark.parametrize("maxfev", range(2, 12))
def test_the_limit_of_evaluations_holds(maxfev: int) -> None:
    fun = counted(canyon)
    fit = leastsq(
        fun, CANYON, Dfun=canyon_jacobian, full_output=True, maxfev=maxfev,
        acceleration=True,
    )  # fmt: skip
    assert fit[-1] == 5
    assert maxfev <= len(fun.points) <= maxfev + 1


# --- What an evaluation ahead may do -------------------------------------------------


class Ahead:
    """Residuals whose second call, the first one ahead of a step, does something."""

    def __init__(self, act: Any) -> None:
        self.calls, self.act = 0, act

    def __call__(self, x: Array) -> Array:
        self.calls += 1
        return self.act(x) if self.calls == 2 else residuals(x)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_without_a_finite_second_derivative_the_step_is_straight(value: float) -> None:
    fun = counted(Ahead(lambda x: np.full(T.size, value)))
    with np.errstate(all="ignore"):
        fit = least_squares(fun, P0, jacobian, acceleration=True)
    start, ahead, trial = fun.points[:3]
    np.testing.assert_allclose(trial - start, 10 * (ahead - start), rtol=1e-10)
    np.testing.assert_allclose(fit.x, least_squares(residuals, P0).x, rtol=1e-5)


def test_a_step_that_would_bend_too_much_is_shortened() -> None:
    fun = counted(Ahead(lambda x: np.full(T.size, 1e6)))
    fit = least_squares(fun, P0, jacobian, acceleration=True)
    start, ahead, again = fun.points[:3]
    assert np.linalg.norm(again - start) < np.linalg.norm(ahead - start)
    np.testing.assert_allclose(fit.x, least_squares(residuals, P0).x, rtol=1e-5)


@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (-100, 100)])
def test_an_exception_ahead_of_a_step_passes_unchanged(bounds: Any) -> None:
    error = KeyError("ahead")

    def fail(x: Array) -> Array:
        raise error

    with pytest.raises(KeyError) as caught:
        least_squares(Ahead(fail), P0, jacobian, bounds=bounds, acceleration=True)
    assert caught.value is error


def test_another_number_of_residuals_ahead_is_refused() -> None:
    with pytest.raises(ValueError, match="their number must not change"):
        least_squares(Ahead(lambda x: np.zeros(3)), P0, jacobian, acceleration=True)


@pytest.mark.parametrize("zeros", [0, 1])
def test_a_parameter_without_effect_does_no_harm(zeros: int) -> None:
    def idle(x: Array) -> Array:
        return np.roll(decay(T, x[0], x[1], x[2]) - Y, zeros) + 0 * x[3]

    x, _ = leastsq(idle, [*P0, 7.0], acceleration=True)
    np.testing.assert_allclose(x[:3], leastsq(residuals, P0)[0], rtol=1e-5)
    assert x[3] == 7


# --- Bounds --------------------------------------------------------------------------


@pytest.mark.parametrize("problem", BOUNDED, ids=str)
def test_bounded_fits_find_the_minimum_and_stay_within(problem: Any) -> None:
    outside = []

    def fun(x: Array) -> Array:
        if not ((problem.lower <= x) & (x <= problem.upper)).all():
            outside.append(x)
        with np.errstate(all="ignore"):
            return problem.residuals(x)

    options = {
        "bounds": (problem.lower, problem.upper), "ftol": 1e-10, "xtol": 1e-10,
        "gtol": None, "max_nfev": 3000,
    }  # fmt: skip
    bent = least_squares(fun, problem.start, acceleration=True, **options)
    plain = least_squares(fun, problem.start, **options)
    assert not outside
    assert bent.cost <= plain.cost * (1 + 1e-5) + 1e-14


def test_a_bound_that_binds_is_kept_by_bent_steps() -> None:
    bounds = ([-np.inf, -np.inf, 0.6], np.inf)
    bent = least_squares(
        residuals, [20.0, 8.0, 3.0], bounds=bounds, acceleration=True, gtol=1e-12
    )
    plain = least_squares(residuals, [20.0, 8.0, 3.0], bounds=bounds, gtol=1e-12)
    assert bent.x[2] == 0.6
    assert bent.nfev != plain.nfev
    np.testing.assert_allclose(bent.x, plain.x, rtol=1e-5)


# --- Losses, and other ways to evaluate ----------------------------------------------


def cauchy(z: Array) -> Array:
    return np.stack([np.log1p(z), 1 / (1 + z), -1 / (1 + z) ** 2])


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan", cauchy])
def test_a_loss_has_the_same_minimum(loss: Any) -> None:
    start, options = [4.0, 3.0, 0.0], {"loss": loss, "f_scale": 0.1, "ftol": 1e-12}
    bent = least_squares(residuals, start, acceleration=True, **options)
    plain = least_squares(residuals, start, **options)
    assert bent.nfev != plain.nfev
    np.testing.assert_allclose(bent.x, plain.x, rtol=1e-4)


def test_a_loss_in_python_makes_the_fit_of_its_name() -> None:
    named, own = (
        least_squares(
            residuals, [4.0, 3.0, 0.0], loss=loss, f_scale=0.1, acceleration=True
        )
        for loss in ("cauchy", cauchy)
    )
    np.testing.assert_allclose(own.x, named.x, rtol=1e-7)
    assert own.nfev == named.nfev


@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs", jacobian, True], ids=str)
def test_every_jacobian_bends_the_steps_alike(jac: Any) -> None:
    def pair(x: Array) -> Any:
        return residuals(x), jacobian(x)

    fun = pair if jac is True else residuals
    bent = least_squares(fun, P0, jac, acceleration=True)
    exact = least_squares(residuals, P0, jacobian, acceleration=True)
    np.testing.assert_allclose(bent.x, exact.x, rtol=1e-5)
    assert abs(bent.nfev - exact.nfev) <= 2


def test_a_vectorized_function_makes_the_same_fit() -> None:
    def columns(x: Array) -> Array:
        return (decay(T, *x[:, :, None]) - Y).T

    ours = leastsq(columns, P0, vectorized=True, acceleration=True)[0]
    np.testing.assert_array_equal(ours, leastsq(residuals, P0, acceleration=True)[0])


@pytest.mark.parametrize("m", [12, 500, 5000])
@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_all_paths_through_the_rows_bend_alike(m: int, kernels: str) -> None:
    """That of the normal equations keeps J, that in MINPACK's order factors a copy."""
    t = np.linspace(0.0, 3.0, m)
    y = decay(t, 2.5, 1.3, 0.5) + 0.01 * np.cos(9 * t)
    found = {}
    for name in (kernels, "reference"):
        x, _, info, _, _ = curve_fit(
            decay, t, y, P0, full_output=True, kernels=name, acceleration=True
        )
        found[name] = x, info["nfev"]
    np.testing.assert_allclose(found[kernels][0], found["reference"][0], rtol=1e-6)
    assert abs(found[kernels][1] - found["reference"][1]) <= 4


def test_errors_of_the_data_that_belong_together_are_taken() -> None:
    covariance = np.eye(T.size) * 0.01 + 0.002
    bent, plain = (
        curve_fit(decay, T, Y, P0, sigma=covariance, acceleration=bends)[0]
        for bends in (True, False)
    )
    np.testing.assert_allclose(bent, plain, rtol=1e-5)


def test_a_callback_sees_the_iterates() -> None:
    seen: list[int] = []

    def look(intermediate_result: Any) -> None:
        seen.append(intermediate_result.nfev)

    fit = least_squares(residuals, P0, jacobian, callback=look, acceleration=True)
    assert len(seen) == fit.njev - 1  # the start is none
    assert seen == sorted(seen)
