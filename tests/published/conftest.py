"""Fixtures of published models."""

import shutil
from pathlib import Path

import pytest
from project import once
from tiny_study import build_study

from vicious.study.config import Params, load_params


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That study, built once."""
    return once(tmp_path_factory, "a tiny study", build_study)[0]


@pytest.fixture
def study(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to change, which is the working folder."""
    folder = shutil.copytree(built, tmp_path / "a study")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def params(study: Path) -> Params:
    """Its configuration."""
    return load_params()
