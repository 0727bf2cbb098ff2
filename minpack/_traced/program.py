"""From a record to a program: what the compiled part runs, and its text."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

import minpack._minpack as _minpack

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
        pieces: list[Node],
        lengths: list[int],
        columns: list[list[Node]] | None,
    ) -> None:
        self.n = len(trace.parameters)
        self.has_poles = trace.has_poles
        self.leaves, self.arrays, self.scalars, self.split, self.segments = (
            _minpack.lower(
                trace.parameters, len(trace.nodes), pieces, lengths, columns, np.matmul
            )
        )

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
