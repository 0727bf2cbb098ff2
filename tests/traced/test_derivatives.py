"""The derivatives of a record are exact, few, and found again."""

import numpy as np
import pytest

from traced.differentiated import Record, X

special = pytest.importorskip("scipy.special")

# --- Corners --------------------------------------------------------------------------

ZERO = np.zeros(2)
NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("function", "p", "x", "expected"),
    [
        pytest.param(lambda x, b: x**b, [0.7], ZERO, [0.0], id="0 ** b by b"),
        pytest.param(lambda x, a: (a * x) ** 1, [2.0], ZERO + 3, [3.0], id="x ** 1"),
        pytest.param(lambda x, a: (a + x) ** 1, [0.0], ZERO, [1.0], id="0 ** 1 by x"),
        pytest.param(lambda x, a: (a + x) ** 0, [0.0], ZERO, [0.0], id="0 ** 0 by x"),
        pytest.param(lambda x, a: (a + x) ** 2, [0.0], ZERO, [0.0], id="0 ** 2 by x"),
        pytest.param(lambda x, a: (a + x) ** 4, [0.0], ZERO, [0.0], id="0 ** 4 by x"),
        pytest.param(
            lambda x, a: (a + x) ** 1.5, [0.0], ZERO, [0.0], id="0 ** 1.5 by x"
        ),
        pytest.param(
            lambda x, a, b: (a + x) ** b,
            [0.0, 1.0],
            ZERO,
            [1.0, 0.0],
            id="0 ** b, b = 1",
        ),
        pytest.param(
            lambda x, a, b: (a + x) ** b,
            [0.0, 2.0],
            ZERO,
            [0.0, 0.0],
            id="0 ** b, b = 2",
        ),
        pytest.param(lambda x, a: (a + x) ** 3, [-2.0], ZERO, [12.0], id="-2 ** 3"),
        pytest.param(lambda x, a: (a + x) ** 5, [-2.0], ZERO, [80.0], id="-2 ** 5"),
        pytest.param(lambda x, a: (a + x) ** -2, [-2.0], ZERO, [0.25], id="-2 ** -2"),
        pytest.param(
            lambda x, a: np.sqrt(np.maximum(x - a, 0.0)),
            [1.0],
            ZERO,
            [0.0],
            id="sqrt of what is 0 all around",
        ),
        pytest.param(
            lambda x, a, b: np.maximum(x - a, 0.0) ** b,
            [1.0, 0.3],
            ZERO,
            [0.0, 0.0],
            id="power of what is 0 all around",
        ),
        pytest.param(
            lambda x, a: np.sqrt(np.square(a - x)),
            [0.0],
            ZERO,
            [0.0],
            id="sqrt of square",
        ),
        pytest.param(
            lambda x, a, b: np.hypot(a - x, b),
            [0.0, 0.0],
            ZERO,
            [0.0, 0.0],
            id="hypot at 0",
        ),
        pytest.param(
            lambda x, a, b: np.arctan2(a - x, b),
            [0.0, 0.0],
            ZERO,
            [0.0, 0.0],
            id="arctan2 at 0",
        ),
        pytest.param(
            lambda x, a, b: np.arctan2(a - x, b),
            [0.0, 2.0],
            ZERO,
            [0.5, 0.0],
            id="arctan2 on its axis",
        ),
        pytest.param(
            lambda x, a: np.abs(a - x), [0.0], ZERO, [0.0], id="absolute at 0"
        ),
        pytest.param(
            lambda x, a: np.arccos(np.clip(a * x, -1.0, 1.0)),
            [2.0],
            ZERO + 1,
            [0.0],
            id="arccos of what is clipped",
        ),
        pytest.param(
            lambda x, a: special.xlogy(x, a * x),
            [2.0],
            ZERO,
            [0.0],
            id="xlogy at 0, 0",
        ),
        pytest.param(
            lambda x, a: np.where(a * x == 0, 1.0, np.sin(a * x) / (a * x)),
            [2.0],
            ZERO,
            [0.0],
            id="sin(x) / x at 0",
        ),
        pytest.param(
            lambda x, a: np.where(a < x, a, np.log(a - x)),
            [0.0],
            ZERO + 1,
            [1.0],
            id="NaN in the other piece",
        ),
        pytest.param(
            lambda x, a: 3.0 * np.where(x > a, a * x, np.sqrt(a - x)),
            [1.0],
            ZERO + 2,
            [6.0],
            id="a factor of a choice",
        ),
        pytest.param(
            lambda x, a: np.maximum(a * x, -1.0) + np.maximum(np.log(a * x), 2.0),
            [0.0],
            ZERO + 1,
            [1.0],
            id="infinity in the piece not taken",
        ),
        pytest.param(
            lambda x, a, b: np.maximum(a, b) + x,
            [1.0, 1.0],
            ZERO,
            [1.0, 0.0],
            id="maximum at a tie",
        ),
        pytest.param(
            lambda x, a, b: np.minimum(a, b) + x,
            [1.0, 1.0],
            ZERO,
            [1.0, 0.0],
            id="minimum at a tie",
        ),
        pytest.param(
            lambda x, a, b: np.fmax(a, b) + x,
            [NAN, 1.0],
            ZERO,
            [0.0, 1.0],
            id="fmax of NaN",
        ),
        pytest.param(
            lambda x, a, b: np.fmin(a, b) + x,
            [1.0, NAN],
            ZERO,
            [1.0, 0.0],
            id="fmin and NaN",
        ),
        pytest.param(
            lambda x, a: np.clip(a, 0.0, 1.0) + x,
            [1.0],
            ZERO,
            [1.0],
            id="clip at its end",
        ),
        pytest.param(
            lambda x, a, b: a * x * np.exp(b),
            [2.0, 0.0],
            ZERO + INF,
            [INF, INF],
            id="products with infinity",
        ),
    ],
)
def test_corners_have_the_derivatives_of_one_side(function, p, x, expected):
    found = Record(function, len(p), x)(*p)
    for column, value in zip(found, expected, strict=True):
        assert np.array_equal(np.broadcast_to(column, 2), [value, value])


