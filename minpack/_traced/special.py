"""The derivatives of SciPy's ufuncs, as formulas.

SciPy is not imported. A function that uses its ufuncs has imported it.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    # (scipy.special, value, operands...) to the derivative by one of the operands
    Formula = Callable[..., Any]

_ROOT_PI = math.sqrt(math.pi)
_ROOT_2PI = math.sqrt(2.0 * math.pi)
_DEGREE = math.pi / 180.0

# The divisor in place of 0. So sqrt(np.maximum(x - p, 0)) has the derivative 0 where
# x < p: 1 / SMALL times 0. An infinite derivative becomes one of about 1 / SMALL.
SMALL = 1.0e-200


def formulas(ufunc: np.ufunc) -> tuple[Formula | None, ...]:
    """Return the derivatives of a ufunc by its operands; none if it is not SciPy's."""
    name = ufunc.__name__
    for where in (module(), getattr(module(), "_ufuncs", None)):
        if getattr(where, name, None) is ufunc:
            return FORMULAS.get(name, ())
    return ()


def module() -> Any:
    """Return scipy.special if somebody has imported it."""
    return sys.modules.get("scipy.special")


# --- Formulas of some length --------------------------------------------------------


def _gamma_density(f: Any, y: Any, a: Any, x: Any) -> Any:
    return np.exp(f.xlogy(a - 1.0, x) - x - f.gammaln(a))


def _beta_density(f: Any, y: Any, a: Any, b: Any, x: Any) -> Any:
    return np.exp(f.xlogy(a - 1.0, x) + f.xlog1py(b - 1.0, -x) - f.betaln(a, b))


def _student_density(f: Any, y: Any, df: Any, t: Any) -> Any:
    power = np.exp(-0.5 * (df + 1.0) * np.log1p(np.square(t) / df))
    return power / (np.sqrt(df) * f.beta(0.5, 0.5 * df))


def _boxcox_power(f: Any, y: Any, x: Any, power: Any) -> Any:
    log = np.log(x)
    rest = np.where(power == 0.0, -0.5 * np.square(log), (log - y) / power)
    return y * log + rest


def _inv_boxcox_power(f: Any, y: Any, x: Any, power: Any) -> Any:
    scaled = power * x
    exact = (scaled / (1.0 + scaled) - np.log1p(scaled)) / np.square(power)
    return y * np.where(power == 0.0, -0.5 * np.square(x), exact)


def _ellipk(f: Any, y: Any, m: Any) -> Any:
    return (y - f.elliprd(0.0, 1.0 - m, 1.0) / 3.0) / (2.0 * (1.0 - m))


def _by_part(*parts: Formula) -> tuple[Formula]:
    """Choose the formula of one of the outputs."""
    return (lambda f, y, x: parts[y.payload](f, y, x),)


def _bessel(name: str, first: float, second: float) -> tuple[Formula | None, Formula]:
    """Make the formula by the argument from the two neighbouring orders."""

    def formula(f: Any, y: Any, v: Any, x: Any) -> Any:
        function = getattr(f, name)
        v = 1.0 * v  # an integer order too
        return first * function(v - 1.0, x) + second * function(v + 1.0, x)

    return None, formula


def _scaled_bessel(name: str, half: float, own: Formula) -> tuple[None, Formula]:
    by = _bessel(name, half, half)[1]
    return None, lambda f, y, v, x: by(f, y, v, x) + own(y, x)


def _spherical(name: str) -> tuple[None, Formula]:
    return None, lambda f, y, n, x: getattr(f._ufuncs, name)(n, x)


