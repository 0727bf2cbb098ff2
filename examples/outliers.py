"""
A line through data of which a quarter is wrong
===============================================

Telephone calls from Belgium to abroad, year by year. From 1964 to 1969, and in part of
1963 and of 1970, it was not their number that was recorded but their minutes. Least
squares follows the error. With Cauchy's loss in ``least_squares``, a residual far
beyond ``f_scale`` hardly pulls, and the line is that of the years that are right. Data:
P. J. Rousseeuw and A. M. Leroy, Robust Regression and Outlier Detection, Wiley 1987,
chapter 2.
"""

import numpy as np
from picture import BLUE, ORANGE, POINTS, panels, pm, save

from minpack import least_squares, traced

calls = np.array(  # millions
    [
        *(4.4, 4.7, 4.7, 5.9, 6.6, 7.3, 8.1, 8.8, 10.6, 12.0, 13.5, 14.9, 16.1, 21.2),
        *(119.0, 124.0, 142.0, 159.0, 182.0, 212.0, 43.0, 24.0, 27.0, 29.0),
    ]
)
year = np.arange(1950, 1974)
design = np.stack([year - 1950, np.ones(year.size)], axis=1)

# %%
# The residuals.


@traced
def residual(p):
    """Return a line of slope p[0], which is p[1] in 1950, less the data."""
    return design @ p - calls


def sandwich(first, second):
    """Return the covariance of p, from the derivatives of the loss at each residual.

    Huber's estimate, which does not take the errors for normal ones:
    P. J. Huber, Robust Statistics, Wiley 1981, chapter 7.
    """
    bread = np.linalg.inv(design.T * second @ design)
    m, n = design.shape
    return m / (m - n) * bread @ (design.T * first**2 @ design) @ bread


# %%
# Both fits.
start, scale = (1, 1), 2  # beyond some 2 million, an error has less and less weight
plain = least_squares(residual, start).x
robust = least_squares(residual, start, loss="cauchy", f_scale=scale).x

# %%
# Their slopes with standard errors, and the years that hardly count.
z = (residual(robust) / scale) ** 2
weight = 1 / (1 + z)
right = weight > 0.1
ones = np.ones(year.size)
for name, p, pcov in (
    ("least squares", plain, sandwich(residual(plain), ones)),
    ("Cauchy's loss", robust, sandwich(weight * residual(robust), weight**2 * (1 - z))),
):
    slope = pm(p[0], np.sqrt(pcov[0, 0]))
    print(f"{name}: {slope} million calls more every year")
print("hardly counted:", *year[~right])

# %%
# The residuals are those of the robust line, on a scale that is logarithmic beyond 5.
figure, axes, residuals = panels("year", "calls (millions)", "residual\n(millions)")
for panel, value in (axes, calls), (residuals, -residual(robust)):
    panel.plot(year[right], value[right], **POINTS)
    panel.plot(year[~right], value[~right], **POINTS | {"mfc": "w", "mew": 1})
axes.plot(year, design @ plain, "--", color=ORANGE, label="least squares")
axes.plot(year, design @ robust, color=BLUE, label="Cauchy's loss")
axes.plot([], [], **POINTS | {"mfc": "w", "mew": 1}, label="weight below 0.1")
axes.legend(loc="upper left")
residuals.set_yscale("symlog", linthresh=5)
residuals.set_yticks([-5, 0, 5, 100], labels=["−5", "0", "5", "100"])
save(figure, "outliers")
