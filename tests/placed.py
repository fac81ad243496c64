"""Where tests let artifacts write, and what a table wrote there."""

from pathlib import Path
from types import ModuleType

import pandas as pd

from vicious.study import artifacts
from vicious.study.artifacts import Destination


def place(module: ModuleType, folder: Path) -> Destination:
    """The destination of a table's or figure's module in a folder."""
    artifact = artifacts.known()[module.__name__.rpartition(".")[2]]
    return Destination(folder, artifact.name, artifact.label)


def table_of(module: ModuleType, frame: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, str]:
    """A table's module writes the table of a summary: its CSV, and its Markdown."""
    frame.to_csv(folder / "summary.csv", index=False)
    csv, text, tex = module.write(folder / "summary.csv", place(module, folder / "out"))
    assert "\\caption{" in tex.read_text(encoding="utf-8")
    return pd.read_csv(csv), text.read_text(encoding="utf-8")
