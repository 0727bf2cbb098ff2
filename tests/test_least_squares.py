"""least_squares: SciPy's contract, and what is new in it for Levenberg-Marquardt."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minpack import OptimizeResult, least_squares, leastsq

Array = NDArray[np.float64]

T = np.linspace(0.0, 4.0, 50)
Y = 2.5 * np.exp(-1.3 * T) + 0.5 + 0.02 * np.random.default_rng(0).normal(size=T.size)
START = [1.0, 1.0, 0.0]


def decay(x: Array) -> Array:
    return x[0] * np.exp(-x[1] * T) + x[2] - Y


def decay_jacobian(x: Array) -> Array:
    e = np.exp(-x[1] * T)
    return np.stack([e, -x[0] * T * e, np.ones_like(T)], axis=1)


def line(x: Array) -> Array:
    """Residuals with the same solution, 3 and -2, for any scale of the parameters."""
    return np.array([x[0] - 3.0, x[1] + 2.0, x[0] + x[1] - 1.0])


def label(value: Any) -> str:
    """Without the addresses of functions, which differ from run to run."""
    return re.sub(r"<function ([^ ]*) at 0x[0-9a-f]+>", r"\1", str(value))


each_jac = pytest.mark.parametrize(
    "jac", ["2-point", "3-point", "cs", decay_jacobian], ids=label
)
LOSSES = ["soft_l1", "huber", "cauchy", "arctan"]


def cubic_soft_l1(z: Array) -> Array:
    t = 1 + z
    return np.array([3 * (t ** (1 / 3) - 1), t ** (-2 / 3), -2 / 3 * t ** (-5 / 3)])


def rho(loss: Any, z: Array) -> Array:
    """The loss and its first derivative."""
    by_name = {
        "linear": lambda: [z, np.ones_like(z)],
        "soft_l1": lambda: [2 * (np.sqrt(1 + z) - 1), 1 / np.sqrt(1 + z)],
        "huber": lambda: [
            np.where(z <= 1, z, 2 * np.sqrt(z) - 1),
            np.where(z <= 1, 1, 1 / np.sqrt(np.maximum(z, 1))),
        ],
        "cauchy": lambda: [np.log1p(z), 1 / (1 + z)],
        "arctan": lambda: [np.arctan(z), 1 / (1 + z**2)],
    }
    return np.array(by_name[loss]()) if isinstance(loss, str) else loss(z)[:2]


@pytest.fixture(scope="module")
def optimize() -> Any:
    pytest.importorskip("scipy", minversion="1.17")
    from scipy import optimize

    return optimize


# SciPy's contract ------------------------------------------------------------


def test_the_signature_is_scipys_but_for_the_default_method(optimize):
    def parameters(function: Any) -> list[Any]:
        return [
            (p.name, p.kind, p.default if p.name != "method" else None)
            for p in inspect.signature(function).parameters.values()
        ]

    *ours, m, user_data = parameters(least_squares)
    assert ours == parameters(optimize.least_squares)
    only = inspect.Parameter.KEYWORD_ONLY
    assert [m, user_data] == [("m", only, None), ("user_data", only, None)]
    assert inspect.signature(least_squares).parameters["method"].default is None


@each_jac
@pytest.mark.parametrize("x_scale", [None, "jac", 2.0, [1.0, 0.5, 2.0]], ids=label)
def test_the_result_is_scipys(optimize, jac, x_scale):
    ours = least_squares(decay, START, jac, x_scale=x_scale)
    theirs = optimize.least_squares(decay, START, jac, method="lm", x_scale=x_scale)
    assert ours.keys() == theirs.keys()
    for name in ("x", "cost", "fun", "jac"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-6)
        assert np.shape(ours[name]) == np.shape(theirs[name])
    np.testing.assert_array_equal(ours.active_mask, theirs.active_mask)
    assert ours.active_mask.dtype == theirs.active_mask.dtype
    assert (ours.success, ours.nfev) == (theirs.success, theirs.nfev)
    assert ours.status == theirs.status or {ours.status, theirs.status} <= {2, 3, 4}
    assert (ours.njev is None) == (theirs.njev is None) == (not callable(jac))


@each_jac
def test_the_parts_of_the_result_belong_together(jac):
    fit = least_squares(decay, START, jac)
    np.testing.assert_array_equal(fit.fun, decay(fit.x))
    np.testing.assert_allclose(fit.jac, decay_jacobian(fit.x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fit.cost, 0.5 * fit.fun @ fit.fun, rtol=1e-14)
    np.testing.assert_allclose(fit.grad, fit.jac.T @ fit.fun, rtol=1e-9, atol=1e-14)
    assert fit.optimality == np.abs(fit.grad).max()
    assert isinstance(fit, OptimizeResult)
    assert fit.success is True


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"gtol": 1.0}, 1),
        ({"ftol": 1e-3, "xtol": 1e-15, "gtol": 1e-15}, 2),
        ({"ftol": 1e-15, "xtol": 1e-3, "gtol": 1e-15}, 3),
        ({"ftol": 1e-3, "xtol": 1e-3, "gtol": 1e-15}, 4),
        ({"max_nfev": 2}, 0),
    ],
)
def test_the_status_says_which_test_ended_the_fit(optimize, options, status):
    ours = least_squares(decay, START, decay_jacobian, **options)
    theirs = optimize.least_squares(
        decay, START, decay_jacobian, method="lm", **options
    )
    assert ours.status == theirs.status == status
    assert ours.success == theirs.success == (status > 0)
    assert ours.message.startswith("Converged" if status > 0 else "Stopped")
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-9)


def test_nfev_and_max_nfev_leave_out_differences():
    calls = []

    def counted(x: Array) -> Array:
        calls.append(x.copy())
        return decay(x)

    with_jacobian = least_squares(counted, START, decay_jacobian)
    assert with_jacobian.nfev == len(calls)
    for jac, each in (("2-point", 3), ("3-point", 6), ("cs", 3)):
        calls.clear()
        fit = least_squares(counted, START, jac)
        assert fit.nfev == with_jacobian.nfev
        assert fit.njev is None
        assert len(calls) == fit.nfev + each * with_jacobian.njev
        calls.clear()
        limited = least_squares(counted, START, jac, max_nfev=3)
        assert (limited.nfev, limited.status, limited.success) == (3, 0, False)
        assert limited.cost < 0.5 * np.sum(decay(np.array(START)) ** 2)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_max_nfev_is_100_n_by_default(n):
    fit = least_squares(lambda x: np.exp(-x), np.ones(n))  # the minimum is at infinity
    assert (fit.nfev, fit.status) == (100 * n, 0)


@each_jac
def test_args_and_kwargs_reach_both_functions(jac):
    def fun(x: Array, a: float, *, shift: float) -> Array:
        return decay(x - shift) * a

    def jacobian(x: Array, a: float, *, shift: float) -> Array:
        return decay_jacobian(x - shift) * a

    fit = least_squares(
        fun,
        np.add(START, 1.0),
        jacobian if callable(jac) else jac,
        args=[2.0],
        kwargs={"shift": 1.0},
    )
    np.testing.assert_allclose(fit.x - 1, least_squares(decay, START).x, rtol=1e-5)


def test_many_args_and_kwargs_are_passed_in_their_order():
    def fun(x: Array, *args: float, **kwargs: float) -> Array:
        assert args == tuple(range(9))
        assert list(kwargs) == list("zywabcdefghi")
        return x - kwargs["c"]

    kwargs = {name: float(i) for i, name in enumerate("zywabcdefghi")}
    assert least_squares(fun, [1.0], args=range(9), kwargs=kwargs).x == [5.0]


def test_kwargs_that_change_during_the_fit_do_not_change_it():
    kwargs = {"a": np.ones(3)}

    def fun(x: Array, a: Array) -> Array:
        kwargs.clear()
        return x * a - 3

    assert least_squares(fun, 1.0, kwargs=kwargs).x == pytest.approx(3)


@pytest.mark.parametrize("x0", [2.0, np.float32(2), [2], np.array([2.0])])
def test_one_parameter_may_be_a_number(x0):
    fit = least_squares(lambda x: x - 3, x0)
    assert fit.x.shape == (1,)
    assert fit.jac.shape == (1, 1)
    assert fit.x == pytest.approx(3)


def test_residuals_in_single_precision_have_longer_differences():
    t = np.linspace(0, 1, 100, dtype=np.float32)

    def fun(x: Array) -> Any:
        return (x[0] * np.exp(-x[1] * t) - 2 * np.exp(-0.5 * t)).astype(np.float32)

    assert least_squares(fun, [1.0, 1.0]).x == pytest.approx([2, 0.5], rel=1e-4)


# The Jacobian ----------------------------------------------------------------


def quintic(x: Any) -> Any:
    return np.array([x[0] ** 5 - 2, x[0] * x[1] ** 3 - 1, np.exp(x[1]) - x[0]])


def quintic_jacobian(x: Array) -> Array:
    return np.array(
        [[5 * x[0] ** 4, 0], [x[1] ** 3, 3 * x[0] * x[1] ** 2], [-1, np.exp(x[1])]]
    )


@pytest.mark.parametrize(
    ("jac", "error"), [("2-point", 1e-6), ("3-point", 1e-9), ("cs", 1e-15)]
)
def test_a_higher_order_is_more_exact(jac, error):
    fit = least_squares(quintic, [1.3, 0.7], jac, gtol=1.0)
    np.testing.assert_array_equal(fit.x, [1.3, 0.7])
    exact = quintic_jacobian(fit.x)
    np.testing.assert_allclose(fit.jac, exact, rtol=error, atol=error)
    if jac != "cs":
        assert np.abs(fit.jac - exact).max() > 1e-3 * error


@pytest.mark.parametrize("x", [0.0, 1e-300, -1e-30, 1e30])
def test_complex_steps_fit_parameters_of_any_size(x):
    fit = least_squares(lambda p: np.sin(p / (x or 1)), [x], "cs", gtol=1.0)
    np.testing.assert_allclose(fit.jac, np.cos(np.sign(x) ** 2) / (x or 1), rtol=1e-15)


@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs"])
@pytest.mark.parametrize("diff_step", [1e-3, [1e-3, 1e-2]])
def test_diff_step_is_relative_to_the_parameters(jac, diff_step):
    asked = []

    def fun(x: Any) -> Any:
        asked.append(x.copy())
        return quintic(x)

    least_squares(fun, [2.0, 0.5], jac, diff_step=diff_step, gtol=1.0)
    steps = np.abs(np.array(asked[1:]) - [2.0, 0.5]).max(axis=0)
    np.testing.assert_allclose(steps, np.array([2.0, 0.5]) * diff_step, rtol=1e-9)


@pytest.mark.parametrize("jac", ["2-point", "3-point"])
@pytest.mark.parametrize("x0", [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
def test_differences_stay_within_the_bounds(jac, x0):
    asked = []

    def fun(x: Array) -> Array:
        asked.append(x.copy())
        return quintic(x)

    fit = least_squares(fun, x0, jac, bounds=(0, 1), diff_step=0.1)
    assert np.all(asked >= np.zeros(2))
    assert np.all(asked <= np.ones(2))
    np.testing.assert_allclose(
        fit.x, least_squares(quintic, x0, quintic_jacobian, bounds=(0, 1)).x, atol=0.05
    )


def test_complex_steps_want_complex_residuals():
    with pytest.raises(TypeError, match=r"jac='cs'.*fun must return complex.*float64"):
        least_squares(lambda x: np.abs(x), [1.0], "cs")
    with pytest.raises(ValueError, match="as many numbers"):
        least_squares(
            lambda x: x[:1] if np.iscomplexobj(x) else x, [1.0, 2.0], jac="cs"
        )


# Bounds ----------------------------------------------------------------------


@each_jac
@pytest.mark.parametrize(
    "bounds",
    [
        ([0, 0, 0], [2, 3, 4]),
        (0, [3, 1.2, 4]),
        ([-np.inf, 1.4, -np.inf], np.inf),
        ([-1, -1, 0.6], [9, 9, 9]),
        (-50, 50),
    ],
    ids=label,
)
def test_the_bounded_minimum_is_that_of_scipys_trf(optimize, jac, bounds):
    start = np.clip(START, *bounds)
    ours = least_squares(decay, start, jac, bounds, ftol=1e-12, xtol=1e-12)
    theirs = optimize.least_squares(
        decay, start, decay_jacobian, bounds, ftol=1e-13, xtol=1e-13, gtol=1e-13
    )
    assert ours.cost <= theirs.cost * (1 + 1e-8)
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-4)
    np.testing.assert_array_equal(
        ours.active_mask,
        np.where(ours.x == bounds[0], -1, np.where(ours.x == bounds[1], 1, 0)),
    )
    free = ours.active_mask == 0
    assert ours.optimality == np.abs(ours.grad[free]).max()
    assert ours.optimality < 1e-4


def test_scipys_bounds_are_taken_too(optimize):
    bounds = optimize.Bounds([0, 0, 0], [2, 3, 4])
    np.testing.assert_array_equal(
        least_squares(decay, START, bounds=bounds).x,
        least_squares(decay, START, bounds=([0, 0, 0], [2, 3, 4])).x,
    )


def test_equal_bounds_fix_a_parameter():
    fit = least_squares(decay, [1, 1.3, 0], bounds=([-9, 1.3, -9], [9, 1.3, 9]))
    assert fit.x[1] == 1.3
    assert fit.active_mask[1] != 0
    columns = decay_jacobian(fit.x)[:, [0, 2]]
    np.testing.assert_allclose(
        fit.x[[0, 2]], np.linalg.lstsq(columns, Y, rcond=None)[0], rtol=1e-6
    )


def test_a_parameter_that_its_bound_holds_does_not_count_as_not_optimal():
    fit = least_squares(lambda x: x - 3, [0.0, 0.0], bounds=(-1, [1, 9]))
    np.testing.assert_allclose(fit.x, [1, 3])
    np.testing.assert_allclose(fit.grad, [-2, 0], atol=1e-7)
    assert fit.optimality < 1e-7


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((1, 2), "x0 must be within the bounds: parameter 0"),
        (([0, 3], [1, 2]), "lower bound of parameter 1"),
        ((0, 1, 2), "pair"),
        (([0, 0, 0], 1), "one for each of the 2"),
        ((np.nan, 1), "lower bound of parameter 0"),
    ],
)
def test_bad_bounds_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        least_squares(lambda x: x, [0.5, 0.5], bounds=bounds)


# Losses ----------------------------------------------------------------------


def contaminated(kind: str, share: float) -> Any:
    """Residuals of a model with outliers, and a start."""
    models = {
        "decay": (lambda x: x[0] * np.exp(-x[1] * T) + x[2], [2.5, 1.3, 0.5], START),
        "line": (lambda x: x[0] + x[1] * T, [1.0, 2.0], [0.8, 1.9]),
        "saturation": (lambda x: x[0] * T / (x[1] + T), [3.0, 2.0], [2.5, 1.5]),
        "wave": (lambda x: x[0] * np.sin(x[1] * T), [2.0, 1.2], [1.5, 1.1]),
    }
    model, true, start = models[kind]
    rng = np.random.default_rng(7)
    y = model(true) + 0.05 * rng.normal(size=T.size)
    outliers = rng.choice(T.size, int(share * T.size), replace=False)
    y[outliers] += rng.uniform(1, 8, outliers.size)
    return lambda x: model(x) - y, true, start


@pytest.mark.parametrize("loss", [*LOSSES, cubic_soft_l1], ids=label)
@pytest.mark.parametrize("kind", ["decay", "line", "saturation", "wave"])
@pytest.mark.parametrize("share", [0.04, 0.16])
def test_the_robust_minimum_is_that_of_scipys_trf(optimize, loss, kind, share):
    fun, _, start = contaminated(kind, share)
    tolerances = {"ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12}
    ours = least_squares(fun, start, loss=loss, f_scale=0.15, **tolerances)
    theirs = optimize.least_squares(
        fun, start, "3-point", loss=loss, f_scale=0.15, **tolerances
    )
    assert ours.success
    assert ours.cost == pytest.approx(theirs.cost, rel=1e-8)
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-4)


@pytest.mark.parametrize("loss", ["cauchy", "arctan"])
@pytest.mark.parametrize("kind", ["decay", "line", "saturation", "wave"])
def test_outliers_hardly_matter(loss, kind):
    fun, true, start = contaminated(kind, 0.16)
    robust = least_squares(fun, start, loss=loss, f_scale=0.1)
    plain = least_squares(fun, start)
    assert np.linalg.norm(robust.x - true) < 0.12
    assert np.linalg.norm(robust.x - true) < 0.2 * np.linalg.norm(plain.x - true)


@pytest.mark.parametrize("loss", ["linear", *LOSSES, cubic_soft_l1], ids=label)
@pytest.mark.parametrize("f_scale", [0.03, 1.0, 40.0])
def test_cost_and_gradient_are_those_of_the_loss(loss, f_scale):
    fit = least_squares(
        decay, [3.0, 1.0, 1.0], decay_jacobian, loss=loss, f_scale=f_scale, gtol=1e9
    )
    np.testing.assert_array_equal(fit.x, [3, 1, 1])
    if loss == "linear":
        f_scale = 1.0
    value, slope = rho(loss, (fit.fun / f_scale) ** 2)
    np.testing.assert_array_equal(fit.fun, decay(fit.x))
    np.testing.assert_allclose(fit.cost, 0.5 * f_scale**2 * value.sum(), rtol=1e-13)
    np.testing.assert_allclose(
        fit.grad, decay_jacobian(fit.x).T @ (slope * fit.fun), rtol=1e-12
    )


def test_the_jacobian_is_weighted_so_that_it_gives_the_hessian():
    x = np.array([2.0])
    f = x**2 + 5
    for loss, weight in (
        ("soft_l1", lambda z: (1 + z) ** -1.5),
        ("huber", lambda z: 1.0),
        ("cauchy", lambda z: (1 - z) / (1 + z) ** 2),
        ("arctan", lambda z: (1 - 3 * z**2) / (1 + z**2) ** 2),
        (cubic_soft_l1, lambda z: (1 - z / 3) * (1 + z) ** (-5 / 3)),
    ):
        fit = least_squares(
            lambda x: x**2 + 5, x, "cs", loss=loss, f_scale=40.0, gtol=1e9
        )
        expected = weight((f / 40) ** 2) ** 0.5 * 2 * x
        np.testing.assert_allclose(fit.jac[0], expected, rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_callable_loss_is_the_same_as_the_one_with_a_name(loss):
    def as_callable(z: Array) -> Array:
        value, slope = rho(loss, z)
        second = {
            "soft_l1": -0.5 * (1 + z) ** -1.5,
            "huber": np.where(z <= 1, 0, -0.5 * np.maximum(z, 1) ** -1.5),
            "cauchy": -1 / (1 + z) ** 2,
            "arctan": -2 * z / (1 + z**2) ** 2,
        }[loss]
        return np.array([value, slope, second])

    fun, _, start = contaminated("decay", 0.1)
    named = least_squares(fun, start, loss=loss, f_scale=0.1)
    called = least_squares(fun, start, loss=as_callable, f_scale=0.1)
    assert called.nfev == pytest.approx(named.nfev, abs=2)
    np.testing.assert_allclose(called.x, named.x, rtol=1e-5)


def squared_loss(z: Array) -> Array:
    """Flat at 0: rho' is 0 there, and rho'' is not."""
    return np.array([z**2, 2 * z, np.full_like(z, 2.0)])


