"""What `traced` makes of a function is that function, only faster."""

import gc
import pickle
import threading
import warnings
import weakref
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import minpack
from minpack import (
    OptimizeWarning,
    curve_fit,
    least_squares,
    leastsq,
    leastsq_batch,
    traced,
)
from minpack._traced.stand_ins import Scalar

T = np.linspace(0.0, 4.0, 50)
NOISE = 0.01 * np.sin(37.0 * T)


def decay(t, a, b, c):
    """Decay to c."""
    return a * np.exp(-b * t) + c


Y = decay(T, 2.0, 0.7, 0.5) + NOISE


def residuals(x, t, y):
    a, b, c = x
    return a * np.exp(-b * t) + c - y


@traced
def module_decay(t, a, b, c):
    return a * np.exp(-b * t) + c


class Counted:
    """A model that knows how often it has been called with numbers and recorded."""

    def __init__(self):
        self.calls = self.records = 0
        self.__name__ = "counted"

    def __call__(self, t, a, b, c):
        if isinstance(a, float):
            self.calls += 1
        else:
            self.records += 1
        return a * np.exp(-b * t) + c


# --- As the function itself ----------------------------------------------------------


def test_it_is_called_as_the_function_and_looks_like_it():
    g = traced(decay)
    assert g.__name__ == "decay"
    assert g.__doc__ == "Decay to c."
    assert np.array_equal(g(T, 2.0, 0.7, c=0.5), decay(T, 2.0, 0.7, 0.5))


def test_it_decorates_with_and_without_arguments():
    @traced
    def one(t, a):
        return a * t

    @traced(derivatives=False)
    def two(t, a):
        return a * t

    assert one.derivatives
    assert not two.derivatives
    assert curve_fit(one, T, 3 * T)[0] == pytest.approx([3.0])
    assert curve_fit(two, T, 3 * T)[0] == pytest.approx([3.0])


def test_it_decorates_methods():
    class Model:
        rate = 2.0

        @traced
        def curve(self, t, a):
            return a * np.exp(-self.rate * t)

    popt, _ = curve_fit(Model().curve, T, 3 * np.exp(-2.0 * T))
    assert popt == pytest.approx([3.0])


def test_it_takes_functions_only():
    with pytest.raises(TypeError, match=r"traced takes a function, not .* int"):
        traced(3)


def test_it_pickles_as_the_function_does():
    assert pickle.loads(pickle.dumps(module_decay)) is module_decay
    other = pickle.loads(pickle.dumps(traced(decay, derivatives=False)))
    assert other.function is decay
    assert not other.derivatives
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(traced(lambda t, a: a * t))


def fit_in_process(function, y):
    return curve_fit(function, T, y)[0]


def test_it_goes_to_other_processes():
    with ProcessPoolExecutor(1) as pool:
        popt = pool.submit(fit_in_process, module_decay, Y).result()
    assert np.array_equal(popt, curve_fit(module_decay, T, Y)[0])


# --- Fits -----------------------------------------------------------------------------


def run_curve_fit(f, **options):
    return curve_fit(f, T, Y, [1.0, 1.0, 0.0], full_output=True, **options)


OPTIONS = [
    {},
    {"sigma": np.linspace(1, 2, 50)},
    {"sigma": 0.1, "absolute_sigma": True},
    {"sigma": np.diag(np.linspace(1, 2, 50)) + 0.1},
    {"bounds": (0, [1.5, 2, 2])},
    {"loss": "soft_l1", "f_scale": 0.1},
    {"loss": "cauchy", "bounds": (0, 3)},
    {"diff_step": 1e-6},
    {"jac": "2-point"},
    {"jac": "3-point"},
    {"method": "trf"},
    {"kernels": "reference"},
    {"ftol": 1e-13, "xtol": 1e-13, "gtol": 1e-13},
    {"diag": [1.0, 2.0, 3.0]},
    {"maxfev": 500},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_by_differences_curve_fit_has_the_bits_of_the_function(options):
    expected = run_curve_fit(decay, **options)
    found = run_curve_fit(traced(decay, derivatives=False), **options)
    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])
    assert found[2].keys() == expected[2].keys()
    assert found[2]["nfev"] == expected[2]["nfev"]
    assert np.array_equal(found[2]["fvec"], expected[2]["fvec"])
    assert found[3:] == expected[3:]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_by_exact_derivatives_curve_fit_ends_where_the_function_does(options):
    expected = run_curve_fit(decay, **options)
    found = run_curve_fit(traced(decay), **options)
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    assert found[1] == pytest.approx(expected[1], rel=1e-4, abs=1e-9)


