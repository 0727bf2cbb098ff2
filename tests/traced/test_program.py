"""Programs: what they compute, what they refuse, and what they leave behind."""

from __future__ import annotations

import gc
import re
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lock import WITHOUT_LOCK, lets_others_run
from memory import each_extent, fail_each_allocation, outcome
from minpack import _minpack
from traced.drafts import (
    ONE,
    Draft,
    call_jacobian,
    call_values,
    decay,
    decay_derivatives,
    decay_draft,
    fit,
    floating_point_flags,
    needs_flags,
    raising_draft,
    refuses,
    rows,
    same_bits,
)

LENGTHS = (1, 2, 63, 64, 65, 1000, 4097, 100_000)
MUCH = 2_200_000  # rows of which nothing is kept for the derivatives
X = np.array([2.0, 1.3, 0.5])
OTHER = np.array([1.5, 0.9, -0.2])


def times(m: int) -> Any:
    return np.linspace(0.0, 4.0, m)


# --- What they compute --------------------------------------------------------------


@pytest.mark.parametrize("m", LENGTHS)
def test_values_and_derivatives_are_those_of_numpy(m: int) -> None:
    t = times(m)
    program = decay_draft(t).build()
    assert same_bits(_minpack.program_values(program, (t,), X), decay(t, *X))
    derivatives = _minpack.program_jacobian(program, (t,), X)
    assert same_bits(derivatives, decay_derivatives(t, *X))


@pytest.mark.parametrize("m", [*LENGTHS, MUCH])
def test_the_jacobian_is_right_whatever_ran_before(m: int) -> None:
    t = times(m)
    program = decay_draft(t).build()
    f, jac = _minpack.program_bind(program, (t,), X, None)

    def check(x: Any) -> None:
        assert same_bits(call_jacobian(jac, m, x), decay_derivatives(t, *x))

    check(X)
    assert same_bits(call_values(f, m, X), decay(t, *X))
    check(X)
    check(X)
    check(OTHER)
    assert same_bits(call_values(f, m, X), decay(t, *X))
    check(OTHER)
    assert same_bits(call_values(f, m, OTHER), decay(t, *OTHER))
    check(OTHER)


def product_draft(t: Any) -> Draft:
    """a exp(b t), whose derivatives are made of the values."""
    d = Draft(2, rows(t), ONE)
    d.segment(len(t))
    e = d.value(np.exp, "d->d", d.value(np.multiply, "dd->d", 1, 2))
    out = d.value(np.multiply, "dd->d", 0, e)
    copy = d.jac(np.multiply, "dd->d", out, 3)
    return d.ends(out, (e, d.jac(np.multiply, "dd->d", copy, 2)))


def product_derivatives(t: Any, a: Any, b: Any) -> Any:
    return np.stack([np.exp(b * t), (a * np.exp(b * t)) * t], axis=1)


@pytest.mark.parametrize("m", [*LENGTHS, MUCH])
def test_derivatives_may_read_the_values(m: int) -> None:
    t = times(m)
    f, jac = _minpack.program_bind(product_draft(t).build(), (t,), X[:2], None)
    for x in (X[:2], OTHER[:2], X[:2]):
        values = call_values(f, m, x)
        assert same_bits(values, x[0] * np.exp(x[1] * t))
        assert same_bits(call_jacobian(jac, m, x), product_derivatives(t, *x))
        assert same_bits(call_jacobian(jac, m, 2 * x), product_derivatives(t, *2 * x))
        assert same_bits(values, x[0] * np.exp(x[1] * t))  # which are the caller's


@pytest.mark.parametrize("m", LENGTHS)
def test_any_operand_may_be_the_values_and_the_derivatives(m: int) -> None:
    t = times(2 * m)[::2]
    for out, expected in ((0, np.full(m, 2.0)), (3, t), (4, t), (5, np.full(m, 1.0))):
        d = Draft(3, rows(t), t, ONE)
        d.segment(m)
        double = d.jac(np.multiply, "dd->d", 3, 0)
        program = d.ends(out, (double, double, out)).build()
        assert same_bits(_minpack.program_values(program, (t,), X), expected)
        columns = np.stack([t * 2, t * 2, expected], axis=1)
        assert same_bits(_minpack.program_jacobian(program, (t,), X), columns)
        f, jac = _minpack.program_bind(program, (t,), X, None)
        assert same_bits(call_values(f, m, X), expected)
        assert same_bits(call_jacobian(jac, m, X), columns)


