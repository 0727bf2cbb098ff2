"""An error names what is wrong, and is of the kind that SciPy raises."""

from __future__ import annotations

import functools
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

from curve_fit.calls import (
    COVARIANCE,
    SIGMA,
    Call,
    M,
    X,
    Y,
    fit,
    line,
    returning,
    scipys,
    with_gaps,
    with_jacobian,
)
from minpack import curve_fit
from models import decay_jacobian


class Bad(NamedTuple):
    """A call that raises `kind`, with `words` in the message.

    scipy
        The name of SciPy's exception where it is another one; "" for none.
    """

    call: Call
    kind: type[Exception]
    words: str
    scipy: str | None = None


ARGUMENTS: dict[str, Bad] = {
    "f is a number": Bad(fit(f=5), TypeError, "^f "),
    "f is a number, p0": Bad(fit(f=5, p0=[1.0]), TypeError, "^f "),
    "f without parameters": Bad(fit(f=lambda x: x), ValueError, "p0"),
    "f with any number of parameters": Bad(fit(f=lambda x, *p: x), ValueError, "p0"),
    "p0 empty": Bad(fit(p0=[]), TypeError, "p0"),
    "p0 complex": Bad(fit(p0=[1j, 1, 1]), TypeError, "p0"),
    "no data": Bad(fit(xdata=[], ydata=[]), ValueError, "ydata"),
    "no ydata": Bad(fit(ydata=[]), ValueError, "ydata"),
    "ydata is None": Bad(fit(ydata=None), ValueError, "ydata"),
    "ydata in text": Bad(fit(ydata=["a"] * M), ValueError, "ydata"),
    "ydata infinite": Bad(fit(ydata=np.append(Y[1:], np.inf)), ValueError, "ydata"),
    "ydata with NaN": Bad(fit(ydata=np.append(Y[1:], np.nan)), ValueError, "ydata"),
    "ydata in two dimensions": Bad(
        fit(xdata=None, ydata=Y.reshape(5, 6)), ValueError, "ydata", "TypeError"
    ),
    "xdata in text": Bad(fit(xdata=["a"] * M), ValueError, "xdata"),
    "xdata with NaN": Bad(fit(xdata=np.append(X[1:], np.nan)), ValueError, "xdata"),
    "xdata with NaN in a row": Bad(fit(xdata=[X, X * np.nan]), ValueError, "xdata"),
    "more parameters than data": Bad(fit(xdata=[1], ydata=[1, 2]), TypeError, "3.* 2"),
    # NaN
    "check_finite and a policy": Bad(
        with_gaps(X, Y, check_finite=True, nan_policy="omit"), ValueError, "xdata"
    ),
    "policy raise": Bad(with_gaps(X, Y, nan_policy="raise"), ValueError, "NaN"),
    "policy propagate": Bad(fit(nan_policy="propagate"), ValueError, "nan_policy"),
    "policy unknown": Bad(fit(nan_policy="keep"), ValueError, "nan_policy"),
    "omitting from no array": Bad(
        fit(xdata=None, ydata=Y * np.nan, nan_policy="omit"),
        ValueError,
        "xdata",
        "AttributeError",
    ),
    "omitting from data of two lengths": Bad(
        fit(xdata=X[1:], ydata=Y * np.nan, nan_policy="omit"), ValueError, "nan_policy"
    ),
    "omitting all": Bad(
        fit(xdata=X * np.nan, nan_policy="omit"), TypeError, "3 parameters .* 0 data"
    ),
    "ydata masked": Bad(
        fit(ydata=np.ma.masked_less(Y, 1)), TypeError, "^ydata .*masked", ""
    ),
    "xdata masked": Bad(
        fit(xdata=np.ma.masked_less(X, 1)), TypeError, "^xdata .*masked", ""
    ),
    "sigma masked": Bad(
        fit(sigma=np.ma.masked_less(SIGMA, 0.1)), TypeError, "^sigma .*masked", ""
    ),
    "ydata complex": Bad(fit(ydata=Y + 1j), TypeError, "^ydata .*complex.* z.imag", ""),
    "xdata complex": Bad(fit(xdata=X + 1j), TypeError, "^xdata .*complex", ""),
    "ydata infinite, where NaN is left out": Bad(
        fit(ydata=np.append(Y[1:], np.inf), nan_policy="omit"),
        ValueError,
        "^ydata .*infinity .*nan_policy",
        "",
    ),
    # sigma
    "sigma of the wrong length": Bad(
        fit(sigma=SIGMA[1:]), ValueError, r"sigma.*\(29,\)"
    ),
    "sigma in three dimensions": Bad(
        fit(sigma=np.ones((M, M, M))), ValueError, "sigma"
    ),
    "sigma in text": Bad(fit(sigma="large"), TypeError, "sigma"),
    "sigma complex": Bad(fit(sigma=SIGMA + 0j), TypeError, "sigma", "error"),
    "sigma zero": Bad(fit(sigma=SIGMA * (X != 0)), ValueError, "sigma.* 0.0 .* 0", ""),
    "sigma NaN": Bad(fit(sigma=SIGMA * np.nan), ValueError, "sigma.* nan", ""),
    "covariance of the wrong shape": Bad(
        fit(sigma=COVARIANCE[1:]), ValueError, r"sigma.*\(29, 30\)"
    ),
    "covariance not positive definite": Bad(
        fit(sigma=COVARIANCE - 0.1 * M * np.eye(M)), ValueError, "sigma.* definite"
    ),
    "covariance with NaN": Bad(
        fit(sigma=np.where(np.eye(M), np.nan, 0)), ValueError, "sigma"
    ),
    "covariance infinite": Bad(
        fit(sigma=np.diag(np.append(SIGMA[1:], np.inf))), ValueError, "sigma"
    ),
    # bounds
    "no bounds": Bad(fit(bounds=None), TypeError, "."),
    "three bounds": Bad(fit(bounds=(0, 1, 2)), ValueError, "bounds"),
    "bounds of the wrong length": Bad(fit(bounds=([0, 0], 5)), ValueError, "bounds"),
    "bounds the wrong way round": Bad(fit(bounds=(1, 0)), ValueError, "bound"),
    "p0 outside the bounds": Bad(fit(p0=[9, 1, 1], bounds=(0, 5)), ValueError, "p0"),
    "p0 of the wrong length for the bounds": Bad(
        fit(p0=[1, 1], bounds=([0, 0, 0], 5)), ValueError, "bounds"
    ),
    # What else there is
    "jac in a word": Bad(fit(jac="4-point"), ValueError, "^jac ", "TypeError"),
    "jac a number": Bad(fit(jac=3), TypeError, "^jac "),
    "method unknown": Bad(fit(method="simplex"), ValueError, "method"),
    "lsmr": Bad(
        fit(method="trf", tr_solver="lsmr", tr_options={"damp": 1}),
        ValueError,
        "tr_solver",
        "",
    ),
    "a sparse Jacobian": Bad(
        fit(method="trf", jac_sparsity=np.ones((M, 3)), tr_solver="exact"),
        ValueError,
        "jac_sparsity",
    ),
    "workers": Bad(
        fit(method="trf", workers=2), ValueError, "workers", "AttributeError"
    ),
    "args": Bad(fit(args=(1,)), ValueError, "args"),
    "an unknown keyword": Bad(fit(xtolerance=1), TypeError, "'xtolerance'"),
    "Dfun": Bad(fit(Dfun=decay_jacobian), TypeError, "'Dfun'"),
    "x0": Bad(fit(x0=[1, 1, 1]), TypeError, "'x0'"),
    "loss unknown": Bad(fit(method="trf", loss="L1"), ValueError, "loss .*'L1'"),
    "f_scale negative": Bad(
        fit(method="trf", loss="huber", f_scale=-1), ValueError, "f_scale", ""
    ),
    "verbose unknown": Bad(fit(method="trf", verbose=3), ValueError, "verbose"),
    "diff_step negative": Bad(
        fit(method="trf", diff_step=-1e-3), ValueError, "diff_step", ""
    ),
    "callback a number": Bad(fit(method="trf", callback=3), TypeError, "callback"),
    "max_nfev zero": Bad(fit(method="trf", max_nfev=0), ValueError, "max_nfev"),
    "maxfev twice": Bad(fit(maxfev=10, max_nfev=10), TypeError, "maxfev"),
    "maxfev in text": Bad(fit(maxfev="many"), TypeError, "maxfev"),
    "maxfev None": Bad(fit(maxfev=None), TypeError, "maxfev"),
    "ftol in text": Bad(fit(ftol="small"), TypeError, "ftol"),
    "x_scale negative": Bad(
        fit(x_scale=[1, -1, 1]), ValueError, "x_scale", "TypeError"
    ),
    "x_scale in text": Bad(fit(x_scale="auto"), ValueError, "x_scale", "TypeError"),
    "x_scale too short": Bad(fit(x_scale=[1, 1]), ValueError, "x_scale", "TypeError"),
    "x_scale and diag": Bad(fit(x_scale=1, diag=[1, 1, 1]), TypeError, "x_scale"),
}