def loss_with_a_dead_zone(z: Array) -> Array:
    over = np.maximum(z - 1e-3, 0)
    return np.array([over**2, 2 * over, np.full_like(z, 2.0)])


@pytest.mark.parametrize("loss", [squared_loss, loss_with_a_dead_zone])
def test_a_loss_may_be_flat(optimize, loss):
    t = np.linspace(0, 5, 40)
    y = 2 * np.exp(-0.7 * t) + 0.5 + 0.2 * np.sin(9 * t)

    def fun(x: Array) -> Array:
        return x[0] * np.exp(-x[1] * t) + x[2] - y

    ours = least_squares(fun, [1, 1, 0.1], loss=loss, ftol=1e-12, xtol=1e-12)
    theirs = optimize.least_squares(
        fun, [1, 1, 0.1], loss=loss, ftol=1e-13, xtol=1e-13, gtol=1e-13
    )
    assert ours.success
    assert ours.cost <= theirs.cost * (1 + 1e-6)
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-3)
    assert np.isfinite(ours.jac).all()


@pytest.mark.parametrize("loss", [*LOSSES, "callable"])
@pytest.mark.parametrize("size", [1e-150, 1e-180, 1e-200, 1e-290])
def test_residuals_that_are_tiny_beside_f_scale_are_not_taken_for_0(loss, size):
    fun, _, start = contaminated("decay", 0.1)
    plain = least_squares(fun, start)
    loss = squareless_soft_l1 if loss == "callable" else loss
    scaled = least_squares(fun, start, loss=loss, f_scale=1 / size)
    tiny = least_squares(lambda x: size * fun(x), start, loss=loss)
    for fit in scaled, tiny:
        assert fit.status == plain.status
        np.testing.assert_allclose(fit.x, plain.x, rtol=1e-4)


