"""A program computes the very bits that NumPy does."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from minpack import _minpack
from traced.drafts import Draft, rows, same_bits

LENGTHS = (1, 2, 7, 8, 63, 64, 65, 1000, 4096, 4097, 100_000)
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310, 1e308, -1e308, 0.5, 2.0, -3.0)

UFUNCS = {
    f"{u.__name__} {types}": (u, types)
    for u in {id(u): u for u in vars(np).values() if isinstance(u, np.ufunc)}.values()
    for types in u.types
    if u.signature is None and "d" in types and set(types) <= set("?dl->")
}


def numbers(m: int, seed: int) -> Any:
    x = np.random.default_rng(seed).standard_normal(m) * 3
    x[1::17] = np.resize(SPECIAL, len(x[1::17]))
    return x


def laid_out(x: Any, layout: str) -> Any:
    """The same numbers in other memory; of "repeated" the first one alone."""
    if layout == "strided":
        return np.repeat(x, 3)[::3]
    if layout == "reversed":
        return x[::-1].copy()[::-1]
    if layout == "repeated":
        return np.broadcast_to(x[0], x.shape)
    return x


LAYOUTS = ("contiguous", "strided", "reversed", "repeated")


def inputs(types: str, m: int, layout: str) -> list[Any]:
    letters = types.split("->")[0]
    return [
        laid_out(numbers(m, 5 + k), layout)
        if letter == "d"
        else laid_out(numbers(m, 9 + k) > 0, layout)
        if letter == "?"
        else laid_out(np.arange(m) % 7 - 3, layout)
        for k, letter in enumerate(letters)
    ]


def check(op: Any, types: str, data: list[Any], expected: Any) -> None:
    """Each output of one instruction on data, and of the same on constants."""
    expected = expected if isinstance(expected, tuple) else (expected,)
    m, (arguments, results) = len(data[0]), types.split("->")
    for k, letter in enumerate(results):
        for leaves in ([rows(x, i) for i, x in enumerate(data)], data):
            d = Draft(1, *leaves)
            d.segment(m)
            last = d.value(op, types, *range(1, 1 + len(arguments)))
            out = last - len(results) + 1 + k
            if letter != "d":
                out = d.value("cast", f"{letter}->d", out)
            values = _minpack.program_values(
                d.ends(out).build(), tuple(data), np.ones(1)
            )
            assert same_bits(values, expected[k].astype(float))


@pytest.mark.parametrize("name", UFUNCS)
def test_each_ufunc_gives_the_same_bits_in_blocks(name: str) -> None:
    ufunc, types = UFUNCS[name]
    for m, layout in itertools.product(LENGTHS, LAYOUTS):
        data = inputs(types, m, layout)
        with np.errstate(all="ignore"):
            check(ufunc, types, data, ufunc(*data))


@pytest.mark.parametrize("m", LENGTHS)
@pytest.mark.parametrize("exponent", [2.0, 0.5, -1.0, 3.0])
def test_powers_are_those_of_numpy_however_the_exponent_comes(
    exponent: float, m: int
) -> None:
    """NumPy takes another way where all exponents are one number in memory."""
    repeats = 300 if m == 1 else 1
    for x in np.random.default_rng(m).random((repeats, m)) * 9:
        check(np.power, "dd->d", [x, np.full(m, exponent)], x ** np.full(m, exponent))
        for constant in (np.array(exponent), np.broadcast_to(exponent, m)):
            d = Draft(1, x, constant)
            d.segment(m)
            program = d.ends(d.value(np.power, "dd->d", 1, 2)).build()
            values = _minpack.program_values(program, (), [1.0])
            assert same_bits(values, np.power(x, constant))


OF_SCIPY = ("erf", "erfc", "expit", "gammaln", "j0", "voigt_profile", "wofz", "betainc")


@pytest.mark.parametrize("name", OF_SCIPY)
def test_ufuncs_of_scipy_do_so_too(name: str) -> None:
    ufunc = getattr(pytest.importorskip("scipy.special"), name)
    types = "d" * ufunc.nin + "->d"
    if types not in ufunc.types:
        with pytest.raises(TypeError, match="has no loop for the types"):
            check(ufunc, types, inputs(types, 3, "contiguous"), np.ones(3))
        return
    for m in LENGTHS[:-1]:
        data = inputs(types, m, "contiguous")
        check(ufunc, types, data, ufunc(*data))


@pytest.mark.parametrize("types", ["d->d", "dd->d", "d->?", "dd->?"])
def test_a_scalar_has_the_bits_of_an_array_without_dimensions(types: str) -> None:
    arity = len(types.split("->")[0])
    for ufunc in (u for u, own in UFUNCS.values() if own == types):
        for x in itertools.product((*SPECIAL, 1.7, 3.1, 5.3, 7.7), repeat=arity):
            d = Draft(arity)
            out = d.scalar(ufunc, types, *range(arity))
            if types[-1] == "?":
                out = d.scalar("cast", "?->d", out)
            d.segment(3)
            values = _minpack.program_values(d.ends(out).build(), (), np.array(x))
            with np.errstate(all="ignore"):
                expected = ufunc(*(np.array(each) for each in x))
            assert same_bits(values, np.full(3, float(expected))), (ufunc, x)


@pytest.mark.parametrize("m", LENGTHS)
@pytest.mark.parametrize("types", [a + b for a in "?dfl" for b in "?dfl" if a != b])
def test_casts_are_those_of_numpy(types: str, m: int) -> None:
    x = np.random.default_rng(1).standard_normal(m) * 3e5
    x[::5] = 0
    data = (x > 0) if types[0] == "?" else x.astype(types[0])
    expected = data.astype(types[1]).astype(float)
    leaf = (0, 0, data.strides[0], types[0], False)
    d = Draft(1, leaf)
    d.segment(m)
    out = d.value("cast", "->".join(types), 1)
    if types[1] != "d":
        out = d.value("cast", f"{types[1]}->d", out)
    values = _minpack.program_values(d.ends(out).build(), (data,), np.ones(1))
    assert same_bits(values, expected)


@pytest.mark.parametrize("m", LENGTHS)
@pytest.mark.parametrize("kind", "?dfl")
def test_select_takes_one_of_two_values_for_each_row(kind: str, m: int) -> None:
    condition = numbers(m, 1) > 0.3
    a, b = (
        np.resize([0, 1, 1, 0, 0], m).astype(kind),
        np.resize([3, 0, 2], m).astype(kind)[::-1],
    )
    d = Draft(1, *(rows(x, k) for k, x in enumerate((condition, a, b))))
    d.segment(m)
    out = d.value("select", f"?{kind}{kind}->{kind}", 1, 2, 3)
    if kind != "d":
        out = d.value("cast", f"{kind}->d", out)
    values = _minpack.program_values(d.ends(out).build(), (condition, a, b), np.ones(1))
    assert same_bits(values, np.where(condition, a, b).astype(float))


def test_pow_of_scalars_is_that_of_numpy_scalars() -> None:
    d = Draft(2)
    out = d.scalar("pow", "dd->d", 0, 1)
    d.segment(2)
    program = d.ends(out).build()
    rng = np.random.default_rng(3)
    for x in np.abs(rng.standard_normal((2000, 2)) * 5):
        values = _minpack.program_values(program, (), x)
        assert values[0] == values[1] == x[0] ** x[1]


MATRICES = {
    "by rows": lambda x: np.ascontiguousarray(x),
    "by columns": lambda x: np.asfortranarray(x),
    "every other row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "every other column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "rows repeated": lambda x: np.broadcast_to(x[0], x.shape),
}


@pytest.mark.parametrize("layout", MATRICES)
@pytest.mark.parametrize("m", LENGTHS[:-1])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 17])
def test_a_matrix_times_parameters_has_the_bits_of_matmul(
    n: int, m: int, layout: str
) -> None:
    rng = np.random.default_rng(n)
    matrix = MATRICES[layout](rng.standard_normal((m, n)))
    x = rng.standard_normal(n)
    d = Draft(n, matrix)
    shifted = [d.scalar(np.multiply, "dd->d", j, j) for j in range(n)]
    d.segment(m)
    product = d.full(np.matmul, "dd->d", n, *shifted)
    again = d.full(np.matmul, "dd->d", n, *range(n))
    program = d.ends(d.value(np.add, "dd->d", product, again)).build()
    expected = matrix @ (x * x) + matrix @ x
    assert same_bits(_minpack.program_values(program, (), x), expected)
