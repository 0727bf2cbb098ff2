"""What the documents say is so."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from commands import ROOT, needs_compilers, run
from contract.differences import DIFFERENCES, as_markdown
from documents import run_blocks
from minpack import curve_fit_batch, traced
from test_scipy_own import SUITES

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])

# Their code is tested by test_gallery.py, by batch/test_document.py and below.
ELSEWHERE = "gallery.md", "batch.md", "compiled.md"
WITH_CODE = [
    page
    for page in DOCUMENTS
    if "```python" in page.read_text() and page.name not in ELSEWHERE
]


def code_prints_what_its_page_says(page):
    """Run the code of a page in this folder, and return it."""
    ran = list(run_blocks(page, {}))
    assert [each.printed for each in ran] == [each.said for each in ran]
    return "".join(each.code for each in ran)


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda path: path.name)
def test_the_code_in_a_document_prints_and_draws_what_the_document_shows(
    page, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    if page.name == "recipes.md":  # it gives lmfit another solver
        minimizer = pytest.importorskip("lmfit").minimizer
        monkeypatch.setattr(minimizer, "scipy_leastsq", minimizer.scipy_leastsq)
    code = code_prints_what_its_page_says(page)
    for picture in re.findall(r'savefig\("(.*?)"', code):
        assert Path(picture).stat().st_size > 10_000
        assert f"]({picture})" in page.read_text()
        assert (page.parent / picture).exists()


@needs_compilers
def test_the_library_of_the_document_on_compiled_functions_is_fitted(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs/compiled.md"
    text = page.read_text()
    (source,) = re.findall(r"```c\n(/\* decay\.c \*/.*?)```", text, re.DOTALL)
    (command,) = re.findall(r"\$ (cc .*)", text)
    Path("decay.c").write_text(source)
    run(*command.split())
    code_prints_what_its_page_says(page)


def test_the_code_of_the_page_on_an_image_fits_it():
    fit, model = re.findall(
        r"```py\n(.*?)```", (ROOT / "docs/image.md").read_text(), re.DOTALL
    )
    t = np.arange(0.125, 12.5, 0.25)
    true = np.random.default_rng(0).uniform([200, 1, 5], [600, 3, 20], (10, 10, 3))
    a, tau, c = np.moveaxis(true[..., None], 2, 0)
    names = {"np": np, "traced": traced, "curve_fit_batch": curve_fit_batch}
    names |= {"t": t, "counts": a * np.exp(-t / tau) + c}
    exec(model + fit, names)
    np.testing.assert_allclose(names["result"].x, true, rtol=1e-3)


def test_every_document_has_a_place_in_the_site():
    pages = {page.stem: page.read_text() for page in ROOT.glob("docs/*.md")}
    toctrees = re.findall(r"```{toctree}\n(.*?)```", "".join(pages.values()), re.DOTALL)
    listed = {name for tree in toctrees for name in tree.split()}
    in_the_repository_only = {"gallery"}
    assert set(pages) - {"index"} - in_the_repository_only <= listed


@pytest.mark.parametrize(
    ("link", "is_dead"),
    [
        ("other.html", False),
        ("other.html#here", False),
        ("folder/", False),
        ("#top", False),
        ("https://example.org/none.html", False),
        ("none.html", True),
        ("other.html#there", True),
        ("#bottom", True),
    ],
)
def test_dead_links_within_a_site_are_found(tmp_path, link, is_dead):
    (tmp_path / "page.html").write_text(f'<h1 id="top"><a href="{link}"></a></h1>')
    (tmp_path / "other.html").write_text('<p id="here"></p>')
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/index.html").touch()
    dead_links = runpy.run_path(str(ROOT / "tools/check_links.py"))["dead_links"]
    assert dead_links(tmp_path) == ([f"page.html: {link}"] if is_dead else [])


def test_the_differences_are_those_that_are_tested():
    assert as_markdown(DIFFERENCES) in (ROOT / "docs/differences.md").read_text()


def test_every_test_of_scipy_that_is_left_out_is_listed():
    rows = [
        f"| `{suite.name}.{name}` | {reason} |"
        if suite.classes
        else f"| `{name}` | {reason} |"
        for suite in SUITES
        for name, reason in suite.excluded.items()
    ]
    page = (ROOT / "docs/differences.md").read_text()
    listed = page[page.index("| Test |") :].splitlines()[2:]
    assert sorted(listed) == sorted(rows)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target
