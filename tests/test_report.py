"""``python -m minpack``: what a report of a bug needs."""

from __future__ import annotations

import sys
from importlib import metadata

import numpy as np
import pytest

import minpack
from commands import attempt, run
from minpack import __main__ as report
from minpack import _minpack


def facts(printed: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in printed.split("Bits")[0].splitlines())


def test_the_report_names_versions_platform_compilers_and_kernels():
    found = facts(run(sys.executable, "-m", "minpack"))
    wanted = {
        "minpack": minpack.__version__,
        "Python": sys.version,
        "NumPy": np.__version__,
        "SciPy": "",
        "Platform": sys.platform,
        "Compilers": "Fortran by ",
        "Kernels built": "baseline",
        "Kernels chosen": _minpack.instruction_sets()[-1],
    }
    assert found.keys() == wanted.keys()
    for name, part in wanted.items():
        assert part.lower() in found[name].lower()


def test_every_kernel_set_that_runs_here_is_built():
    built = _minpack.KERNELS_BUILT.partition(" (")[0]  # why others are not
    assert set(_minpack.instruction_sets()) <= {*built.split(", ")}


def test_the_self_test_compares_each_kernel_set_that_runs_here(capsys):
    assert report.main() == 0
    lines = capsys.readouterr().out.partition("Bits of fits:\n")[2].splitlines()
    *sets, seconds = lines
    assert [line.split()[0] for line in sets] == [
        "reference",
        *(f"fast:{name}" for name in _minpack.instruction_sets()),
    ]
    assert all(line.endswith(" as expected") for line in sets)
    assert seconds.endswith(" s")


@pytest.mark.parametrize("changed", ["reference", "fast"])
@pytest.mark.parametrize("what", ["x", "fvec", "fjac", "qtf"])
def test_one_other_bit_is_seen_and_changes_the_exit_status(
    what, changed, monkeypatch, capsys
):
    own = minpack.leastsq

    def leastsq(*args, kernels, **options):
        x, cov, info, message, ier = own(*args, kernels=kernels, **options)
        if kernels.startswith(changed):
            numbers = x if what == "x" else info[what]
            numbers.flat[0] = np.nextafter(numbers.flat[0], np.inf)
        return x, cov, info, message, ier

    monkeypatch.setattr(minpack, "leastsq", leastsq)
    assert report.main() == 1
    lines = capsys.readouterr().out.partition("Bits of fits:\n")[2].splitlines()[:-1]
    for line in lines:
        assert ("WRONG" in line) == line.strip().startswith(changed)


def test_the_report_imports_no_scipy():
    program = "import runpy, sys; runpy.run_module('minpack', run_name='__main__')"
    check = "sys.exit('scipy' in sys.modules)"
    code = f"import sys\ntry:\n    {program}\nexcept SystemExit: {check}"
    done = attempt(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr


def test_a_report_without_scipy_says_so(monkeypatch, capsys):
    def version(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", version)
    assert report.main() == 0
    assert facts(capsys.readouterr().out)["SciPy"].strip() == "not installed"


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python 3.13 tells")
def test_the_report_says_whether_there_is_a_lock(capsys):
    report.main()
    said = facts(capsys.readouterr().out)["Python"]
    assert said.endswith(
        "with the global lock" if sys._is_gil_enabled() else "without the global lock"
    )
