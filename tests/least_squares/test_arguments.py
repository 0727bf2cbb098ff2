"""Arguments that make sense are taken, others are errors that name them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from arrays import Array
from least_squares.cases import START, decay, decay_jacobian, label
from minpack import least_squares, leastsq


def line(x: Array) -> Array:
    """Residuals with the same solution, 3 and -2, for any scale of the parameters."""
    return np.array([x[0] - 3.0, x[1] + 2.0, x[0] + x[1] - 1.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "bfgs"}, "method must be 'lm', 'trf', 'dogbox' .* not 'bfgs'"),
        ({"method": 3}, "method must be .* not 3"),
        ({"method": ["lm"]}, "method must be .* not "),
        ({"tr_solver": "lsmr"}, "tr_solver must be None or 'exact', not 'lsmr'"),
        ({"tr_options": {"maxiter": 3}}, "tr_options must be None or empty.*maxiter"),
        ({"jac_sparsity": [1]}, "jac_sparsity must be None"),
        ({"jac": "4-point"}, "jac must be '2-point'.*'4-point'"),
        ({"jac": None}, "jac must be .*None"),
        ({"method": "lm", "ftol": 1e-17}, "ftol must be at least.*1e-17"),
        ({"method": "lm", "xtol": None}, "xtol must be at least.*None"),
        ({"method": "lm", "gtol": 0.0}, "gtol must be at least.*0.0"),
        ({"gtol": np.nan}, "gtol must be at least.*nan"),
        ({"ftol": None, "xtol": None, "gtol": None}, "must not all be None"),
        ({"ftol": 0, "xtol": None, "gtol": 0.0}, "must not all be None"),
        ({"x_scale": "auto"}, "x_scale must be 'jac', a positive number.*'auto'"),
        ({"x_scale": -1.0}, "x_scale must be"),
        ({"x_scale": [1.0, 0.0, 1.0]}, "x_scale must be"),
        ({"x_scale": [1.0, 2.0]}, "each of the 3 parameters"),
        ({"x_scale": 1j}, "x_scale must be"),
        ({"x_scale": np.inf}, "x_scale must be"),
        ({"diff_step": 0.0}, "diff_step must be a positive number"),
        ({"diff_step": [1e-3]}, "diff_step must be"),
        ({"f_scale": 0.0}, "f_scale must be a positive number, not 0.0"),
        ({"f_scale": np.nan}, "f_scale must be"),
        ({"max_nfev": 0}, "max_nfev must be a positive integer, not 0"),
        ({"max_nfev": -1.5}, "max_nfev must be positive, not -1.5"),
        ({"max_nfev": np.nan}, "max_nfev must be positive, not nan"),
        ({"verbose": 3}, "verbose must be 0, 1 or 2, not 3"),
        ({"x0": [[1.0, 2.0]]}, r"x0 must be .*\(1, 2\)"),
        ({"x0": []}, r"x0 must be .*\(0,\)"),
        ({"x0": [1j, 1, 1]}, "x0 must be .*complex128"),
        ({"fun": lambda x: x[:1]}, "m = 1 for n = 3"),
        ({"fun": lambda x: np.outer(x, x)}, r"fun must return a 1-D.*\(3, 3\)"),
        ({"fun": lambda x: None}, "fun must return real numbers"),
        ({"jac": lambda x: np.ones((3, 2))}, r"jac must return.*\(50, 3\).*\(3, 2\)"),
    ],
    ids=label,
)
def test_a_value_that_makes_no_sense_is_a_value_error(options, message):
    with pytest.raises(ValueError, match=message):
        least_squares(**{"fun": decay, "x0": START} | options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fun": 3}, "fun must be callable, not int"),
        ({"fun": lambda x: ["a", "b", "c"]}, "fun must return real numbers"),
        ({"ftol": "small"}, "ftol must be a real number, not str"),
        ({"max_nfev": "10"}, "max_nfev must be a number or None, not str"),
        ({"callback": 3}, "callback must be callable, not 3"),
        ({"kwargs": {"a": 1}}, "unexpected keyword argument"),
        ({"kwargs": {1: 1}}, "the keys of kwargs must be text, not 1"),
        ({"args": (1,)}, "positional argument"),
        ({"options": {}}, "options"),
    ],
    ids=label,
)
def test_an_argument_of_a_wrong_type_is_a_type_error(options, message):
    with pytest.raises(TypeError, match=message):
        least_squares(**{"fun": decay, "x0": START} | options)


@pytest.mark.parametrize(
    "options",
    [
        {"method": "trf"},
        {"method": "dogbox"},
        {"method": "lm"},
        {"method": None},
        {"tr_solver": "exact"},
        {"tr_options": {}},
        {"jac_sparsity": None},
        {"workers": 1},
        {"workers": None},
        {"max_nfev": None},
        {"max_nfev": 1e4},
        {"max_nfev": np.inf},
        {"max_nfev": np.int64(500)},
        {"ftol": None, "gtol": 1e-8},
        {"xtol": None},
        {"gtol": None},
        {"bounds": (None, None)},
        {"bounds": [(None, None), (0, None), (None, 9)]},
        {"bounds": ([None, 0, None], [None, None, 9.0])},
        {"bounds": ((-np.inf, 0, -np.inf), (np.inf, np.inf, 9))},
    ],
    ids=label,
)
def test_what_scipys_methods_take_is_taken(options):
    fit = least_squares(decay, START, **options)
    assert fit.success
    assert fit.method == "lm"
    np.testing.assert_allclose(fit.x, least_squares(decay, START).x, rtol=1e-4)


def test_a_list_of_pairs_bounds_each_parameter():
    fit = least_squares(decay, START, bounds=[(0, 1.5), (0.1, None), (None, 2)])
    same = least_squares(decay, START, bounds=([0, 0.1, -np.inf], [1.5, np.inf, 2]))
    np.testing.assert_array_equal(fit.x, same.x)
    assert fit.active_mask[0] == 1
    one = least_squares(lambda x: x - 3, [1.0], bounds=[(0, 2)])
    assert one.x == [2]


def test_two_bounds_of_two_parameters_are_lower_and_upper_ones():
    fit = least_squares(lambda x: x - 7, [1.0, 2.0], bounds=[(0, 1), (2, 3)])
    np.testing.assert_array_equal(fit.x, [2, 3])


def test_a_tolerance_below_rounding_is_switched_off_with_a_warning():
    with pytest.warns(UserWarning, match="xtol = 1e-17 is below the machine epsilon"):
        fit = least_squares(decay, START, xtol=1e-17, ftol=1e-12)
    assert fit.success


def test_a_jacobian_that_is_no_dense_array_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match=r"jac must return.*csr_array"):
        least_squares(decay, START, lambda x: sparse.csr_array(decay_jacobian(x)))


@pytest.mark.parametrize("name", ["fun", "jac"])
def test_an_exception_in_a_function_passes_unchanged(name):
    error = KeyError("mine")

    def fails(x: Array) -> Array:
        raise error

    with pytest.raises(KeyError) as caught:
        least_squares(**{"fun": decay, "x0": START, "jac": decay_jacobian, name: fails})
    assert caught.value is error


def test_nothing_of_the_callers_is_changed():
    x0, lower, upper = np.array(START), np.zeros(3), np.array([2.0, 3, 4])
    scale, step = np.array([1.0, 2, 1]), np.full(3, 1e-6)
    given = [x0, lower, upper, scale, step]
    before = copy.deepcopy(given)
    least_squares(decay, x0, bounds=(lower, upper), x_scale=scale, diff_step=step)
    for array, original in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, original)


def test_a_fit_within_a_fit_disturbs_nothing():
    def fun(x: Array) -> Array:
        inner = least_squares(line, [0.0, 0.0], loss="soft_l1")
        assert inner.success
        return decay(x)

    np.testing.assert_array_equal(
        least_squares(fun, START).x, least_squares(decay, START).x
    )


def test_x_scale_is_one_over_leastsqs_diag():
    scale = np.array([1.0, 5.0, 0.2])
    options = {"ftol": 1e-8, "xtol": 1e-8, "gtol": 1e-8}
    x, *_ = leastsq(decay, START, Dfun=decay_jacobian, diag=1 / scale, **options)
    fit = least_squares(decay, START, decay_jacobian, x_scale=scale, **options)
    np.testing.assert_array_equal(fit.x, x)


MASKED = np.ma.masked_less([-1.0, 1.0], 0)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"x0": MASKED}, "^x0 .*masked"),
        ({"bounds": (MASKED, 9)}, "^the lower bounds .*masked"),
        ({"bounds": (-9, MASKED)}, "^the upper bounds .*masked"),
        ({"bounds": ([0j, 0], 9)}, "^the lower bounds must be real"),
        ({"bounds": (-9, {})}, "^the upper bounds must be real"),
        ({"bounds": {"lb": 0, "ub": 9}}, "^bounds must be a pair"),
    ],
    ids=str,
)
def test_starts_and_bounds_that_are_no_numbers_are_named(
    arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises(TypeError, match=named):
        least_squares(lambda x: x - 1, **{"x0": [2.0, 2.0], **arguments})
