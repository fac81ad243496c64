"""Fixtures: the made-up results of the modules made_up_*.py."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from report import made_up as made_up_module
from report import made_up_assessments, made_up_servers
from report.made_up_study import Study

from vicious.report.text import Text

MOST_WORDS = 60
"""Of a caption."""


@pytest.fixture(autouse=True)
def short_captions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every caption that a test makes is short."""
    make = Text.__init__

    def checked(text: Text, *args: Any, **named: Any) -> None:
        make(text, *args, **named)
        assert len(text.caption.split()) <= MOST_WORDS, text.caption

    monkeypatch.setattr(Text, "__init__", checked)


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """Summaries, detection scores and galleries."""
    return made_up_module


@pytest.fixture(scope="session")
def servers() -> ModuleType:
    """Results of servers that know of detectors."""
    return made_up_servers


@pytest.fixture
def assessed(tmp_path: Path) -> Callable[..., list[Any]]:
    """Writes the assessments of some tasks; returns their summaries."""
    return made_up_assessments.writer(tmp_path)


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, assessment: Any) -> Callable[..., Study]:
    """``study(...)`` returns the files that a report reads, from assessments of tasks; equal ones are written once."""
    written: dict[str, Study] = {}

    def write(**options: Any) -> Study:
        key = repr(sorted(options.items()))
        if key not in written or options.get("own"):
            written[key] = Study(tmp_path_factory.mktemp("study"), assessment, **options)
        return written[key]

    return write