@pytest.mark.parametrize("m", LENGTHS)
def test_all_columns_may_be_the_values(m: int) -> None:
    t = times(m)
    d = Draft(2, rows(t))
    d.segment(m)
    out = d.value(np.multiply, "dd->d", 0, 2)
    f, jac = _minpack.program_bind(d.ends(out, (out, out)).build(), (t,), X[:2], None)
    for _ in range(2):
        assert same_bits(call_jacobian(jac, m, X[:2]), np.stack([2 * t] * 2, axis=1))
        assert same_bits(call_values(f, m, X[:2]), 2 * t)


def test_data_are_found_in_any_array_at_any_place() -> None:
    table = np.arange(60.0).reshape(5, 12)
    flags = np.array([True, False, True])
    small = np.arange(3, dtype=np.float32) / 7
    row, column = table.strides
    leaves = (
        (0, 4 * row + 2 * column, -row, "d", False),  # rows 4, 3, 2 of column 2
        (0, column, 0, "d", True),
        (1, 0, 1, "?", False),
        (2, 8, -4, "f", False),
    )
    d = Draft(1, *leaves)
    d.segment(3)
    wide = d.value("cast", "f->d", 4)
    total = d.value(np.add, "dd->d", d.value(np.multiply, "dd->d", 1, 2), wide)
    program = d.ends(d.value("select", "?dd->d", 3, total, 0)).build()
    x = np.array([-9.0])
    expected = np.where(flags, table[4:1:-1, 2] * table[0, 1] + small[::-1], x[0])
    values = _minpack.program_values(program, (table, flags, small), x)
    assert same_bits(values, expected)


@pytest.mark.parametrize("lengths", [(3, 5), (0, 4), (50, 1, 5000), (10_000, 10_000)])
def test_segments_follow_one_another(lengths: tuple[int, ...]) -> None:
    data = [np.sqrt(1.0 + np.arange(m)) for m in lengths]
    d = Draft(2, *(rows(t, k) for k, t in enumerate(data)))
    square = d.scalar(np.square, "d->d", 0)
    both = d.scalar(np.add, "dd->d", 0, 0, late=True)
    for k, m in enumerate(lengths):
        d.segment(m)
        e = d.value(np.sqrt, "d->d", d.value(np.multiply, "dd->d", square, 2 + k))
        out = d.value(np.subtract, "dd->d", e, 1)
        d.ends(out, (d.jac(np.multiply, "dd->d", both, e), square))
    program = d.build()
    x = np.array([1.3, 0.2])
    roots = np.concatenate([np.sqrt(x[0] ** 2 * t) for t in data])
    derivatives = np.stack([2 * x[0] * roots, np.full_like(roots, x[0] ** 2)], axis=1)
    values = _minpack.program_values(program, tuple(data), x)
    assert same_bits(values, roots - x[1])
    f, jac = _minpack.program_bind(program, tuple(data), x, values)
    for _ in range(2):
        assert same_bits(call_jacobian(jac, len(roots), x), derivatives)
        assert same_bits(call_values(f, len(roots), x), roots - x[1])


@pytest.mark.parametrize("m", [5, 50, 5000])
def test_any_number_of_temporaries_may_be_alive_at_once(m: int) -> None:
    t = times(m)
    d = Draft(1, rows(t))
    d.segment(m)
    powers = [d.value(np.add, "dd->d", 1, 0)]
    for _ in range(199):
        powers.append(d.value(np.add, "dd->d", powers[-1], 0))
    total = powers[0]
    for power in powers[1:]:
        total = d.value(np.subtract, "dd->d", power, total)
    x = np.array([0.3])
    expected, all_powers = None, [t + x[0]]
    for _ in range(199):
        all_powers.append(all_powers[-1] + x[0])
    for power in all_powers:
        expected = power if expected is None else power - expected
    values = _minpack.program_values(d.ends(total).build(), (t,), x)
    assert same_bits(values, expected)


