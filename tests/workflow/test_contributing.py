"""CONTRIBUTING.md's recipes, each run as it stands: its files, its parameters and its commands."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import BIN, ROOT, copy_project, run, set_params

BLOCK = re.compile(r"<!-- (file|params|run)(?:: (\S+))? -->\n```\w*\n(.*?)```", re.DOTALL)
RECIPES = ("add a dataset", "add an attack model", "add a detector", "add a figure", "sweep a parameter")


def recipe(title: str) -> Iterator[tuple[str, str, str]]:
    """Kind, file name and text of each block of a recipe."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## Recipe: {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    yield from BLOCK.findall(section)


def merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    """Put values into nested mappings."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def change_params(project: Path, text: str) -> None:
    file = project / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    merge(params, yaml.safe_load(text))
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def test_every_recipe_is_run_here() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^## Recipe: (.+)$", text, re.MULTILINE)) == RECIPES
    assert "<!-- recipe" not in text


@pytest.mark.slow
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_works_as_it_stands(title: str, tmp_path: Path) -> None:
    project = copy_project(tmp_path / "a study")
    set_params(project, datasets=["mnist"])
    blocks = list(recipe(title))
    assert blocks
    assert any(kind == "run" for kind, _, _ in blocks)
    for kind, name, text in blocks:
        if kind == "file":
            assert not (project / name).exists(), "it is new"
            (project / name).write_text(text, encoding="utf-8")
            for check in ("ruff check --config", "ruff format --check --config", "mypy --config-file"):
                tool, *options = check.split()
                done = run(project, BIN / tool, *options, ROOT / "pyproject.toml", name)
                assert done.returncode == 0, f"{check}\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
        elif kind == "params":
            change_params(project, text)
        else:
            for line in text.strip().splitlines():
                done = run(project, "bash", "-c", line)
                assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
