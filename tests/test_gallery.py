"""The gallery shows what its scripts say, print and draw."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

from commands import ROOT

SECTIONS = {
    re.search(r"examples/(\w+)\.py", section)[1]: section
    for section in (ROOT / "docs/gallery.md").read_text().split("\n## ")[1:]
}


def block(section: str, language: str) -> str:
    """Return the only block of that language in a section."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return found


def script(name: str) -> Path:
    return ROOT / f"examples/{name}.py"


def test_every_example_that_draws_with_the_gallery_is_shown_in_it():
    drawing = {path.stem for path in ROOT.glob("examples/*.py")}
    assert set(SECTIONS) == drawing - {"picture", "nist", "image"}


def test_the_image_example_prints_what_its_page_says_and_draws(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["image.py"])
    runpy.run_path(str(script("image")), run_name="__main__")
    page = (ROOT / "docs/image.md").read_text()
    lines = capsys.readouterr().out.splitlines()
    assert "\n".join(lines[1:5]) in page  # the first line is a speed
    assert lines[5].endswith("Failed: 0.")
    assert lines[6:] == ["Figure: build/image.png"]
    drawn = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert drawn == [tmp_path / "build/image.png"]


@pytest.mark.parametrize("name", SECTIONS)
def test_an_example_prints_what_the_gallery_says_and_draws(
    name, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "examples")
    runpy.run_path(str(script(name)), run_name="__main__")
    assert capsys.readouterr().out == block(SECTIONS[name], "text")
    assert (tmp_path / f"build/{name}.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", SECTIONS)
def test_the_code_in_the_gallery_is_the_examples(name):
    assert block(SECTIONS[name], "python") in script(name).read_text()


@pytest.mark.parametrize("name", SECTIONS)
def test_the_gallery_shows_the_picture_of_each_example(name):
    assert f"](gallery/{name}.png)" in SECTIONS[name]