@pytest.mark.parametrize("m", [5, 50, 5000])
def test_matrix_products_are_recomputed_with_the_parameters(m: int) -> None:
    matrix = np.random.default_rng(0).standard_normal((m, 2))
    d = Draft(2, matrix)
    d.segment(m)
    product = d.full(np.matmul, "dd->d", 2, 0, 1)
    out = d.value(np.exp, "d->d", product)
    columns = tuple(d.jac(np.multiply, "dd->d", out, product) for _ in range(2))
    f, jac = _minpack.program_bind(d.ends(out, columns).build(), (), X[:2], None)
    for x in (X[:2], OTHER[:2], X[:2]):
        p = matrix @ x
        expected = np.stack([np.exp(p) * p] * 2, axis=1)
        assert same_bits(call_jacobian(jac, m, x), expected)
        assert same_bits(call_values(f, m, x), np.exp(p))
        assert same_bits(call_jacobian(jac, m, x), expected)


# --- Binding ------------------------------------------------------------------------


def test_binding_compares_the_values() -> None:
    t = np.array([0.0, 1.0, np.nan])
    program = decay_draft(t).build()
    values = decay(t, *X)
    assert _minpack.program_bind(program, (t,), X, values) is not None
    values[1] = np.nextafter(values[1], 9)
    assert _minpack.program_bind(program, (t,), X, values) is None
    assert _minpack.program_bind(program, (t,), X, np.full(3, np.nan)) is None
    assert _minpack.program_bind(program, (t,), X, None) is not None


def test_zeros_of_any_sign_are_equal() -> None:
    d = Draft(1)
    d.segment(2)
    program = d.ends(0).build()
    assert _minpack.program_bind(program, (), [-0.0], np.zeros(2)) is not None


def test_a_program_without_derivatives_binds_without_a_jacobian() -> None:
    d = Draft(1)
    d.segment(2)
    program = d.ends(0).build()
    _, jac = _minpack.program_bind(program, (), [1.0], None)
    assert jac is None
    with pytest.raises(ValueError, match="program has no derivatives"):
        _minpack.program_jacobian(program, (), [1.0])


@pytest.mark.parametrize("first", [0, 1])
def test_what_is_bound_lives_as_long_as_one_of_the_two(first: int) -> None:
    t = times(2000)
    before = sys.getrefcount(t)
    program = decay_draft(t).build()
    bound = list(_minpack.program_bind(program, (t,), X, None))
    del program
    assert sys.getrefcount(t) > before
    del bound[first]
    gc.collect()
    left = bound[0]
    if first == 0:
        assert same_bits(call_jacobian(left, 2000, X), decay_derivatives(t, *X))
    else:
        assert same_bits(call_values(left, 2000, X), decay(t, *X))
    del left, bound
    assert sys.getrefcount(t) == before


def test_constants_and_ufuncs_live_as_long_as_the_program() -> None:
    t = times(9)
    before = sys.getrefcount(t), sys.getrefcount(np.exp)
    d = Draft(1, t)
    d.segment(9)
    program = d.ends(d.value(np.exp, "d->d", 1)).build()
    del d
    assert sys.getrefcount(t) > before[0]
    assert sys.getrefcount(np.exp) > before[1]
    assert same_bits(_minpack.program_values(program, (), [1.0]), np.exp(t))
    del program
    assert (sys.getrefcount(t), sys.getrefcount(np.exp)) == before


def test_another_number_of_residuals_or_parameters_is_refused() -> None:
    t = times(9)
    f, _ = _minpack.program_bind(decay_draft(t).build(), (t,), X, None)
    assert refuses(f, 8, X)
    assert refuses(f, 9, X[:2])
    assert not refuses(f, 9, X)


