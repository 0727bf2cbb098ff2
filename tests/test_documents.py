"""What the documents say is so."""

from __future__ import annotations

import contextlib
import io
import re

import pytest

from commands import ROOT
from contract.differences import DIFFERENCES, as_markdown
from test_scipy_own import SUITES

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("document", ["README.md", "docs/traced.md"])
def test_the_examples_in_a_document_print_what_it_says(document):
    text = (ROOT / document).read_text()
    examples = re.findall(
        r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", text, re.DOTALL
    )
    names = {}
    for code, said in examples:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        assert printed.getvalue() == said


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
