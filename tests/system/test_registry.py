"""A file that does not hold what its folder's files must hold is named, whichever folder it lies in."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from vicious.data.datasets import find_dataset
from vicious.defense.detector import find_detector
from vicious.metrics import measures
from vicious.mitigations import parse_outputs
from vicious.models.architecture import model
from vicious.models.hidden import hide
from vicious.steps import step_class
from vicious.study.artifacts import known
from vicious.system import registry
from vicious.system.errors import ConfigError
from vicious.training.penalty import new_penalty
from vicious.training.recipe import find_recipe

NAME = "newcomer"
LOOKED_UP: dict[str, tuple[Callable[[], object], str]] = {
    "vicious.data.datasets": (lambda: find_dataset(NAME), "DATASET"),
    "vicious.models.targets": (lambda: model("target", NAME, {}), "Settings"),
    "vicious.models.decoders": (lambda: model("attack", NAME, {}), "Settings"),
    "vicious.models.codes": (lambda: hide(torch.rand(2, 4), NAME, False), "mapped"),
    "vicious.training.recipes": (lambda: find_recipe(NAME), "RECIPE"),
    "vicious.training.penalties": (lambda: new_penalty(NAME), "PENALTY"),
    "vicious.metrics.measures": (lambda: measures.facts(NAME), f"{NAME} and no UNIT and no LOW and no HIGH"),
    "vicious.defense.detectors": (lambda: find_detector(NAME), "DETECTOR"),
    "vicious.mitigations": (lambda: parse_outputs(NAME), "MITIGATION"),
    "vicious.steps": (lambda: step_class(NAME), "must define one step, and defines 0"),
    "vicious.report.tables": (known, "EXPERIMENT"),
    "vicious.report.figures": (known, "EXPERIMENT"),
}


@pytest.fixture
def empty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Add a file of :data:`NAME` that holds nothing but its docstring to a package."""

    def add(package: str) -> None:
        (tmp_path / f"{NAME}.py").write_text('"""A newcomer."""\n')
        module = importlib.import_module(package)
        monkeypatch.setattr(module, "__path__", [*module.__path__, str(tmp_path)])
        registry.names.cache_clear()
        known.cache_clear()

    yield add
    registry.names.cache_clear()
    known.cache_clear()


@pytest.mark.parametrize("package", LOOKED_UP)
def test_a_file_that_holds_nothing_is_named_with_what_it_lacks(package: str, empty_file: Callable[[str], None]) -> None:
    look_up, lacks = LOOKED_UP[package]
    empty_file(package)
    with pytest.raises(ConfigError, match=f"{NAME}.py.*{lacks}"):
        look_up()
