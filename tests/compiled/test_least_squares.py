"""least_squares: a compiled function has the bits of the same one in Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arrays import Array
from compiled.makes import each_make
from compiled.quotients import M, T, data, derivatives_of, value_of
from fits import bits
from functions import raising
from minpack import least_squares
from models import soft

LEAST_SQUARES: dict[str, dict[str, Any]] = {
    "plain": {},
    "jac": {"jac": "derivatives"},
    "3-point": {"jac": "3-point"},
    "bounds": {"bounds": ([0, 0], [9, 1])},
    "3-point within bounds": {"jac": "3-point", "bounds": ([0, 0], [2, 9])},
    "huber": {"loss": "huber", "f_scale": 0.05},
    "cauchy, jac, bounds": {
        "loss": "cauchy", "f_scale": 0.1, "jac": "derivatives", "bounds": (0, 2),
    },
    "a loss of Python": {"loss": soft, "f_scale": 0.1},
    "scales and steps": {"x_scale": [1.0, 3.0], "diff_step": [1e-7, 1e-6]},
    "few evaluations": {"max_nfev": 3},
}  # fmt: skip


def least_squares_in_python(y: Array, start: Array, **options: Any) -> Any:
    if options.get("jac") == "derivatives":
        options["jac"] = lambda x: derivatives_of(T, *x)
    return least_squares(lambda x: value_of(T, *x) - y, start, **options)


@each_make
@pytest.mark.parametrize("options", LEAST_SQUARES.values(), ids=LEAST_SQUARES)
def test_least_squares_has_the_bits_of_the_same_function_in_python(
    path: Path, make: Callable[..., Any], options: dict[str, Any]
) -> None:
    fun, compiled_options = make(path, "residuals"), dict(options)
    if options.get("jac") == "derivatives":
        compiled_options["jac"] = make(path, "jacobian")
    for pairs, p0 in zip(*data(20), strict=True):
        start = np.clip(p0, *options.get("bounds", (-np.inf, np.inf)))
        expected = least_squares_in_python(pairs[:, 1], start, **options)
        result = least_squares(fun, start, m=M, user_data=pairs, **compiled_options)
        assert bits(result) == bits(expected)


@pytest.mark.parametrize("loss", ["linear", "cauchy", soft])
def test_callbacks_and_verbose_see_what_they_see_of_a_python_function(
    functions: ctypes.CDLL, capsys: pytest.CaptureFixture[str], loss: Any
) -> None:
    (pairs,), (p0,) = data(1)
    seen: list[list[Any]] = [[], []]

    def into(iterates: list[Any]) -> Callable[..., bool]:
        def callback(intermediate_result: Any) -> bool:
            iterates.append(bits(intermediate_result))
            return len(iterates) == 4

        return callback

    options: dict[str, Any] = {"verbose": 2, "loss": loss}
    results = [
        least_squares(
            functions.residuals, p0, m=M, user_data=pairs, callback=into(seen[0]),
            **options,
        ),
        least_squares_in_python(pairs[:, 1], p0, callback=into(seen[1]), **options),
    ]  # fmt: skip
    assert bits(results[0]) == bits(results[1])
    assert results[0].status == -2
    assert len(seen[0]) == 4
    assert seen[0] == seen[1]
    printed = capsys.readouterr().out
    half = len(printed) // 2
    assert printed[:half] == printed[half:]


def test_exceptions_of_callbacks_and_losses_pass_unchanged(
    functions: ctypes.CDLL,
) -> None:
    (pairs,), (p0,) = data(1)
    for options in ({"callback": raising(LookupError)}, {"loss": raising(LookupError)}):
        with pytest.raises(LookupError, match="on purpose"):
            least_squares(functions.residuals, p0, m=M, user_data=pairs, **options)


@pytest.mark.parametrize("at", [1, 2, 4, 5])
@pytest.mark.parametrize("loss", ["linear", "huber"])
def test_a_negative_value_is_a_status_and_a_message(
    functions: ctypes.CDLL, at: int, loss: str
) -> None:
    count = np.array([at], dtype=np.intc)
    result = least_squares(
        functions.stopping, [1.0, 2.0], m=3, user_data=count, loss=loss, bounds=(1, 9)
    )
    assert count[0] == 0
    assert result.status == -1
    assert not result.success
    assert "-7" in result.message
    assert np.isfinite(result.x).all()
    assert np.isnan(result.jac).all()
    assert np.isnan(result.grad).all()
    assert np.isnan(result.fun).all() == (at == 1)
    assert np.isnan(result.cost) == (at == 1)
    assert result.active_mask[0] == -1
    assert result.njev is None


def test_a_jacobian_that_stops_least_squares_says_so(functions: ctypes.CDLL) -> None:
    result = least_squares(
        functions.stopping, [1.0, 2.0], functions.stopping_jacobian, m=3,
        user_data=np.array([99], np.intc),
    )  # fmt: skip
    assert (result.status, result.njev) == (-1, 1)
    assert "-8" in result.message
    np.testing.assert_array_equal(result.fun, [1, 5, 3])


def test_compiled_residuals_must_be_finite_at_x0(functions: ctypes.CDLL) -> None:
    with pytest.raises(ValueError, match="fun must be finite at x0: residual 0 is nan"):
        least_squares(
            functions.residuals, [np.nan, 1.0], m=M, user_data=np.ones((M, 2))
        )