@pytest.mark.parametrize("m", [3, 50, 5000])
@pytest.mark.parametrize("exact", [True, False])
def test_a_fit_of_what_is_bound_is_that_of_numpy(m: int, exact: bool) -> None:
    t = times(m)
    y = decay(t, *X) + 0.01 * np.cos(9 * t)
    p0 = np.ones(3)
    f, jac = _minpack.program_bind(decay_draft(t).build(), (t,), p0, decay(t, *p0))
    ours = fit(f, jac if exact else None, y, p0)
    theirs = _minpack.curve_fit(
        decay, t, y, p0, None, None, decay_derivatives if exact else None, None, None,
        False, True, True, None, None, False, False, 1e-8, 1e-8, 0.0, 0, None, 100.0,
        None, "fast", "linear", 1.0, None, False, None, False,
    )  # fmt: skip
    assert same_bits(ours[0], theirs[0])
    assert same_bits(ours[1], theirs[1])


@pytest.mark.parametrize("m", [4, 100_000])
def test_an_exception_that_a_loop_sets_is_raised(m: int) -> None:
    """NumPy's integers do so, and SciPy's functions after `seterr`."""
    program = raising_draft(1, m).build()
    f, _ = _minpack.program_bind(program, (), [1.0], None)
    for act in (
        lambda: _minpack.program_values(program, (), [1.0]),
        lambda: _minpack.program_bind(program, (), [1.0], np.ones(m)),
        lambda: fit(f, None, np.ones(m), np.ones(1)),
    ):
        with pytest.raises(ValueError, match="negative integer powers"):
            act()


# --- Threads, the lock, flags -------------------------------------------------------


def test_any_number_of_threads_share_a_program() -> None:
    t = times(3000)
    program = decay_draft(t).build()
    starts = np.ones((4, 3)) + np.arange(4)[:, None] / 10
    y = decay(t, *X) + 0.01 * np.cos(9 * t)
    results: list[Any] = [None] * 4

    def work(k: int) -> None:
        bound = _minpack.program_bind(program, (t,), starts[k], None)
        for _ in range(20):
            results[k] = fit(*bound, y, starts[k])[0]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(4):
        bound = _minpack.program_bind(program, (t,), starts[k], None)
        assert same_bits(results[k], fit(*bound, y, starts[k])[0])


@pytest.mark.skipif(WITHOUT_LOCK, reason="no lock in this interpreter")
@pytest.mark.parametrize(("m", "expected"), [(200_000, True), (50, False)])
def test_much_work_lets_other_threads_run(m: int, expected: bool) -> None:
    t = times(m)
    program = decay_draft(t).build()
    for act in (
        lambda: _minpack.program_values(program, (t,), X),
        lambda: _minpack.program_jacobian(program, (t,), X),
        lambda: _minpack.program_bind(program, (t,), X, np.zeros(m)),
    ):

        def work(begin: Callable[[], None], act: Callable[[], Any] = act) -> None:
            begin()
            for _ in range(50):  # a thread takes its time to wake up
                act()

        assert lets_others_run(work) == expected


def inverse() -> tuple[Any, Any]:
    """1/t + a, where t begins with zero."""
    t = times(8)
    d = Draft(1, rows(t), ONE)
    d.segment(8)
    out = d.value(np.add, "dd->d", d.value(np.divide, "dd->d", 2, 1), 0)
    return d.ends(out, (2,)).build(), t


@needs_flags
def test_floating_point_flags_are_left_as_they_were() -> None:
    program, t = inverse()
    bound = _minpack.program_bind(program, (t,), [1.0], None)
    for act in (
        lambda: _minpack.program_values(program, (t,), [1.0]),
        lambda: _minpack.program_jacobian(program, (t,), [1.0]),
        lambda: _minpack.program_bind(program, (t,), [1.0], np.zeros(8)),
        lambda: fit(*bound, np.ones(8), np.ones(1)),
    ):
        assert floating_point_flags(act) == 0
    assert floating_point_flags(lambda: call_values(bound[0], 8, np.ones(1))) != 0


# --- Wrong descriptions -------------------------------------------------------------


def with_vector(part: str, op: Any, types: str, *operands: int) -> Draft:
    """One instruction in one part; 0: x, 1: one, 2: 4 rows, 3: matrix, 4: int."""
    d = Draft(1, ONE, np.ones(4), np.ones((4, 2)), np.array(3))
    if part != "scalar":
        d.segment(4)
    getattr(d, part)(op, types, *operands)
    if part == "scalar":
        d.segment(4)
    return d.ends(0, (1,))