def test_exact_derivatives_are_counted_as_those_of_a_function():
    def jac(t, a, b, c):
        e = np.exp(-b * t)
        return np.column_stack([e, -a * t * e, np.ones_like(t)])

    expected = run_curve_fit(decay, jac=jac)
    found = run_curve_fit(traced(decay))
    for name in ("nfev", "njev"):
        assert found[2][name] == expected[2][name]
    assert found[0] == pytest.approx(expected[0], rel=1e-9)


@pytest.mark.parametrize("derivatives", [True, False])
def test_leastsq_takes_it_with_arguments(derivatives):
    start = [1.0, 1.0, 0.0]
    expected = leastsq(residuals, start, (T, Y), full_output=True)
    g = traced(residuals, derivatives=derivatives)
    found = leastsq(g, start, (T, Y), full_output=True)
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    assert ("njev" in found[2]) == derivatives
    if not derivatives:
        assert np.array_equal(found[0], expected[0])
        assert np.array_equal(found[2]["fjac"], expected[2]["fjac"])
    assert np.array_equal(leastsq(g, start, (T, Y))[0], found[0])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bounds": (0, [1.5, 2, 2])},
        {"loss": "huber", "f_scale": 0.01},
        {"jac": "3-point"},
        {"x_scale": "jac"},
        {"callback": lambda intermediate_result: intermediate_result.nit > 2},
    ],
    ids=str,
)
def test_least_squares_takes_it_with_keywords(options):
    def fun(x, t, *, y):
        return x[0] * np.exp(-x[1] * t) + x[2] - y

    def run(function):
        return least_squares(
            function, [1.0, 1.0, 0.0], args=(T,), kwargs={"y": Y}, **options
        )

    expected = run(fun)
    same = run(traced(fun, derivatives=False))
    assert np.array_equal(same.x, expected.x)
    assert same.nfev == expected.nfev
    assert np.array_equal(same.jac, expected.jac)
    assert same.njev == expected.njev
    exact = run(traced(fun))
    assert exact.x == pytest.approx(expected.x, rel=1e-5)
    assert (exact.njev is None) == ("jac" in options)


def test_the_users_own_jacobian_is_taken():
    calls = []

    def jac(t, a, b):
        calls.append(a)
        return np.column_stack([np.exp(-b * t), -a * t * np.exp(-b * t)])

    g = traced(lambda t, a, b: a * np.exp(-b * t))
    popt, _ = curve_fit(g, T, 2 * np.exp(-T), jac=jac)
    assert popt == pytest.approx([2.0, 1.0])
    assert calls


def test_complex_steps_call_the_function():
    popt, _ = curve_fit(traced(decay), T, Y, jac="cs")
    assert np.array_equal(popt, curve_fit(decay, T, Y, jac="cs")[0])


def test_many_points_in_one_call_call_the_function():
    def f(t, a, b):
        return a * np.exp(-b * t)

    y = f(T, 2.0, 1.0)
    expected = curve_fit(f, T, y, vectorized=True)[0]
    assert np.array_equal(curve_fit(traced(f), T, y, vectorized=True)[0], expected)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda f: curve_fit(f, T, Y[:2]), (TypeError, ValueError)),
        (lambda f: curve_fit(f, T, Y, "start"), (TypeError, ValueError)),
        (lambda f: curve_fit(f, T, np.full(50, np.nan)), ValueError),
        (lambda f: curve_fit(f, T, Y, [1.0, 1.0, np.nan]), RuntimeError),
        (lambda f: curve_fit(f, T, Y, [1.0, 1.0, 0.0], sigma=[1, 2]), ValueError),
        (lambda f: curve_fit(f, T, Y, user_data=T), TypeError),
        (lambda f: leastsq(f, [1.0], (2.0,), m=3), TypeError),
        (lambda f: curve_fit(f, T[:49], Y), ValueError),
        (lambda f: curve_fit(f, T, Y, maxfev=2), RuntimeError),
    ],
)
def test_errors_are_those_of_the_function(call, error):
    with pytest.raises(error) as expected:
        call(decay)
    with pytest.raises(error) as found:
        call(traced(decay, derivatives=False))
    assert str(found.value) == str(expected.value)
    assert type(found.value) is type(expected.value)


def test_an_exception_of_the_function_passes_unchanged():
    def f(t, a):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        curve_fit(traced(f), T, T)


def test_a_parameter_without_effect_is_said():
    f = traced(lambda t, a, b: a * t + 0 * b)
    with pytest.warns(OptimizeWarning, match="cannot be estimated"):
        curve_fit(f, T, 3 * T + NOISE)