def squareless_soft_l1(z: Array) -> Array:
    root = np.sqrt(1 + z)
    return np.array([2 * z / (root + 1), 1 / root, -0.5 * root**-3])


@pytest.mark.parametrize("loss", ["soft_l1", "huber"])
def test_residuals_that_are_huge_beside_f_scale_have_a_weight(loss):
    """Both losses are then the sum of absolute values."""
    fun, _, start = contaminated("decay", 0.1)
    large = least_squares(fun, start, loss=loss, f_scale=1e-8, xtol=1e-12, ftol=1e-12)
    huge = least_squares(
        lambda x: 1e200 * fun(x), start, loss=loss, xtol=1e-12, ftol=1e-12
    )
    assert huge.success
    np.testing.assert_allclose(huge.x, large.x, rtol=1e-2)


def test_loss_and_bounds_go_together(optimize):
    fun, _, start = contaminated("decay", 0.1)
    options = {"loss": "soft_l1", "f_scale": 0.1, "bounds": (0, [2, 3, 4])}
    ours = least_squares(fun, start, ftol=1e-12, xtol=1e-12, **options)
    theirs = optimize.least_squares(fun, start, ftol=1e-13, xtol=1e-13, **options)
    assert ours.cost <= theirs.cost * (1 + 1e-8)
    np.testing.assert_array_equal(ours.active_mask, [1, 0, 0])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_trial_point_that_is_infinite_is_rejected_whatever_the_loss(loss):
    def fun(x: Array) -> Array:
        return np.array([x[0] - 3, np.inf if x[0] > 2.9 else 0.0])

    fit = least_squares(fun, [0.0], lambda x: [[1.0], [0.0]], loss=loss)
    assert 2 < fit.x[0] <= 2.9
    assert np.isfinite(fit.cost)


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        ("hinge", ValueError, "loss must be 'linear'.*'hinge'"),
        (3, TypeError, "loss must be callable, not int"),
        (lambda z: z, ValueError, r"loss must return.*\(3, m\).*shape \(50,\)"),
        (lambda z: np.stack([-z, z, z]), ValueError, "row 0 .* negative at 0"),
        (lambda z: np.stack([z, z - 1, z]), ValueError, "row 1 .* negative"),
        (lambda z: [z * 1j] * 3, TypeError, "loss must return real numbers"),
    ],
)
def test_a_bad_loss_is_refused(loss, error, message):
    with pytest.raises(error, match=message):
        least_squares(decay, [1.0, 0.5, 0.1], loss=loss)