def test_an_infinite_derivative_is_huge():
    (column,) = Record(lambda x, a: np.sqrt(a + x), 1, ZERO)(0.0)
    assert (column > 1e199).all()


# --- Other operations -----------------------------------------------------------------


def test_derivatives_go_through_float32_in_float64():
    def function(x, a, b):
        single = (a * x).astype(np.float32)
        return np.exp(single).astype(np.float64) * np.sin(b)

    a, b = Record(function, 2)(0.75, 0.3)
    assert a.dtype == np.float64
    assert np.allclose(a, X * np.exp(0.75 * X) * np.sin(0.3), rtol=1e-12, atol=0.0)
    assert np.allclose(b, np.exp(0.75 * X) * np.cos(0.3), rtol=1e-6, atol=0.0)


def test_integers_and_conditions_are_constant():
    def function(x, a, b):
        return a * (x > b) + (b * x).astype(int) + np.floor(b * x)

    a, b = Record(function, 2)(1.5, 0.7)
    assert np.array_equal(a, X > 0.7)
    assert (b == 0.0).all()


def test_an_integer_operand_is_constant():
    def function(x, a, b):
        n = np.floor(b).astype(int)
        return special.kn(n, a * x) + np.ldexp(a * x, n)

    a, b = Record(function, 2)(0.7, 2.5)
    assert np.allclose(a, X * (special.kvp(2, 0.7 * X) + 4.0), rtol=1e-13, atol=0.0)
    assert (b == 0.0).all()


def test_a_product_with_a_matrix_has_its_columns():
    matrix = np.arange(12.0).reshape(4, 3)

    def function(x, a, b):
        return x * (matrix @ np.stack([a, np.exp(b), a * b]))

    a, b = Record(function, 2)(1.5, 0.5)
    assert np.allclose(a, X * (matrix[:, 0] + 0.5 * matrix[:, 2]), rtol=1e-14)
    expected = X * (matrix[:, 1] * np.exp(0.5) + 1.5 * matrix[:, 2])
    assert np.allclose(b, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (lambda b, p: b**p, lambda b, p: (p * b ** (p - 1), b**p * np.log(b))),
        (lambda b, p: 2.0**p * b, lambda b, p: (2.0**p, b * 2.0**p * np.log(2.0))),
        (lambda b, p: b**2 * p, lambda b, p: (2 * b * p, b**2)),
    ],
)
def test_powers_of_numbers(function, derivative):
    found = Record(lambda x, b, p: function(b, p) + x, 2)(1.7, 0.6)
    assert np.allclose(
        [float(each) for each in found], derivative(1.7, 0.6), rtol=1e-14
    )


def test_a_node_that_is_used_twice_has_the_sum():
    def function(x, a, b):
        u = np.sin(a * x)
        return u * np.exp(b * u) - u / (1.0 + u * u)

    a, b = Record(function, 2)(0.7, 0.4)
    u, du = np.sin(0.7 * X), X * np.cos(0.7 * X)
    e = np.exp(0.4 * u)
    expected = du * (e + 0.4 * u * e - (1 - u**2) / (1 + u**2) ** 2)
    assert np.allclose(a, expected, rtol=1e-13, atol=0.0)
    assert np.allclose(b, u * u * e, rtol=1e-14, atol=0.0)


# --- Few operations -------------------------------------------------------------------


def decay(t, a, b, c):
    return a * np.exp(-b * t) + c


def weighted_decay(t, a, b, c):
    return (a * np.exp(-b * t) + c - 1.0) / t


def gaussian(x, a, m, s, c):
    return a * np.exp(-((x - m) ** 2) / (2 * s**2)) + c


def standardized(x, a, m, s, c):
    return a * np.exp(-0.5 * ((x - m) / s) ** 2) + c


def two_gaussians(x, *p):
    return gaussian(x, *p[:3], 0.0) + gaussian(x, *p[3:], 0.0)


def lorentzian(x, a, m, w):
    return a / (1.0 + ((x - m) / w) ** 2)


def logistic(x, a, k, m):
    return a / (1.0 + np.exp(-k * (x - m)))


