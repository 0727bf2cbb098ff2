"""The compiled parts of a fit in pieces: their bits, their errors, their memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minpack
from functions import OnPurposeError, raising
from memory import each_extent, fail_each_allocation, references
from minpack import _minpack
from models import decay, decay_jacobian

M, N = 60, 3
T = np.linspace(0.0, 10.0, M)
SIGMA = 0.5 + 0.1 * np.cos(T)
Y = decay(T, 2.0, 0.7, 0.5) + 0.05 * np.cos(7 * T)
START = np.array([1.0, 1.0, 0.1])
PARTS = (slice(0, 2), slice(2, 41), slice(41, 60))


def reduced(rows: Any, x: Any, steps: Any = None, **options: Any) -> Any:
    """The piece of some rows, by the exact derivatives or by differences."""
    t, given = T[rows], {"loss": "linear", "f_scale": 1.0, "ends": False} | options
    derivatives = decay_jacobian(t, *x)
    if steps is not None:
        derivatives = [
            decay(t, *np.where(np.arange(N) == j, x + steps, x)) if steps[j] else None
            for j in range(N)
        ]
    return _minpack.reduce_block(
        decay(t, *x), Y[rows], SIGMA[rows], N, derivatives, steps, *given.values()
    )


MODEL = minpack.traced(decay)
BOUND = MODEL.bind_curve(T, START, M)


def reduced_program(x: Any = START, **options: Any) -> Any:
    """The piece of all rows, by the program of the model."""
    given = {
        "program": BOUND.record.program, "arrays": BOUND.arrays, "x": x, "ydata": Y,
        "sigma": SIGMA, "has_triangle": True, "loss": "linear", "f_scale": 1.0,
        "ends": False,
    }  # fmt: skip
    return _minpack.reduce_program(*(given | options).values())


def fit(evaluate: Any = None, sample: Any = None, **changes: Any) -> Any:
    """A fit in three pieces; `changes` are of what follows the functions."""

    def in_pieces(x: Any, steps: Any, what: int, ahead: Any) -> Any:
        if what == 3:
            return bend(x, ahead)
        if what == 0:
            return np.array([np.linalg.norm((decay(T, *x) - Y) / SIGMA)])
        first, *others = (reduced(rows, x, steps, ends=what == 2) for rows in PARTS)
        for other in others:
            first = _minpack.merge_pieces(first, other, N)
        return first

    arguments = {
        "rows": M, "rounding": 2.0**-52, "m": M, "x0": START, "lower": None,
        "upper": None, "absolute_sigma": False, "weighted": False, "ftol": 1e-8,
        "xtol": 1e-8, "gtol": 0.0, "maxfev": 0, "epsfcn": None, "factor": 100.0,
        "diag": None, "diff_step": None, "trials_only": False, "observer": None,
        "acceleration": False,
    }  # fmt: skip
    arguments |= changes
    return _minpack.fit_in_pieces(evaluate or in_pieces, sample, *arguments.values())


def bend(x: Any, ahead: Any) -> Any:
    """What a fit needs of how the residuals bend, for all rows at once."""
    J = decay_jacobian(T, *x) / SIGMA[:, None]
    return J.T @ (residuals(ahead) - residuals(x) - J @ (ahead - x))


def residuals(x: Any) -> Any:
    return (decay(T, *x) - Y) / SIGMA


# What a piece is ----------------------------------------------------------------


def triangle_of(piece: Any) -> Any:
    return piece[1:].reshape(N + 1, N).T


def weighted_rows(rows: Any, x: Any) -> Any:
    jacobian = decay_jacobian(T[rows], *x) / SIGMA[rows, None]
    return np.column_stack([jacobian, residuals(x)[rows]])


@pytest.mark.parametrize("rows", [slice(0, 1), slice(0, 2), slice(5, 60)])
def test_a_piece_is_the_norm_and_the_triangle_of_its_rows(rows):
    piece = reduced(rows, START)
    a, r = weighted_rows(rows, START), triangle_of(piece)
    np.testing.assert_allclose(piece[0], np.linalg.norm(a[:, -1]), rtol=1e-14)
    assert (np.tril(r[:, :N], -1) == 0).all()
    np.testing.assert_allclose(r[:, :N].T @ r, a[:, :N].T @ a, rtol=1e-12)


def test_merged_pieces_are_the_piece_of_all_rows():
    a, r = weighted_rows(slice(None), START), None
    for rows in PARTS:
        piece = reduced(rows, START)
        r = piece if r is None else _minpack.merge_pieces(r, piece, N)
    np.testing.assert_allclose(r[0], np.linalg.norm(a[:, -1]), rtol=1e-14)
    r = triangle_of(r)
    np.testing.assert_allclose(r[:, :N].T @ r, a[:, :N].T @ a, rtol=1e-12)


def test_the_norm_alone_takes_no_derivatives():
    norms = [
        _minpack.reduce_block(
            decay(T[rows], *START), Y[rows], 0.5, N, None, None, "linear", 1.0, False
        )
        for rows in PARTS[:2]
    ]
    merged = _minpack.merge_pieces(*norms, N)
    expected = np.linalg.norm((decay(T, *START) - Y)[:41] / 0.5)
    np.testing.assert_allclose(merged, [expected], rtol=1e-14)


@pytest.mark.parametrize("loss", ["linear", "cauchy"])
@pytest.mark.parametrize("ends", [False, True])
def test_a_program_gives_the_piece_of_its_function(loss, ends):
    ours = reduced_program(loss=loss, f_scale=0.3, ends=ends)
    same = reduced(slice(None), START, loss=loss, f_scale=0.3, ends=ends)
    np.testing.assert_allclose(ours, same, rtol=1e-12, atol=1e-13)
    (norm,) = reduced_program(has_triangle=False, loss=loss, f_scale=0.3)
    assert norm == ours[0]


def test_a_program_of_many_rows_is_reduced_in_strips():
    t = np.linspace(0.0, 10.0, 9001)
    y = decay(t, 2.0, 0.7, 0.5) + 0.1 * np.cos(7 * t)
    bound = MODEL.bind_curve(t, START, t.size)
    ours = reduced_program(
        program=bound.record.program, arrays=bound.arrays, ydata=y, sigma=None
    )
    a = np.column_stack([decay_jacobian(t, *START), decay(t, *START) - y])
    r = triangle_of(ours)
    np.testing.assert_allclose(ours[0], np.linalg.norm(a[:, -1]), rtol=1e-13)
    np.testing.assert_allclose(r[:, :N].T @ r, a[:, :N].T @ a, rtol=1e-11)


def test_a_program_that_needs_all_rows_at_once_is_left_to_others():
    matrix = np.vander(T / 10, N)
    model = minpack.traced(lambda t, *p: matrix @ np.array(p))
    bound = model.bind_curve(T, START, M)
    assert reduced_program(program=bound.record.program, arrays=bound.arrays) is None
    ours = _minpack.program_values(bound.record.program, bound.arrays, START)
    np.testing.assert_allclose(ours, matrix @ START, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_neither_squares_overflow_nor_do_they_underflow(size):
    y = size * (1 + T)
    piece = _minpack.reduce_block(
        0 * T, y, None, 1, size * T[:, None], None, "linear", 1.0, False
    )
    merged = _minpack.merge_pieces(piece, piece, 1)
    norm = np.sqrt(2) * np.linalg.norm(1 + T)
    np.testing.assert_allclose(merged[0] / size, norm, rtol=1e-13)
    expected = np.sqrt(2) * np.linalg.norm(T)
    np.testing.assert_allclose(abs(merged[1]) / size, expected, rtol=1e-13)


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
@pytest.mark.parametrize("ends", [False, True])
def test_a_loss_weighs_the_rows(loss, ends):
    piece = reduced(slice(None), START, loss=loss, f_scale=0.3, ends=ends)
    whole = minpack.least_squares(
        residuals, START, lambda x: weighted_rows(slice(None), x)[:, :N], loss=loss,
        f_scale=0.3, max_nfev=1,
    )  # fmt: skip
    r = triangle_of(piece)
    np.testing.assert_allclose(piece[0] ** 2 / 2, whole.cost, rtol=1e-13)
    np.testing.assert_allclose(r[:, :N].T @ r[:, N], whole.grad, rtol=1e-11)
    hessian = whole.jac.T @ whole.jac
    assert np.allclose(r[:, :N].T @ r[:, :N], hessian, rtol=1e-11) == ends


# The fit ------------------------------------------------------------------------


@pytest.mark.parametrize("sample", [None, residuals])
def test_a_fit_in_pieces_is_that_of_the_whole(sample):
    jac = decay_jacobian if sample is None else None
    whole = minpack.curve_fit(
        decay, T, Y, START, SIGMA, jac=jac, ftol=1e-8, xtol=1e-8, full_output=True
    )
    x, cov, info, _, _, _, norm, nfev, *_ = fit(sample=sample)
    np.testing.assert_allclose(x, whole[0], rtol=1e-9)
    np.testing.assert_allclose(cov, whole[1], rtol=1e-5)
    np.testing.assert_allclose(norm, np.linalg.norm(whole[2]["fvec"]), rtol=1e-12)
    assert (info, nfev) == (whole[4], whole[2]["nfev"])


def test_a_bent_fit_in_pieces_is_that_of_the_whole():
    whole = minpack.curve_fit(
        decay, T, Y, START, SIGMA, jac=decay_jacobian, ftol=1e-8, xtol=1e-8,
        full_output=True, acceleration=True,
    )  # fmt: skip
    x, _, info, _, _, _, _, nfev, *_ = fit(acceleration=True)
    np.testing.assert_allclose(x, whole[0], rtol=1e-9)
    assert (info, nfev) == (whole[4], whole[2]["nfev"])
    assert nfev != fit()[7]


def failing_ahead(answer: Any) -> Any:
    """A fit that gets this answer where it asks how the residuals bend."""

    def evaluate(x: Any, steps: Any, what: int, ahead: Any) -> Any:
        if what == 3:
            return answer()
        piece = reduced(slice(0, M), x)
        return piece[:1] if what == 0 else piece

    return fit(evaluate=evaluate, acceleration=True)


def test_there_may_be_more_points_than_an_int_counts():
    once, often = fit(m=M)[1], fit(m=10**12)[1]
    np.testing.assert_allclose(once / often, (10**12 - N) / (M - N), rtol=1e-12)


@pytest.mark.parametrize(
    ("act", "error", "match"),
    [
        (
            lambda: _minpack.merge_pieces(np.ones(2), np.ones(2), N),
            ValueError,
            "2 numb",
        ),
        (lambda: _minpack.merge_pieces(np.ones(1), np.ones(13), N), ValueError, "kind"),
        (lambda: _minpack.merge_pieces("a", np.ones(13), N), TypeError, "piece"),
        (lambda: _minpack.merge_pieces(np.ones(1), np.ones(1), 0), ValueError, "kind"),
        (lambda: reduced(slice(0, 5), START, np.ones(2)), ValueError, "broadcast"),
        (lambda: reduced(slice(0, 5), START, loss=np.sum), ValueError, "by their name"),
        (lambda: reduced(slice(0, 5), START, loss="any"), ValueError, "loss must be"),
        (lambda: reduced_program(program=decay), TypeError, "program must be one"),
        (lambda: reduced_program(arrays=()), ValueError, "reads more arrays"),
        (lambda: reduced_program(arrays=(T[:9],)), ValueError, "array"),
        (lambda: reduced_program(arrays=("T",)), TypeError, "something else"),
        (lambda: reduced_program(x=np.ones(2)), ValueError, "parameters"),
        (lambda: reduced_program(ydata=Y[1:], sigma=1), ValueError, "59 entries"),
        (lambda: reduced_program(loss="any"), ValueError, "loss must be"),
        (lambda: fit(evaluate=lambda *_: np.ones(2)), ValueError, "return a piece"),
        (lambda: fit(evaluate=lambda *_: "a"), TypeError, "piece"),
        (lambda: fit(evaluate=raising(OnPurposeError)), OnPurposeError, "on purpose"),
        (lambda: fit(sample=raising(OnPurposeError)), OnPurposeError, "on purpose"),
        (lambda: fit(sample=lambda x: x), ValueError, "as many residuals"),
        (lambda: failing_ahead(lambda: np.ones(2)), ValueError, "return a piece"),
        (lambda: failing_ahead(raising(OnPurposeError)), OnPurposeError, "on purpose"),
        (lambda: fit(observer=raising(OnPurposeError)), OnPurposeError, "on purpose"),
        (lambda: fit(lower=np.zeros(2), upper=np.zeros(2)), ValueError, "as long as"),
        (lambda: fit(lower=np.zeros(3)), ValueError, "as long as"),
        (lambda: fit(x0=[]), ValueError, "empty"),
        (lambda: fit(ftol="small"), TypeError, "ftol"),
        (lambda: fit(diag=[1.0]), ValueError, "diag"),
    ],
)
def test_what_is_wrong_is_said(act, error, match):
    with pytest.raises(error, match=match):
        act()


# Memory -------------------------------------------------------------------------

HANDED = (START, T, Y, SIGMA)
ONE, OTHER = (reduced(rows, START) for rows in PARTS[1:])


def observe(*_: Any) -> bool:
    return False


CALLS: dict[str, tuple[str, Callable[[], Any]]] = {
    "derivatives": ("reduce_block", lambda: reduced(PARTS[1], START)),
    "differences": (
        "reduce_block",
        lambda: reduced(PARTS[1], START, np.array([1e-8, 0, 1e-8])),
    ),
    "a loss": (
        "reduce_block",
        lambda: reduced(PARTS[1], START, loss="huber", f_scale=0.1, ends=True),
    ),
    "a program": ("reduce_program", reduced_program),
    "a program, wrong": ("reduce_program", lambda: reduced_program(x=np.ones(2))),
    "residuals": (
        "block_residuals",
        lambda: _minpack.block_residuals(decay(T, *START), Y, SIGMA),
    ),
    "merge": ("merge_pieces", lambda: _minpack.merge_pieces(ONE, OTHER, N)),
    "finite": ("check_finite", lambda: _minpack.check_finite(Y[::2], "ydata")),
    "fit": ("fit_in_pieces", fit),
    "fit by differences": ("fit_in_pieces", lambda: fit(sample=residuals)),
    "fit with bounds, observer": (
        "fit_in_pieces",
        lambda: fit(lower=np.zeros(3), upper=np.ones(3), observer=observe),
    ),
    "fit with a loss": (
        "fit_in_pieces",
        lambda: fit(sample=residuals, weighted=True, diag=np.ones(3)),
    ),
    "a bent fit": ("fit_in_pieces", lambda: fit(acceleration=True)),
    "a fit that is stopped": ("fit_in_pieces", lambda: fit(observer=lambda *_: True)),
    "wrong": ("reduce_block", lambda: reduced(PARTS[1], START, loss="any")),
}


@each_extent
@pytest.mark.parametrize(("entry", "act"), CALLS.values(), ids=CALLS)
def test_a_failed_allocation_is_a_memory_error_and_leaks_nothing(
    memory: Any,
    monkeypatch: pytest.MonkeyPatch,
    entry: str,
    act: Callable[[], Any],
    alone: bool,
) -> None:
    def outcome() -> str:
        before = references(HANDED)
        try:
            ended = repr(act())
        except MemoryError:
            ended = "MemoryError"
        except Exception as error:
            ended = repr(error)
        assert references(HANDED) == before
        return ended

    expected = outcome()
    function = getattr(_minpack, entry)
    if entry == "fit_in_pieces":  # what it calls is not its own

        def sparing(*arguments: Any) -> Any:
            functions = [memory.sparing(f) if callable(f) else f for f in arguments]
            return memory.failing(function)(*functions)

        monkeypatch.setattr(_minpack, entry, sparing)
    else:
        monkeypatch.setattr(_minpack, entry, memory.failing(function))
    fail_each_allocation(memory, alone, outcome, expected)
