"""Each ufunc has its derivatives, exact, for numbers and for vectors."""

import sys

import numpy as np
import pytest

from minpack._traced.derivatives import Missing
from minpack._traced.special import formulas
from traced.differentiated import Record

mp = pytest.importorskip("mpmath").mp
special = pytest.importorskip("scipy.special")
ufuncs = special._ufuncs
mp.dps = 40

# name: (ufunc, mpmath's function, operands...); an operand in a list has no derivative.
NUMPY = {
    "add": (np.add, lambda a, b: a + b, 1.5, 0.3),
    "subtract": (np.subtract, lambda a, b: a - b, 1.5, 0.3),
    "multiply": (np.multiply, lambda a, b: a * b, 1.5, -0.3),
    "divide": (np.divide, lambda a, b: a / b, 1.5, -0.3),
    "reciprocal": (np.reciprocal, lambda a: 1 / a, 1.7),
    "negative": (np.negative, lambda a: -a, 1.7),
    "positive": (np.positive, lambda a: +a, 1.7),
    "conjugate": (np.conjugate, lambda a: a, 1.7),
    "square": (np.square, lambda a: a**2, -1.7),
    "sqrt": (np.sqrt, mp.sqrt, 1.7),
    "cbrt": (np.cbrt, mp.cbrt, 1.7),
    "power": (np.power, lambda a, b: a**b, 1.7, 0.6),
    "power below one": (np.power, lambda a, b: a**b, 0.3, -2.3),
    "float_power": (np.float_power, lambda a, b: a**b, 1.7, 2.6),
    "exp": (np.exp, mp.exp, 0.4),
    "exp2": (np.exp2, lambda a: 2**a, 0.4),
    "expm1": (np.expm1, mp.expm1, 0.4),
    "log": (np.log, mp.log, 0.4),
    "log2": (np.log2, lambda a: mp.log(a, 2), 0.4),
    "log10": (np.log10, mp.log10, 0.4),
    "log1p": (np.log1p, mp.log1p, 0.4),
    "sin": (np.sin, mp.sin, 0.4),
    "cos": (np.cos, mp.cos, 0.4),
    "tan": (np.tan, mp.tan, 0.4),
    "arcsin": (np.arcsin, mp.asin, 0.4),
    "arccos": (np.arccos, mp.acos, -0.4),
    "arctan": (np.arctan, mp.atan, 0.4),
    "arctan2": (np.arctan2, mp.atan2, -0.4, -1.3),
    "sinh": (np.sinh, mp.sinh, 0.4),
    "cosh": (np.cosh, mp.cosh, 0.4),
    "tanh": (np.tanh, mp.tanh, 0.4),
    "arcsinh": (np.arcsinh, mp.asinh, 0.4),
    "arccosh": (np.arccosh, mp.acosh, 1.4),
    "arctanh": (np.arctanh, mp.atanh, 0.4),
    "hypot": (np.hypot, mp.hypot, 0.4, -1.3),
    "absolute": (np.absolute, abs, -0.4),
    "fabs": (np.fabs, abs, -0.4),
    "copysign": (np.copysign, lambda a, b: abs(a) * mp.sign(b), 0.4, -1.3),
    "sign": (np.sign, mp.sign, -0.4),
    "heaviside": (np.heaviside, lambda a, b: (1 + mp.sign(a)) / 2, 0.4, [0.5]),
    "floor": (np.floor, mp.floor, 0.4),
    "ceil": (np.ceil, mp.ceil, 0.4),
    "rint": (np.rint, mp.nint, 0.4),
    "trunc": (np.trunc, mp.floor, 0.4),
    "floor_divide": (np.floor_divide, lambda a, b: mp.floor(a / b), 7.4, 1.5),
    "remainder": (np.remainder, lambda a, b: a - b * mp.floor(a / b), -7.4, 1.5),
    "fmod": (np.fmod, lambda a, b: a - b * mp.ceil(a / b), -7.4, 1.5),
    "maximum": (np.maximum, max, 0.4, 1.3),
    "minimum": (np.minimum, min, 0.4, 1.3),
    "fmax": (np.fmax, max, 0.4, 1.3),
    "fmin": (np.fmin, min, 0.4, 1.3),
    "clip": (np._core.umath.clip, lambda a, b, c: min(max(a, b), c), 0.4, 0.1, 1.3),
    "clip below": (
        np._core.umath.clip,
        lambda a, b, c: min(max(a, b), c),
        0.4,
        0.7,
        1.3,
    ),
    "clip above": (
        np._core.umath.clip,
        lambda a, b, c: min(max(a, b), c),
        2.4,
        0.7,
        1.3,
    ),
    "logaddexp": (np.logaddexp, lambda a, b: mp.log(mp.exp(a) + mp.exp(b)), 0.4, 1.3),
    "logaddexp2": (np.logaddexp2, lambda a, b: mp.log(2**a + 2**b, 2), 0.4, 1.3),
    "deg2rad": (np.deg2rad, mp.radians, 40.0),
    "rad2deg": (np.rad2deg, mp.degrees, 0.4),
    "radians": (np.radians, mp.radians, 40.0),
    "degrees": (np.degrees, mp.degrees, 0.4),
    "nextafter": (np.nextafter, lambda a, b: a, 0.4, 1.3),
}