def test_no_warnings_and_flags_come_from_a_program():
    f = traced(lambda t, a, b: a * np.exp(b * t) / (t - t[0]) ** 0)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        popt, _ = curve_fit(f, T, 2 * np.exp(5 * T), [2.0, 4.0], maxfev=2000)
        assert popt == pytest.approx([2.0, 5.0])
        assert np.float64(1) / 3 > 0  # no flag is left for the next operation


# --- Records -------------------------------------------------------------------------


def test_one_record_serves_fits_of_the_same_shapes():
    model = Counted()
    g = traced(model)
    for k in range(20):
        t = np.linspace(0.0, 4.0 + k, 50)
        y = decay(t, 2.0, 0.7, 0.5 + k)
        assert curve_fit(g, t, y, [1, 1, 1])[0] == pytest.approx([2.0, 0.7, 0.5 + k])
    assert model.records == 1
    assert model.calls == 20


def test_a_record_is_compared_with_a_call_as_a_fit_makes_it():
    calls = []

    def f(t, a, b, c):
        calls.append([type(each) for each in (a, b, c)])
        return decay(t, a, b, c)

    g = traced(f)
    for p0 in ([2.0, 0.7, 0.5], np.array([2, 1, 0]), (1.0, 1.0, 1.0)):
        curve_fit(g, T, Y, p0)
    numbers = [each for each in calls if each[0] is not Scalar]
    assert numbers == [[np.float64] * 3] * 3


@pytest.mark.parametrize("dtype", [">f8", "f4", int])
def test_the_start_and_the_data_may_have_any_type(dtype):
    p0 = np.array([2, 1, 1], dtype)
    t = np.arange(50).astype(dtype)
    y = decay(0.1 * np.arange(50.0), 2.0, 0.7, 0.5)
    g = traced(lambda t, a, b, c: decay(0.1 * t, a, b, c))
    for _ in range(2):
        popt, _ = curve_fit(g, t, y.astype(y.dtype.newbyteorder()), p0)
        assert popt == pytest.approx([2.0, 0.7, 0.5])


def test_values_may_be_in_any_order_of_bytes_and_of_memory():
    g = traced(lambda t, a, b, c: decay(t, a, b, c))
    expected, _ = curve_fit(g, T, Y, [2.0, 0.7, 0.5])

    def swapped(t, *p):
        values = decay(t, *p)
        if not isinstance(values, np.ndarray):
            return values
        apart = np.zeros(2 * values.size, ">f8")[::2]
        apart[:] = values
        return apart

    popt, _ = curve_fit(traced(swapped), T, Y, [2.0, 0.7, 0.5])
    assert np.array_equal(popt, expected)


def test_other_shapes_have_records_of_their_own():
    model = Counted()
    g = traced(model)
    for m in (50, 40, 50, 40):
        curve_fit(g, T[:m], Y[:m], [1, 1, 1])
    assert model.records == 2
    for m in range(4, 45):
        curve_fit(g, T[:m], Y[:m], [1, 1, 1])
    assert len(g.records) <= 16


def test_a_branch_on_the_data_is_recorded_again_for_other_data():
    def f(t, a):
        return a * t if t.max() > 5 else a * t + 1

    g = traced(f)
    for last in (4.0, 6.0, 4.0, 6.0):
        t = np.linspace(0.0, last, 50)
        popt, _ = curve_fit(g, t, f(t, 3.0), [0.0])
        assert popt == pytest.approx([3.0])


@pytest.mark.parametrize("start", [1.0, 0.0])
def test_a_global_that_has_changed_is_seen(start):
    gain = [2.0]
    g = traced(lambda t, a, b: a * gain[0] * t + b)
    for value in (2.0, 5.0, 7.0):
        gain[0] = value
        popt, _ = curve_fit(g, T, 3 * T + 1, [start, start])
        assert popt == pytest.approx([3 / value, 1.0])


@pytest.mark.parametrize("start", [1.0, 0.0])
def test_a_captured_array_that_has_changed_is_seen(start):
    w = np.ones(50)
    g = traced(lambda x: x[0] * np.sqrt(w) * T + x[1] - Y)
    for value in (1.0, 4.0):
        w[:] = value
        x, _ = leastsq(g, [start, start])
        assert x == pytest.approx(leastsq(g.function, [start, start])[0], abs=1e-6)


def test_an_argument_that_is_a_number_is_part_of_the_record():
    g = traced(lambda x, t, y, gain: x[0] * gain * t - y)
    for gain in (1.0, 2.0, 4.0):
        assert leastsq(g, [0.0], (T, 3 * T, gain))[0] == pytest.approx([3 / gain])