def two_segments(operand: str) -> Draft:
    """The second one reads what is the first one's."""
    d = Draft(1, np.ones(4))
    d.segment(4)
    full = d.full(np.exp, "d->d", 1)
    value = d.value(np.exp, "d->d", 1)
    d.ends(value)
    d.segment(4)
    return d.ends({"full": full, "value": value}[operand])


def late_scalar(part: str) -> Draft:
    """A scalar of the Jacobian is read where values are computed."""
    d = Draft(1)
    late = d.scalar(np.exp, "d->d", 0, late=True)
    d.segment(2)
    if part == "out":
        return d.ends(late)
    return d.ends(getattr(d, part)(np.exp, "d->d", late))


def ends(out: Any, outs: Any = None, leaf: Any = None) -> Draft:
    d = Draft(1, ONE if leaf is None else leaf)
    d.segment(4)
    return d.ends(out, outs)


def raw(**changes: Any) -> tuple[Any, ...]:
    """The arguments of a good program, with `changes`."""
    arguments = dict(
        zip(
            ("n", "leaves", "scalars", "split", "segments"),
            ends(0).arguments(),
            strict=True,
        )
    )
    return tuple((arguments | changes).values())


objects = np.frompyfunc(lambda a: a, 1, 1)
unaligned = np.zeros(33, np.uint8)[1:].view(np.float64)
WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "a ufunc of objects": (
        lambda: with_vector("value", objects, "O->O", 2),
        "no loop for the types 'O->O'",
    ),
    "no such loop": (
        lambda: with_vector("value", np.exp, "l->d", 2), "exp.* has no loop for .*l->d"
    ),
    "too few inputs": (lambda: with_vector("value", np.add, "d->d", 2), "has no loop"),
    "many outputs": (
        lambda: with_vector("value", np.exp, "d->dddd", 2), "has no loop"
    ),
    "a type of NumPy's alone": (
        lambda: with_vector("value", np.exp, "g->g", 2), "has no loop"
    ),
    "a generalized ufunc": (
        lambda: with_vector("value", np.vecdot, "dd->d", 2, 2), "has no loop"
    ),
    "an unknown name": (
        lambda: with_vector("value", "sine", "d->d", 2), "'sine' has no loop"
    ),
    "a cast to itself": (lambda: with_vector("value", "cast", "d->d", 2), "no loop"),
    "select of two types": (
        lambda: with_vector("value", "select", "?df->d", 2, 2, 2), "no loop"
    ),
    "neither ufunc nor name": (
        lambda: with_vector("value", abs, "d->d", 2), "an instruction is .ufunc or name"
    ),
    "pow of vectors": (
        lambda: with_vector("value", "pow", "dd->d", 2, 2), "no instruction for 'value'"
    ),
    "matmul in blocks": (
        lambda: with_vector("value", np.matmul, "dd->d", 3, 0, 0),
        "no instruction for 'value'",
    ),
    "matmul of a vector": (
        lambda: with_vector("full", np.matmul, "dd->d", 2, 0), "is a matrix"
    ),
    "matmul with too few scalars": (
        lambda: with_vector("full", np.matmul, "dd->d", 3, 0), "a column for each"
    ),
    "matmul with a vector": (
        lambda: with_vector("full", np.matmul, "dd->d", 3, 0, 2), "from scalars"
    ),
    "matmul with integers": (
        lambda: with_vector("full", np.matmul, "dd->d", 3, 0, 4), "scalars of float64"
    ),
    "matmul of nothing": (
        lambda: with_vector("full", np.matmul, "dd->d"), "a matrix and scalars"
    ),
    "matmul of float32": (
        lambda: with_vector("full", np.matmul, "ff->f", 3, 0, 0), "has no loop"
    ),
    "a matrix elsewhere": (
        lambda: with_vector("value", np.exp, "d->d", 3), "for matmul alone"
    ),
    "another type": (
        lambda: with_vector("value", np.exp, "d->d", 4), "is of type 'l', and .* 'd'"
    ),
    "another number of operands": (
        lambda: with_vector("value", np.exp, "d->d", 2, 2), "another number of operands"
    ),
    "an operand that comes later": (
        lambda: with_vector("value", np.exp, "d->d", 5), "5 is no number of an operand"
    ),
    "a negative number": (
        lambda: with_vector("value", np.exp, "d->d", -1), "-1 is no number"
    ),
    "a number that is none": (
        lambda: with_vector("value", np.exp, "d->d", 1.0), "1.0 is no number"
    ),
    "a number beyond all": (
        lambda: with_vector("value", np.exp, "d->d", 2**70), "too large"
    ),
    "a vector among scalars": (
        lambda: with_vector("scalar", np.exp, "d->d", 2), "scalars are computed from"
    ),
    "another segment's vector": (lambda: two_segments("full"), "another segment"),
    "another segment's block": (lambda: two_segments("value"), "another segment"),
    "a late scalar in the values": (lambda: late_scalar("value"), "after the split"),
    "a late scalar in full": (lambda: late_scalar("full"), "after the split"),
    "a late scalar as the values": (lambda: late_scalar("out"), "after the split"),
    "another length": (lambda: ends(1, leaf=np.ones(5)), "5 entries, .* 4 rows"),
    "values of another type": (lambda: ends(1, leaf=np.array(1)), "are of float64"),
    "derivatives of another type": (
        lambda: ends(0, (1,), np.array(True)), "are of float64"
    ),
    "too few derivatives": (lambda: ends(0, ()), "one operand for each parameter"),
    "derivatives in a list": (lambda: ends(0, [0]), "one operand for each parameter"),
    "a constant of three dimensions": (
        lambda: ends(0, leaf=np.ones((1, 1, 1))), "a constant is an aligned array"
    ),
    "a constant of text": (lambda: ends(0, leaf=np.array("a")), "a constant is an"),
    "a constant that is swapped": (
        lambda: ends(0, leaf=np.ones(4, np.dtype(float).newbyteorder())), "native"
    ),
    "a constant that is not aligned": (lambda: ends(0, leaf=unaligned), "aligned"),
    "a matrix of integers": (lambda: ends(0, leaf=np.ones((2, 2), int)), "float64"),
    "a leaf that is none": (lambda: ends(0, leaf="t"), "an array or a tuple, not str"),
    "data of an unknown type": (
        lambda: ends(0, leaf=(0, 0, 8, "D", False)), "has a type of"
    ),
    "data between numbers": (
        lambda: ends(0, leaf=(0, 4, 8, "d", False)), "in whole numbers"
    ),
    "data of a negative array": (
        lambda: ends(0, leaf=(-1, 0, 8, "d", False)), "a leaf of data"
    ),
    "data in a short tuple": (lambda: ends(0, leaf=(0, 0)), "a leaf is an array or"),
    "no parameters": (lambda: raw(n=0), "n is at least 1"),
    "a split beyond the scalars": (lambda: raw(split=1), "split is among"),
    "no segment": (lambda: raw(segments=()), "there is a segment"),
    "a segment that is none": (lambda: raw(segments=(3,)), "a segment is"),
    "a segment of a negative length": (
        lambda: raw(segments=((-1, (), (), (), 0, None),)), "negative length"
    ),
    "too many rows": (
        lambda: raw(segments=((2**31 - 1, (), (), (), 0, None),) * 2), "too many rows"
    ),
    "derivatives of one segment alone": (
        lambda: raw(segments=((2, (), (), (), 0, None), (2, (), (), (), 0, (0,)))),
        "all segments have derivatives",
    ),
    "instructions for no derivatives": (
        lambda: raw(
            segments=((2, (), (), ((np.exp, "d->d", (0,)),), 0, None),)
        ),
        "all segments have derivatives",
    ),
    "types without an arrow": (
        lambda: raw(scalars=((np.exp, "dd", (0,)),)), "has no loop"
    ),
    "an instruction that is none": (lambda: raw(scalars=(3,)), "an instruction is"),
    "operands in a list": (
        lambda: raw(scalars=((np.exp, "d->d", [0]),)), "an instruction is"
    ),
    "types that are no text": (
        lambda: raw(scalars=((np.exp, 3, (0,)),)), "an instruction is"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_description_is_an_error_that_says_what_is_wrong(name: str) -> None:
    make, message = WRONG[name]
    description = make()
    if isinstance(description, Draft):
        description = description.arguments()
    kinds = (TypeError, ValueError, OverflowError)
    with pytest.raises(kinds, match=re.compile(message, re.DOTALL)):
        _minpack.program(*description)


T = times(5)
WRONG_CALLS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "no program": (lambda call, p: call(np.exp, (T,), X), "what _minpack.program made"),
    "too few arrays": (lambda call, p: call(p, (), X), "reads 1 arrays, and 0"),
    "no array": (lambda call, p: call(p, (3,), X), "arrays holds a int"),
    "a short array": (lambda call, p: call(p, (T[1:],), X), "array 0 does not hold"),
    "an empty array": (lambda call, p: call(p, (T[:0],), X), "array 0 does not hold"),
    "another stride": (lambda call, p: call(p, (T[::-1],), X), "array 0 does not hold"),
    "an array that is not aligned": (
        lambda call, p: call(p, (np.zeros(41, np.uint8)[1:].view(float),), X),
        "aligned numbers",
    ),
    "too few parameters": (lambda call, p: call(p, (T,), X[:2]), "x has 2 parameters"),
    "x is text": (lambda call, p: call(p, (T,), "abc"), "x"),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
@pytest.mark.parametrize("entry", ["program_values", "program_jacobian", "bind"])
def test_wrong_data_are_an_error(entry: str, name: str) -> None:
    act, message = WRONG_CALLS[name]
    if entry == "bind":
        call = lambda *arguments: _minpack.program_bind(*arguments, None)  # noqa: E731
    else:
        call = getattr(_minpack, entry)
    with pytest.raises((TypeError, ValueError), match=message):
        act(call, decay_draft(T).build())


@pytest.mark.parametrize("values", [[0.0] * 5, np.zeros(4), np.zeros(5, np.float32), 3])
def test_values_to_compare_are_a_plain_vector(values: Any) -> None:
    with pytest.raises(ValueError, match="contiguous vector of 5 float64 numbers"):
        _minpack.program_bind(decay_draft(T).build(), (T,), X, values)


@pytest.mark.parametrize("workers", [(), (1, 2), ("many",), (2**70,)])
def test_a_wrong_number_of_workers_is_an_error(workers: tuple[Any, ...]) -> None:
    program = decay_draft(T).build()
    values = () if not workers else (None,)
    with pytest.raises((TypeError, OverflowError)):
        _minpack.program_bind(program, (T,), X, *values, *workers)


@pytest.mark.parametrize("arguments", [(), (decay, T), (decay, T, "abc"), (3, T, X)])
def test_a_wrong_call_of_a_model_is_an_error(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        _minpack.call_model(*arguments)


def test_a_model_is_called_with_numbers_and_its_error_passes() -> None:
    found = _minpack.call_model(lambda *given: given, T, X)
    assert found[0] is T
    assert [type(each) for each in found[1:]] == [np.float64] * 3
    assert list(found[1:]) == list(X)
    with pytest.raises(ZeroDivisionError):
        _minpack.call_model(lambda t, *p: 1 // 0, T, X)


# --- Memory -------------------------------------------------------------------------


@each_extent
def test_where_memory_runs_out_building_leaves_nothing_behind(
    memory: Any, alone: bool
) -> None:
    descriptions = [decay_draft(T).arguments(), decay_draft(times(9000)).arguments()]
    build = memory.failing(_minpack.program)

    def act() -> str:
        return outcome(lambda: [build(*each) is not None for each in descriptions])

    fail_each_allocation(memory, alone, act, "[True, True]")


@each_extent
@pytest.mark.parametrize("entry", ["values", "jacobian", "bind"])
def test_where_memory_runs_out_evaluating_leaves_nothing_behind(
    memory: Any, entry: str, alone: bool
) -> None:
    program, values = decay_draft(T).build(), decay(T, *X)
    function = memory.failing(getattr(_minpack, f"program_{entry}"))
    more = (values,) if entry == "bind" else ()

    def act() -> str:
        return outcome(lambda: function(program, (T,), X, *more) is not None)

    fail_each_allocation(memory, alone, act, "True")