def normal(x):
    return mp.ncdf(x)


def boxcox(x, power):
    return (x**power - 1) / power


def airy(k):
    return (
        mp.airyai,
        lambda x: mp.airyai(x, derivative=1),
        mp.airybi,
        lambda x: mp.airybi(x, derivative=1),
    )[k]


SCIPY = {
    "cbrt": (special.cbrt, mp.cbrt, 1.7),
    "exp2": (special.exp2, lambda a: 2**a, 0.4),
    "exp10": (special.exp10, lambda a: 10**a, 0.4),
    "expm1": (special.expm1, mp.expm1, 0.4),
    "log1p": (special.log1p, mp.log1p, 0.4),
    "cosm1": (special.cosm1, lambda a: mp.cos(a) - 1, 0.4),
    "sindg": (special.sindg, lambda a: mp.sin(mp.radians(a)), 40.0),
    "cosdg": (special.cosdg, lambda a: mp.cos(mp.radians(a)), 40.0),
    "tandg": (special.tandg, lambda a: mp.tan(mp.radians(a)), 40.0),
    "cotdg": (special.cotdg, lambda a: mp.cot(mp.radians(a)), 40.0),
    "exprel": (special.exprel, lambda a: mp.expm1(a) / a, 1.0e-3),
    "erf": (special.erf, mp.erf, 0.4),
    "erfc": (special.erfc, mp.erfc, 0.4),
    "erfcx": (special.erfcx, lambda a: mp.exp(a * a) * mp.erfc(a), 0.4),
    "erfi": (special.erfi, mp.erfi, 0.4),
    "erfinv": (special.erfinv, mp.erfinv, 0.4),
    "erfcinv": (special.erfcinv, lambda a: mp.erfinv(1 - a), 0.4),
    "dawsn": (
        special.dawsn, lambda a: mp.sqrt(mp.pi) / 2 * mp.exp(-a * a) * mp.erfi(a), 0.4,
    ),
    "ndtr": (special.ndtr, normal, 0.4),
    "ndtri": (special.ndtri, lambda a: mp.sqrt(2) * mp.erfinv(2 * a - 1), 0.4),
    "ndtri_exp": (
        special.ndtri_exp, lambda a: mp.sqrt(2) * mp.erfinv(2 * mp.exp(a) - 1), -0.4,
    ),
    "log_ndtr": (special.log_ndtr, lambda a: mp.log(normal(a)), 0.4),
    "expit": (special.expit, lambda a: 1 / (1 + mp.exp(-a)), 0.4),
    "logit": (special.logit, lambda a: mp.log(a / (1 - a)), 0.4),
    "log_expit": (special.log_expit, lambda a: -mp.log(1 + mp.exp(-a)), 0.4),
    "entr": (special.entr, lambda a: -a * mp.log(a), 0.4),
    "rel_entr": (special.rel_entr, lambda a, b: a * mp.log(a / b), 0.4, 1.3),
    "kl_div": (special.kl_div, lambda a, b: a * mp.log(a / b) - a + b, 0.4, 1.3),
    "xlogy": (special.xlogy, lambda a, b: a * mp.log(b), 0.4, 1.3),
    "xlog1py": (special.xlog1py, lambda a, b: a * mp.log1p(b), 0.4, 1.3),
    "boxcox": (special.boxcox, boxcox, 1.4, 0.6),
    "inv_boxcox": (special.inv_boxcox, lambda a, b: (a * b + 1) ** (1 / b), 1.4, 0.6),
    "huber": (special.huber, lambda d, r: r * r / 2, [2.0], 0.4),
    "huber beyond": (special.huber, lambda d, r: d * (abs(r) - d / 2), [2.0], -3.4),
    "pseudo_huber": (
        special.pseudo_huber, lambda d, r: d * d * (mp.sqrt(1 + (r / d) ** 2) - 1),
        [2.0], 0.4,
    ),
    "gamma": (special.gamma, mp.gamma, 2.4),
    "gammaln": (special.gammaln, mp.loggamma, 2.4),
    "loggamma": (special.loggamma, mp.loggamma, 2.4),
    "rgamma": (special.rgamma, mp.rgamma, 2.4),
    "psi": (special.psi, lambda a: mp.psi(0, a), 2.4),
    "beta": (special.beta, mp.beta, 2.4, 0.7),
    "betaln": (special.betaln, lambda a, b: mp.log(mp.beta(a, b)), 2.4, 0.7),
    "gammainc": (
        special.gammainc, lambda a, x: mp.gammainc(a, 0, x, regularized=True),
        [2.4], 0.7,
    ),
    "gammaincc": (
        special.gammaincc, lambda a, x: mp.gammainc(a, x, regularized=True), [2.4], 0.7,
    ),
    "betainc": (
        special.betainc, lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True),
        [2.4], [0.7], 0.3,
    ),
    "betaincc": (
        special.betaincc, lambda a, b, x: mp.betainc(a, b, x, 1, regularized=True),
        [2.4], [0.7], 0.3,
    ),
    "chdtr": (
        special.chdtr, lambda v, x: mp.gammainc(v / 2, 0, x / 2, regularized=True),
        [3.0], 0.7,
    ),
    "chdtrc": (
        special.chdtrc, lambda v, x: mp.gammainc(v / 2, x / 2, regularized=True),
        [3.0], 0.7,
    ),
    "gdtr": (
        special.gdtr, lambda a, b, x: mp.gammainc(b, 0, a * x, regularized=True),
        1.2, [2.4], 0.7,
    ),
    "stdtr": (
        special.stdtr,
        lambda v, t: mp.mpf(1) / 2 + t * mp.gamma((v + 1) / 2) / mp.sqrt(mp.pi * v)
        / mp.gamma(v / 2) * mp.hyp2f1(0.5, (v + 1) / 2, 1.5, -t * t / v),
        [3.0], 0.7,
    ),
    "j0": (special.j0, lambda x: mp.besselj(0, x), 1.3),
    "j1": (special.j1, lambda x: mp.besselj(1, x), 1.3),
    "y0": (special.y0, lambda x: mp.bessely(0, x), 1.3),
    "y1": (special.y1, lambda x: mp.bessely(1, x), 1.3),
    "i0": (special.i0, lambda x: mp.besseli(0, x), 1.3),
    "i0e": (special.i0e, lambda x: mp.besseli(0, x) * mp.exp(-x), 1.3),
    "i1": (special.i1, lambda x: mp.besseli(1, x), 1.3),
    "i1e": (special.i1e, lambda x: mp.besseli(1, x) * mp.exp(-x), 1.3),
    "k0": (special.k0, lambda x: mp.besselk(0, x), 1.3),
    "k0e": (special.k0e, lambda x: mp.besselk(0, x) * mp.exp(x), 1.3),
    "k1": (special.k1, lambda x: mp.besselk(1, x), 1.3),
    "k1e": (special.k1e, lambda x: mp.besselk(1, x) * mp.exp(x), 1.3),
    "jv": (special.jv, mp.besselj, [1.6], 1.3),
    "jve": (special.jve, mp.besselj, [1.6], 1.3),
    "yn": (special.yn, mp.bessely, [2], 1.3),
    "yv": (special.yv, mp.bessely, [1.6], 1.3),
    "yve": (special.yve, mp.bessely, [1.6], 1.3),
    "iv": (special.iv, mp.besseli, [1.6], 1.3),
    "ive": (special.ive, lambda v, x: mp.besseli(v, x) * mp.exp(-x), [1.6], 1.3),
    "kn": (special.kn, mp.besselk, [2], 1.3),
    "kv": (special.kv, mp.besselk, [1.6], 1.3),
    "kve": (special.kve, lambda v, x: mp.besselk(v, x) * mp.exp(x), [1.6], 1.3),
    "spherical_jn": (
        ufuncs._spherical_jn,
        lambda n, x: mp.sqrt(mp.pi / 2 / x) * mp.besselj(n + 0.5, x), [2], 1.3,
    ),
    "spherical_yn": (
        ufuncs._spherical_yn,
        lambda n, x: mp.sqrt(mp.pi / 2 / x) * mp.bessely(n + 0.5, x), [2], 1.3,
    ),
    "spherical_in": (
        ufuncs._spherical_in,
        lambda n, x: mp.sqrt(mp.pi / 2 / x) * mp.besseli(n + 0.5, x), [2], 1.3,
    ),
    "spherical_kn": (
        ufuncs._spherical_kn,
        lambda n, x: mp.sqrt(mp.pi / 2 / x) * mp.besselk(n + 0.5, x), [2], 1.3,
    ),
    "struve": (special.struve, mp.struveh, [1.6], 1.3),
    "modstruve": (special.modstruve, mp.struvel, [1.6], 1.3),
    "exp1": (special.exp1, mp.e1, 1.3),
    "expi": (special.expi, mp.ei, 1.3),
    "expn": (special.expn, mp.expint, [2], 1.3),
    "spence": (special.spence, lambda x: mp.polylog(2, 1 - x), 0.4),
    "ellipk": (special.ellipk, mp.ellipk, 0.4),
    "ellipk of little": (special.ellipk, mp.ellipk, 1.0e-9),
    "ellipkm1": (special.ellipkm1, lambda p: mp.ellipk(1 - p), 0.4),
    "ellipe": (special.ellipe, mp.ellipe, 0.4),
    "ellipkinc": (special.ellipkinc, mp.ellipf, 0.7, [0.4]),
    "ellipeinc": (special.ellipeinc, mp.ellipe, 0.7, [0.4]),
    "hyp0f1": (special.hyp0f1, mp.hyp0f1, [1.6], 0.7),
    "hyp1f1": (special.hyp1f1, mp.hyp1f1, [1.6], [2.2], 0.7),
    "hyperu": (special.hyperu, mp.hyperu, [1.6], [2.2], 0.7),
    "hyp2f1": (special.hyp2f1, mp.hyp2f1, [1.6], [0.9], [2.2], 0.4),
    "eval_legendre": (special.eval_legendre, mp.legendre, [4], 0.4),
    "eval_jacobi": (special.eval_jacobi, mp.jacobi, [4], [0.5], [1.5], 0.4),
    "eval_chebyt": (special.eval_chebyt, mp.chebyt, [4], 0.4),
    "eval_chebyu": (special.eval_chebyu, mp.chebyu, [4], 0.4),
    "eval_hermite": (special.eval_hermite, mp.hermite, [4], 0.4),
    "eval_hermitenorm": (
        special.eval_hermitenorm,
        lambda n, x: mp.hermite(n, x / mp.sqrt(2)) / mp.sqrt(2) ** n, [4], 0.4,
    ),
    "eval_laguerre": (
        special.eval_laguerre, lambda n, x: mp.laguerre(n, 0, x), [4], 0.4,
    ),
    "eval_genlaguerre": (special.eval_genlaguerre, mp.laguerre, [4], [0.5], 0.4),
    "wrightomega": (special.wrightomega, lambda x: mp.lambertw(mp.exp(x)).real, 0.4),
}  # fmt: skip

