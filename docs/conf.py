"""The documentation site: `make docs` builds it into build/docs/html."""

from __future__ import annotations

import builtins
import os
import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

import minpack

ROOT = Path(__file__).resolve().parents[1]
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})

project = "minpack"
author = "The minpack maintainers"
project_copyright = author
version = release = minpack.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
# The build draws a gallery of its own; gallery.md is for readers of the repository.
exclude_patterns = ["gallery.md"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say the types
numpydoc_show_class_members = False

# The documentation of others is on the network: only the published build looks there.
if os.environ.get("MINPACK_DOCS_ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "dask": ("https://docs.dask.org/en/stable", None),
    }

# sphinx-gallery runs scripts without a `__file__`; some find data by it.
builtins.__file__ = str(ROOT / "examples/script.py")

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "generated/gallery",
    "filename_pattern": r"\.py$",
    # picture.py draws for the others; the other two have pages of their own.
    "ignore_pattern": r"(__init__|picture|nist|hard_starts)\.py$",
    "copyfile_regex": r".*\.rst",
    "download_all_examples": False,
    "notebook_extensions": set(),  # the scripts import picture.py
    "write_computation_times": False,
    "show_signature": False,
    "thumbnail_size": (420, 300),
    "min_reported_time": 10,
    "reset_modules_order": "both",
    "abort_on_example_error": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "minpack"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "minpack"},
    "header_links_before_dropdown": 5,
    "icon_links": [
        {"name": name, "url": URLS[key], "icon": icon}
        for key, name, icon in (
            ("Source", "Source code", "fa-solid fa-code"),
            ("Issues", "Report a bug", "fa-solid fa-bug"),
        )
        if key in URLS
    ],
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"index": [], "get-started": [], "changelog": []}


def mathml(is_block: bool) -> Any:
    """Return the visitor that writes a formula as MathML, which browsers draw."""

    def visit(writer: Any, node: nodes.math | nodes.math_block) -> None:
        formula = tex2mathml(node.astext(), as_block=is_block)
        writer.body.append(
            f'<div class="formula">{formula}</div>' if is_block else formula
        )
        raise nodes.SkipNode

    return visit


def without_wrong_role(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any
) -> None:
    """Take away a role with which lists of references are not accessible."""
    if "body" in context:
        context["body"] = context["body"].replace(
            '<div role="list" class="citation-list">', '<div class="citation-list">'
        )


def setup(app: Sphinx) -> None:
    """Draw formulas without a script from elsewhere, and mend roles."""
    app.add_html_math_renderer("mathml", (mathml(False), None), (mathml(True), None))
    app.connect("html-page-context", without_wrong_role)


html_math_renderer = "mathml"
