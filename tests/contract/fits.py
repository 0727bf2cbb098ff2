"""Whole fits: each way to end, `args`, and `func` as such."""

from __future__ import annotations

import functools

import numpy as np

from contract.calls import (
    Case,
    constant,
    decay,
    decay_jacobian,
    decay_residuals,
    decay_with_columns,
    decay_with_jacobian,
    line,
    made,
    rate_residuals,
    rosenbrock,
    rosenbrock_jacobian,
    single,
    sum_alone,
    with_args,
)
from contract.objects import Extra, Residuals
from functions import Stop, at_point, raising

GOOD = [
    Case("forward differences", decay),
    Case("an analytic Jacobian", decay_with_jacobian),
    Case("an analytic Jacobian by columns", decay_with_columns),
    Case("as many residuals as parameters", rosenbrock),
    Case(
        "as many residuals as parameters, with a Jacobian",
        lambda: rosenbrock(Dfun=rosenbrock_jacobian),
    ),
    Case("a straight line", lambda: line(gtol=1e-6)),
    Case("a straight line from its solution", lambda: line(x0=[0.8, 2.05], gtol=1e-6)),
    Case(
        "a parabola that does not reach zero",
        lambda: single(lambda x: 2.0 * (x - 3.0) ** 2 + 1.0),
        rtol=1e-6,
        noisy=True,
    ),
    Case("residuals of zero at the start", lambda: rosenbrock(x0=[1.0, 1.0])),
    Case(
        "residuals of zero at the start, with a Jacobian",
        lambda: rosenbrock(x0=[1.0, 1.0], Dfun=rosenbrock_jacobian),
    ),
    Case("residuals of zero everywhere", lambda: decay(func=lambda x: np.zeros(5))),
    Case("residuals that never change", lambda: decay(func=lambda x: np.ones(5))),
    Case("two parameters that act as one", sum_alone, noisy=True),
    Case(
        "two parameters that act as one, with a Jacobian",
        lambda: sum_alone(Dfun=lambda x: [[2.0, 2.0], [0.0, 0.0], [0.0, 0.0]]),
    ),
    Case(
        "a parameter that does nothing",
        lambda: decay(func=rate_residuals),
    ),
    Case("a Jacobian of zeros", lambda: decay(Dfun=lambda x: np.zeros((10, 2)))),
    Case("a start of zeros", lambda: decay(x0=[0.0, 0.0])),
    Case("a start far away", lambda: decay(x0=[100.0, 0.01])),
]

# A fit for each value of ier.
INFO = {
    0: Case("improper input", lambda: decay(ftol=-1.0), "ftol"),
    1: Case("the sum of squares converged", lambda: decay(xtol=0.0)),
    2: Case("the step converged", lambda: decay_with_jacobian(ftol=0.0)),
    3: Case("both converged", lambda: decay(ftol=0.02, xtol=0.02)),
    4: Case("the gradient vanished", lambda: decay_with_jacobian(gtol=1e-3)),
    5: Case("maxfev was reached", lambda: decay(maxfev=4)),
    6: Case(
        "ftol was too small",
        lambda: single(
            lambda x: np.array([x[0] - 1.0, 1e9]),
            Dfun=lambda x: [[1.0], [0.0]],
            ftol=0.0,
            xtol=0.0,
        ),
    ),
    7: Case(
        "xtol was too small",
        lambda: single(
            lambda x: np.array([x[0], 0.0]),
            Dfun=lambda x: [[-1.0], [0.0]],
            ftol=0.0,
            xtol=0.0,
        ),
    ),
    8: Case(
        "gtol was too small",
        lambda: single(
            lambda x: np.array([x[0], 1.0]),
            x0=[1e-17],
            Dfun=lambda x: [[1.0], [0.0]],
            ftol=0.0,
            xtol=0.0,
        ),
    ),
}

ARGS = [
    Case("args is an empty tuple", lambda: with_args(args=())),
    Case("args is a tuple", lambda: with_args(1, "two", args=(1, "two"))),
    Case("args is a namedtuple", lambda: with_args(1, 2, args=Extra(1, 2))),
    *made(
        "args is no tuple but",
        {
            "a number": lambda: 7,
            "a string": lambda: "ab",
            "a list": lambda: [1, 2],
            "None": lambda: None,
            "an array": lambda: np.ones(3),
            "a dictionary": lambda: {"a": 1},
        },
        lambda value: with_args(value, args=value),
    ),
    Case(
        "args goes to Dfun too",
        lambda: decay(
            func=lambda x, c: c * decay_residuals(x),
            Dfun=lambda x, c: c * decay_jacobian(x),
            args=(2.0,),
        ),
    ),
    Case("args has one too many", lambda: decay(args=(1,))),
    Case(
        "args has one too few",
        lambda: decay(func=lambda x, c: decay_residuals(x)),
    ),
    Case(
        "args fits func and not Dfun",
        lambda: decay_with_jacobian(func=lambda x, c: decay_residuals(x), args=(1,)),
    ),
]

FUNC = [
    *made(
        "func is",
        {
            "an object with __call__": Residuals,
            "a bound method": lambda: Residuals().method,
            "a partial": lambda: functools.partial(
                lambda c, x: c * decay_residuals(x), 2.0
            ),
            "None": lambda: None,
            "a number": lambda: 3,
            "a string": lambda: "decay",
            "an array": lambda: np.ones(3),
        },
        lambda value: decay(func=value),
        "func",
    ),
    Case("func is a ufunc", lambda: decay(func=np.log, x0=[2.0, 3.0])),
    Case("func takes no argument", lambda: decay(func=lambda: 1)),
    Case("an argument has a wrong name", lambda: decay(tol=1e-8)),
    *(
        Case(
            f"func raises {kind.__name__} at point {point}",
            functools.partial(
                lambda kind, point: decay(
                    func=at_point(point, raising(kind), decay_residuals)
                ),
                kind,
                point,
            ),
        )
        for kind in (ValueError, KeyboardInterrupt, SystemExit, StopIteration, Stop)
        for point in (1, 2, 4)
    ),
    Case(
        "func raises at the first trial point, with a Jacobian",
        lambda: decay_with_jacobian(
            func=at_point(2, raising(KeyError), decay_residuals)
        ),
    ),
    Case("func raises SystemError", lambda: constant(func=raising(SystemError))),
    *(
        Case(
            f"Dfun raises {kind.__name__} at point {point}",
            functools.partial(
                lambda kind, point: decay(
                    Dfun=at_point(point, raising(kind), decay_jacobian)
                ),
                kind,
                point,
            ),
        )
        for kind in (ValueError, KeyboardInterrupt, Stop)
        for point in (1, 2)
    ),
]