def test_an_exception_in_a_loss_passes_unchanged():
    error = KeyError("mine")

    def loss(z: Array) -> Array:
        raise error

    with pytest.raises(KeyError) as caught:
        least_squares(decay, START, loss=loss)
    assert caught.value is error


# Callbacks and printing ------------------------------------------------------


@pytest.mark.parametrize("loss", ["linear", "soft_l1"])
@pytest.mark.parametrize(
    "bounds", [(-np.inf, np.inf), ([0, 0, 0], [2, 3, 4])], ids=label
)
@each_jac
def test_the_callback_sees_each_iterate_once(jac, bounds, loss):
    seen = []

    def callback(intermediate_result: OptimizeResult) -> None:
        seen.append(intermediate_result)

    options = {"jac": jac, "bounds": bounds, "loss": loss, "f_scale": 0.1}
    fit = least_squares(decay, START, callback=callback, **options)
    assert [result.nit for result in seen] == list(range(1, len(seen) + 1))
    assert all(np.diff([result.cost for result in seen]) < 0)
    assert all(np.diff([result.nfev for result in seen]) > 0)
    for result in seen:
        np.testing.assert_array_equal(result.fun, decay(result.x))
    np.testing.assert_array_equal(seen[-1].x, fit.x)
    assert seen[-1].cost == fit.cost
    assert seen[-1].optimality == pytest.approx(fit.optimality, abs=1e-12)
    quiet = least_squares(decay, START, **options)
    np.testing.assert_array_equal(quiet.x, fit.x)
    assert quiet.nfev == fit.nfev


