"""A project in which nothing is built."""

import shutil
from pathlib import Path

import pytest

from vicious.study.config import Params
from vicious.study.plan import Plan

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is one."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def plan(smoke: Params) -> Plan:
    """The plan of the smoke study."""
    return Plan(smoke)
