"""curve_fit does what SciPy's does, and takes bounds with MINPACK's method."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

import minpack
from minpack import OptimizeWarning, curve_fit, leastsq

Call = dict[str, Any]

RNG = np.random.default_rng(20240229)
M = 30
X = np.linspace(0.0, 4.0, M)
SIGMA = RNG.uniform(0.05, 0.3, M)
SQUARE = RNG.normal(size=(M, M))
COVARIANCE = 0.01 * (SQUARE @ SQUARE.T + M * np.eye(M))


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * x) + c


def decay_jacobian(x: Any, a: Any, b: Any, c: Any) -> Any:
    e = np.exp(-b * x)
    return np.stack([e, -a * x * e, np.ones_like(x)], axis=1)


Y = decay(X, 2.5, 1.3, 0.5) + 0.2 * RNG.normal(size=M)
Y.flags.writeable = X.flags.writeable = False


def fit(**changes: Any) -> Call:
    """A fit of three parameters to thirty points, with `changes`."""
    return {"f": decay, "xdata": X, "ydata": Y} | changes


def returning(convert: Callable[[Any], Any], **changes: Any) -> Call:
    """The values of the model go through `convert`."""
    return fit(f=lambda x, a, b, c: convert(decay(x, a, b, c)), **changes)


def with_jacobian(convert: Callable[[Any], Any] = lambda j: j, **changes: Any) -> Call:
    """The derivatives of the model go through `convert`."""
    return fit(jac=lambda x, a, b, c: convert(decay_jacobian(x, a, b, c)), **changes)


def line(**changes: Any) -> Call:
    call = {
        "f": lambda x, a, b: a * x + b,
        "xdata": [0, 1, 2, 3, 4],
        "ydata": [1, 3, 4, 7.5, 8],
    }
    return call | changes


def with_gaps(x: Any, y: Any, **changes: Any) -> Call:
    """A fit to data with NaN at some points."""
    x, y = np.array(x), np.array(y)
    x[..., 3] = y[[3, 7]] = np.nan
    return {
        "f": lambda x, a, b: a * x + b,
        "xdata": x,
        "ydata": y,
        "p0": [1, 1],
    } | changes


class Table:
    """Data that are no array."""

    column = X


class Model:
    def __call__(self, x: Any, a: Any, b: Any, c: Any = 0.0) -> Any:
        return decay(x, a, b, c)

    def method(self, x: Any, a: Any, b: Any, c: Any, *rest: Any, k: Any = 0) -> Any:
        return decay(x, a, b, c)


def every_other(values: Any) -> Any:
    """The values, in memory that is not contiguous."""
    return np.repeat(values, 2, axis=0)[::2]


# The results of SciPy -------------------------------------------------------------

CALLS: dict[str, Call] = {
    "plain": fit(),
    "p0": fit(p0=np.array([2.0, 1.0, 0.0])),
    "p0 in a list of integers": fit(p0=[2, 1, 0]),
    "p0 in two dimensions": fit(p0=[[2.0], [1.0], [0.0]]),
    "p0 is a number": fit(f=lambda x, b: np.exp(-b * x), p0=0.5),
    "p0 in float32": fit(p0=np.ones(3, np.float32)),
    "one parameter": fit(f=lambda x, b: np.exp(-b * x)),
    "an object as a model": fit(f=Model()),
    "a method as a model": fit(f=Model().method),
    "a partial function as a model": fit(
        f=functools.partial(lambda shift, x, a, b: decay(x - shift, a, b, 0.5), 0.1)
    ),
    "any number of parameters": fit(f=lambda x, *p: decay(x, *p), p0=[1, 1, 1]),
    "more parameters than fit on the stack": fit(
        f=lambda x, *p: sum(p[k] * np.cos(k * x) for k in range(9)), p0=np.ones(9)
    ),
    "no xdata": fit(f=lambda _, a, b, c: decay(X, a, b, c), xdata=None),
    "xdata in an object": fit(
        f=lambda t, a, b, c: decay(t.column, a, b, c), xdata=Table()
    ),
    "xdata in a dictionary": fit(
        f=lambda t, a, b, c: decay(t["x"], a, b, c), xdata={"x": X}
    ),
    "xdata in a list": fit(xdata=X.tolist()),
    "xdata in a tuple": fit(xdata=tuple(X)),
    "xdata in integers": line(xdata=np.arange(5, dtype=np.int8)),
    "xdata in rows": fit(
        f=lambda x, a, b, c: decay(x[0], a, b, c) + x[1], xdata=np.stack([X, 0.1 * X])
    ),
    "xdata in three dimensions": fit(
        f=lambda x, a, b, c: decay(x[0, 0], a, b, c), xdata=[[X, X]]
    ),
    "xdata not contiguous": fit(xdata=every_other(X)),
    "ydata in a list": fit(ydata=Y.tolist()),
    "ydata in integers": line(ydata=np.array([1, 3, 4, 7, 8])),
    "ydata in float32": fit(ydata=Y.astype(np.float32)),
    "ydata in the other byte order": fit(ydata=Y.astype(Y.dtype.newbyteorder())),
    "ydata not contiguous": fit(ydata=every_other(Y)),
    "ydata is a number": fit(f=lambda x, a, b, c: decay(x, a, b, c) - Y, ydata=0),
    "ydata is one number in a list": fit(
        f=lambda x, a, b, c: decay(x, a, b, c) - Y, ydata=[0.5]
    ),
    "one point": fit(
        f=lambda x, a: a * x, xdata=[2.0], ydata=[3.0], absolute_sigma=True, sigma=1.0
    ),
    "ydata is a number, and so is sigma": fit(
        f=lambda x, a, b, c: decay(x, a, b, c) - Y, ydata=0, sigma=[0.3]
    ),
    "values in a list": returning(np.ndarray.tolist),
    "values in a tuple": returning(lambda r: tuple(r.tolist())),
    "values not contiguous": returning(every_other),
    "values backwards in memory": returning(lambda r: r[::-1].copy()[::-1]),
    "values in the other byte order": returning(
        lambda r: r.astype(r.dtype.newbyteorder())
    ),
    "values read only": returning(lambda r: np.frombuffer(r.tobytes())),
    "values in a masked array": returning(np.ma.masked_array),
    "values in float32": returning(lambda r: r.astype(np.float32), epsfcn=1e-6),
    "values in integers": fit(
        f=lambda x, a: np.round(1e6 * a * x).astype(int), ydata=1e6 * Y, epsfcn=1e-4
    ),
    "values are one number": fit(f=lambda x, a: a),
    "values are one number of Python": fit(f=lambda x, a: float(a)),
    "values are one number in an array": fit(f=lambda x, a: np.array([a])),
    "sigma": fit(sigma=SIGMA),
    "sigma in a list": fit(sigma=SIGMA.tolist()),
    "sigma in integers": line(sigma=[1, 2, 1, 2, 1]),
    "sigma is a number": fit(sigma=0.2),
    "sigma is one number in a list": fit(sigma=[0.2]),
    "sigma is infinite at some points": fit(sigma=np.where(X < 2, 0.1, np.inf)),
    "sigma with signs": fit(sigma=np.where(X < 2, 0.1, -0.2)),
    "covariance": fit(sigma=COVARIANCE),
    "covariance in a list": line(sigma=(np.eye(5) + 0.1).tolist()),
    "covariance, lower triangle": fit(sigma=np.tril(COVARIANCE)),
    "covariance, another memory order": fit(sigma=np.asfortranarray(COVARIANCE)),
    "values in a list, sigma": returning(np.ndarray.tolist, sigma=SIGMA),
    "values are one number, sigma": fit(f=lambda x, a: a, sigma=SIGMA),
    "values are one number, covariance": fit(f=lambda x, a: a, sigma=COVARIANCE),
    "jac": with_jacobian(),
    "jac, sigma": with_jacobian(sigma=SIGMA),
    "jac, covariance": with_jacobian(sigma=COVARIANCE),
    "jac in lists": with_jacobian(np.ndarray.tolist, sigma=SIGMA),
    "jac by columns in memory": with_jacobian(np.asfortranarray, sigma=SIGMA),
    "jac in float32": with_jacobian(lambda j: j.astype(np.float32)),
    "jac in integers": line(
        jac=lambda x, a, b: np.stack([x, np.ones(5)], axis=1).astype(int)
    ),
    "jac transposed, col_deriv": with_jacobian(np.transpose, col_deriv=True),
    "as many points as parameters, absolute sigma": fit(
        xdata=X[:3], ydata=Y[:3], sigma=0.1, absolute_sigma=True, p0=[2.5, 1.3, 0.5]
    ),
    "ftol": fit(ftol=1e-4),
    "xtol": fit(xtol=1e-3),
    "gtol": fit(gtol=0.1),
    "maxfev": fit(maxfev=1000),
    "epsfcn": fit(epsfcn=1e-10),
    "factor": fit(factor=0.1),
    "diag": fit(diag=[1.0, 2.0, 3.0]),
    "method": fit(method="lm"),
    "infinite bounds": fit(bounds=([-np.inf] * 3, np.inf)),
    "nan_policy without NaN": fit(nan_policy="omit"),
    "nan_policy with nothing to omit": fit(nan_policy="raise"),
    "NaN omitted": with_gaps(X, Y, nan_policy="omit"),
    "NaN omitted from rows": with_gaps(
        [X, X], Y, f=lambda x, a, b: a * x[0] + b * x[1] ** 2, nan_policy="omit"
    ),
    "NaN omitted, sigma": with_gaps(X, Y, sigma=SIGMA, nan_policy="omit"),
    "NaN omitted, covariance": with_gaps(X, Y, sigma=COVARIANCE, nan_policy="omit"),
    "NaN omitted, sigma is a number": with_gaps(X, Y, sigma=0.2, nan_policy="omit"),
    "infinite xdata": fit(
        f=lambda x, a, b: a * np.minimum(x, 4) + b,
        xdata=np.append(X[:-1], np.inf),
        check_finite=False,
    ),
}  # fmt: skip


def scipys(**call: Any) -> Any:
    return pytest.importorskip("scipy.optimize").curve_fit(**call)


@pytest.mark.filterwarnings("ignore:absolute_sigma")
@pytest.mark.parametrize("absolute_sigma", [False, True])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_result_is_that_of_scipy(call: Call, absolute_sigma: bool) -> None:
    # Long steps: rounding errors in the differences would be the whole difference.
    call = {"absolute_sigma": absolute_sigma, "epsfcn": 1e-8} | call
    popt, pcov, info, mesg, ier = curve_fit(**call, full_output=True)
    popt_, pcov_, info_, _, ier_ = scipys(**call, full_output=True)
    np.testing.assert_allclose(popt, popt_, rtol=1e-8)
    np.testing.assert_allclose(pcov, pcov_, rtol=1e-7)
    np.testing.assert_allclose(info["fvec"], info_["fvec"], rtol=1e-6, atol=1e-8)
    assert info["nfev"] == info_["nfev"]
    assert set(info) == set(info_)
    assert {ier, ier_} <= {1, 2, 3, 4}
    assert mesg.startswith("Converged")


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_differences_take_the_steps_of_scipy(call: Call) -> None:
    """To the bit, in the first Jacobian."""

    def points(curve_fit: Callable[..., Any]) -> Any:
        seen: list[Any] = []

        def f(x: Any, *p: Any) -> Any:
            seen.append(p)
            return call["f"](x, *p)

        curve_fit(**call | {"f": f, "p0": p0, "jac": None})
        return seen[: len(p0) + 1]

    p0 = np.linspace(1.0, 1.5, len(curve_fit(**call)[0]))
    assert points(curve_fit) == points(scipys)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_short_result_is_the_head_of_the_full_one(call: Call) -> None:
    short = curve_fit(**call)
    full = curve_fit(**call, full_output=True)
    assert len(short) == 2
    for part, whole in zip(short, full[:2], strict=True):
        assert part.dtype == np.float64
        np.testing.assert_array_equal(part, whole)


def test_the_signature_is_that_of_scipy_and_user_data() -> None:
    ours = dict(inspect.signature(curve_fit).parameters)
    theirs = inspect.signature(pytest.importorskip("scipy.optimize").curve_fit)
    assert ours.pop("user_data").kind is inspect.Parameter.KEYWORD_ONLY
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in theirs.parameters.values()
    ]


@pytest.mark.filterwarnings("ignore:absolute_sigma")
@pytest.mark.parametrize("kernels", ["fast", "reference"])
@pytest.mark.parametrize("sigma", [None, SIGMA], ids=["plain", "sigma"])
def test_the_fit_is_that_of_leastsq(kernels: str, sigma: Any) -> None:
    """Down to the bits, for the same residuals."""
    weights = 1.0 if sigma is None else 1.0 / sigma
    x, cov_x, info, mesg, ier = leastsq(
        lambda p: (decay(X, *p) - Y) * weights, np.ones(3), full_output=True,
        kernels=kernels,
    )  # fmt: skip
    popt, pcov, info_, mesg_, ier_ = curve_fit(
        **fit(sigma=sigma, kernels=kernels, absolute_sigma=True), full_output=True
    )
    np.testing.assert_array_equal(popt, x)
    np.testing.assert_array_equal(pcov, cov_x)
    assert (mesg_, ier_, info_.keys()) == (mesg, ier, info.keys())
    for name, value in info.items():
        np.testing.assert_array_equal(info_[name], value)


@pytest.mark.parametrize(
    ("ours", "leastsqs"),
    [
        ({"max_nfev": 100}, {"maxfev": 100}),
        ({"max_nfev": None}, {}),
        ({"x_scale": "jac"}, {}),
        ({"x_scale": [1.0, 0.5, 4.0]}, {"diag": [1.0, 2.0, 0.25]}),
        ({"x_scale": 2}, {"diag": [0.5, 0.5, 0.5]}),
        ({"max_nfev": 100, "jac": decay_jacobian}, {"maxfev": 100}),
    ],
)
def test_the_keywords_of_least_squares_say_the_same_as_those_of_leastsq(
    ours: Call, leastsqs: Call
) -> None:
    if "jac" in ours:
        leastsqs = leastsqs | {"jac": ours["jac"]}
    for part, other in zip(
        curve_fit(**fit(**ours)), curve_fit(**fit(**leastsqs)), strict=True
    ):
        np.testing.assert_array_equal(part, other)


def test_a_scalar_sigma_weighs_a_jacobian_too() -> None:
    """SciPy cannot do this."""
    for part, other in zip(
        curve_fit(**with_jacobian(sigma=0.2, absolute_sigma=True)),
        curve_fit(**with_jacobian(sigma=np.full(M, 0.2), absolute_sigma=True)),
        strict=True,
    ):
        np.testing.assert_array_equal(part, other)


def test_a_jacobian_by_columns_is_weighed_by_rows() -> None:
    """SciPy cannot do this either."""
    for part, other in zip(
        curve_fit(**with_jacobian(np.transpose, col_deriv=True, sigma=SIGMA)),
        curve_fit(**with_jacobian(sigma=SIGMA)),
        strict=True,
    ):
        np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("jac", [None, decay_jacobian])
def test_a_diagonal_covariance_says_what_sigma_says(jac: Any) -> None:
    for part, other in zip(
        curve_fit(**fit(sigma=np.diag(SIGMA**2), jac=jac, epsfcn=1e-8)),
        curve_fit(**fit(sigma=SIGMA, jac=jac, epsfcn=1e-8)),
        strict=True,
    ):
        np.testing.assert_allclose(part, other, rtol=1e-7)


def test_a_large_covariance_is_that_of_scipy() -> None:
    m = 700  # the lock is given up for this
    x = np.linspace(0, 4, m)
    y = decay(x, 2.5, 1.3, 0.5) + 0.1 * np.cos(40 * x)
    covariance = np.exp(-np.abs(x[:, None] - x))
    call = fit(xdata=x, ydata=y, sigma=covariance, jac=decay_jacobian)
    for part, other in zip(curve_fit(**call), scipys(**call), strict=True):
        np.testing.assert_allclose(part, other, rtol=1e-7)


# A covariance that the data do not determine ----------------------------------------

UNDETERMINED: dict[str, Call] = {
    "a parameter without an effect": line(f=lambda x, a, b: a * x),
    "two parameters with the same effect": line(
        f=lambda x, a, b: a + b,
        xdata=None,
        ydata=[1, 2, 3, 4],
        jac=lambda x, a, b: np.ones((4, 2)),
    ),
    "as many points as parameters": line(xdata=[0, 1], ydata=[1, 3]),
    "a parameter without an effect, absolute sigma": line(
        f=lambda x, a, b: a * x, sigma=1.0, absolute_sigma=True
    ),
}


@pytest.mark.parametrize("call", UNDETERMINED.values(), ids=UNDETERMINED)
def test_a_covariance_that_is_unknown_is_infinite_and_a_warning(call: Call) -> None:
    with pytest.warns(OptimizeWarning, match="covariance") as caught:
        popt, pcov = curve_fit(**call)
    assert [warning.filename for warning in caught] == [__file__]
    np.testing.assert_array_equal(pcov, np.full((2, 2), np.inf))
    with warnings.catch_warnings(action="ignore"):
        theirs, their_cov = scipys(**call)
    np.testing.assert_array_equal(pcov, their_cov)
    np.testing.assert_allclose(popt, theirs, rtol=1e-8)


def test_the_warning_is_a_user_warning() -> None:
    assert issubclass(OptimizeWarning, UserWarning)
    assert minpack.OptimizeWarning is OptimizeWarning


# Errors -----------------------------------------------------------------------------


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


# What the functions see and keep ------------------------------------------------------


def test_a_model_gets_numpys_numbers_and_the_data_themselves() -> None:
    x = X.copy()

    def f(data: Any, *p: Any) -> Any:
        assert data is x
        assert [type(number) for number in p] == [np.float64] * 3
        return decay(data, *p)

    curve_fit(f, x, Y, [1, 1, 1], jac=lambda d, *p: f(d, *p) is not None and
              decay_jacobian(d, *p))  # fmt: skip
    table = Table()
    curve_fit(lambda t, a: a * X if t is table else None, table, Y)


def test_what_the_functions_keep_does_not_change() -> None:
    kept: list[tuple[Any, Any]] = []

    def keeping(function: Any, x: Any, *p: Any) -> Any:
        values = function(x, *p)
        kept.append((p, [float(number) for number in p]))
        kept.append((values, values.copy()))
        return values

    alone = curve_fit(**with_jacobian(sigma=SIGMA))
    call = with_jacobian(sigma=SIGMA, p0=[1, 1, 1])
    wrapped = {name: functools.partial(keeping, call[name]) for name in ("f", "jac")}
    fitted = curve_fit(**call | wrapped)
    assert len(kept) > 10
    for seen, before in kept:
        np.testing.assert_array_equal(seen, before)
    for part, other in zip(fitted, alone, strict=True):
        np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("sigma", [None, SIGMA, COVARIANCE], ids=["1", "s", "C"])
@pytest.mark.parametrize("view", [False, True], ids=["the buffer", "a view of it"])
def test_a_model_may_return_the_same_memory_each_time(sigma: Any, view: bool) -> None:
    buffer = np.empty(M)

    def f(x: Any, a: Any, b: Any, c: Any) -> Any:
        buffer[:] = decay(x, a, b, c)
        return buffer[:] if view else buffer

    for part, other in zip(
        curve_fit(**fit(f=f, sigma=sigma)), curve_fit(**fit(sigma=sigma)), strict=True
    ):
        np.testing.assert_array_equal(part, other)


def test_a_model_may_return_the_data_or_its_argument() -> None:
    x, y = X.copy(), Y.copy()
    with pytest.warns(OptimizeWarning):
        curve_fit(lambda data, a: y, x, y)
    with pytest.warns(OptimizeWarning):
        curve_fit(lambda data, a: data, x, y)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


@pytest.mark.parametrize(
    "name", ["plain", "sigma", "covariance", "jac, sigma", "NaN omitted, covariance"]
)
def test_the_arguments_are_not_changed(name: str) -> None:
    call = CALLS[name] | {"p0": np.ones(len(curve_fit(**CALLS[name])[0]))}
    arrays = {key: item for key, item in call.items() if isinstance(item, np.ndarray)}
    before = {key: array.copy() for key, array in arrays.items()}
    curve_fit(**call)
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, before[key])


def test_the_start_is_evaluated_once() -> None:
    points = []

    def f(x: Any, *p: Any) -> Any:
        points.append(p)
        return decay(x, *p)

    info = curve_fit(f, X, Y, [1, 1, 1], full_output=True)[2]
    assert len(points) == info["nfev"]
    assert points.count(points[0]) == 1


def test_fits_may_be_nested() -> None:
    alone = curve_fit(**fit())

    def f(x: Any, a: Any, b: Any, c: Any) -> Any:
        for part, other in zip(curve_fit(**fit()), alone, strict=True):
            np.testing.assert_array_equal(part, other)
        return decay(x, a, b, c)

    for part, other in zip(curve_fit(**fit(f=f)), alone, strict=True):
        np.testing.assert_array_equal(part, other)


# Bounds -------------------------------------------------------------------------------


def test_bounds_that_do_not_bind_change_nothing_but_the_path() -> None:
    call = with_jacobian(**STRICT)
    popt, pcov = curve_fit(**call)
    bounded, bounded_cov = curve_fit(**call, bounds=(0, 10))
    np.testing.assert_allclose(bounded, popt, rtol=1e-6)
    np.testing.assert_allclose(bounded_cov, pcov, rtol=1e-5)


# Close enough to a solution for a comparison of covariances.
STRICT: Call = {"ftol": 1e-14, "xtol": 1e-10}

# Bounds that bind, each with the parameters that they hold.
BINDING: dict[str, tuple[Any, dict[int, float]]] = {
    "above": (([0, 0, 0], [2, 3, 1]), {0: 2.0}),
    "below": (([0, 0, 0.7], np.inf), {2: 0.7}),
    "on both sides": (([0, 2.0, 0], [2.2, 5, 9]), {0: 2.2, 1: 2.0}),
    "one number": ((-np.inf, 2.0), {0: 2.0}),
    "an object": (SimpleNamespace(lb=[0, 0, 0.7], ub=[9, 9, 9]), {2: 0.7}),
}


@pytest.mark.parametrize("jac", [None, decay_jacobian], ids=["differences", "jac"])
@pytest.mark.parametrize("sigma", [None, SIGMA, COVARIANCE], ids=["1", "s", "C"])
@pytest.mark.parametrize(("bounds", "held"), BINDING.values(), ids=BINDING)
def test_a_fit_with_bounds_finds_the_solution_of_scipy(
    bounds: Any, held: dict[int, float], sigma: Any, jac: Any
) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    call = fit(bounds=bounds, sigma=sigma, jac=jac)
    popt, _ = curve_fit(**call, ftol=1e-12, xtol=1e-12)
    if hasattr(bounds, "lb"):
        call["bounds"] = optimize.Bounds(bounds.lb, bounds.ub)
    theirs, _ = scipys(**call, ftol=1e-12, xtol=1e-12, gtol=1e-12)
    np.testing.assert_allclose(popt, theirs, rtol=1e-5)
    for j, bound in held.items():
        assert popt[j] == bound


@pytest.mark.parametrize("absolute_sigma", [False, True])
@pytest.mark.parametrize("bounds", [each[0] for each in BINDING.values()], ids=BINDING)
def test_the_covariance_at_bounds_is_that_of_all_parameters(
    bounds: Any, absolute_sigma: bool
) -> None:
    """As in SciPy: a bound is no measurement, and makes no parameter more certain."""
    optimize = pytest.importorskip("scipy.optimize")
    call = fit(bounds=bounds, sigma=SIGMA, absolute_sigma=absolute_sigma)
    popt, pcov = curve_fit(**call, ftol=1e-12, xtol=1e-12)
    if hasattr(bounds, "lb"):
        call["bounds"] = optimize.Bounds(bounds.lb, bounds.ub)
    _, theirs = scipys(**call, ftol=1e-12, xtol=1e-12, gtol=1e-12)
    assert np.diag(pcov).all()
    np.testing.assert_allclose(pcov, theirs, rtol=1e-4)
    jacobian = decay_jacobian(X, *popt) / SIGMA[:, None]
    exact = np.linalg.inv(jacobian.T @ jacobian)
    if not absolute_sigma:
        fvec = (decay(X, *popt) - Y) / SIGMA
        exact *= fvec @ fvec / (X.size - 3)
    np.testing.assert_allclose(pcov, exact, rtol=1e-5)


@pytest.mark.parametrize(("bounds", "held"), BINDING.values(), ids=BINDING)
def test_infodict_tells_who_is_on_a_bound(bounds: Any, held: dict[int, float]) -> None:
    *_, infodict, _, _ = curve_fit(**fit(bounds=bounds, full_output=True))
    assert np.flatnonzero(infodict["active_mask"]).tolist() == sorted(held)
    *_, infodict, _, _ = curve_fit(**fit(full_output=True))
    assert "active_mask" not in infodict


def test_a_parameter_with_equal_bounds_is_fixed() -> None:
    popt, pcov = curve_fit(**fit(bounds=([0, 1.25, 0], [9, 1.25, 9])))
    two, two_cov = curve_fit(lambda x, a, c: decay(x, a, 1.25, c), X, Y)
    assert popt[1] == 1.25
    np.testing.assert_allclose(popt[[0, 2]], two, rtol=1e-7)
    np.testing.assert_array_equal(pcov[1], 0.0)
    np.testing.assert_array_equal(pcov[:, 1], 0.0)
    np.testing.assert_allclose(pcov[np.ix_([0, 2], [0, 2])], two_cov, rtol=1e-6)


@pytest.mark.parametrize(
    ("bounds", "start"),
    [
        (([0, 2, -np.inf], [4, np.inf, 0.5]), [2.0, 3.0, -0.5]),
        (([-np.inf, 0, 0], [np.inf, np.inf, 1]), [1.0, 1.0, 0.5]),
    ],
)
def test_without_p0_a_fit_starts_within_the_bounds(bounds: Any, start: Any) -> None:
    points = []

    def f(x: Any, a: Any, b: Any, c: Any) -> Any:
        points.append([a, b, c])
        return decay(x, a, b, c)

    curve_fit(f, X, Y, bounds=bounds)
    assert points[0] == start


@pytest.mark.parametrize("bounds", [b for b, _ in BINDING.values()], ids=BINDING)
def test_the_model_is_never_called_outside_its_bounds(bounds: Any) -> None:
    lower, upper = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds

    def f(x: Any, *p: Any) -> Any:
        assert np.all((lower <= np.array(p)) & (np.array(p) <= upper))
        return decay(x, *p)

    p0 = np.clip([1.0, 2.5, 0.8], lower, upper)
    curve_fit(f, X, Y, p0, bounds=bounds)


def test_the_bounds_are_not_changed() -> None:
    lower, upper = np.array([0.0, 0.0, 0.7]), np.array([9.0, 9.0, 9.0])
    curve_fit(**fit(bounds=(lower, upper)))
    assert lower.tolist() == [0.0, 0.0, 0.7]
    assert upper.tolist() == [9.0, 9.0, 9.0]


# What SciPy's function hands to least_squares ---------------------------------

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
    if "loss" not in options:  # whose Hessian is another approximation there
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


# Data that would be misread ----------------------------------------------------


def test_a_mask_that_hides_nothing_is_none() -> None:
    plain, _ = curve_fit(**fit())
    masked, _ = curve_fit(**fit(ydata=np.ma.masked_less(Y, -99)))
    np.testing.assert_array_equal(masked, plain)


def test_two_dimensions_of_ydata_want_ravel() -> None:
    with pytest.raises(ValueError, match=r"ydata .*\(5, 6\): .*ravel"):
        curve_fit(**fit(ydata=Y.reshape(5, 6)))


def test_absolute_sigma_without_sigma_is_warned_of() -> None:
    with pytest.warns(OptimizeWarning, match="no sigma"):
        _, pcov = curve_fit(**fit(absolute_sigma=True))
    _, scaled = curve_fit(**fit(sigma=1.0, absolute_sigma=True))
    np.testing.assert_allclose(pcov, scaled, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-170, 1e-160, 1e160, 1e170])
def test_the_covariance_does_not_overflow_on_its_way(size: float) -> None:
    """Slopes of 1e170 have a variance beyond float64, but a rate of 1.3 has not."""

    def scaled(x: Any, a: Any, b: Any, c: Any) -> Any:
        return size * decay(x, a, b, c)

    popt, pcov = curve_fit(scaled, X, size * Y)
    plain, plain_cov = curve_fit(**fit())
    np.testing.assert_allclose(popt, plain, rtol=1e-6)
    np.testing.assert_allclose(pcov, plain_cov, rtol=1e-5)


@pytest.mark.parametrize("size", [1e-170, 1e170])
def test_a_covariance_out_of_range_is_said_to_be(size: float) -> None:
    with pytest.warns(OptimizeWarning, match="out of the range of float64"):
        _, pcov = curve_fit(decay, X, size * Y, [2 * size, 1, size])
    assert np.isinf(pcov).all()


def test_what_leaves_the_covariance_open_is_named() -> None:
    with pytest.warns(OptimizeWarning, match="as few data as parameters"):
        curve_fit(lambda x, a, b: a * x + b, [0, 1], [1, 3])
    with pytest.warns(OptimizeWarning, match="derivatives of f .* depend on"):
        curve_fit(lambda x, a, b: (a + b) * x, [0, 1, 0], [1, 3, 4])
