"""Data are read chunk by chunk, once for each evaluation, and never held together."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("dask.array")

from commands import refused, run
from dask_fit.decays import CHUNKS, START, T, Y, lazy
from minpack import traced
from minpack.dask import curve_fit
from models import decay, decay_jacobian

BEYOND_MEMORY = """
import resource, sys
from pathlib import Path
import dask, dask.array as da, numpy as np
import minpack
from minpack.dask import curve_fit

M, CHUNK = 8_000_000, 500_000
decay = minpack.traced(lambda t, a, b, c: a * np.exp(-b * t) + c)
t, y = (np.memmap(Path(sys.argv[1], name), float, "w+", shape=M) for name in "ty")
for k in range(0, M, CHUNK):
    t[k : k + CHUNK] = np.linspace(k / M, (k + CHUNK) / M, CHUNK)
    y[k : k + CHUNK] = decay(t[k : k + CHUNK], 2.0, 3.0, 0.5)
    y[k : k + CHUNK : 2] += 0.01

def load(name, block_info=None):
    ((first, end),) = block_info[None]["array-location"]
    return np.memmap(Path(sys.argv[1], name), mode="r", dtype=float)[first:end]

chunks = ((CHUNK,) * (M // CHUNK),)
x, y = (da.map_blocks(load, name, chunks=chunks, meta=np.empty(0)) for name in "ty")
x = t if sys.argv[2] == "NumPy" else x
with dask.config.set(num_workers=2):
    curve_fit(decay, x[:CHUNK], y[:CHUNK])  # imports
    status = Path("/proc/self/status").read_text()
    used = 1024 * int(status.split("VmData:")[1].split()[0])
    limit = used + 3 * M  # bytes; the data are 16 M
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    y = y.compute() if sys.argv[2] == "held" else y
    popt, _ = curve_fit(decay, x, y)
print(*popt.round(3))
"""
BEYOND_MEMORY_COMMAND = (sys.executable, "-W", "error", "-c", BEYOND_MEMORY)


@pytest.mark.skipif(sys.platform != "linux", reason="no limits of memory here")
@pytest.mark.parametrize("xdata", ["Dask", "NumPy"])
def test_data_may_be_larger_than_memory(tmp_path, xdata):
    assert run(*BEYOND_MEMORY_COMMAND, tmp_path, xdata).strip() == "2.0 3.0 0.505"


@pytest.mark.skipif(sys.platform != "linux", reason="no limits of memory here")
def test_data_larger_than_memory_cannot_be_held(tmp_path):
    assert "Unable to allocate" in refused(*BEYOND_MEMORY_COMMAND, tmp_path, "held")


def counting(loads: dict[int, int]) -> Any:
    """The data, and how often each chunk is loaded."""

    def load(block: Any, block_info: Any = None) -> Any:
        if block_info:
            (k,) = block_info[0]["chunk-location"]
            loads[k] = loads.get(k, 0) + 1
        return block

    return lazy(Y).map_blocks(load, dtype=float)


FITS: dict[str, dict[str, Any]] = {
    "differences": {"f": decay},
    "differences from afar": {"f": decay, "p0": [10.0, 4.0, 3.0]},
    "traced": {"f": traced(decay)},
    "jac": {"f": decay, "jac": decay_jacobian},
}


@pytest.mark.parametrize("arguments", FITS.values(), ids=FITS)
def test_each_chunk_is_loaded_once_for_each_evaluation(arguments):
    loads: dict[int, int] = {}
    seen: list[Any] = []
    call = {"p0": START, "callback": seen.append, "full_output": True} | arguments
    said = curve_fit(xdata=lazy(T), ydata=counting(loads), **call)[2]
    trials = said["nfev"]
    if "njev" not in said:  # a Jacobian for each iterate but the last one
        trials -= len(seen) * START.size
    filled = [k for k, size in enumerate(CHUNKS) if size]
    assert sorted(loads) == filled
    # Once more for the sample, and where a step was refused
    assert max(loads.values()) <= trials + 2


def test_tasks_see_no_more_than_their_rows():
    sizes = []

    def model(t: Any, a: Any, b: Any, c: Any) -> Any:
        sizes.append(t.size)
        return decay(t, a, b, c)

    t = np.linspace(0, 10, 100_000)
    y = decay(t, 2.0, 0.7, 0.5)
    curve_fit(model, lazy(t, 50_000), lazy(y, 50_000), START)
    assert max(sizes) < 10_000
