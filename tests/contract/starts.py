"""What x0 may be, and what it may not."""

from __future__ import annotations

import array
from decimal import Decimal
from fractions import Fraction

import numpy as np

from arrays import Sub, backwards, byte_swapped, read_only, strided, unaligned
from contract.calls import Case, constant, decay, made, rate
from contract.objects import AsArray


def six_roots(x0):
    return {"func": lambda x: x**2 - np.arange(1.0, 7.0), "x0": x0}


STARTS = [
    *made(
        "x0 is",
        {
            "a list": lambda: [1.0, 1.0],
            "a tuple": lambda: (1.0, 1.0),
            "a list of integers": lambda: [1, 1],
            "in integers": lambda: np.array([1, 1]),
            "in int8": lambda: np.array([1, 1], dtype=np.int8),
            "in float32": lambda: np.array([1.0, 1.5], dtype=np.float32),
            "in float16": lambda: np.array([1.0, 1.5], dtype=np.float16),
            "a range": lambda: range(1, 3),
            "a row": lambda: np.array([[1.0, 1.5]]),
            "a column": lambda: np.array([[1.0], [1.5]]),
            "of three dimensions": lambda: np.ones((1, 2, 1)),
            "strided": lambda: strided([1.0, 1.5]),
            "backwards": lambda: backwards([1.0, 1.5]),
            "byte-swapped": lambda: byte_swapped([1.0, 1.5]),
            "unaligned": lambda: unaligned([1.0, 1.5]),
            "read-only": lambda: read_only([1.0, 1.5]),
            "an ndarray subclass": lambda: np.array([1.0, 1.5]).view(Sub),
            "a matrix": lambda: np.matrix([1.0, 1.5]),
            "a masked array": lambda: np.ma.masked_array([1.0, 1.5]),
            "an array.array": lambda: array.array("d", [1.0, 1.5]),
            "an object with __array__": lambda: AsArray([1.0, 1.5]),
            "negative zero": lambda: [-0.0, 1.0],
            "complex": lambda: [1j, 1j],
            "in complex64": lambda: np.ones(2, dtype=np.complex64),
            "ragged": lambda: [[1.0], [1.0, 2.0]],
        },
        lambda value: decay(x0=value),
        "x0",
    ),
    *made(
        "x0 of one parameter is",
        {
            "a Python float": lambda: 0.5,
            "a Python integer": lambda: 2,
            "a boolean": lambda: True,
            "a NumPy scalar": lambda: np.float64(0.5),
            "a 0-d array": lambda: np.array(0.5),
            "a 0-d array in float32": lambda: np.array(0.5, dtype=np.float32),
        },
        lambda value: rate(x0=value),
        "x0",
    ),
    *made(
        "x0 is no number but",
        {
            "None": lambda: None,
            "a string": lambda: "0.5",
            "a list of strings": lambda: ["0.5"],
            "a date": lambda: np.datetime64("2020-01-01"),
            "a Fraction": lambda: Fraction(1, 2),
            "a Decimal": lambda: Decimal("0.5"),
            "an array of objects": lambda: np.array([0.5], dtype=object),
            "an integer beyond 64 bits": lambda: 2**70,
            "a dictionary": lambda: {"a": 1.0},
            "a set": lambda: {0.5},
            "a generator": lambda: (v for v in [0.5]),
            "a complex number": lambda: 0.5 + 0j,
        },
        lambda value: constant(x0=value),
        "x0",
    ),
    *made(
        "x0 is a matrix",
        {
            "in C order": lambda: np.arange(1.0, 7.0).reshape(2, 3),
            "in Fortran order": lambda: np.arange(1.0, 7.0).reshape(3, 2).T,
        },
        six_roots,
        "x0",
    ),
    Case("x0 is empty", lambda: constant(x0=[]), "x0"),
    Case(
        "x0 is empty, with a Jacobian",
        lambda: constant(x0=[], Dfun=lambda x: np.ones((3, 0))),
        "x0",
    ),
    Case(
        "x0 is empty, and so are the residuals",
        lambda: decay(x0=[], func=lambda x: []),
        "x0",
    ),
]
