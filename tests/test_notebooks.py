"""The notebooks run as they stand, and come to the verdicts that they show."""

import ast
import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs/notebooks").glob("*.ipynb"))
VERDICT = re.compile(r"\b(no evidence|evidence|undecided)\b")


def cells(notebook: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def shown(cell: dict[str, Any]) -> str:
    """What a cell printed, and its last value."""
    texts = [one.get("text", one.get("data", {}).get("text/plain", "")) for one in cell["outputs"]]
    return "\n".join("".join(text) for text in texts)


def run(source: str, names: dict[str, Any]) -> str:
    """Run a cell as a notebook does: what it prints, and the value of its last line."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, "cell", "exec"), names)
        value = eval(ast.unparse(last), names) if last is not None else None
    return printed.getvalue() + ("" if value is None else repr(value))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda one: one.stem)
def test_a_notebook_runs_and_shows_what_it_finds(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    names: dict[str, Any] = {}
    for cell in cells(notebook):
        found = run("".join(cell["source"]), names)
        assert VERDICT.findall(found) == VERDICT.findall(shown(cell))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda one: one.stem)
def test_a_notebook_holds_no_trace_of_a_machine(notebook: Path) -> None:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert set(content["metadata"]) == {"kernelspec", "language_info"}
    assert all(cell["outputs"] for cell in cells(notebook)[:1])
    assert not re.search(r"/(tmp|home|work|root|usr)/", notebook.read_text(encoding="utf-8"))
