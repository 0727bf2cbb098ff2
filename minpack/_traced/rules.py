"""The derivatives of operations by their operands: NumPy's ufuncs, choices, powers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from minpack._traced.loops import ufunc_of
from minpack._traced.special import SMALL, formulas, module

if TYPE_CHECKING:
    from collections.abc import Callable

    from minpack._traced.derivatives import Derivation
    from minpack._traced.special import Formula
    from minpack._traced.stand_ins import Node

# A product of four factors, multiplied out as late as possible: a number, a scalar, a
# vector that depends on no parameter, and a vector that does. None stands for 1.
# So numbers and scalars are multiplied before vectors, and vectors that depend on no
# parameter are computed once in a fit. A derivative of zero is None.
Product: TypeAlias = "tuple[float, Node | None, Node | None, Node | None]"
Rule: TypeAlias = "Callable[[Derivation, Node, Product], Product | None]"
Rules: TypeAlias = "tuple[Rule | None, ...]"

ONE: Product = (1.0, None, None, None)


# --- Choices ----------------------------------------------------------------------

# (condition, index of the operand that is taken), ..., (None, that of the rest)
Pieces: TypeAlias = "list[tuple[Node | None, int]]"


def _select(d: Derivation, y: Node) -> Pieces:
    return [(y.operands[0], 1), (None, 2)]


def _first_or_second(d: Derivation, y: Node) -> Pieces:
    return [(d.equal(y, y.operands[0]), 0), (None, 1)]  # at a tie the first


def _clip(d: Derivation, y: Node) -> Pieces:
    x, low, _ = y.operands
    return [(d.equal(y, x), 0), (d.equal(y, low), 1), (None, 2)]


PIECES: dict[Any, Callable[[Derivation, Node], Pieces]] = {
    "select": _select,
    np.maximum: _first_or_second,
    np.minimum: _first_or_second,
    np.fmax: _first_or_second,
    np.fmin: _first_or_second,
    ufunc_of(np.clip, 0.0, 1.0): _clip,
}


# --- Rules: an adjoint times the derivative by one operand, of the node y -------------


def _same(d: Derivation, y: Node, g: Product) -> Product:
    return g


def _zero(d: Derivation, y: Node, g: Product) -> None:
    return None


def _scale(g: Product, number: float) -> Product:
    return (g[0] * number, *g[1:])


def _minus(d: Derivation, y: Node, g: Product) -> Product:
    return (-g[0], g[1], g[2], g[3])


def _by(number: float) -> Rule:
    return lambda d, y, g: _scale(g, number)


def _times(ufunc: np.ufunc, number: float = 1.0) -> Rule:
    """Make the rule of a function whose derivative is a number times a ufunc."""
    return lambda d, y, g: d.times(_scale(g, number), d.apply(ufunc, y.operands[0]))


def _times_itself(number: float = 1.0) -> Rule:
    return lambda d, y, g: d.times(_scale(g, number), y)


def _over(number: float = 1.0) -> Rule:
    return lambda d, y, g: d.over(_scale(g, number), y.operands[0])


def _multiply_first(d: Derivation, y: Node, g: Product) -> Product:
    return d.times(g, y.operands[1])


def _multiply_second(d: Derivation, y: Node, g: Product) -> Product:
    return d.times(g, y.operands[0])


def _divide_first(d: Derivation, y: Node, g: Product) -> Product:
    return d.over(g, y.operands[1])


def _divide_second(d: Derivation, y: Node, g: Product) -> Product:
    a, b = y.operands
    if a.op == "constant" and float(a.payload) != 0.0:  # -y^2 / a
        return d.times(_scale(g, -1.0 / float(a.payload)), d.multiply(y, y))
    return d.times(_minus(d, y, d.over(g, b)), y)


def _reciprocal(d: Derivation, y: Node, g: Product) -> Product:
    return d.times(_minus(d, y, g), d.multiply(y, y))


def _square(d: Derivation, y: Node, g: Product) -> Product:
    return d.times(_scale(g, 2.0), y.operands[0])


def _sqrt(d: Derivation, y: Node, g: Product) -> Product:
    return d.over(_scale(g, 0.5), d.at_least_small(y))


def _cbrt(d: Derivation, y: Node, g: Product) -> Product:
    return d.over(_scale(g, 1.0 / 3.0), d.at_least_small(d.multiply(y, y)))


def _plus_one(number: float) -> Rule:
    """Make the rule of log1p and its like."""
    return lambda d, y, g: d.over(
        _scale(g, number), d.add(d.trace.constant(1.0), y.operands[0])
    )


def _expm1(d: Derivation, y: Node, g: Product) -> Product:
    return d.times(g, d.apply(np.exp, y.operands[0]))


def _tan(d: Derivation, y: Node, g: Product) -> Product:
    return d.times(g, d.add(d.trace.constant(1.0), d.multiply(y, y)))


def _tanh(d: Derivation, y: Node, g: Product) -> Product:
    return d.times(g, d.subtract(d.trace.constant(1.0), d.multiply(y, y)))


def _one_minus_square(d: Derivation, x: Node) -> Node:
    one = d.trace.constant(1.0)
    return d.multiply(d.subtract(one, x), d.add(one, x))  # exact near 1 and -1


def _arcsin(d: Derivation, y: Node, g: Product) -> Product:
    root = d.apply(np.sqrt, _one_minus_square(d, y.operands[0]))
    return d.over(g, d.at_least_small(root))


def _arccos(d: Derivation, y: Node, g: Product) -> Product:
    return _minus(d, y, _arcsin(d, y, g))


def _arctan(d: Derivation, y: Node, g: Product) -> Product:
    x = y.operands[0]
    return d.over(g, d.add(d.trace.constant(1.0), d.multiply(x, x)))


def _arcsinh(d: Derivation, y: Node, g: Product) -> Product:
    x = y.operands[0]
    square = d.add(d.trace.constant(1.0), d.multiply(x, x))
    return d.over(g, d.apply(np.sqrt, square))


def _arccosh(d: Derivation, y: Node, g: Product) -> Product:
    x, one = y.operands[0], d.trace.constant(1.0)
    square = d.multiply(d.subtract(x, one), d.add(x, one))
    return d.over(g, d.at_least_small(d.apply(np.sqrt, square)))


def _arctanh(d: Derivation, y: Node, g: Product) -> Product:
    return d.over(g, _one_minus_square(d, y.operands[0]))


def _hypot(k: int) -> Rule:
    return lambda d, y, g: d.times(d.over(g, d.at_least_small(y)), y.operands[k])


def _arctan2(k: int) -> Rule:
    def rule(d: Derivation, y: Node, g: Product) -> Product:
        a, b = y.operands
        square = d.add(d.multiply(a, a), d.multiply(b, b))
        g = d.over(g, d.at_least_small(square))
        return d.times(g, b) if k == 0 else d.times(_minus(d, y, g), a)

    return rule


def _absolute(d: Derivation, y: Node, g: Product) -> Product:
    return d.times(g, d.apply(np.sign, y.operands[0]))


def _copysign(d: Derivation, y: Node, g: Product) -> Product:
    one = d.trace.constant(1.0)
    for operand in y.operands:
        g = d.times(g, d.apply(np.copysign, one, operand))
    return g


def _logaddexp(ufunc: np.ufunc, k: int) -> Rule:
    return lambda d, y, g: d.times(g, d.apply(ufunc, d.subtract(y.operands[k], y)))


def _remainder_second(d: Derivation, y: Node, g: Product) -> Product:
    a, b = y.operands
    turns = d.apply(np.rint, d.divide(d.subtract(a, y), b))
    return d.times(_minus(d, y, g), turns)


def _part(rule: Rule, part: int) -> Rule:
    """Make the rule of a ufunc with two outputs; the other is piecewise constant."""
    return lambda d, y, g: rule(d, y, g) if y.payload == part else None


def _ldexp(d: Derivation, y: Node, g: Product) -> Product:
    power = d.make(np.ldexp, y.types, (d.trace.constant(1.0), y.operands[1]))
    return d.times(g, power)


# --- Powers -----------------------------------------------------------------------


def _power_base(d: Derivation, y: Node, g: Product) -> Product | None:
    x, b = y.operands
    number = float(b.payload) if b.op == "constant" else math.nan
    if number == 0.0:
        return None
    if number == 1.0:
        return g
    if number == 2.0:
        return d.times(_scale(g, 2.0), x)
    if number == 3.0:
        return d.times(_scale(g, 3.0), d.multiply(x, x))
    if number == 0.5:
        return d.over(_scale(g, 0.5), d.at_least_small(y))
    # b x^(b - 1) is b y / x: a division is faster than another power.
    g = d.times(g, b)
    if number < 0.0:
        return d.times(d.over(g, x), y)
    at_zero = d.trace.constant(0.0)
    if not number > 1.0:
        power = d.apply(np.power, 0.0, d.subtract(b, d.trace.constant(1.0)))
        d.trace.has_poles = True
        at_zero = d.apply(np.minimum, power, 1.0 / SMALL)
    quotient = d.divide(y, x)
    zero = d.equal(x, 0.0)
    return d.times(g, d.make("select", "?dd->d", (zero, at_zero, quotient)))


def _power_exponent(d: Derivation, y: Node, g: Product) -> Product:
    # Where x is 0, log(1) in place of log(0) makes the derivative 0.
    x = y.operands[0]
    one = d.trace.constant(1.0)
    x = d.make("select", "?dd->d", (d.equal(x, 0.0), one, x))
    return d.times(d.times(g, y), d.apply(np.log, x))


def _cast(d: Derivation, y: Node, g: Product) -> Product | None:
    return g if y.char in "df" and y.types[0] in "df" else None


_POWER: Rules = (_power_base, _power_exponent)
_DEGREES = _by(180.0 / math.pi)
_RADIANS = _by(math.pi / 180.0)
_LN2, _LN10 = math.log(2.0), math.log(10.0)

RULES: dict[Any, Rules] = {
    "pow": _POWER,
    "cast": (_cast,),
    np.add: (_same, _same),
    np.subtract: (_same, _minus),
    np.multiply: (_multiply_first, _multiply_second),
    np.divide: (_divide_first, _divide_second),
    np.negative: (_minus,),
    np.positive: (_same,),
    np.conjugate: (_same,),
    np.square: (_square,),
    np.sqrt: (_sqrt,),
    np.cbrt: (_cbrt,),
    np.reciprocal: (_reciprocal,),
    np.power: _POWER,
    np.float_power: _POWER,
    np.exp: (_times_itself(),),
    np.exp2: (_times_itself(_LN2),),
    np.expm1: (_expm1,),
    np.log: (_over(),),
    np.log2: (_over(1.0 / _LN2),),
    np.log10: (_over(1.0 / _LN10),),
    np.log1p: (_plus_one(1.0),),
    np.sin: (_times(np.cos),),
    np.cos: (_times(np.sin, -1.0),),
    np.tan: (_tan,),
    np.arcsin: (_arcsin,),
    np.arccos: (_arccos,),
    np.arctan: (_arctan,),
    np.arctan2: (_arctan2(0), _arctan2(1)),
    np.sinh: (_times(np.cosh),),
    np.cosh: (_times(np.sinh),),
    np.tanh: (_tanh,),
    np.arcsinh: (_arcsinh,),
    np.arccosh: (_arccosh,),
    np.arctanh: (_arctanh,),
    np.hypot: (_hypot(0), _hypot(1)),
    np.absolute: (_absolute,),
    np.fabs: (_absolute,),
    np.copysign: (_copysign, _zero),
    np.logaddexp: (_logaddexp(np.exp, 0), _logaddexp(np.exp, 1)),
    np.logaddexp2: (_logaddexp(np.exp2, 0), _logaddexp(np.exp2, 1)),
    np.deg2rad: (_RADIANS,),
    np.radians: (_RADIANS,),
    np.rad2deg: (_DEGREES,),
    np.degrees: (_DEGREES,),
    np.remainder: (_same, _remainder_second),
    np.fmod: (_same, _remainder_second),
    np.divmod: (_part(_same, 1), _part(_remainder_second, 1)),
    np.modf: (_part(_same, 0),),
    np.ldexp: (_ldexp, None),
    np.nextafter: (_same, _zero),
    np.heaviside: (_zero, None),
    **dict.fromkeys(
        (np.sign, np.floor, np.ceil, np.rint, np.trunc, np.floor_divide, np.less,
         np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal,
         np.logical_and, np.logical_or, np.logical_not, np.logical_xor, np.isnan,
         np.isfinite, np.isinf, np.signbit, np.bitwise_and, np.bitwise_or,
         np.bitwise_xor, np.invert),
        (_zero, _zero),
    ),
}  # fmt: skip


# --- Operations that are not in RULES -------------------------------------------------


def rules_of(node: Node) -> Rules:
    """Return the rules of a product with a matrix, or of a ufunc of SciPy."""
    if node.op == "matmul":
        return tuple(map(_matmul, range(len(node.operands))))
    if type(node.op) is str:
        return ()
    found = formulas(node.op)
    rules = tuple(None if each is None else _of_formula(each) for each in found)
    if rules:
        RULES[node.op] = rules
    return rules


def _matmul(k: int) -> Rule:
    def rule(d: Derivation, y: Node, g: Product) -> Product:
        key = ("column", id(y.payload), k)
        column = d.nodes.get(key)
        if column is None:
            column = d.trace.array(y.payload[:, k], captured=False)
            d.nodes[key] = column
        return d.times(g, column)

    return rule


def _of_formula(formula: Formula) -> Rule:
    def rule(d: Derivation, y: Node, g: Product) -> Product:
        return _factors(d, g, formula(module(), y, *y.operands))

    return rule


def _factors(d: Derivation, g: Product, node: Node) -> Product:
    """Multiply by the factors of a node."""
    if node.op is np.negative:
        return _factors(d, _scale(g, -1.0), node.operands[0])
    if node.op is np.multiply:
        a, b = node.operands
        return _factors(d, _factors(d, g, a), b)
    return d.times(g, node)
