"""The gallery shows what its scripts say, print and draw; what they find is right."""

from __future__ import annotations

import functools
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from commands import ROOT, run
from problems.nist import DATASETS

PAGE = (ROOT / "docs/gallery.md").read_text()
SECTIONS = {
    re.search(r"examples/(\w+)\.py", section)[1]: section
    for section in PAGE.split("\n## ")[1:]
    if "```text" in section
}
# picture.py is what the others share; the other two have pages of their own.
ELSEWHERE = {"picture", "nist", "hard_starts"}
EXAMPLES = {path.stem for path in ROOT.glob("examples/*.py")} - ELSEWHERE
CERTIFIED = {"cycles": "ENSO", "growth": "Rat43"}  # by NIST
MADE = sorted(EXAMPLES - {*SECTIONS, *CERTIFIED, "image"})  # with known truth


# Scripts find picture.py beside them, with PYTHONSAFEPATH too.
FOLDERS = [str(ROOT / "examples"), *filter(None, [os.environ.get("PYTHONPATH")])]
ENVIRONMENT = os.environ | {
    "MPLBACKEND": "Agg",
    "PYTHONUTF8": "1",
    "PYTHONPATH": os.pathsep.join(FOLDERS),
}


def block(section: str, language: str) -> str:
    """Return the only block of that language in a section."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return found


def source(name: str) -> str:
    return (ROOT / f"examples/{name}.py").read_text()


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Return a function that runs a script, once, and returns what it prints."""
    folder = tmp_path_factory.mktemp("gallery")

    @functools.cache
    def run_script(name: str) -> str:
        script = ROOT / f"examples/{name}.py"
        said = run(sys.executable, "-W", "error", script, cwd=folder, env=ENVIRONMENT)
        (picture,) = Path(folder, "build").glob(f"{name}.png")
        assert 5_000 < picture.stat().st_size < 200_000
        return said

    return run_script


def distances(text: str) -> np.ndarray:
    """Return how many standard errors each result is from the truth beside it."""
    number = r"(-?[\d.]+)"
    found = re.findall(rf"{number} ± {number}[^±]*?\(true: {number}\)", text)
    value, error, truth = np.array(found, dtype=float).T
    return (value - truth) / error


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_example_is_in_the_gallery_and_begins_as_sphinx_gallery_wants(name):
    assert f"(../examples/{name}.py)" in PAGE
    title, line, blank = source(name).splitlines()[1:4]
    assert (line, blank) == ("=" * len(title), "")
    assert re.search(r"\n# %%\n# [A-Z]", source(name))
    assert "__main__" not in source(name)
    assert source(name).endswith(f'save(figure, "{name}")\n')


@pytest.mark.parametrize("name", SECTIONS)
def test_an_example_prints_and_does_what_the_gallery_says(name, printed):
    assert printed(name) == block(SECTIONS[name], "text")
    assert block(SECTIONS[name], "python") in source(name)
    assert f"](gallery/{name}.png)" in SECTIONS[name]


@pytest.mark.parametrize("name", MADE)
def test_what_an_example_finds_is_within_its_errors_of_the_truth(name, printed):
    assert np.abs(distances(printed(name))).max() < 4


def test_the_errors_of_all_examples_are_as_large_as_what_they_are_off(printed):
    off = np.concatenate([distances(printed(name)) for name in MADE])
    assert off.size > 50
    assert 0.5 < np.mean(off**2) < 1.5


@pytest.mark.parametrize(("name", "dataset"), CERTIFIED.items())
def test_an_example_finds_what_nist_certifies(name, dataset, printed):
    (certified,) = (one for one in DATASETS if one.name == dataset)
    found = re.findall(r"(-?[\d.]+) ± ([\d.]+)", printed(name))[: certified.n]
    for texts, *numbers in zip(
        found, certified.certified, certified.stddev, strict=True
    ):
        for text, number in zip(texts, numbers, strict=True):
            assert text == f"{number:.{len(text.partition('.')[2])}f}"
    assert f"{certified.rss:.1f}" in printed(name)


def test_the_image_example_prints_what_its_page_says(printed):
    page = (ROOT / "docs/image.md").read_text()
    lines = printed("image").splitlines()
    assert "\n".join(lines[1:5]) in page  # the first line is a speed
    assert lines[5].endswith("Failed: 0.")
    assert lines[6:] == ["Figure: build/image.png"]


def test_the_profile_interval_is_longer_upward_and_holds_the_truth(printed):
    pattern = r"95.4 %: ([\d.]+) to ([\d.]+) days by the profile, ([\d.]+) to ([\d.]+)"
    low, high, *symmetric = map(
        float, re.search(pattern, printed("microlensing")).groups()
    )
    middle = np.mean(symmetric)
    assert low < 26 < high
    assert high - middle > 1.2 * (middle - low)


def test_the_example_of_hard_starts_prints_what_its_page_says_and_draws(tmp_path):
    script = ROOT / "examples/hard_starts.py"
    said = run(sys.executable, "-W", "error", script, cwd=tmp_path, env=ENVIRONMENT)
    page = (ROOT / "docs/hard-starts.md").read_text()
    assert said == block(page, "text")
    for name in ("canyon", "mgh17"):
        assert 10_000 < (tmp_path / f"build/{name}.png").stat().st_size < 200_000
        assert f"]({name}.png)" in page


def test_the_code_of_hard_starts_runs(capsys):
    page = (ROOT / "docs/hard-starts.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    exec(code, names := {})
    assert names["best"].cost < 0.5
    assert names["agree"] > 10


def test_the_pixels_that_were_hit_mislead_least_squares_and_are_found(printed):
    x, error = map(float, re.search(r"\nx +(.*?) ± (\S+)", printed("star")).groups())
    assert abs(x - 19.3) > 5 * error  # the first column: least squares of all pixels
    assert re.search(r"pixels left out: (\d+); of \1 hit: \1\n", printed("star"))


def test_a_weak_dose_is_known_once_the_plateau_is(printed):
    free, bounded, held = re.findall(
        r"weak .*?log10\(EC50\) [\d.]+ ± ([\d.]+)", printed("dose")
    )
    assert float(held) < 0.1 < float(bounded) < float(free)


def test_the_radius_of_an_arc_is_too_small_by_the_algebraic_fit_alone(printed):
    medians = re.findall(r"median radius of 2000 ([\d.]+) mm", printed("circle"))
    geometric, algebraic = map(float, medians)
    assert abs(geometric - 60) < 0.5
    assert algebraic < 57
