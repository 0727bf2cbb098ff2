"""docs/after-the-fit.md: its numbers are right."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import special, stats

from commands import ROOT
from documents import run_blocks
from minpack import curve_fit_batch

lmfit = pytest.importorskip("lmfit")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The names of the page, after its code has run."""
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        list(run_blocks(ROOT / "docs/after-the-fit.md", names))
    return SimpleNamespace(**names)


def by_lmfit(page, model, start, **options):
    names = lmfit.Model(model).param_names
    return lmfit.Model(model).fit(
        page.y, t=page.t, **dict(zip(names, start, strict=True)), **options
    )


@pytest.fixture(scope="module")
def same(page):
    """The fit of the page by lmfit, with absolute weights."""
    return by_lmfit(
        page, page.decay.function, page.popt, weights=1 / page.sigma, scale_covar=False
    )


@pytest.fixture(scope="module")
def unweighted(page):
    return by_lmfit(page, page.decay.function, page.popt)


def test_errors_and_correlations_are_those_of_lmfit(page, same):
    errors = [parameter.stderr for parameter in same.params.values()]
    np.testing.assert_allclose(page.stderr, errors, rtol=1e-4)
    amplitude = same.params["amplitude"].correl
    expected = amplitude["rate"], amplitude["offset"]
    np.testing.assert_allclose(page.correlation[0, 1:], expected, rtol=1e-3)


def test_chi_squared_is_that_of_lmfit(page, same):
    np.testing.assert_allclose(page.chi2, same.chisqr)
    np.testing.assert_allclose(page.reduced, same.redchi)


def test_criteria_differ_as_those_of_the_likelihoods(page):
    def of_likelihood(values, n):
        density = stats.norm.logpdf(page.y, values, page.sigma).sum()
        return np.array([2 * n, n * np.log(page.m)]) - 2 * density

    one = of_likelihood(page.decay(page.t, *page.popt), page.n)
    two = of_likelihood(page.two_decays(page.t, *page.more), page.more.size)
    ours = np.subtract(
        page.criteria(page.chi2_more, page.more.size), page.criteria(page.chi2, page.n)
    )
    np.testing.assert_allclose(ours, two - one)


def test_criteria_without_sigma_are_those_of_lmfit(page, unweighted):
    chi2 = page.m * np.log(unweighted.chisqr / page.m)
    expected = unweighted.aic, unweighted.bic
    np.testing.assert_allclose(page.criteria(chi2, page.n), expected)


def test_the_band_of_the_curve_is_that_of_lmfit(page, same):
    spread = same.eval_uncertainty(t=page.grid, sigma=1)  # by Student's t
    factor = stats.t.ppf((1 + special.erf(np.sqrt(0.5))) / 2, page.m - page.n)
    np.testing.assert_allclose(page.of_curve * factor, spread, rtol=1e-3)


@pytest.mark.parametrize("k", range(3))
def test_profile_intervals_without_sigma_are_those_of_lmfit(page, unweighted, k):
    values, root = page.profile(k)
    levels = np.array([-1, 1]) * page.factor * np.sqrt(page.reduced)
    ours = np.interp(levels, root, values)
    name = unweighted.var_names[k]
    found = lmfit.conf_interval(unweighted, unweighted, p_names=[name], sigmas=[0.95])
    (_, low), _, (_, high) = found[name]
    np.testing.assert_allclose(ours, [low, high], atol=0.005 * page.stderr[k])


def test_intervals_and_bands_contain_the_truth_as_often_as_they_say(page):
    rng = np.random.default_rng(0)
    true = 2.0, 0.5, 0.5
    data = page.decay(page.t, *true) + rng.normal(0, 0.1, (4_000, page.m))
    fits = curve_fit_batch(
        page.decay, page.t, data, page.popt, sigma=page.sigma, absolute_sigma=True
    )
    slopes = np.array([page.decay.jacobian(np.array([2.5]), *p)[0] for p in fits.x])
    of_curve = np.sqrt(np.einsum("bi,bij,bj->b", slopes, fits.cov, slopes))
    off = page.decay(2.5, *fits.x.T) - page.decay(2.5, *true)
    next_point = off - rng.normal(0, 0.1, off.size)
    for error, deviation in ((of_curve, off), (np.hypot(of_curve, 0.1), next_point)):
        share = np.mean(np.abs(deviation) < 1.96 * error)
        assert share == pytest.approx(0.95, abs=0.01)
    assert 2 * fits.cost.mean() == pytest.approx(page.m - page.n, abs=0.3)