def power_law(x, a, b):
    return a * x**b


def line(x, a, b):
    return a * x + b


@pytest.mark.parametrize(
    ("function", "n", "most"),
    [
        (line, 2, 0),
        (decay, 3, 2),
        (weighted_decay, 3, 5),
        (power_law, 2, 4),
        (gaussian, 4, 4),
        (standardized, 4, 3),
        (two_gaussians, 6, 8),
        (lorentzian, 3, 5),
        (logistic, 3, 6),
    ],
)
def test_derivatives_are_few_operations(function, n, most):
    record = Record(function, n)
    assert record.count()[1] <= most
    p = np.linspace(0.7, 1.3, n)
    for j, column in enumerate(record(*p)):
        step = 1e-20j * (np.arange(n) == j)
        exact = function(X, *(p + step)).imag / 1e-20
        assert np.allclose(column, exact, rtol=1e-12, atol=0.0)


def test_zeros_and_ones_are_numbers():
    record = Record(lambda x, a, b, c: a + x - c, 3)
    assert [node.op for node in record.rows[0]] == ["constant"] * 3
    assert [float(node.payload) for node in record.rows[0]] == [1.0, 0.0, -1.0]


@pytest.mark.parametrize(
    "function",
    [lambda x, a: a * x - x * a, lambda x, a: np.sin(a * x) - np.sin(a * x)],
    ids=["products", "sines"],
)
def test_what_cancels_is_zero(function):
    record = Record(function, 1)
    assert record.rows[0][0] is record.trace.constant(0.0)


@pytest.mark.parametrize("function", [lambda a, b: a * b, lambda a, b: b * a])
def test_a_product_of_the_value_is_found_again(function):
    record = Record(lambda x, a, b: function(a, np.exp(b * x)), 2)
    assert record.count()[1] == 1  # a exp(b x) times x


def test_numbers_of_the_rules_are_not_those_of_the_function():
    record = Record(lambda x, a: 3.5 * special.erf(a * x), 1)
    assert record.trace.numbers == {3.5}


# --- Many outputs ---------------------------------------------------------------------


def jacobian(record, p):
    memo = {}
    return np.array(
        [[record.value(node, p, memo) for node in row] for row in record.rows]
    )


def test_each_output_has_a_row():
    def function(x, a, b):
        return [a * b, np.exp(a), a.trace.constant(2.0), b, a]

    record = Record(function, 2)
    assert np.array_equal(
        jacobian(record, (0.5, 3.0)),
        [[3.0, 0.5], [np.exp(0.5), 0.0], [0.0, 0.0], [0.0, 1.0], [1.0, 0.0]],
    )


def chain(m, backwards):
    def function(x, a, b):
        states = [a]
        for _ in range(m):
            states.append(np.sin(b * states[-1]))
        return states[::-1] if backwards else states

    return function


@pytest.mark.parametrize("backwards", [False, True])
def test_outputs_that_need_each_other_have_the_right_rows(backwards):
    def step(a, b, k):
        for _ in range(k):
            a = np.sin(b * a)
        return a

    rows = jacobian(Record(chain(8, backwards), 2), (0.5, 1.1))
    for k, row in enumerate(rows[::-1] if backwards else rows):
        exact = [step(0.5 + 1e-20j, 1.1, k).imag, step(0.5, 1.1 + 1e-20j, k).imag]
        assert np.allclose(row, np.array(exact) / 1e-20, rtol=1e-13, atol=0.0)


@pytest.mark.parametrize("backwards", [False, True])
def test_twice_as_many_outputs_are_twice_as_many_operations(backwards):
    def nodes(m):
        return len(Record(chain(m, backwards), 2).trace.nodes)

    assert nodes(400) - nodes(200) <= 1.05 * (nodes(200) - nodes(0))


@pytest.mark.parametrize("depth", [3, 1500])
def test_a_long_chain_is_no_recursion(depth):
    def function(x, a):
        for _ in range(depth):
            a = 0.5 * a + 1.0
        return a

    (column,) = Record(function, 1)(1.0)
    assert float(column) == 0.5**depth


def test_choices_within_choices_are_differentiated_once():
    def nodes(depth):
        def function(x, a):
            z = a * x
            for k in range(depth):
                z = np.where(z < k, np.sin(z), np.cos(z))
            return z

        return len(Record(function, 1).trace.nodes)

    assert nodes(20) - nodes(10) <= 1.05 * (nodes(10) - nodes(0))


def test_segments_of_different_lengths_share_what_is_one_number():
    def function(x, a, b):
        s = np.exp(a * b)
        return [s * x, np.sin(s * x[:2]), s]

    record = Record(function, 2)
    s = np.exp(0.5 * 0.8)
    memo = {}
    a = [record.value(row[0], (0.5, 0.8), memo) for row in record.rows]
    assert np.allclose(a[0], 0.8 * s * X, rtol=1e-14)
    assert np.allclose(a[1], 0.8 * s * X[:2] * np.cos(s * X[:2]), rtol=1e-14)
    assert np.allclose(a[2], 0.8 * s, rtol=1e-14)