def test_what_a_callback_does_to_its_arrays_changes_nothing():
    def callback(intermediate_result: OptimizeResult) -> None:
        intermediate_result.x[:] = np.nan
        intermediate_result.fun[:] = np.nan

    fit = least_squares(decay, START, callback=callback, verbose=2)
    np.testing.assert_array_equal(fit.x, least_squares(decay, START).x)


def test_a_callback_with_another_parameter_gets_x():
    seen = []
    fit = least_squares(decay, START, callback=seen.append)
    np.testing.assert_array_equal(seen[-1], fit.x)


@pytest.mark.parametrize("way", ["raises", "returns True", "returns numpy's True"])
@pytest.mark.parametrize("loss", ["linear", "cauchy"])
@each_jac
def test_a_callback_stops_the_fit_at_the_best_point_so_far(way, loss, jac):
    seen = []

    def callback(x: Array) -> Any:
        seen.append(x)
        if len(seen) == 2 and way == "raises":
            raise StopIteration
        done = len(seen) == 2
        return np.bool_(done) if "numpy" in way else done

    fit = least_squares(decay, START, jac, loss=loss, callback=callback)
    assert len(seen) == 2
    np.testing.assert_array_equal(fit.x, seen[-1])
    np.testing.assert_array_equal(fit.fun, decay(fit.x))
    assert (fit.status, fit.success) == (-2, False)
    assert fit.message == "Stopped by the callback; x is the best point so far."
    _, slope = rho(loss, fit.fun**2)
    np.testing.assert_allclose(
        fit.grad, decay_jacobian(fit.x).T @ (slope * fit.fun), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("answer", [None, False, 1, [1, 2], np.ones(3)])
def test_no_other_answer_of_a_callback_stops_the_fit(answer):
    assert least_squares(decay, START, callback=lambda x: answer).success


def test_an_exception_in_a_callback_passes_unchanged():
    error = KeyError("mine")

    def callback(x: Array) -> None:
        raise error

    with pytest.raises(KeyError) as caught:
        least_squares(decay, START, callback=callback)
    assert caught.value is error


def test_verbose_prints_a_line_for_each_iterate(capsys, optimize):
    seen = []
    fit = least_squares(decay, START, verbose=2, callback=seen.append)
    ours = capsys.readouterr().out.splitlines()
    optimize.least_squares(decay, START, verbose=2)
    theirs = capsys.readouterr().out.splitlines()
    assert ours[0].split() == theirs[0].split()
    assert ours[1].split()[:3] == theirs[1].split()[:3]
    assert len(ours) == 1 + 1 + len(seen) + 2
    last = ours[-3].split()
    assert last[:3] == [str(len(seen)), str(fit.nfev), f"{fit.cost:.4e}"]
    assert last[-1] == f"{fit.optimality:.2e}"
    first_step = np.linalg.norm(seen[0] - START)
    assert ours[2].split()[4] == f"{first_step:.2e}"
    assert ours[-2] == fit.message


def test_verbose_1_prints_the_end_alone(capsys):
    fit = least_squares(decay, START, verbose=1)
    message, summary = capsys.readouterr().out.splitlines()
    assert message == fit.message
    first = 0.5 * np.sum(decay(np.array(START)) ** 2)
    assert summary == (
        f"{fit.nfev} evaluations, cost {first:.4e} at the start and {fit.cost:.4e} at "
        f"the end, optimality {fit.optimality:.2e}."
    )
    least_squares(decay, START)
    assert capsys.readouterr().out == ""


# Not finite ------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("loss", ["linear", "arctan", cubic_soft_l1], ids=label)
def test_residuals_that_are_not_finite_at_x0_are_refused(value, loss):
    def fun(x: Array) -> Array:
        f = decay(x)
        f[17] = value
        return f

    message = re.escape(
        f"fun must be finite at x0: residual 17 is {value} at x = [1.0, 1.0, 0.0]"
    )
    with pytest.raises(ValueError, match=message):
        least_squares(fun, START, loss=loss)


def test_a_cost_that_overflows_at_x0_is_refused():
    with pytest.raises(
        ValueError, match=r"cost must be finite at x0: it is inf at x = \[1.0\]"
    ):
        least_squares(lambda x: np.full(3, 1.7e308) * x, [1.0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("loss", ["linear", "soft_l1"])
def test_a_trial_point_that_is_not_finite_is_rejected(value, loss):
    rejected = []

    def fun(x: Array) -> Array:
        if x[0] <= 0:
            rejected.append(x[0])
            return np.array([value, value])
        return np.array([np.log(x[0]) - 1, 0.0])

    fit = least_squares(fun, [20.0], lambda x: [[1 / x[0]], [0.0]], loss=loss)
    assert rejected
    assert fit.success
    assert fit.x == pytest.approx(np.e)


@pytest.mark.parametrize("loss", ["linear", "huber"])
@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs"])
def test_a_difference_that_is_not_finite_ends_the_fit(jac, loss):
    def fun(x: Any) -> Any:
        f = np.array([x[0] - 3, x[1] - 1, x[0] * x[1]])
        if x[1] != 0.5:
            f[1] *= np.nan
        return f

    fit = least_squares(fun, [1.0, 0.5], jac, loss=loss)
    np.testing.assert_array_equal(fit.x, [1, 0.5])
    assert (fit.status, fit.success) == (-1, False)
    assert "not finite" in fit.message
    assert np.isfinite(fit.cost)
    assert np.isnan(fit.grad).all()
    assert np.isnan(fit.jac).all()
    assert np.isnan(fit.optimality)


# Arguments -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "bfgs"}, "method must be 'lm', 'trf', 'dogbox' .* not 'bfgs'"),
        ({"method": 3}, "method must be .* not 3"),
        ({"method": ["lm"]}, "method must be .* not "),
        ({"tr_solver": "lsmr"}, "tr_solver must be None or 'exact', not 'lsmr'"),
        ({"tr_options": {"maxiter": 3}}, "tr_options must be None or empty.*maxiter"),
        ({"jac_sparsity": [1]}, "jac_sparsity must be None"),
        ({"workers": 2}, "workers must be None or 1, not 2"),
        ({"workers": map}, "workers must be None or 1"),
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


# The result ------------------------------------------------------------------


def test_the_result_is_a_dictionary_with_attributes():
    fit = least_squares(decay, START)
    assert fit["x"] is fit.x
    fit.comment = "good"
    assert fit["comment"] == "good"
    del fit.comment
    assert "comment" not in fit
    assert {"x", "cost", "keys"} <= set(dir(fit))
    with pytest.raises(AttributeError, match="no entry 'nit'"):
        _ = fit.nit
    for same in (pickle.loads(pickle.dumps(fit)), copy.deepcopy(fit)):
        assert isinstance(same, OptimizeResult)
        np.testing.assert_array_equal(same.jac, fit.jac)


def test_the_method_is_an_attribute_and_no_entry():
    """A client that copies all entries to its own result keeps its own method."""
    fit = least_squares(decay, START)
    for same in (fit, pickle.loads(pickle.dumps(fit)), copy.deepcopy(fit)):
        assert same.method == "lm"
        assert "method" not in same
    fit.method = "mine"
    assert fit.method == fit["method"] == "mine"


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {
            "nit": 3,
            "x": np.array([1.5, np.nan, -np.inf]),
            "message": "ends",
            "fun": 2.0,
        },
        {"jac": np.arange(40.0).reshape(20, 2) / 7, "x": np.arange(3), "success": True},
    ],
)
def test_it_is_shown_as_scipys(optimize, entries):
    assert repr(OptimizeResult(entries)) == repr(optimize.OptimizeResult(entries))


def test_a_fit_is_shown_as_scipys(optimize):
    fit = least_squares(decay, START)
    assert repr(fit) == repr(optimize.OptimizeResult(fit))


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


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("options", [{}, {"bounds": (0, 9)}], ids=str)
def test_two_points_are_as_far_apart_as_the_precision_wants(
    dtype: type[np.floating[Any]], options: dict[str, Any]
) -> None:
    """Their error falls with the square of the step, and so do those of rounding."""
    t = np.linspace(0, 4, 40)
    y = 2 * np.exp(-0.7 * t) + 0.5
    rounding = np.finfo(dtype).eps

    def residuals(p: NDArray[np.float64]) -> NDArray[Any]:
        return (p[0] * np.exp(-p[1] * t) + p[2]).astype(dtype) - y.astype(dtype)

    fit = least_squares(residuals, [1, 1, 0.1], "3-point", **options)
    a, b, _ = fit.x
    exact = np.stack([np.exp(-b * t), -a * t * np.exp(-b * t), np.ones_like(t)], axis=1)
    error = np.abs(fit.jac - exact).max()
    assert error < 4 * rounding ** (2 / 3)
    np.testing.assert_allclose(fit.x, [2, 0.7, 0.5], atol=20 * rounding)
