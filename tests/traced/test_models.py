"""Functions as people write them: what runs without Python is what they wrote."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from arrays import backwards, read_only, strided
from fits import plain, quiet_fit
from minpack import (
    _minpack,
    curve_fit,
    curve_fit_batch,
    least_squares,
    leastsq,
    leastsq_batch,
    traced,
)
from traced.answers import bits, by_complex_steps, by_differences
from traced.models import MODELS, Model, noisy
from traced.refused import REFUSED, Refused, T

TIGHT = {"ftol": 1e-12, "xtol": 1e-12}
WITHOUT_RULE = {"voigt": "voigt_profile"}  # and the ufunc that has none


def each(wanted: Callable[[Model], bool]) -> Any:
    """Parametrize a test with the models that are wanted."""
    models = [model for model in MODELS.values() if wanted(model)]
    return pytest.mark.parametrize("model", models, ids=[each.name for each in models])


# --- Helpers ----------------------------------------------------------------------


def is_curve(model: Model) -> bool:
    return model.xdata is not None


def is_residuals(model: Model) -> bool:
    return model.xdata is None


def has_rules(model: Model) -> bool:
    return model.name not in WITHOUT_RULE


def xdata_of(model: Model) -> Any:
    """The data as curve_fit gives them to the function."""
    return np.asarray(model.xdata, float)


def values_of(model: Model, x: Any) -> Any:
    """What the function itself returns."""
    x = np.asarray(x)
    if model.xdata is None:
        return np.asarray(model.function(x, *model.args))
    return np.asarray(model.function(xdata_of(model), *x))


def has_a_value_for_each_point(model: Model) -> bool:
    """Whether xdata is as curve_fit_batch takes it."""
    return is_curve(model) and (
        xdata_of(model).shape[-1] == values_of(model, model.true).size
    )


class Program:
    """What has been recorded of a model."""

    def __init__(self, model: Model, derivatives: bool = True) -> None:
        self.function = traced(model.function, derivatives=derivatives)
        if model.xdata is None:
            self.bound = self.function.bind_residuals(model.start, model.args)
        else:
            m = values_of(model, model.start).size
            self.bound = self.function.bind_curve(xdata_of(model), model.start, m)

    def values(self, x: Any) -> Any:
        record = self.bound.record
        return _minpack.program_values(record.program, self.bound.arrays, np.array(x))

    def jacobian(self, x: Any) -> Any:
        record = self.bound.record
        return _minpack.program_jacobian(record.program, self.bound.arrays, np.array(x))


def points(model: Model) -> Iterator[Any]:
    """Parameters to compute the values for, near those sought and far from them."""
    rng = np.random.default_rng(2)
    true = np.array(model.true)
    yield np.array(model.start)
    yield true
    for spread in (0.01, 0.1, 1.0, 10.0):
        yield true + spread * rng.standard_normal(true.size)
    yield np.zeros(true.size)


def assert_near_ends(fit: Any, other: Any, cov: Any, other_cov: Any) -> None:
    """Two fits have ended at the same place, in units of the standard errors."""
    if cov is None:  # a singular Jacobian
        assert other_cov is None
        return
    error = np.sqrt(np.diag(cov))
    assert np.all(np.abs(fit - other) <= 1e-6 * error)
    assert np.all(np.abs(cov - other_cov) <= 1e-4 * np.outer(error, error))


# --- Values -----------------------------------------------------------------------


@each(lambda model: True)
def test_a_program_computes_the_bits_of_the_function(model):
    with np.errstate(all="ignore"):
        program = Program(model)
        for x in points(model):
            assert bits(program.values(x)) == bits(values_of(model, x)), x


@each(is_curve)
@pytest.mark.parametrize("stored", [np.array, strided, backwards, read_only])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_record_serves_other_data(model, stored):
    """What has been recorded is used for other data of that shape, if right."""
    function = traced(model.function)
    x = np.array(model.true)
    for scale in (1.0, 0.7, 1.5):
        data = stored(scale * xdata_of(model))
        wanted = np.asarray(model.function(data, *x))
        bound = function.bind_curve(data, x, wanted.size)
        found = _minpack.program_values(bound.record.program, bound.arrays, x)
        assert np.allclose(found, wanted, rtol=1e-13, atol=1e-13, equal_nan=True)


@each(lambda model: True)
def test_a_traced_function_can_be_called_as_before(model):
    function = traced(model.function)
    first = () if model.xdata is None else (xdata_of(model),)
    x = np.array(model.true)
    arguments = (x, *model.args) if model.xdata is None else (*first, *x)
    assert bits(function(*arguments)) == bits(values_of(model, x))


# --- Derivatives ------------------------------------------------------------------


@each(has_rules)
def test_derivatives_are_exact(model):
    program = Program(model)
    assert program.bound.record.missing == ""
    takes, limit = (
        (by_complex_steps, 1e-12) if model.takes_complex else (by_differences, 1e-8)
    )
    for x in (np.array(model.start), np.array(model.true)):
        found = program.jacobian(x)
        wanted = takes(lambda x: values_of(model, x), x)
        off = np.abs(found - wanted).max(axis=0)
        assert np.all(off <= limit * np.maximum(np.abs(wanted).max(axis=0), 1e-3)), x


@each(lambda model: is_curve(model) and has_rules(model))
def test_the_jacobian_is_a_method_of_what_is_traced(model):
    found = traced(model.function).jacobian(xdata_of(model), *model.true)
    assert bits(found) == bits(Program(model).jacobian(model.true))


@pytest.mark.parametrize(("name", "ufunc"), WITHOUT_RULE.items())
def test_a_ufunc_without_a_rule_is_named(name, ufunc):
    model = MODELS[name]
    with pytest.raises(TypeError, match=ufunc):
        traced(model.function).jacobian(xdata_of(model), *model.true)


# --- Fits -------------------------------------------------------------------------


@each(is_curve)
def test_curve_fit_ends_where_it_does_without_tracing(model):
    y = noisy(values_of(model, model.true))
    sigma = {"sigma": np.full(y.shape, 0.02), "absolute_sigma": True}

    def fit(f):
        p0 = model.start
        return quiet_fit(curve_fit, f, model.xdata, y, p0, **sigma, **TIGHT)

    popt, pcov = fit(model.function)
    own, own_cov = fit(traced(model.function))
    assert_near_ends(popt, own, pcov, own_cov)


@each(is_curve)
def test_curve_fit_by_differences_has_the_same_bits(model):
    y = noisy(values_of(model, model.true))

    def fit(f):
        p0 = model.start
        return plain(quiet_fit(curve_fit, f, model.xdata, y, p0, full_output=True))

    assert fit(traced(model.function, derivatives=False)) == fit(model.function)


@each(has_a_value_for_each_point)
def test_a_batch_has_the_bits_of_single_fits(model):
    data = np.stack(
        [noisy(values_of(model, model.true), s) for s in (0.01, 0.02, 0.03)]
    )
    f = traced(model.function, derivatives=False)
    batch = quiet_fit(curve_fit_batch, f, model.xdata, data, p0=model.start)
    assert batch.traced
    for i, y in enumerate(data):
        p0 = model.start
        popt, _, info, _, ier = quiet_fit(
            curve_fit, model.function, model.xdata, y, p0, full_output=True
        )
        assert bits(popt) == bits(batch.x[i])
        assert (info["nfev"], ier) == (batch.nfev[i], batch.ier[i])


def test_the_rows_of_a_batch_can_be_transposed():
    t = np.linspace(0.0, 1.0, 7)
    y = np.random.default_rng(0).normal(size=(5, 7))

    def lines(x, rows):
        slope, offset = x[:, :, None].T[0]  # each of shape (k,)
        return slope[:, None] * t + offset[:, None] - y[rows]

    batch = leastsq_batch(traced(lines), np.ones((5, 2)))
    assert batch.traced
    assert batch.x == pytest.approx(np.polyfit(t, y.T, 1).T)


@each(is_residuals)
def test_leastsq_ends_where_it_does_without_tracing(model):
    def fit(func):
        options = {"args": model.args, "full_output": True} | TIGHT
        return quiet_fit(leastsq, func, model.start, **options)

    x, cov, *_ = fit(model.function)
    own, own_cov, *_ = fit(traced(model.function))
    assert_near_ends(x, own, cov, own_cov)


@each(is_residuals)
def test_leastsq_by_differences_has_the_same_bits(model):
    def fit(func):
        found = quiet_fit(leastsq, func, model.start, model.args, full_output=True)
        return plain(found)

    assert fit(traced(model.function, derivatives=False)) == fit(model.function)


@each(is_residuals)
def test_least_squares_by_differences_has_the_same_bits(model):
    def fit(fun):
        found = quiet_fit(least_squares, fun, model.start, args=model.args)
        return plain(
            tuple(found[name] for name in ("x", "fun", "jac", "nfev", "status"))
        )

    assert fit(traced(model.function, derivatives=False)) == fit(model.function)


@each(is_residuals)
def test_least_squares_ends_where_it_does_without_tracing(model):
    def fit(fun):
        return quiet_fit(least_squares, fun, model.start, args=model.args, **TIGHT)

    found, own = fit(model.function), fit(traced(model.function))
    error = np.sqrt(np.diag(np.linalg.pinv(found.jac.T @ found.jac)))
    assert np.all(np.abs(found.x - own.x) <= 1e-6 * error)
    assert own.cost <= found.cost * (1 + 1e-6) + 1e-12


# --- What cannot be traced ----------------------------------------------------------


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in REFUSED])
def test_a_refusal_names_the_operation_and_the_line(case: Refused):
    with pytest.raises(TypeError) as caught, np.errstate(all="ignore"):
        curve_fit(traced(case.function), T, np.cos(T), p0=[2.0, 1.0])
    message = str(caught.value)
    assert case.fragment in message
    assert case.name in message
    if case.line is not None:
        assert f"line {case.line} of {inspect.getsourcefile(case.function)}" in message
