"""Fixtures: the made-up results of made_up.py and made_up_servers.py."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """The module made_up.py beside this file, whatever way tests are imported."""
    return _module("made_up")


@pytest.fixture(scope="session")
def servers() -> ModuleType:
    """The module made_up_servers.py."""
    return _module("made_up_servers")


def _module(name: str) -> ModuleType:
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"report_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
