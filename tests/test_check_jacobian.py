"""check_jacobian finds what is wrong, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from functions import COMPILED
from minpack import check_jacobian, curve_fit, least_squares, leastsq
from problems.mgh import FACTORS, PROBLEMS
from problems.nist import DATASETS

Function = Callable[[Any], Any]

T = np.linspace(0, 3, 20)
Y = 2 * np.exp(-0.5 * T) + 1
X = np.array([1.5, 0.7, 0.3])


def decay(x: Any) -> Any:
    return x[0] * np.exp(-x[1] * T) + x[2] - Y


def decay_jacobian(x: Any) -> Any:
    e = np.exp(-x[1] * T)
    return np.stack([e, -x[0] * T * e, np.ones_like(T)], axis=1)


def real_only(f: Function) -> Function:
    """Make a function that does not take complex numbers."""

    def g(x: Any) -> Any:
        if np.iscomplexobj(x):
            raise TypeError("these are complex")
        return f(x)

    return g


# Right ones -----------------------------------------------------------------------


class Case(NamedTuple):
    name: str
    func: Function
    Dfun: Function
    x: Any


def scaled(case: Case, seed: int) -> Case:
    """Give each residual and each parameter a unit of its own."""
    rng = np.random.default_rng(seed)
    columns = 10 ** rng.uniform(-8, 8, case.x.size)
    rows = 10 ** rng.uniform(-8, 8, case.func(case.x).size)
    return Case(
        f"{case.name}-scaled",
        lambda x: case.func(x * columns) * rows,
        lambda x: case.Dfun(x * columns) * columns * rows[:, None],
        case.x / columns,
    )


def cases() -> Iterator[Case]:
    for problem in PROBLEMS:
        for factor in FACTORS[: problem.starts]:
            x = problem.scaled_start(factor)
            name = f"{problem}*{factor:g}"
            yield Case(name, problem.residuals, problem.jacobian, x)
            with_zero = x.copy()
            with_zero[x.size // 2] = 0
            yield Case(f"{name}-0", problem.residuals, problem.jacobian, with_zero)
    for data in DATASETS:
        for i, x in enumerate((*data.starts, data.certified)):
            yield Case(f"{data.name}-{i}", data.residuals, data.jacobian, x)


def finite_cases() -> list[Case]:
    with np.errstate(all="ignore"):
        both = [each for case in cases() for each in (case, scaled(case, 1))]
        return [
            case
            for case in both
            if np.isfinite(case.func(case.x)).all()
            and np.isfinite(case.Dfun(case.x)).all()
        ]


CASES = finite_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("takes_complex", [True, False])
def test_right_jacobians_are_right(case: Case, takes_complex: bool) -> None:
    func = case.func if takes_complex else real_only(case.func)
    check = check_jacobian(func, case.Dfun, case.x)
    assert check.success, check.message
    assert check.wrong.shape == (0, 2)
    assert check.method == ("complex step" if takes_complex else "differences")


def noisy(f: Function, relative: float) -> Function:
    def g(x: Any) -> Any:
        values = real_only(f)(x)
        rng = np.random.default_rng(np.frombuffer(x.tobytes(), np.uint32))
        return values * (1 + relative * rng.standard_normal(values.size))

    return g


ROUNDED: dict[str, Callable[[Function], Function]] = {
    "in float32": lambda f: lambda x: real_only(f)(x).astype(np.float32),
    "in float32 inside": lambda f: (
        lambda x: real_only(f)(np.float32(x).astype(float)).astype(np.float32) * 1.0
    ),
    "1e-12": lambda f: noisy(f, 1e-12),
    "1e-8": lambda f: noisy(f, 1e-8),
}


@pytest.mark.parametrize("rounded", ROUNDED.values(), ids=ROUNDED)
def test_rounding_errors_make_no_jacobian_wrong(
    rounded: Callable[[Function], Function],
) -> None:
    with np.errstate(all="ignore"):
        wrong = [
            case.name
            for case in CASES[::5]
            if not check_jacobian(rounded(case.func), case.Dfun, case.x).success
        ]
    assert wrong == []


ODD: dict[str, tuple[Function, Function, list[float]]] = {
    "a kink": (lambda x: np.abs(x - 1), lambda x: np.eye(2), [1.0, 3.0]),
    "absolute values, which are not analytic": (
        lambda x: np.abs(x) * x,
        lambda x: np.diag(2 * np.abs(x)),
        [-2.0, 3.0],
    ),
    "entries that cancel": (
        lambda x: np.array([np.sin(x[0]), x[0] * x[1], np.cos(x[0]) + x[1]]),
        lambda x: np.array([[np.cos(x[0]), 0], [x[1], x[0]], [-np.sin(x[0]), 1]]),
        [np.pi / 2, 1e-3],
    ),
    "a large constant": (
        lambda x: 1e9 + x**2,
        lambda x: np.diag(2 * x),
        [1.0, 2.0],
    ),
    "a narrow peak far from 0": (
        lambda x: np.exp(-(((x[0] - 1e4 - np.arange(-3, 4)) / 0.5) ** 2)),
        lambda x: (
            -8.0
            * (x[0] - 1e4 - np.arange(-3, 4))
            * np.exp(-(((x[0] - 1e4 - np.arange(-3, 4)) / 0.5) ** 2))
        )[:, None],
        [1e4 + 0.1],
    ),
    "a start next to 0": (
        lambda x: np.exp(x) - 3,
        lambda x: np.diag(np.exp(x)),
        [1e-30, 1e-9],
    ),
    "all zeros": (lambda x: x**3, lambda x: np.diag(3 * x**2), [0.0, 0.0]),
    "a domain that ends nearby": (
        lambda x: np.log(x),
        lambda x: np.diag(1 / x),
        [1e-3, 1e3],
    ),
    "a start on the end of the domain of the steps": (
        lambda x: np.log(x) + 1,
        lambda x: np.diag(1 / x),
        [1e-200, 1.0],
    ),
}


@pytest.mark.parametrize(("func", "Dfun", "x"), ODD.values(), ids=ODD)
@pytest.mark.parametrize("takes_complex", [True, False])
def test_odd_functions_cause_no_alarm(
    func: Function, Dfun: Function, x: list[float], takes_complex: bool
) -> None:
    with np.errstate(all="ignore"):
        check = check_jacobian(func if takes_complex else real_only(func), Dfun, x)
    assert check.success, check.message


def test_steps_where_a_function_raises_are_left_out() -> None:
    def func(x: Any) -> Any:
        if not 0.99 < x[0] < 1.01:
            raise ValueError("out of range")
        return real_only(decay)(x)

    x = np.array([1.0, 0.7, 0.3])
    assert check_jacobian(func, decay_jacobian, x).success
    wrong = check_jacobian(func, lambda x: decay_jacobian(x) * [-1, 1, 1], x)
    assert set(wrong.wrong[:, 1]) == {0}


# Wrong ones ------------------------------------------------------------------------


@pytest.mark.parametrize("takes_complex", [True, False])
@pytest.mark.parametrize("factor", [-1.0, 1.001, 0.999, 0.0, 2.0, np.nan])
def test_every_entry_that_is_wrong_is_found(factor: float, takes_complex: bool) -> None:
    func = decay if takes_complex else real_only(decay)
    right = decay_jacobian(X)
    for i, j in np.argwhere(right):
        jac = right.copy()
        jac[i, j] *= factor
        check = check_jacobian(func, lambda x, jac=jac: jac, X)
        assert not check.success
        assert check.wrong.tolist() == [[i, j]]
        assert f"1 of the {jac.size} entries of the Jacobian are wrong" in check.message
        assert f"Row {i}, column {j}: {jac[i, j]:.8g} was returned" in check.message
        assert f"{right[i, j]:.8g} is expected" in check.message
        assert check.jac.tobytes() == jac.tobytes()
        np.testing.assert_allclose(check.expected, right, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.x.size < 12][::3],
    ids=lambda case: case.name,
)
def test_a_wrong_sign_and_a_lost_term_are_found(case: Case) -> None:
    """In the largest entry of each column, if the parameter has some effect."""
    with np.errstate(all="ignore"):
        right = case.Dfun(case.x)
        rows = np.maximum(np.abs(case.func(case.x)), np.abs(right * case.x).max(axis=1))
        shares = np.abs(right / np.where(rows > 0, rows, 1)[:, None])
        for j in np.flatnonzero(right.any(axis=0)):
            i = int(shares[:, j].argmax())
            if case.x[j] and shares[i, j] * abs(case.x[j]) < 1e-6:
                continue
            for factor in (-1, 1 - 1e-3):
                jac = right.copy()
                jac[i, j] *= factor
                check = check_jacobian(case.func, lambda x, jac=jac: jac, case.x)
                assert check.wrong.tolist() == [[i, j]], check.message


def test_the_worst_entries_come_first() -> None:
    jac = decay_jacobian(X)
    jac[3, 1] *= 1.01
    jac[5, 0] += 10
    check = check_jacobian(decay, lambda x: jac, X)
    assert check.wrong.tolist() == [[5, 0], [3, 1]]


def square(x: Any) -> Any:
    return np.array([x[0] * x[1], x[1] ** 2 + x[2], np.sin(x[0]) * x[2]])


def square_jacobian(x: Any) -> Any:
    return np.array(
        [
            [x[1], x[0], 0],
            [0, 2 * x[1], 1],
            [np.cos(x[0]) * x[2], 0, np.sin(x[0])],
        ]
    )


@pytest.mark.parametrize(
    ("func", "Dfun", "said"),
    [
        (square, lambda x: square_jacobian(x).T, "The Jacobian is transposed."),
        (decay, lambda x: decay_jacobian(x).T, "The Jacobian is transposed: Dfun ret"),
        (decay, lambda x: -decay_jacobian(x), "The whole Jacobian has the wrong sign."),
        (
            decay,
            lambda x: decay_jacobian(x) / 2,
            "The whole Jacobian is 0.5 times what it should be.",
        ),
        (
            decay,
            lambda x: decay_jacobian(x) * [1, -1, 1],
            "Column 1 has the wrong sign.",
        ),
        (
            decay,
            lambda x: decay_jacobian(x) * [1, 1, 1000],
            "Column 2 is 1000 times what it should be.",
        ),
        (
            decay,
            lambda x: decay_jacobian(x)[:, [1, 0, 2]],
            "Columns 0 and 1 are in each other's place.",
        ),
    ],
)
@pytest.mark.parametrize("takes_complex", [True, False])
def test_what_is_wrong_as_a_whole_is_said(
    func: Function, Dfun: Function, said: str, takes_complex: bool
) -> None:
    check = check_jacobian(func if takes_complex else real_only(func), Dfun, X)
    assert not check.success
    assert said in check.message


def test_a_transposed_shape_is_compared_as_it_should_be() -> None:
    check = check_jacobian(decay, lambda x: decay_jacobian(x).T, X)
    assert check.wrong.shape == (0, 2)
    assert check.jac.tolist() == decay_jacobian(X).tolist()
    assert "col_deriv=True" in check.message


def test_what_cannot_be_checked_is_said() -> None:
    def func(x: Any) -> Any:
        return np.append(real_only(decay)(x), np.nan)

    def derivatives(x: Any) -> Any:
        return np.vstack([decay_jacobian(x), np.ones(3)])

    check = check_jacobian(func, derivatives, X)
    assert check.success
    assert "60 of the 63 entries of the Jacobian are right" in check.message
    assert "3 entries could not be checked" in check.message
    assert np.isinf(check.uncertainty[-1]).all()
    assert np.isfinite(check.uncertainty[:-1]).all()


# Calls ------------------------------------------------------------------------------


def test_the_model_and_the_jac_of_curve_fit() -> None:
    def f(t: Any, a: Any, b: Any) -> Any:
        return a * np.exp(-b * t)

    def jac(t: Any, a: Any, b: Any) -> Any:
        return np.stack([np.exp(-b * t), -a * np.exp(-b * t)], axis=1)

    check = check_jacobian(lambda p: f(T, *p), lambda p: jac(T, *p), [2.0, 0.5])
    assert set(check.wrong[:, 1]) == {1}


def test_arguments_are_handed_over_and_not_changed() -> None:
    x0, seen = [[1.5, 0.7, 0.3]], []

    def func(x: Any, y: Any) -> Any:
        seen.append(y)
        values = decay(x) - y
        x[:] = np.nan
        return values

    def derivatives(x: Any, y: Any) -> Any:
        seen.append(y)
        return decay_jacobian(x)

    assert check_jacobian(func, derivatives, x0, 2.0).success
    assert check_jacobian(func, derivatives, x0, (2.0,)).success
    assert set(seen) == {2.0}
    assert x0 == [[1.5, 0.7, 0.3]]


@pytest.mark.parametrize("shape", [(20,), (20, 1), (1, 20)])
def test_the_jacobian_of_one_parameter(shape: tuple[int, ...]) -> None:
    def derivatives(x: Any) -> Any:
        return (-T * np.exp(-x[0] * T)).reshape(shape)

    assert check_jacobian(lambda x: np.exp(-x[0] * T), derivatives, 0.5).success


@pytest.mark.parametrize(
    ("func", "Dfun", "error", "message"),
    [
        (decay, lambda x: np.ones((4, 4)), ValueError, r"\(20, 3\).*\(4, 4\)"),
        (decay, lambda x: np.ones((20, 3)) * 1j, TypeError, "Dfun .*complex128"),
        (decay, lambda x: "no", TypeError, "Dfun .*<U2"),
        (lambda x: x * 1j, decay_jacobian, TypeError, "func .*complex128"),
        (lambda x: np.eye(3), decay_jacobian, ValueError, r"func .*\(3, 3\)"),
        (decay, None, TypeError, "Dfun must be callable, not NoneType"),
        ("decay", decay_jacobian, TypeError, "func must be callable, not str"),
        (COMPILED, decay_jacobian, TypeError, "func must be a Python function"),
    ],
)
def test_bad_calls(func: Any, Dfun: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_jacobian(func, Dfun, X)


def test_residuals_must_stay_as_many() -> None:
    def func(x: Any) -> Any:
        return T if (x == X).all() else T[1:]

    with pytest.raises(
        ValueError, match=r"\(19,\) after it had returned shape \(20,\)"
    ):
        check_jacobian(func, decay_jacobian, X)


@pytest.mark.parametrize("name", ["func", "Dfun"])
def test_exceptions_at_the_start_pass_unchanged(name: str) -> None:
    error = KeyError("mine")

    def raising(x: Any) -> Any:
        raise error

    functions = {"func": decay, "Dfun": decay_jacobian, name: raising}
    with pytest.raises(KeyError) as caught:
        check_jacobian(**functions, x0=X)
    assert caught.value is error


# Fits that stall --------------------------------------------------------------------

ADVICE = "check {} with minpack.check_jacobian"


def wrong_sign(*args: Any) -> Any:
    return -decay_jacobian(args[-1] if len(args) == 1 else args[1:])


def model(t: Any, *p: Any) -> Any:
    return decay(p) + Y


def test_a_fit_that_stays_at_its_start_points_to_the_jacobian() -> None:
    x, _, _, mesg, _ = leastsq(decay, X, Dfun=wrong_sign, full_output=True)
    assert (x == X).all()
    assert ADVICE.format("Dfun") in mesg
    assert ADVICE.format("jac") in least_squares(decay, X, wrong_sign).message
    *_, mesg, _ = curve_fit(model, T, Y, X, jac=wrong_sign, full_output=True)
    assert ADVICE.format("jac") in mesg


def test_a_fit_that_stops_too_early_points_to_the_jacobian() -> None:
    with pytest.warns(RuntimeWarning, match=ADVICE.format("Dfun")):
        leastsq(decay, X, Dfun=wrong_sign, maxfev=3)
    with pytest.raises(RuntimeError, match=ADVICE.format("jac")):
        curve_fit(model, T, Y, X, jac=wrong_sign, maxfev=3)
    fit = least_squares(decay, X, wrong_sign, max_nfev=3)
    assert ADVICE.format("jac") in fit.message


def test_other_fits_do_not() -> None:
    fits = [
        leastsq(decay, X, Dfun=decay_jacobian, full_output=True)[3],
        leastsq(decay, X, full_output=True, maxfev=3)[3],
        leastsq(lambda x: x * 0.0, X, Dfun=lambda x: np.eye(3), full_output=True)[3],
        least_squares(decay, X, decay_jacobian).message,
        least_squares(decay, X, "cs", max_nfev=1).message,
    ]
    assert not any("check_jacobian" in mesg for mesg in fits)
