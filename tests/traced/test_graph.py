"""The graph of a record, and the description of a program that it becomes."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from memory import each_extent, fail_each_allocation, outcome
from minpack import _minpack
from minpack._traced.derivatives import derivatives
from minpack._traced.stand_ins import Scalar, Vector
from minpack._traced.trace import Trace

T = np.linspace(0.0, 1.0, 5)
MATRIX = np.ones((5, 2))


def recorded(n: int = 2) -> tuple[Trace, Any, list[Any]]:
    """A trace, its data and its parameters."""
    trace = Trace(T.size)
    return trace, trace.argument(T), [trace.parameter(j) for j in range(n)]


def lowered(
    trace: Trace, *pieces: Any, columns: Any = None, lengths: Any = None
) -> Any:
    lengths = [T.size] * len(pieces) if lengths is None else lengths
    size = len(trace.nodes)
    return _minpack.lower(
        trace.parameters, size, list(pieces), lengths, columns, np.matmul
    )


def test_an_operation_is_one_node():
    trace, t, (a, b) = recorded()
    node = a * t
    assert node is a * t
    assert node is np.multiply(a, t)
    assert node is not t * a
    assert list(trace.nodes.values()) == [t, a, b, node, t * a]
    assert [each.order for each in trace.nodes.values()] == [0, 1, 2, 3, 4]
    assert (type(a * b), (a * b).length) == (Scalar, None)
    assert (type(node), node.length, node.char, node.depends) == (Vector, 5, "d", True)
    assert not (t + t).depends


def test_what_is_computed_once_has_one_instruction():
    trace, t, (a, b) = recorded()
    fraction, whole = np.modf(a * t)
    leaves, arrays, scalars, split, ((_, full, value, jac, out, outs),) = lowered(
        trace, fraction + whole * np.exp(b) + np.exp(b)
    )
    assert leaves == ((0, 0, 8, "d", False),)
    assert arrays == ()
    assert (scalars, split) == (((np.exp, "d->d", (1,)),), 1)
    assert [op for op, *_ in value] == [
        np.multiply, np.modf, np.multiply, np.add, np.add
    ]  # fmt: skip
    assert (full, jac, out, outs) == ((), (), 9, None)


def test_matrices_are_leaves_each_once_and_products_come_first():
    trace, t, (a, b) = recorded()
    other = 2.0 * MATRIX
    vector = np.array([a, b])
    first, second = trace.matmul(MATRIX, vector), trace.matmul(MATRIX, vector[::-1])
    total = first + second + t * trace.matmul(other, vector)
    leaves, arrays, _, _, ((_, full, value, *_),) = lowered(trace, total)
    assert [id(leaf) for leaf in leaves[1:]] == [id(other), id(MATRIX)]
    assert len(arrays) == 2
    assert [(op, operands) for op, _, operands in full] == [
        (np.matmul, (4, 0, 1)), (np.matmul, (4, 1, 0)), (np.matmul, (3, 0, 1))
    ]  # fmt: skip
    assert len(value) == 3


def test_scalars_of_the_derivatives_come_after_those_of_the_values():
    trace, t, (a, b) = recorded()
    piece = a * t + np.exp(b)
    columns = derivatives(trace, [piece], 2)
    _, _, scalars, split, ((*_, jac, _, outs),) = lowered(trace, piece, columns=columns)
    assert (len(scalars), split, jac) == (1, 1, ())
    assert outs == (2, 3)


def test_a_graph_is_collected_though_it_refers_to_itself():
    trace, t, (a, b) = recorded()
    gone = weakref.ref(trace)
    del trace, t, a, b
    gc.collect()
    assert gone() is None


def test_a_long_chain_of_nodes_is_freed():
    trace, t, (a, _) = recorded()
    node = a * t
    for _ in range(19_000):
        node = node + a
    del node
    trace.clear()
    assert len(trace.nodes) == 0


# --- Errors -------------------------------------------------------------------------


def bare() -> Any:
    return _minpack.Graph.__new__(_minpack.Graph)


def add(**changes: Any) -> Any:
    arguments = {
        "key": 1, "op": "x", "operands": (), "char": "d", "length": None,
        "depends": False, "types": "", "payload": None,
    } | changes  # fmt: skip
    return Trace(5).add(*arguments.values())


def lower(*changes: tuple[int, Any]) -> Any:
    trace, t, (a, b) = recorded()
    arguments = [[a, b], len(trace.nodes), [t], [5], None, np.matmul]
    for k, value in changes:
        arguments[k] = value(trace, t, a) if callable(value) else value
    return _minpack.lower(*arguments)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "a node of no graph": (lambda: Scalar(3), "a graph makes objects of type Scalar"),
    "operands in a list": (lambda: add(operands=[]), "add takes key, op, operands"),
    "a type that is no text": (lambda: add(char=3), "add takes key, op, operands"),
    "more than what a node has": (lambda: add(more=3), "add takes key, op, operands"),
    "a key without a hash": (lambda: add(key=[]), "unhashable"),
    "a graph of other classes": (
        lambda: _minpack.Graph(int, Vector, {}, 10), "two classes of nodes"
    ),
    "a graph that is not ready": (
        lambda: bare().make(np.add, "dd->d", ()), "__init__ has not been called"
    ),
    "a ufunc of a graph that is not ready": (
        lambda: bare().apply(np.add, ()), "__init__ has not been called"
    ),
    "a leaf of a graph that is not ready": (
        lambda: bare().add(1, "x", (), "d", None, False, "", None),
        "__init__ has not been called",
    ),
    "too few arguments": (lambda: Trace(5).make(np.add, "dd->d"), "make takes"),
    "one argument": (lambda: Trace(5).apply(np.add), "apply takes"),
    "an operand that is none": (
        lambda: Trace(5).make(np.add, "dd->d", (1.0, 2.0)), "an operand is a node"
    ),
    "types without an arrow": (
        lambda: Trace(5).make(np.add, "dd", ()), "'dd' has no output 0"
    ),
    "an output that is not there": (
        lambda: Trace(5).make(np.add, "dd->d", (), 1), "has no output 1"
    ),
    "a negative output": (
        lambda: Trace(5).make(np.add, "dd->d", (), -1), "has no output -1"
    ),
    "an output that is no number": (
        lambda: Trace(5).make(np.add, "dd->d", (), "1"), "integer"
    ),
    "an operation without a hash": (
        lambda: Trace(5).make([], "dd->d", ()), "unhashable"
    ),
    "a piece that is no node": (lambda: lower((2, [3])), "takes nodes of one record"),
    "a node beyond the record": (
        lambda: lower((2, lambda trace, t, a: [a * t])), "takes nodes of one record"
    ),
    "a negative size": (lambda: lower((1, -1)), "not negative"),
    "a piece without a length": (lambda: lower((3, [])), "a piece has a length"),
    "no columns of a piece": (lambda: lower((4, [])), "n nodes for each"),
    "too few columns": (
        lambda: lower((4, lambda trace, t, a: [[t]])), "n nodes for each"
    ),
    "columns in tuples": (
        lambda: lower((4, lambda trace, t, a: [(t, a)])), "n nodes for each"
    ),
    "columns that are no nodes": (
        lambda: lower((4, [[1, 2]])), "takes nodes of one record"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name: str) -> None:
    act, message = WRONG[name]
    with pytest.raises((TypeError, ValueError, RuntimeError), match=re.escape(message)):
        act()


# --- Memory -------------------------------------------------------------------------


@each_extent
def test_where_memory_runs_out_no_node_is_left(memory: Any, alone: bool) -> None:
    trace, t, (a, _) = recorded()
    make, apply = memory.failing(trace.make), memory.failing(trace.apply)
    count = len(trace.nodes)

    def act() -> str:
        def both() -> bool:
            made = make(np.multiply, "dd->d", (a, t))
            return made is apply(np.multiply, (a, t))

        try:
            return outcome(both)
        finally:
            while len(trace.nodes) > count:
                trace.nodes.popitem()

    fail_each_allocation(memory, alone, act, "True")


@each_extent
def test_where_memory_runs_out_nothing_is_left_of_a_description(
    memory: Any, alone: bool
) -> None:
    trace, t, (a, b) = recorded()
    fraction, whole = np.modf(a * t)
    product = trace.matmul(MATRIX, np.array([a, b]))
    piece = fraction * whole + np.exp(b) * product + np.cos(T)
    columns = derivatives(trace, [piece], 2)
    lower = memory.failing(_minpack.lower)
    arguments = (trace.parameters, len(trace.nodes), [piece], [5], columns, np.matmul)
    expected = repr(_minpack.lower(*arguments))
    fail_each_allocation(
        memory, alone, lambda: outcome(lambda: lower(*arguments)), expected
    )
