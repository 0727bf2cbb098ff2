"""Exact derivatives of a record: the chain rule, as more nodes of the same graph.

Reverse mode. Every operation works on each point alone, so the column of the Jacobian
for a parameter is the adjoint of the parameter, without any sum over the points: one
sweep gives all columns. Forward mode would carry n vectors through each operation.

A node is a *joint* if several outputs need its derivatives, or if it is a choice
between pieces. A sweep ends at joints. What is below a joint is swept once, and the
chain rule puts the columns above it together. So the time for many outputs is
proportional to the length of the record. The derivative of a piece that a choice does
not take may be NaN: nothing is multiplied by it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minpack._traced.rules import (
    ONE,
    PIECES,
    RULES,
    Pieces,
    Product,
    rules_of,
)
from minpack._traced.special import SMALL
from minpack._traced.stand_ins import Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack._traced.trace import Trace


class Missing(NamedTuple):
    """The operation that has no rule, and the operand by which it has none."""

    name: str
    operand: int

    def __repr__(self) -> str:
        return f"the derivative of {self.name} with respect to operand {self.operand}"


def derivatives(
    trace: Trace, outputs: Sequence[Node], n: int
) -> list[list[Node]] | Missing:
    """Return the nodes of the n derivatives of each output, one row an output."""
    # The rules' numbers are not the function's.
    numbers, trace.numbers = trace.numbers, set()
    work = Derivation(trace)
    missing = work.sweep(outputs)
    if missing is None:
        work.compose()
    trace.numbers = numbers
    if missing is not None:
        return missing
    zero = trace.constant(0.0)
    rows = []
    for output in outputs:
        row = [zero] * n
        columns = work.columns.get(output.order)
        if columns:
            made = {(g[0], id(g[1]), id(g[2]), id(g[3])): g for g in columns.values()}
            for j, g in columns.items():
                row[j] = work.column(g, made)
        rows.append(row)
    return rows


class Derivation:
    """The derivatives of one record under way.

    Attributes
    ----------
    parts : dict
        For each joint the pairs (joint or parameter below, product) that the sweep has
        found. A node is named by its place in the record.
    columns : dict
        For each joint and parameter its derivatives, by the index of the parameter.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.make = trace.make
        self.nodes = trace.nodes
        self.parts: dict[int, list[tuple[int, Product]]] = {}
        self.columns: dict[int, dict[int, Product]] = {}
        self.joints: list[tuple[Node, Pieces | None]] = []

    # --- The chain rule -------------------------------------------------------------

    def sweep(self, outputs: Sequence[Node]) -> Missing | None:
        """Go through the record from its end, and find the parts of all joints."""
        parts = self.parts
        nodes = list(self.nodes.values())
        # For each node its adjoints, by the joint from which they come.
        adjoints: list[dict[int, Product] | None] = [None] * len(nodes)
        ends = set()
        for output in outputs:
            if output.depends:
                ends.add(output.order)
                adjoints[output.order] = {}
        for i in range(len(nodes) - 1, -1, -1):  # each after what uses it
            found = adjoints[i]
            if found is None or not (found or i in ends):
                continue
            node = nodes[i]
            op = node.op
            if op == "parameter":
                for joint, g in found.items():
                    parts[joint].append((i, g))
                self.columns[i] = {node.payload: ONE}
                continue
            rules = RULES.get(op)
            pieces = PIECES.get(op) if rules is None else None
            if i in ends or len(found) > 1 or pieces is not None:
                for joint, g in found.items():
                    parts[joint].append((i, g))
                parts[i] = []
                if pieces is not None:
                    choice = pieces(self, in_float64(self.trace, node))
                    self.joints.append((node, choice))
                    for _, k in choice:
                        operand = node.operands[k]
                        if operand.depends:
                            ends.add(operand.order)
                            if adjoints[operand.order] is None:
                                adjoints[operand.order] = {}
                    continue
                self.joints.append((node, None))
                joint, g = i, ONE
            else:
                ((joint, g),) = found.items()
            if rules is None:
                rules = rules_of(node)
            operands = node.operands
            if "f" in node.types:
                node = in_float64(self.trace, node)
            for k, operand in enumerate(operands):
                if operand.depends:
                    rule = rules[k] if k < len(rules) else None
                    if rule is None:
                        if operand.char not in "df":
                            continue  # an integer is constant
                        return Missing(getattr(op, "__name__", op), k)
                    product = rule(self, node, g)
                    if product is None or product[0] == 0.0:
                        continue
                    there = adjoints[operand.order]
                    if there is None:
                        adjoints[operand.order] = {joint: product}
                    else:
                        self.add_to(there, joint, product)
        return None

    def compose(self) -> None:
        """Find the columns of all joints from their parts, from the beginning on."""
        for node, choice in reversed(self.joints):
            columns: dict[int, Product] = {}
            if choice is not None:
                self.columns[node.order] = self.choose(node, choice)
                continue
            for below, g in self.parts[node.order]:
                for j, h in self.columns[below].items():
                    product = h if g is ONE else g if h is ONE else self.by(g, h)
                    self.add_to(columns, j, product)
            self.columns[node.order] = columns

    def choose(self, node: Node, choice: Pieces) -> dict[int, Product]:
        """Return the columns of a choice: for each the choice between the pieces'."""
        pieces = [self.columns.get(node.operands[k].order, {}) for _, k in choice]
        zero = self.trace.constant(0.0)
        out = {}
        for j in dict.fromkeys(j for columns in pieces for j in columns):
            each = [columns.get(j) for columns in pieces]
            *first, total = [zero if g is None else self.value(g) for g in each]
            for (condition, _), piece in zip(choice[-2::-1], first[::-1], strict=True):
                assert condition is not None
                if piece is not total:
                    total = self.make("select", "?dd->d", (condition, piece, total))
            out[j] = self.product(total)
        return out

    # --- Products -------------------------------------------------------------------

    def product(self, node: Node) -> Product:
        """Return a node as a product."""
        if node.op == "constant":
            return (float(node.payload), None, None, None)
        if node.length is None:
            return (1.0, node, None, None)
        if node.depends:
            return (1.0, None, None, node)
        return (1.0, None, node, None)

    def times(self, g: Product, node: Node) -> Product:
        """Multiply a product by a node."""
        number, scalar, fixed, vector = g
        if node.length is None:
            if node.op == "constant":
                return (number * float(node.payload), scalar, fixed, vector)
            scalar = node if scalar is None else self.multiply(scalar, node)
        elif not node.depends:
            fixed = node if fixed is None else self.multiply(fixed, node)
        elif vector is None:
            vector = node
            if scalar is not None:
                # The values may have this product: a exp(u) is in its derivative.
                found = self.found(np.multiply, scalar, node)
                if found is not None:
                    scalar, vector = None, found
        else:
            if fixed is not None:
                vector, fixed = self.multiply(vector, fixed), None
            vector = self.multiply(vector, node)
        return (number, scalar, fixed, vector)

    def over(self, g: Product, node: Node) -> Product:
        """Divide a product by a node."""
        number, scalar, fixed, vector = g
        if node.op == "constant":
            divisor = float(node.payload)
            if divisor != 0.0:
                return (number / divisor, scalar, fixed, vector)
        if node.length is None:
            scalar = self.divide(scalar, node)
        elif not node.depends:
            fixed = self.divide(fixed, node)
        else:
            if vector is not None and fixed is not None:
                vector, fixed = self.multiply(vector, fixed), None
            vector = self.divide(vector, node)
        return (number, scalar, fixed, vector)

    def add_to(self, sums: dict[int, Product], key: int, g: Product) -> None:
        """Add a product to the sum of a key; a sum of zero is left out."""
        known = sums.get(key)
        total = g if known is None else self.plus(known, g)
        if total is None:
            del sums[key]
        else:
            sums[key] = total

    def by(self, g: Product, h: Product) -> Product:
        """Multiply two products."""
        number, *nodes = h
        g = (g[0] * number, *g[1:])
        for node in nodes:
            if node is not None:
                g = self.times(g, node)
        return g

    def plus(self, g: Product, h: Product) -> Product | None:
        """Add two products, without multiplying out what they have in common."""
        a, s, fixed, vector = g
        b, t, *others = h
        if fixed is others[0] and vector is others[1]:
            if s is t:
                return (a + b, s, fixed, vector) if a + b != 0.0 else None
            return (1.0, self.sum(a, s, b, t), fixed, vector)
        x: Node | None
        y: Node | None
        if s is t:
            x, y = self.vectors(fixed, vector), self.vectors(*others)
            if abs(a) == abs(b):
                number, total = a, self.sum(1.0, x, b / a, y)
            else:
                number, total = 1.0, self.sum(a, x, b, y)
        else:
            number, s = 1.0, None
            x, a = self.value((abs(a), *g[1:])), math.copysign(1.0, a)
            y, b = self.value((abs(b), *h[1:])), math.copysign(1.0, b)
            total = self.sum(a, x, b, y)
        if total.depends:
            return (number, s, None, total)
        return (number, s, total, None)

    def value(self, g: Product) -> Node:
        """Multiply a product out."""
        number, scalar, fixed, vector = g
        if vector is None and fixed is None:
            return self.scaled(number, scalar)
        if vector is not None and scalar is not None:
            found = self.found(np.multiply, scalar, vector)
            if found is not None:
                scalar, vector = None, found
        if scalar is not None:
            factor = self.scaled(number, scalar)
            node = self.vectors(fixed, vector)
            assert node is not None
            return self.multiply(factor, node)
        if fixed is not None:
            fixed = self.scaled(number, fixed)
            return fixed if vector is None else self.multiply(fixed, vector)
        assert vector is not None
        return self.scaled(number, vector)

    def column(self, g: Product, others: dict[tuple[Any, ...], Product]) -> Node:
        """Multiply a product out; it may be another column times a vector."""
        number, scalar, fixed, vector = g
        if (
            (scalar is not None or number != 1.0)
            and vector is not None
            and vector.op is np.multiply
        ):
            for a, b in (vector.operands, vector.operands[::-1]):
                rest = others.get((number, id(scalar), id(fixed), id(a)))
                if rest is not None:
                    return self.multiply(self.value(rest), b)
        return self.value(g)

    # --- Nodes ----------------------------------------------------------------------

    def found(self, ufunc: np.ufunc, a: Node, b: Node) -> Node | None:
        """Return the node of a ufunc whose operands commute, if it is there."""
        nodes = self.nodes
        node = nodes.get((ufunc, "dd->d", 0, a.order, b.order))
        if node is None:
            node = nodes.get((ufunc, "dd->d", 0, b.order, a.order))
        return node

    def multiply(self, a: Node, b: Node) -> Node:
        """Return the node of a b."""
        if a is b:
            return self.make(np.square, "d->d", (a,))
        node = self.nodes.get((np.multiply, "dd->d", 0, b.order, a.order))
        return self.make(np.multiply, "dd->d", (a, b)) if node is None else node

    def divide(self, a: Node | None, b: Node) -> Node:
        """Return the node of a / b; None stands for 1."""
        if a is None:
            a = self.trace.constant(1.0)
        return self.make(np.divide, "dd->d", (a, b))

    def add(self, a: Node, b: Node) -> Node:
        """Return the node of a + b."""
        node = self.nodes.get((np.add, "dd->d", 0, b.order, a.order))
        return self.make(np.add, "dd->d", (a, b)) if node is None else node

    def subtract(self, a: Node, b: Node) -> Node:
        """Return the node of a - b."""
        return self.make(np.subtract, "dd->d", (a, b))

    def scaled(self, number: float, node: Node | None) -> Node:
        """Return the node of a number times a node."""
        if node is None:
            return self.trace.constant(number)
        if number == 1.0:
            return node
        if number == -1.0:
            return self.make(np.negative, "d->d", (node,))
        return self.multiply(self.trace.constant(number), node)

    def sum(self, a: float, x: Node | None, b: float, y: Node | None) -> Node:
        """Return the node of a x + b y."""
        if b < 0.0:
            return self.subtract(self.scaled(a, x), self.scaled(-b, y))
        if a < 0.0:
            return self.subtract(self.scaled(b, y), self.scaled(-a, x))
        return self.add(self.scaled(a, x), self.scaled(b, y))

    def vectors(self, fixed: Node | None, vector: Node | None) -> Node | None:
        """Return the node of the product of a product's vectors; None stands for 1."""
        if fixed is None or vector is None:
            return vector if fixed is None else fixed
        return self.multiply(vector, fixed)

    def apply(self, ufunc: np.ufunc, *nodes: Node | float) -> Node:
        """Return the node of a ufunc of one output on float64."""
        operands = tuple(
            self.trace.constant(node) if isinstance(node, float) else node
            for node in nodes
        )
        return self.make(ufunc, "d" * len(operands) + "->d", operands)

    def equal(self, a: Node, b: Node | float) -> Node:
        """Return the node of a == b."""
        if not isinstance(b, Node):
            b = self.trace.constant(b)
        return self.make(np.equal, "dd->?", (a, b))

    def at_least_small(self, node: Node) -> Node:
        """Return the divisor for a node that is 0 or greater: never below SMALL."""
        self.trace.has_poles = True
        return self.apply(np.maximum, node, SMALL)


def in_float64(trace: Trace, node: Node) -> Node:
    """Return an operation of float32 in float64."""
    if "f" not in node.types:
        return node
    types = node.types.replace("f", "d")
    operands = tuple(
        trace.cast(each, "d") if each.char == "f" else each for each in node.operands
    )
    if node.op == "cast":
        return operands[0]
    return trace.make(node.op, types, operands, node.payload)
