"""Fixtures: the made-up results of made_up.py."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def made_up() -> ModuleType:
    """The module made_up.py beside this file, whatever way tests are imported."""
    path = Path(__file__).with_name("made_up.py")
    spec = importlib.util.spec_from_file_location("report_made_up", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