def test_random_numbers_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match=r"cannot be traced.*random numbers"):
        curve_fit(traced(lambda t, a: a * t + rng.normal()), T, T)


def test_data_of_any_strides_are_read_where_they_are():
    wide = np.random.default_rng(0).uniform(0, 4, (50, 3))
    for t in (wide[:, 1], wide[::-1, 0], wide.T[2]):
        y = decay(t, 2.0, 0.7, 0.5)
        g = traced(decay, derivatives=False)
        assert np.array_equal(curve_fit(g, t, y)[0], curve_fit(decay, t, y)[0])


def test_captured_arrays_live_no_longer_than_the_function():
    def make():
        weights = np.linspace(1.0, 2.0, 50)
        return traced(lambda t, a: a * t * weights), weakref.ref(weights)

    g, weights = make()
    t = T.copy()
    data = weakref.ref(t)
    curve_fit(g, t, T)
    del t
    gc.collect()
    assert data() is None, "the data of a fit are kept"
    assert weights() is not None
    del g
    gc.collect()
    assert weights() is None


@pytest.mark.parametrize(
    "residual", [lambda r: r, lambda r: np.cumsum(r, 1)], ids=["traced", "not"]
)
def test_a_batch_holds_its_data_no_longer_than_it_runs(residual):
    def func(x, rows, t):
        return residual(x[:, :1] * t - 3.0 * t)

    t = T.copy()
    data = weakref.ref(t)
    gc.disable()
    try:
        leastsq_batch(func, np.ones((7, 1)), (t,), m=50)
        del t
        assert data() is None
    finally:
        gc.enable()


def test_threads_share_a_record():
    g = traced(decay)
    expected = curve_fit(traced(decay), T, Y)[0]
    found = []

    def work():
        for _ in range(50):
            found.append(curve_fit(g, T, Y)[0])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 400
    assert all(np.array_equal(x, expected) for x in found)


# --- The Jacobian and the text --------------------------------------------------------


def test_jacobian_is_exact():
    jac = traced(decay).jacobian(T, 2.0, 0.7, 0.5)
    e = np.exp(-0.7 * T)
    assert jac.shape == (50, 3)
    assert np.allclose(jac, np.column_stack([e, -2 * T * e, np.ones(50)]), rtol=1e-14)


def test_a_ufunc_without_a_rule_takes_differences_and_repr_says_so():
    special = pytest.importorskip("scipy.special")
    f = traced(lambda t, a, b: a * special.jv(b, t))
    y = 2 * special.jv(1.5, T)
    popt, _ = curve_fit(f, T, y, [1.0, 1.0])
    assert popt == pytest.approx([2.0, 1.5])
    assert "jv" in repr(f)
    assert "differences" in repr(f)
    with pytest.raises(TypeError, match="jv"):
        f.jacobian(T, 2.0, 1.5)


def test_repr_shows_the_program():
    g = traced(decay)
    assert "decay" in repr(g)
    curve_fit(g, T, Y)
    text = repr(g)
    assert "a * exp(-b * t) + c" in text
    assert "50 values" in text
    assert "exact derivatives" in text
    assert len(text.splitlines()) < 6


def test_the_public_name():
    assert "traced" in minpack.__all__


def test_an_infinite_derivative_ends_a_fit():
    f = traced(lambda t, a, b: a * np.sqrt(t - b))
    assert np.isinf(f.jacobian(T, 1.0, T[0])[0, 1])
    with pytest.raises(RuntimeError, match="finite"):
        curve_fit(f, T, 2 * np.sqrt(T), [1.0, T[0]])


def test_a_derivative_of_nothing_is_zero_where_the_root_is_zero():
    f = traced(lambda t, a, b: a + np.sqrt(np.maximum(t - b, 0.0)))
    popt, _ = curve_fit(f, T, f(T, 1.0, 1.03), [0.5, 1.5])
    assert popt == pytest.approx([1.0, 1.03])


@pytest.mark.parametrize("shape", [(20, 30), (25, 25)])
def test_an_image_is_fitted_as_it_lies(shape):
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).astype(float)

    def spot(xy, height, x0, y0, width):
        x, y = xy
        r2 = (x - x0) ** 2 + (y - y0) ** 2
        return (height * np.exp(-r2 / (2 * width**2))).ravel()

    image = spot(grid, 3.0, 11.0, 14.0, 4.0)
    g = traced(spot)
    popt, _ = curve_fit(g, grid, image, [2.0, 10.0, 13.0, 3.0])
    assert popt == pytest.approx([3.0, 11.0, 14.0, 4.0])
    assert "operations" in repr(g)
    assert len(repr(g)) < 1000