ANSWERS: dict[str, Bad] = {
    "a parameter too many": Bad(fit(p0=[1, 1, 1, 1]), TypeError, "decay"),
    "more parameters than values": Bad(
        line(f=lambda x, a, b: [a], ydata=0), TypeError, "2 .* 1 values of f"
    ),
    "too few values": Bad(
        returning(lambda r: r[1:]), ValueError, r"^f .*\(30,\).*\(29,\)"
    ),
    "too many values": Bad(
        returning(lambda r: [*r, 1]), ValueError, r"^f .*\(30,\).*\(31,\)"
    ),
    "no values": Bad(returning(lambda r: []), ValueError, r"^f .*\(30,\).*\(0,\)"),
    "values in a column": Bad(
        returning(lambda r: r[:, None]), ValueError, r"^f .*\(30, 1\)", "error"
    ),
    "values in a row": Bad(
        returning(lambda r: r[None]), ValueError, r"^f .*\(1, 30\)", "TypeError"
    ),
    "values in words": Bad(returning(lambda r: ["a"] * M), TypeError, "^f .* text"),
    "values are None": Bad(returning(lambda r: None), TypeError, "^f .*real numbers"),
    "values complex": Bad(
        returning(lambda r: r + 0j), TypeError, "^f .* complex", "error"
    ),
    "values in objects": Bad(
        returning(lambda r: r.astype(object)), TypeError, "^f .* objects", "error"
    ),
    "values NaN": Bad(returning(lambda r: r * np.nan), RuntimeError, "finite", ""),
    "jac transposed": Bad(with_jacobian(np.transpose), TypeError, r"^jac .*\(3, 30\)"),
    "jac in words": Bad(
        with_jacobian(lambda j: [["a"] * 3] * M), TypeError, "^jac .* text", "error"
    ),
    "maxfev reached": Bad(fit(maxfev=3), RuntimeError, " f .* maxfev = 3 .* p0"),
    "ftol negative": Bad(fit(ftol=-1.0), RuntimeError, "ftol = -1"),
    "factor negative": Bad(fit(factor=-1), RuntimeError, "factor = -1"),
    "diag negative": Bad(fit(diag=[1, 1, -1]), RuntimeError, "diag"),
}

