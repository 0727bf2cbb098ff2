"""
One fit of ten million points
=============================

A nucleus in a magnet rings after a pulse, and the coil around it records a decay. Here
two lines lie so close together that they beat: seven parameters from ten million
samples. The rows of a traced function are computed, weighed and added up in blocks that
stay in the processor's cache, and forgotten. So the fit needs no memory of its own
beside the data, and it uses all processors. The data are made here, in 160 MB.
"""

import time

import numpy as np
from picture import BLUE, GREY, ORANGE, new_figure, report, save

from minpack import curve_fit, traced

# %%
# The model: two lines of one width, which start in phase.


@traced
def ringing(t, a1, f1, a2, f2, phase, decay, offset):
    """Return the signal in mV at `t` in seconds."""
    cycles = 2 * np.pi * t
    tones = a1 * np.cos(f1 * cycles + phase) + a2 * np.cos(f2 * cycles + phase)
    return offset + tones * np.exp(-t / decay)


# %%
# The data: 20 s, sampled 500,000 times a second. The noise is three times as large as
# the signal is at its start.
M = 10_000_000
true = np.array([1.0, 142.35, 0.6, 142.81, 0.4, 4.2, 0.05])
t = np.arange(M) * (20 / M)
y = ringing(t, *true)
y += np.random.default_rng(0).normal(0, 5.0, M)

# %%
# Where to start: the frequencies from the spectrum of means of 200 samples, which is a
# small array. A frequency must start within a fraction of the width of its line.
means = y.reshape(-1, 200).mean(axis=1)
spectrum = np.abs(np.fft.rfft(means * np.exp(-t[::200] / 4), 8 * means.size))
frequency = np.fft.rfftfreq(8 * means.size, 20 / means.size)
is_peak = (spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])
peaks = 1 + np.flatnonzero(is_peak & (frequency[1:-1] > 10))
first, second = np.sort(frequency[peaks[np.argsort(spectrum[peaks])[-2:]]])
start = [1, first, 1, second, 0, 3, 0]
print(f"start: {first:.3f} and {second:.3f} Hz")

# %%
# The fit.
began = time.perf_counter()
popt, pcov = curve_fit(ringing, t, y, start)
seconds = time.perf_counter() - began
names = ["line 1 (mV)", "line 1 (Hz)", "line 2 (mV)", "line 2 (Hz)"]
report([*names, "phase", "decay (s)", "offset (mV)"], popt, pcov, true)
print(f"seconds for {M:,} points: {seconds:.1f}")

# %%
# No eye sees the lines in the samples; means of 200 show them.
figure = new_figure(figsize=(8, 6))
above, below = figure.subplots(2)
middle = t.reshape(-1, 200).mean(axis=1)
fitted = ringing(middle, *popt)
above.plot(middle, means, ".", ms=5, mew=0, color=ORANGE, label="means of 200 samples")
above.plot(middle, fitted, color=BLUE, lw=1, label="fit")
above.set(xlabel="time (s)", ylabel="signal (mV)", xlim=(0, 0.4), ylim=(-2.6, 3.4))
above.legend(loc="upper right", ncols=2)
near = (frequency > 140.5) & (frequency < 144.5)
for values, color, label in (
    (means, ORANGE, "means of 200 samples"),
    (fitted, BLUE, "fit"),
    (means - fitted, GREY, "residuals"),
):
    amplitude = np.abs(np.fft.rfft(values, 8 * means.size)) * (2 / means.size)
    below.plot(frequency[near], amplitude[near], color=color, label=label)
below.set(xlabel="frequency (Hz)", ylabel="amplitude (mV)", ylim=0)
below.legend()
save(figure, "ten_million")