# ufunc of several outputs: (mpmath's functions or None where a part is a constant)
PARTS = {
    "modf": (np.modf, [lambda a: a - mp.floor(a), mp.floor], 2.4),
    "divmod": (
        np.divmod,
        [lambda a, b: mp.floor(a / b), lambda a, b: a - b * mp.floor(a / b)],
        7.4,
        1.5,
    ),
    "fresnel": (special.fresnel, [mp.fresnels, mp.fresnelc], 0.7),
    "sici": (special.sici, [mp.si, mp.ci], 0.7),
    "shichi": (special.shichi, [mp.shi, mp.chi], 0.7),
    "airy": (special.airy, [airy(k) for k in range(4)], 0.7),
}

CASES = [
    pytest.param(*case, None, id=f"{package}-{name}")
    for package, table in (("numpy", NUMPY), ("scipy", SCIPY))
    for name, (ufunc, reference, *values) in table.items()
    for case in [(ufunc, reference, values)]
] + [
    pytest.param(ufunc, references[k], values, k, id=f"{name}[{k}]")
    for name, (ufunc, references, *values) in PARTS.items()
    for k in range(len(references))
]


@pytest.mark.parametrize("is_vector", [False, True], ids=["scalar", "vector"])
@pytest.mark.parametrize(("ufunc", "reference", "values", "part"), CASES)
def test_a_rule_gives_the_derivative_by_each_operand(
    ufunc, reference, values, part, is_vector
):
    # Of a vector the operand is p t, where t is the point; so t is a factor.
    t = np.array([1.0, 1.0625]) if is_vector else np.ones(2)
    free = [k for k, value in enumerate(values) if type(value) is float]
    plain = [value if type(value) is float else value[0] for value in values]

    def function(x, *p):
        operands = list(plain)
        for k, each in zip(free, p, strict=True):
            operands[k] = each * x if is_vector else each
        y = ufunc(*operands)
        return y if part is None else y[part]

    found = Record(function, len(free), t)(*(plain[k] for k in free))
    for k, column in zip(free, found, strict=True):
        for each, derivative in zip(t, np.broadcast_to(column, 2), strict=True):
            at = [v * each if i in free else v for i, v in enumerate(plain)]

            def along(value, k=k, at=at):
                return reference(*map(mp.mpf, at[:k]), value, *map(mp.mpf, at[k + 1 :]))

            exact = mp.diff(along, at[k]) * each
            assert abs(derivative - exact) <= 1e-12 * abs(exact)


