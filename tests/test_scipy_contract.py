"""minpack.leastsq does what scipy.optimize.leastsq does, but for listed differences."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import minpack
from contract import CASES, FORMS, GOOD, INFO, NOT_FINITE, Case
from contract.differences import DIFFERENCES, as_markdown
from contract.observations import Difference, observed

pytest.importorskip("scipy", minversion="1.17")
from scipy import optimize

Leastsq = Callable[..., Any]

each_difference = pytest.mark.parametrize(
    "difference", DIFFERENCES, ids=lambda difference: difference.name
)


@dataclass
class Outcome:
    """What came back from a call: a result or an exception, and warnings."""

    result: tuple[Any, ...] | None
    error: BaseException | None
    warnings: list[warnings.WarningMessage]


def outcome(leastsq: Leastsq, case: Case, **more: Any) -> Outcome:
    """Run the case; a warning counts if it points at the call of leastsq here."""
    result = error = None
    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("always")
        call = case.build() | more
        func, x0 = call.pop("func"), call.pop("x0")
        positional = call.pop("positional", ())
        try:
            result = leastsq(func, x0, *positional, **call)
        except BaseException as exception:
            error = exception
    return Outcome(result, error, [w for w in caught if w.filename == __file__])


SHORT, FULL = {}, {"full_output": True}
CALLS = [
    pytest.param(case, more, kernels, id=f"{case.name}, {form}, {kernels}")
    for kernels, cases in (("fast", CASES), ("reference", [*CASES, *NOT_FINITE]))
    for case in cases
    for form, more in (("short", SHORT), ("full", FULL))
] + [pytest.param(case, {}, "fast", id=case.name) for case in FORMS]


def assert_close(ours: Any, theirs: Any, rtol: float, atol: float = 1e-12) -> None:
    """Close, and NaN and infinity in the same places."""
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol, equal_nan=True)


def scale(array: Any) -> float:
    """The largest finite magnitude."""
    return float(np.max(np.abs(array), where=np.isfinite(array), initial=0.0))


def assert_same_kind(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    if isinstance(ours, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert ours.flags.c_contiguous
        assert ours.flags.writeable


def assert_same_info(
    ours: dict, theirs: dict, rtol: float | None, reflectors: bool
) -> None:
    """The same infodict; without `rtol`, in all but the numbers in its arrays."""
    assert list(ours) == list(theirs)
    theirs = theirs | {"fvec": np.atleast_1d(theirs["fvec"])}
    for key in theirs:
        assert_same_kind(ours[key], theirs[key])
        if not isinstance(theirs[key], np.ndarray):
            assert ours[key] == theirs[key], key
    if rtol is None:
        return
    np.testing.assert_array_equal(ours["ipvt"], theirs["ipvt"])
    size = max(scale(theirs["fvec"]), 1.0)
    atol = 10 * rtol * size
    assert_close(ours["fvec"], theirs["fvec"], 100 * rtol, atol)
    # Where R has a zero on its diagonal, any vector may be that column of Q.
    diagonal = np.abs(np.diag(theirs["fjac"]))
    sure = diagonal > 1e-10 * diagonal.max()
    rows = slice(None) if reflectors else sure
    assert_close(ours["qtf"][rows], theirs["qtf"][rows], 100 * rtol, atol)
    ours = factors(ours["fjac"], reflectors)
    theirs = factors(theirs["fjac"], reflectors)
    assert_close(ours, theirs, 100 * rtol, atol=10 * rtol * scale(theirs))


def factors(fjac: np.ndarray, reflectors: bool) -> np.ndarray:
    """R, and below row n the Householder vectors; between them is scratch space."""
    n = fjac.shape[0]
    rows = np.array(fjac.T)
    rows[:n] = np.triu(rows[:n])
    return rows if reflectors else rows[:n]


def assert_same_result(
    ours: tuple, theirs: tuple, case: Case, reflectors: bool
) -> None:
    assert isinstance(ours, tuple)
    assert len(ours) == len(theirs)
    assert type(ours[-1]) is int
    assert ours[-1] == theirs[-1]
    assert_same_kind(ours[0], theirs[0])
    assert_close(ours[0], theirs[0], case.rtol)
    if len(theirs) == 2:
        return

    _, cov_x, info, mesg, ier = ours
    assert isinstance(mesg, str)
    assert mesg
    comparable = ier != 0 and not case.noisy
    rtol = case.rtol if comparable else None
    assert_same_info(info, theirs[2], rtol, reflectors)
    assert_same_kind(cov_x, theirs[1])
    if cov_x is not None and comparable:
        size = scale(theirs[1])
        assert_close(cov_x, theirs[1], 100 * case.rtol, atol=10 * case.rtol * size)


@pytest.mark.parametrize(("case", "more", "kernels"), CALLS)
def test_a_call_ends_as_it_does_in_scipy(
    case: Case, more: dict[str, Any], kernels: str
) -> None:
    theirs = outcome(optimize.leastsq, case, **more)
    ours = outcome(minpack.leastsq, case, **more, kernels=kernels)

    if theirs.error is not None:
        assert ours.error is not None, ours.result
        assert type(ours.error) is type(theirs.error), ours.error
        assert (case.argument or "") in str(ours.error)
    else:
        if ours.error is not None:
            raise ours.error
        assert_same_result(ours.result, theirs.result, case, kernels == "reference")
    assert [w.category for w in ours.warnings] == [w.category for w in theirs.warnings]


@pytest.mark.parametrize("ier", INFO)
def test_every_ier_is_reached(ier: int) -> None:
    ours = outcome(minpack.leastsq, INFO[ier], full_output=True)
    assert ours.result[-1] == ier


@pytest.mark.parametrize(
    ("ier", "argument"), {5: "maxfev", 6: "ftol", 7: "xtol", 8: "gtol"}.items()
)
def test_a_warning_says_what_mesg_says(ier: int, argument: str) -> None:
    mesg = outcome(minpack.leastsq, INFO[ier], full_output=True).result[-2]
    (warning,) = outcome(minpack.leastsq, INFO[ier]).warnings
    assert issubclass(warning.category, RuntimeWarning)
    assert str(warning.message) == mesg
    assert argument in mesg


@pytest.mark.parametrize(
    "case", [*GOOD, *list(INFO.values())[1:]], ids=lambda case: case.name
)
def test_functions_are_called_as_often_as_infodict_says(case: Case) -> None:
    def counts(leastsq: Leastsq) -> tuple[dict, dict]:
        call = case.build()
        called = {"func": 0, "Dfun": 0}

        def counting(name: str) -> Callable[..., Any]:
            function = call[name]

            def counted(x: Any) -> Any:
                called[name] += 1
                return function(x)

            return counted

        for name in called.keys() & call.keys():
            call[name] = counting(name)
        return called, leastsq(**call, full_output=True)[2]

    ours, our_info = counts(minpack.leastsq)
    theirs, their_info = counts(optimize.leastsq)
    extra = 1 if "njev" in their_info else 0
    assert ours == {"func": our_info["nfev"], "Dfun": our_info.get("njev", 0)}
    assert theirs == {"func": ours["func"] + 2, "Dfun": ours["Dfun"] + extra}


@each_difference
def test_minpack_differs_as_the_table_says(difference: Difference) -> None:
    happened, message = observed(difference, minpack.leastsq)
    assert happened == difference.minpack, message
    assert difference.argument in message


@pytest.mark.filterwarnings("ignore:Casting complex values")
@each_difference
def test_scipy_does_what_the_table_says(difference: Difference) -> None:
    if difference.unsafe:
        pytest.skip("SciPy is not safe here")
    assert observed(difference, optimize.leastsq)[0] == difference.scipy


def test_the_table_lists_real_differences_once_each() -> None:
    assert len({d.name for d in DIFFERENCES}) == len(DIFFERENCES)
    assert all(d.scipy != d.minpack or d.argument for d in DIFFERENCES)


def test_the_table_prints_as_markdown() -> None:
    rows = as_markdown(DIFFERENCES).splitlines()
    assert len(rows) == len(DIFFERENCES) + 2
    assert {row.count("|") for row in rows} == {5}
