"""
The light of a star among cosmic rays
=====================================

How bright is a star, and where is it? A Gaussian in two dimensions is fitted to its
image. Particles have hit the detector meanwhile, and an ordinary fit takes their charge
for starlight. Cauchy's loss hardly counts pixels that are far off, so it finds which
pixels were hit. An ordinary fit of the other pixels then has errors that can be
believed. The image is made here.
"""

import numpy as np
from matplotlib.colors import PowerNorm
from picture import new_figure, pm, save

from minpack import curve_fit, traced

# %%
# The model: a Gaussian that is longer in one direction than in the other, on a flat
# sky.


@traced
def image(pixel, flux, x0, y0, length, width, angle, sky):
    """Return electrons in each pixel; `pixel` holds x and y, shape (2, m)."""
    x, y = pixel[0] - x0, pixel[1] - y0
    along = (x * np.cos(angle) + y * np.sin(angle)) / length
    across = (y * np.cos(angle) - x * np.sin(angle)) / width
    peak = flux / (2 * np.pi * length * width)
    return sky + peak * np.exp(-(along**2 + across**2) / 2)


# %%
# The data: 41 by 41 pixels, with the noise of counting and of the electronics (5
# electrons). 24 tracks of one to four pixels are added.
SIZE, READ = 41, 5.0
pixel = np.mgrid[:SIZE, :SIZE][::-1].reshape(2, -1).astype(float)
true = np.array([40_000, 19.3, 21.6, 3.1, 2.2, 0.6, 120])
rng = np.random.default_rng(4)
data = rng.poisson(image(pixel, *true)) + rng.normal(0, READ, pixel.shape[1])
hit = np.zeros((SIZE, SIZE), bool)
for x, y, dx, dy in rng.integers([1, 1, -1, -1], [SIZE - 4, SIZE - 4, 2, 2], (24, 4)):
    for k in range(rng.integers(1, 5)):
        hit[np.clip(y + k * dy, 0, SIZE - 1), np.clip(x + k * dx, 0, SIZE - 1)] = True
hit = hit.ravel()
data[hit] += rng.exponential(900, hit.sum()) + 150

# %%
# A fit in which the noise of a pixel follows from the fitted image, so it is repeated.


def fit(keep, **loss):
    """Fit the pixels to keep; return the parameters, their covariance and the noise."""
    p, noise = [30_000, 20, 20, 3.5, 2, 0.5, 100], np.full(data.size, 20.0)
    for _ in range(4):
        known = {"sigma": noise[keep], "absolute_sigma": True}
        p, pcov = curve_fit(image, pixel[:, keep], data[keep], p, **known, **loss)
        noise = np.sqrt(np.maximum(image(pixel, *p), 1) + READ**2)
    return p, pcov, noise


everything = np.ones(data.size, bool)
plain, plain_cov, plain_noise = fit(everything)
robust, robust_cov, noise = fit(everything, loss="cauchy")
clean = np.abs(data - image(pixel, *robust)) < 5 * noise
popt, pcov, noise = fit(clean)

# %%
# What each of them says. "Least squares" of all pixels is off by many of its own
# standard errors.
names = ["flux", "x", "y", "length", "width", "angle", "sky"]
print(f"{'':7} least squares    Cauchy's loss    pixels not hit")
for i, name in enumerate(names):
    texts = [pm(p[i], np.sqrt(cov[i, i])) for p, cov in
             ((plain, plain_cov), (robust, robust_cov), (popt, pcov))]  # fmt: skip
    print(f"{name:7} {texts[0]:16} {texts[1]:16} {texts[2]:16} (true: {true[i]:g})")
print(f"pixels left out: {np.sum(~clean)}; of {hit.sum()} hit: {np.sum(~clean & hit)}")

# %%
# The image and its fit; what the two fits leave, in units of the noise. Pixels that
# were left out are grey.
figure = new_figure(figsize=(8, 7))
(above_left, above), (left, right) = figure.subplots(2, 2, sharex=True, sharey=True)
norm = PowerNorm(0.5, 80, 1200)
shown = above_left.imshow(data.reshape(SIZE, SIZE), cmap="viridis", norm=norm)
above.imshow(image(pixel, *popt).reshape(SIZE, SIZE), cmap="viridis", norm=norm)
figure.colorbar(
    shown, ax=[above_left, above], label="electrons", extend="max",
    ticks=[100, 200, 400, 800, 1200],
)  # fmt: skip
for axes, p, sigma, kept in (
    (left, plain, plain_noise, everything),
    (right, popt, noise, clean),
):
    pull = np.where(kept, (data - image(pixel, *p)) / sigma, np.nan)
    axes.set_facecolor("0.4")
    shown = axes.imshow(pull.reshape(SIZE, SIZE), cmap="RdBu_r", vmin=-6, vmax=6)
figure.colorbar(shown, ax=[left, right], label="residual / σ", extend="both")
above_left.set(title="image", ylabel="y (pixels)")
above.set(title="fit without the pixels hit")
left.set(title="residuals of least squares", xlabel="x (pixels)", ylabel="y (pixels)")
right.set(title="residuals of the fit above", xlabel="x (pixels)")
save(figure, "star")