@pytest.mark.parametrize(
    ("ufunc", "operand", "operands"),
    [
        (special.jv, 0, lambda p: (p, 1.0)),
        (special.gammainc, 0, lambda p: (p, 1.0)),
        (special.voigt_profile, 1, lambda p: (1.0, p, 1.0)),
        (special.lpmv, 2, lambda p: (0.0, 1.0, p)),
        (np.heaviside, 1, lambda p: (1.0, p)),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_has_no_rule_is_named(ufunc, operand, operands):
    rows = Record(lambda x, p: x * ufunc(*operands(p)), 1).rows
    assert rows == Missing(ufunc.__name__, operand)
    text = f"the derivative of {ufunc.__name__} with respect to operand {operand}"
    assert repr(rows) == str(rows) == text


def test_a_rule_is_needed_only_on_a_path_to_the_result():
    def function(x, a, b):
        special.voigt_profile(x, a, b)
        return special.jv(1.5, a * x) * np.where(special.jv(b, x) > 0.0, 1.0, 2.0)

    assert isinstance(Record(function, 2).rows, list)


def test_a_ufunc_that_only_has_the_name_of_scipys_has_no_rule(monkeypatch):
    erf = special.erf
    assert formulas(erf)
    for module in (special, ufuncs):
        monkeypatch.setattr(module, "erf", special.erfc)
    assert not formulas(erf)


def test_without_scipy_its_ufuncs_have_no_rules(monkeypatch):
    monkeypatch.delitem(sys.modules, "scipy.special")
    assert not formulas(special.erf)
