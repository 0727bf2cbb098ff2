"""The bits of a fit depend on its chunks, and on nothing else of how it is computed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest

dask = pytest.importorskip("dask")
pytest.importorskip("dask.array")

from dask_fit.decays import ERRORS, START, T, Y, lazy  # noqa: E402
from functions import killing_once  # noqa: E402
from minpack import traced  # noqa: E402
from minpack.dask import curve_fit  # noqa: E402
from models import decay, decay_jacobian  # noqa: E402

FITS: dict[str, dict[str, Any]] = {
    "differences": {"f": decay},
    "traced": {"f": traced(decay)},
    "jac": {"f": decay, "jac": decay_jacobian},
    "a loss": {"f": decay, "loss": "cauchy", "f_scale": 1.0},
    "bounds": {"f": traced(decay), "bounds": (0, [1.9, 3, 3])},
}
each_fit = pytest.mark.parametrize("arguments", FITS.values(), ids=FITS)


def bits(**arguments: Any) -> bytes:
    data = {"xdata": lazy(T), "ydata": lazy(Y), "sigma": lazy(ERRORS)}
    popt, pcov = curve_fit(p0=START, **{**data, **arguments})
    return popt.tobytes() + pcov.tobytes()


def alone(**arguments: Any) -> bytes:
    with dask.config.set(scheduler="synchronous"):
        return bits(**arguments)


@pytest.fixture(scope="module")
def pool() -> Iterator[Any]:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        yield pool


@each_fit
def test_on_any_number_of_threads(arguments):
    expected = alone(**arguments)
    for threads in (1, 2, 7):
        with dask.config.set(scheduler="threads", num_workers=threads):
            assert bits(**arguments) == expected


@each_fit
def test_on_processes(pool, arguments):
    expected = alone(**arguments)
    with dask.config.set(scheduler="processes", pool=pool):
        assert bits(**arguments) == expected


@each_fit
def test_on_a_cluster(client, arguments):
    assert bits(**arguments) == alone(**arguments)


def test_on_one_worker_of_the_cluster(client):
    worker = next(iter(client.scheduler_info()["workers"]))
    with dask.annotate(workers=[worker]):
        assert bits(f=decay) == alone(f=decay)


@pytest.mark.parametrize("derive", [lambda a: a, lambda a: (2 * a).rechunk(500) / 2])
def test_data_may_be_kept_on_the_cluster(client, derive):
    chunks = derive(lazy(T)).chunks
    kept = {"xdata": lazy(T), "ydata": lazy(Y), "sigma": lazy(ERRORS)}
    expected = alone(**{k: a.rechunk(chunks) for k, a in kept.items()}, f=decay)
    kept = dict(zip(kept, dask.persist(*kept.values()), strict=True))
    assert bits(**{k: derive(a) for k, a in kept.items()}, f=decay) == expected


@pytest.mark.parametrize("keeps", [False, True])
def test_a_worker_that_is_killed_in_mid_fit_costs_its_tasks_alone(
    client, tmp_path, keeps
):
    before = set(client.run(os.getpid).values())
    data = {"xdata": lazy(T), "ydata": lazy(Y), "sigma": lazy(ERRORS)}
    if keeps:
        data = dict(zip(data, dask.persist(*data.values()), strict=True))
    # The derivatives, for the caller's process evaluates the model itself too
    jac = partial(killing_once, tmp_path / "once", decay_jacobian)
    assert bits(f=decay, jac=jac, **data) == alone(f=decay, jac=decay_jacobian)
    assert int((tmp_path / "once").read_text()) in before


class Large:
    """A model with an array, and how often it has been pickled here."""

    pickled = 0

    def __init__(self) -> None:
        self.scale = np.ones(100_000)

    def __call__(self, t: Any, a: Any, b: Any, c: Any) -> Any:
        return self.scale[0] * decay(t, a, b, c)

    def __getstate__(self) -> Any:
        type(self).pickled += 1
        return self.__dict__


def test_the_model_is_sent_once(client):
    f, counts = Large(), []
    for maxfev in (1, 40):
        before = Large.pickled
        try:
            bits(f=f, jac=decay_jacobian, maxfev=maxfev)
        except RuntimeError:
            assert maxfev == 1
        counts.append(Large.pickled - before)
    assert counts[0] == counts[1]
