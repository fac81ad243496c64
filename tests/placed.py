"""Where tests let artifacts write."""

from pathlib import Path
from types import ModuleType

from vicious.study import artifacts
from vicious.study.artifacts import Destination


def place(module: ModuleType, folder: Path) -> Destination:
    """The destination of a table's or figure's module in a folder."""
    artifact = artifacts.known()[module.__name__.rpartition(".")[2]]
    return Destination(folder, artifact.name, artifact.label)
