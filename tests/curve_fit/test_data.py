"""Data that would be misread."""

from __future__ import annotations

import numpy as np
import pytest

from curve_fit.calls import Y, fit
from minpack import OptimizeWarning, curve_fit


def test_a_mask_that_hides_nothing_is_none() -> None:
    plain, _ = curve_fit(**fit())
    masked, _ = curve_fit(**fit(ydata=np.ma.masked_less(Y, -99)))
    np.testing.assert_array_equal(masked, plain)


def test_two_dimensions_of_ydata_want_ravel() -> None:
    with pytest.raises(ValueError, match=r"ydata .*\(5, 6\): .*ravel"):
        curve_fit(**fit(ydata=Y.reshape(5, 6)))


def test_absolute_sigma_without_sigma_is_warned_of() -> None:
    with pytest.warns(OptimizeWarning, match="no sigma"):
        _, pcov = curve_fit(**fit(absolute_sigma=True))
    _, scaled = curve_fit(**fit(sigma=1.0, absolute_sigma=True))
    np.testing.assert_allclose(pcov, scaled, rtol=1e-12)
