"""From a record to a program: what the compiled part runs, and its text."""

from __future__ import annotations

import copy
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from minpack import _minpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack._traced.stand_ins import Node
    from minpack._traced.trace import Trace


class Program:
    """The description of a program, as the compiled part takes it.

    Operands are numbers: the n parameters, then the leaves, then what the instructions
    compute, in their order. An instruction is (op, types, operands).

    Attributes
    ----------
    leaves : tuple
        Constants, arrays, and data as (which, offset, stride, type, whether a number).
    scalars : tuple
        Instructions on numbers; the first `split` are needed by the values.
    segments : tuple
        For each piece of the result its length, the products of matrices, the
        instructions for the values, those for the derivatives, the operand that is the
        result, and those that are its derivatives, or None.
    arrays : tuple
        Which of the leaves are arrays: pairs of a place there and in the record.
    """

    def __init__(
        self,
        trace: Trace,
        pieces: Sequence[Node],
        lengths: Sequence[int],
        columns: Sequence[Sequence[Node]] | None,
    ) -> None:
        self.n = len(trace.parameters)
        self.has_poles = trace.has_poles
        lowering = _Lowering(trace)
        reached: list[dict[int, Node]] = []  # the vectors of each segment
        values = []
        for piece in pieces:
            reached.append({})
            values.append(lowering.reach((piece,), reached[-1]))
        self.split = len(lowering.scalars)
        more: list[list[Node]] = [[]] * len(pieces)
        if columns is not None:
            more = list(map(lowering.reach, columns, reached))
        lowering.number_leaves()
        self.scalars = lowering.number_scalars(self.split)
        segments = []
        for k, piece in enumerate(pieces):
            outs = None if columns is None else columns[k]
            segments.append(
                lowering.segment(piece, lengths[k], values[k], more[k], outs)
            )
        self.segments = tuple(segments)
        self.leaves = tuple(lowering.leaves)
        self.arrays = tuple(lowering.arrays)

    def with_arrays(self, arrays: Sequence[Any]) -> Program:
        """Return the same program with other arrays, in the order of `arrays`."""
        other = copy.copy(self)
        leaves = list(self.leaves)
        for (place, _), array in zip(self.arrays, arrays, strict=True):
            leaves[place] = array
        other.leaves = tuple(leaves)
        return other

    def compile(self) -> Any:
        """Return the program that the compiled part runs."""
        return _minpack.program(
            self.n, self.leaves, self.scalars, self.split, self.segments, self.has_poles
        )

    def count(self) -> int:
        """Count the operations for the values."""
        return self.split + sum(
            len(full) + len(value) for _, full, value, *_ in self.segments
        )


class _Lowering:
    """A record on its way to a program.

    Attributes
    ----------
    numbers : list of int
        The number of each node as an operand, by its place in the record.
    """

    def __init__(self, trace: Trace) -> None:
        self.numbers = [0] * len(trace.nodes)
        self.count = len(trace.parameters)
        self.leaves: list[Any] = []
        self.arrays: list[tuple[int, int]] = []  # as those of Program
        self.scalars: list[Node] = []
        self.matrices: dict[int, int] = {}  # the numbers of matrices, by their id
        self._shared: set[int] = set()  # the places of scalars and leaves
        self._leaves: list[Node] = []
        self._products: list[Node] = []
        for j, node in enumerate(trace.parameters):
            self.numbers[node.order] = j
            self._shared.add(node.order)

    def reach(self, roots: Sequence[Node], own: dict[int, Node]) -> list[Node]:
        """Return the vectors that these nodes need, and add them to a segment's own.

        Scalars and leaves go to those that all segments share.
        """
        shared = self._shared
        found = []
        stack = list(roots)
        while stack:
            node = stack.pop()
            order = node.order
            if order in shared or order in own:
                continue
            if not node.operands:
                shared.add(order)
                self._leaves.append(node)
                continue
            if node.length is None:
                shared.add(order)
                self.scalars.append(node)
            else:
                own[order] = node
                found.append(node)
                if node.op == "matmul":
                    self._products.append(node)
            stack += node.operands
        return _in_order(found)

    def number_leaves(self) -> None:
        """Give numbers to the leaves that the roots need, and to their matrices."""
        for node in self._leaves:
            self.numbers[node.order] = self.count
            self.count += 1
            payload = node.payload
            if node.op == "data":
                payload = (*payload, node.char, node.length is None)
            elif node.op == "array":
                self.arrays.append((len(self.leaves), node.order))
            self.leaves.append(payload)
        for node in self._products:
            if id(node.payload) not in self.matrices:
                self.matrices[id(node.payload)] = self.count
                self.count += 1
                self.arrays.append((len(self.leaves), node.order))
                self.leaves.append(node.payload)

    def number_scalars(self, split: int) -> tuple[Any, ...]:
        """Return the instructions on numbers, the first `split` before the others."""
        first, rest = self.scalars[:split], self.scalars[split:]
        return self.instructions(_in_order(first) + _in_order(rest))

    def instructions(self, nodes: Sequence[Node]) -> tuple[Any, ...]:
        """Return the instructions for some nodes, and number what they compute."""
        numbers = self.numbers
        out = []
        done: dict[Any, int] = {}
        count = self.count
        for node in nodes:
            op = node.op
            operands: tuple[int, ...]
            if len(node.operands) == 2:  # as below, but fast
                a, b = node.operands
                operands = (numbers[a.order], numbers[b.order])
            else:
                operands = tuple([numbers[each.order] for each in node.operands])
            numbers[node.order] = count
            outputs = 1
            if type(op) is str:
                if op == "matmul":
                    operands = (self.matrices[id(node.payload)], *operands)
                    op = np.matmul
            elif op.nout > 1:
                first = done.get((op, operands))
                numbers[node.order] = (count if first is None else first) + node.payload
                if first is not None:
                    continue
                done[op, operands] = count
                outputs = op.nout
            out.append((op, node.types, operands))
            count += outputs
        self.count = count
        return tuple(out)

    def segment(
        self,
        piece: Node,
        length: int,
        values: list[Node],
        more: list[Node],
        columns: Sequence[Node] | None,
    ) -> tuple[Any, ...]:
        """Return the segment of a piece of the result, as `Program` has it."""
        full: tuple[Any, ...] = ()
        if self.matrices:
            whole = [node for node in values + more if node.op == "matmul"]
            full = self.instructions(whole)
            values = [node for node in values if node.op != "matmul"]
            more = [node for node in more if node.op != "matmul"]
        value = self.instructions(values)
        jac = self.instructions(more)
        numbers = self.numbers
        outs = None
        if columns is not None:
            outs = tuple([numbers[node.order] for node in columns])
        return length, full, value, jac, numbers[piece.order], outs