FORMULAS: dict[str, tuple[Formula | None, ...]] = {
    # Functions that NumPy has too.
    "cbrt": (lambda f, y, x: 1.0 / (3.0 * np.maximum(np.square(y), SMALL)),),
    "exp2": (lambda f, y, x: math.log(2.0) * y,),
    "exp10": (lambda f, y, x: math.log(10.0) * y,),
    "expm1": (lambda f, y, x: np.exp(x),),
    "log1p": (lambda f, y, x: 1.0 / (1.0 + x),),
    "cosm1": (lambda f, y, x: -np.sin(x),),
    "sindg": (lambda f, y, x: _DEGREE * f.cosdg(x),),
    "cosdg": (lambda f, y, x: -_DEGREE * f.sindg(x),),
    "tandg": (lambda f, y, x: _DEGREE * (1.0 + np.square(y)),),
    "cotdg": (lambda f, y, x: -_DEGREE * (1.0 + np.square(y)),),
    "exprel": (lambda f, y, x: 0.5 * f.hyp1f1(2.0, 3.0, x),),
    # Error functions.
    "erf": (lambda f, y, x: 2.0 / _ROOT_PI * np.exp(-np.square(x)),),
    "erfc": (lambda f, y, x: -2.0 / _ROOT_PI * np.exp(-np.square(x)),),
    "erfcx": (lambda f, y, x: 2.0 * x * y - 2.0 / _ROOT_PI,),
    "erfi": (lambda f, y, x: 2.0 / _ROOT_PI * np.exp(np.square(x)),),
    "erfinv": (lambda f, y, x: 0.5 * _ROOT_PI * np.exp(np.square(y)),),
    "erfcinv": (lambda f, y, x: -0.5 * _ROOT_PI * np.exp(np.square(y)),),
    "dawsn": (lambda f, y, x: 1.0 - 2.0 * x * y,),
    "ndtr": (lambda f, y, x: np.exp(-0.5 * np.square(x)) / _ROOT_2PI,),
    "ndtri": (lambda f, y, x: _ROOT_2PI * np.exp(0.5 * np.square(y)),),
    "ndtri_exp": (lambda f, y, x: _ROOT_2PI * np.exp(0.5 * np.square(y) + x),),
    "log_ndtr": (lambda f, y, x: np.exp(-0.5 * np.square(x) - y) / _ROOT_2PI,),
    "fresnel": _by_part(
        lambda f, y, x: np.sin(0.5 * math.pi * np.square(x)),
        lambda f, y, x: np.cos(0.5 * math.pi * np.square(x)),
    ),
    # Logistic functions, entropies and powers.
    "expit": (lambda f, y, x: y * (1.0 - y),),
    "logit": (lambda f, y, x: 1.0 / (x * (1.0 - x)),),
    "log_expit": (lambda f, y, x: f.expit(-x),),
    "entr": (lambda f, y, x: -1.0 - np.log(x),),
    "rel_entr": (
        lambda f, y, x, z: np.log(x / z) + 1.0,
        lambda f, y, x, z: -x / np.maximum(z, SMALL),
    ),
    "kl_div": (
        lambda f, y, x, z: np.log(x / z),
        lambda f, y, x, z: 1.0 - x / np.maximum(z, SMALL),
    ),
    "xlogy": (
        lambda f, y, x, z: np.log(z),
        lambda f, y, x, z: x / np.maximum(z, SMALL),
    ),
    "xlog1py": (
        lambda f, y, x, z: np.log1p(z),
        lambda f, y, x, z: x / np.maximum(1.0 + z, SMALL),
    ),
    "boxcox": (lambda f, y, x, power: np.power(x, power - 1.0), _boxcox_power),
    "inv_boxcox": (lambda f, y, x, power: y / (1.0 + power * x), _inv_boxcox_power),
    "huber": (None, lambda f, y, d, r: np.minimum(np.maximum(r, -d), d)),
    "pseudo_huber": (None, lambda f, y, d, r: r / np.sqrt(1.0 + np.square(r / d))),
    # Gamma and beta functions, and the distributions that are made of them.
    "gamma": (lambda f, y, x: y * f.psi(x),),
    "gammaln": (lambda f, y, x: f.psi(x),),
    "loggamma": (lambda f, y, x: f.psi(x),),
    "rgamma": (lambda f, y, x: -y * f.psi(x),),
    "psi": (lambda f, y, x: f._ufuncs._zeta(2.0, x),),
    "beta": (
        lambda f, y, a, b: y * (f.psi(a) - f.psi(a + b)),
        lambda f, y, a, b: y * (f.psi(b) - f.psi(a + b)),
    ),
    "betaln": (
        lambda f, y, a, b: f.psi(a) - f.psi(a + b),
        lambda f, y, a, b: f.psi(b) - f.psi(a + b),
    ),
    "gammainc": (None, _gamma_density),
    "gammaincc": (None, lambda f, y, a, x: -_gamma_density(f, y, a, x)),
    "betainc": (None, None, _beta_density),
    "betaincc": (None, None, lambda f, y, a, b, x: -_beta_density(f, y, a, b, x)),
    "chdtr": (None, lambda f, y, v, x: 0.5 * _gamma_density(f, y, 0.5 * v, 0.5 * x)),
    "chdtrc": (None, lambda f, y, v, x: -0.5 * _gamma_density(f, y, 0.5 * v, 0.5 * x)),
    "gdtr": (
        lambda f, y, a, b, x: x * _gamma_density(f, y, b, a * x),
        None,
        lambda f, y, a, b, x: a * _gamma_density(f, y, b, a * x),
    ),
    "stdtr": (None, _student_density),
    # Bessel functions.
    "j0": (lambda f, y, x: -f.j1(x),),
    "j1": (lambda f, y, x: 0.5 * (f.j0(x) - f.jv(2.0, x)),),
    "y0": (lambda f, y, x: -f.y1(x),),
    "y1": (lambda f, y, x: f.y0(x) - y / x,),
    "i0": (lambda f, y, x: f.i1(x),),
    "i0e": (lambda f, y, x: f.i1e(x) - np.sign(x) * y,),
    "i1": (lambda f, y, x: 0.5 * (f.i0(x) + f.iv(2.0, x)),),
    "i1e": (lambda f, y, x: 0.5 * (f.i0e(x) + f.ive(2.0, x)) - np.sign(x) * y,),
    "k0": (lambda f, y, x: -f.k1(x),),
    "k0e": (lambda f, y, x: y - f.k1e(x),),
    "k1": (lambda f, y, x: -f.k0(x) - y / x,),
    "k1e": (lambda f, y, x: y - f.k0e(x) - y / x,),
    "jv": _bessel("jv", 0.5, -0.5),
    "jve": _bessel("jv", 0.5, -0.5),
    "yn": _bessel("yv", 0.5, -0.5),
    "yv": _bessel("yv", 0.5, -0.5),
    "yve": _bessel("yv", 0.5, -0.5),
    "iv": _bessel("iv", 0.5, 0.5),
    "ive": _scaled_bessel("ive", 0.5, lambda y, x: -np.sign(x) * y),
    "kn": _bessel("kv", -0.5, -0.5),
    "kv": _bessel("kv", -0.5, -0.5),
    "kve": _scaled_bessel("kve", -0.5, lambda y, x: y),
    "_spherical_jn": _spherical("_spherical_jn_d"),
    "_spherical_yn": _spherical("_spherical_yn_d"),
    "_spherical_in": _spherical("_spherical_in_d"),
    "_spherical_kn": _spherical("_spherical_kn_d"),
    "struve": (None, lambda f, y, v, x: f.struve(v - 1.0, x) - v * y / x),
    "modstruve": (None, lambda f, y, v, x: f.modstruve(v - 1.0, x) - v * y / x),
    # Integrals.
    "exp1": (lambda f, y, x: -np.exp(-x) / x,),
    "expi": (lambda f, y, x: np.exp(x) / x,),
    "expn": (None, lambda f, y, n, x: -f.expn(n - 1, x)),
    "sici": _by_part(
        lambda f, y, x: np.where(x == 0.0, 1.0, np.sin(x) / x),
        lambda f, y, x: np.cos(x) / x,
    ),
    "shichi": _by_part(
        lambda f, y, x: np.where(x == 0.0, 1.0, np.sinh(x) / x),
        lambda f, y, x: np.cosh(x) / x,
    ),
    "spence": (lambda f, y, x: np.where(x == 1.0, -1.0, np.log(x) / (1.0 - x)),),
    "airy": _by_part(
        lambda f, y, x: f.airy(x)[1],
        lambda f, y, x: x * f.airy(x)[0],
        lambda f, y, x: f.airy(x)[3],
        lambda f, y, x: x * f.airy(x)[2],
    ),
    "ellipk": (_ellipk,),
    "ellipkm1": (lambda f, y, p: -_ellipk(f, y, 1.0 - p),),
    "ellipe": (lambda f, y, m: -f.elliprd(0.0, 1.0 - m, 1.0) / 6.0,),
    "ellipkinc": (
        lambda f, y, phi, m: 1.0 / np.sqrt(1.0 - m * np.square(np.sin(phi))),
        None,
    ),
    "ellipeinc": (
        lambda f, y, phi, m: np.sqrt(1.0 - m * np.square(np.sin(phi))),
        None,
    ),
    # Hypergeometric functions and polynomials.
    "hyp0f1": (None, lambda f, y, v, x: f.hyp0f1(v + 1.0, x) / v),
    "hyp1f1": (None, None, lambda f, y, a, b, x: a / b * f.hyp1f1(a + 1.0, b + 1.0, x)),
    "hyperu": (None, None, lambda f, y, a, b, x: -a * f.hyperu(a + 1.0, b + 1.0, x)),
    "hyp2f1": (
        None,
        None,
        None,
        lambda f, y, a, b, c, x: a * b / c * f.hyp2f1(a + 1.0, b + 1.0, c + 1.0, x),
    ),
    "eval_legendre": (
        None,
        lambda f, y, n, x: 0.5 * (n + 1) * f.eval_jacobi(n - 1, 1.0, 1.0, x),
    ),
    "eval_jacobi": (
        None,
        None,
        None,
        lambda f, y, n, a, b, x: (
            0.5 * (n + a + b + 1.0) * f.eval_jacobi(n - 1, a + 1.0, b + 1.0, x)
        ),
    ),
    "eval_chebyt": (None, lambda f, y, n, x: n * f.eval_chebyu(n - 1, x)),
    "eval_chebyu": (None, lambda f, y, n, x: 2.0 * f.eval_gegenbauer(n - 1, 2.0, x)),
    "eval_hermite": (None, lambda f, y, n, x: 2.0 * n * f.eval_hermite(n - 1, x)),
    "eval_hermitenorm": (None, lambda f, y, n, x: n * f.eval_hermitenorm(n - 1, x)),
    "eval_laguerre": (None, lambda f, y, n, x: -f.eval_genlaguerre(n - 1, 1.0, x)),
    "eval_genlaguerre": (
        None,
        None,
        lambda f, y, n, a, x: -f.eval_genlaguerre(n - 1, a + 1.0, x),
    ),
    "wrightomega": (lambda f, y, x: y / (1.0 + y),),
}
