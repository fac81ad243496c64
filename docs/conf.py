"""The documentation site: `make docs` builds it from the Markdown of the repository, without a network."""

import re
import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "docs/reference")]

import generated  # noqa: E402

from vicious import __version__  # noqa: E402

project = "Vicious classifiers"
author = "the authors of this project"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
# The sources are the whole repository, so that links lead where they lead on GitHub.
root_doc = "docs/index"
FOLDERS = ("config", "results", "models", "paper_figures")
include_patterns = ["docs/**", "*.md", *(f"{folder}/README.md" for folder in FOLDERS)]
exclude_patterns = [".*", "data", "logs", "docs/_build", "src", "tests", "**/pilot", "**/demo", "**/smoke", "**/paper"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "Vicious classifiers"
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"
autodoc_typehints = "description"
autodoc_member_order = "bysource"
LINK = re.compile(r"\[([^\]]+)\]\(([^)#:]+)\)")
GENERATED = {"docs/reference/parameters": generated.parameters, "docs/reference/commands": generated.commands}


def _complete(app: Sphinx, page: str, source: list[str]) -> None:
    """Add what is made from the code to the pages that introduce it. Of a link to what has no page here, a folder or a
    table of results, leave the words."""
    if page in GENERATED:
        source[0] += "\n" + GENERATED[page]()

    def linked(found: re.Match[str]) -> str:
        file = ((ROOT / page).parent / found[2]).resolve()
        is_page = file.suffix != ".md" or str(file.relative_to(ROOT).with_suffix("")) in app.env.found_docs
        return found[0] if is_page and not file.is_dir() else found[1]

    source[0] = LINK.sub(linked, source[0])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _complete)
    app.add_lexer("mermaid", TextLexer)  # drawn on GitHub; here its text