each_bad_call = pytest.mark.parametrize(
    "bad", (ARGUMENTS | ANSWERS).values(), ids=ARGUMENTS | ANSWERS
)


@each_bad_call
def test_an_error_names_what_is_wrong(bad: Bad) -> None:
    with pytest.raises(bad.kind, match=bad.words) as raised:
        curve_fit(**bad.call)
    assert type(raised.value) is bad.kind


@each_bad_call
def test_an_error_is_of_scipys_kind(bad: Bad) -> None:
    def kinds() -> list[str]:
        try:
            with warnings.catch_warnings(action="ignore"):
                scipys(**bad.call)
        except Exception as error:
            return [kind.__name__ for kind in type(error).__mro__]
        return [""]

    assert (bad.kind.__name__ if bad.scipy is None else bad.scipy) in kinds()


@pytest.mark.parametrize("bad", ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_are_checked_before_the_first_call(bad: Bad) -> None:
    called = []

    def counted(f: Any) -> Any:
        @functools.wraps(f)
        def wrapper(*args: Any) -> Any:
            called.append(args)
            return f(*args)

        return wrapper

    f = bad.call["f"]
    with pytest.raises(bad.kind):
        curve_fit(**bad.call | {"f": counted(f) if callable(f) else f})
    assert not called


@pytest.mark.parametrize("diag", [[1, 1], [1, 1, 1, 1], []])
def test_diag_has_one_entry_for_each_parameter(diag: Any) -> None:
    """SciPy reads past its end."""
    with pytest.raises(ValueError, match="diag"):
        curve_fit(**fit(diag=diag))


@pytest.mark.parametrize("name", ["f", "jac"])
@pytest.mark.parametrize("kind", [LookupError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [1, 2, 4])
def test_an_exception_passes_unchanged(name: str, kind: Any, at: int) -> None:
    error = kind("on purpose")
    calls = 0

    def raising(function: Any, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise error
        return function(*args)

    call = with_jacobian()
    with pytest.raises(kind) as raised:
        curve_fit(**call | {name: functools.partial(raising, call[name])}, p0=[1, 1, 1])
    assert raised.value is error


@pytest.mark.parametrize("ydata", [Y, 0.0], ids=["data", "a number"])
def test_the_number_of_values_must_not_change(ydata: Any) -> None:
    sizes = iter([M, M, 10])
    with pytest.raises(ValueError, match=r"^f "):
        curve_fit(lambda x, a: a * X[: next(sizes)], None, ydata)
