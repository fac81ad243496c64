"""Artifacts load neither the training library nor a window; tables load no plotting library."""

import subprocess
import sys
from typing import Any

import pytest

from vicious.study import artifacts


@pytest.mark.parametrize(("kind", "unwanted"), [("table", {"torch", "matplotlib"}), ("figure", {"torch", "tkinter"})])
def test_no_more_is_loaded_than_needed(kind: str, unwanted: Any) -> None:
    modules = [one.module for one in artifacts.known().values() if one.kind == kind]
    code = (
        f"import importlib, sys; [importlib.import_module(name) for name in {modules}]; "
        f"sys.exit(' '.join(set(sys.modules) & {unwanted}) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