_order = operator.attrgetter("order")


def _in_order(nodes: list[Node]) -> list[Node]:
    """Return nodes in the order of the record: operands before what uses them."""
    nodes.sort(key=_order)
    return nodes


# --- The text of a program --------------------------------------------------------

_OPERATORS = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.power: "**",
    np.remainder: "%", np.floor_divide: "//", np.less: "<", np.less_equal: "<=",
    np.greater: ">", np.greater_equal: ">=", np.equal: "==", np.not_equal: "!=",
    np.bitwise_and: "&", np.bitwise_or: "|", np.bitwise_xor: "^", "pow": "**",
}  # fmt: skip
_ATOM, _POWER, _NEGATIVE, _PRODUCT, _SUM, _LOWEST = 5, 4, 3, 2, 1, 0
_BINDING = {
    "**": _POWER,
    "*": _PRODUCT,
    "/": _PRODUCT,
    "%": _PRODUCT,
    "//": _PRODUCT,
    "+": _SUM,
    "-": _SUM,
}

_Formula = tuple[str, int]  # its text, and how strongly its last operator binds


def text(program: Program, names: Sequence[str], data: Sequence[str]) -> list[str]:
    """Write values as formulas, after lines for what is used more than once.

    `names` are those of the parameters, `data` those of the arguments that are arrays.
    """
    formulas: list[_Formula] = [(name, _ATOM) for name in names]
    formulas += _leaf_formulas(program.leaves, data)
    instructions = list(program.scalars[: program.split])
    at = [len(formulas) + k for k in range(program.split)]
    number = len(formulas) + sum(_outputs(each) for each in program.scalars)
    for _, full, value, jac, _, _ in program.segments:
        for each in (*full, *value):
            instructions.append(each)
            at.append(number)
            number += _outputs(each)
        number += sum(map(_outputs, jac))
    written = dict(enumerate(formulas))
    uses: dict[int, int] = {}
    outs = [segment[4] for segment in program.segments]
    for operand in [k for _, _, operands in instructions for k in operands] + outs:
        uses[operand] = uses.get(operand, 0) + 1
    lines: list[str] = []
    for (op, _, operands), first in zip(instructions, at, strict=True):
        formula = _formula(op, [written[k] for k in operands])
        outputs = _outputs((op, _, operands))
        for k in range(outputs):
            part = formula if outputs == 1 else (f"{formula[0]}[{k}]", _ATOM)
            if uses.get(first + k, 0) > 1:
                lines.append(f"u{len(lines) + 1} = {part[0]}")
                part = f"u{len(lines)}", _ATOM
            written[first + k] = part
    return [*lines, *(written[out][0] for out in outs)]


def _outputs(instruction: tuple[Any, ...]) -> int:
    op = instruction[0]
    return 1 if type(op) is str else op.nout


def _leaf_formulas(leaves: Sequence[Any], data: Sequence[str]) -> list[_Formula]:
    found = []
    arrays = 0
    parts: dict[int, int] = {}
    for leaf in leaves:
        if isinstance(leaf, tuple):
            k = leaf[0]
            parts[k] = parts.get(k, 0) + 1
            found.append((data[k] + f"_{parts[k]}" * (parts[k] > 1), _ATOM))
        elif leaf.ndim == 0:
            number = repr(leaf.item())
            found.append((number, _NEGATIVE if number.startswith("-") else _ATOM))
        else:
            arrays += 1
            found.append((f"array{arrays}", _ATOM))
    return found


def _formula(op: Any, operands: list[_Formula]) -> _Formula:
    symbol = _OPERATORS.get(op)
    if symbol is not None:
        binding = _BINDING.get(symbol, _LOWEST)
        (left, first), (right, second) = operands
        if first < binding or (symbol == "**" and first == binding):
            left = f"({left})"
        if second <= binding:
            right = f"({right})"
        return f"{left} {symbol} {right}", binding
    inner, binding = operands[0]
    if op is np.negative:
        return f"-({inner})" if binding < _NEGATIVE else f"-{inner}", _NEGATIVE
    if op is np.square:
        return f"({inner}) ** 2" if binding < _ATOM else f"{inner} ** 2", _POWER
    name = {"select": "where", "cast": "astype"}.get(op) or op.__name__
    return f"{name}({', '.join(inner for inner, _ in operands)})", _ATOM
