"""Callbacks see the iterates and may stop the fit; verbose prints them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from arrays import Array
from least_squares.cases import START, decay, decay_jacobian, each_jac, label, rho
from minpack import OptimizeResult, least_squares


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
