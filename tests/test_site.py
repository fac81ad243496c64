"""The documentation site builds without a warning and without a network, and documents every parameter and command."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vicious import api
from vicious.cli import command_line

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx", reason="sphinx is not installed: make env installs it")
    folder = tmp_path_factory.mktemp("site")
    command = re.search(r"sphinx-build (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert command is not None
    words = command[1].replace(".cache/docs", str(folder / "cache")).replace("docs/_build", str(folder)).split()
    assert "--fail-on-warning" in words
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def text(page: Path) -> str:
    return re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))


def keys(block: object, above: str = "") -> set[str]:
    """The keys of a file of parameters, with dots."""
    found: set[str] = set()
    for name, value in block.items() if isinstance(block, dict) else ():
        found |= {f"{above}{name}"} if not isinstance(value, dict) else keys(value, f"{above}{name}.")
    return found


def test_every_parameter_has_a_line_with_a_meaning(site: Path) -> None:
    file = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    file["scales"] = {"<scale>": file["scales"]["paper"]}
    page = html.unescape((site / "docs/reference/parameters.html").read_text(encoding="utf-8"))
    rows = re.findall(r'<tr class="row-\w+"><td><p>(.*?)</p></td>\n<td><p>(.*?)</p></td>\n<td><p>(.*?)</p>', page, re.S)
    named = {re.sub(r"<(?!scale>)[^>]+>", "", key): meaning for key, _, meaning in rows}
    assert all(named.values())
    mappings = [
        key for key in named if re.search(r"\.(checksums|counts|groups|models|evasion|overrides|images_of)$", key)
    ]
    missing = [key for key in keys(file) if key not in named and not any(key.startswith(one) for one in mappings)]
    assert missing == []


def test_every_command_has_a_section(site: Path) -> None:
    page = text(site / "docs/reference/commands.html")
    names = [name for name in command_line() if not name.startswith("-")]
    assert len(names) > 50
    assert [name for name in names if f"vicious {name}" not in page] == []


def test_the_python_interface_is_documented(site: Path) -> None:
    page = text(site / "docs/reference/python.html")
    assert [name for name in api.__all__ if f"vicious.api.{name}" not in page] == []
    assert "Raises" in page


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        if "_downloads" in page.parts:
            continue
        loaded = re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="(https?://[^"]+)"', page.read_text("utf-8"))
        assert loaded == [], page
