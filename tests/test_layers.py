"""The layers of the package: a module imports what is below it or beside it, and no two modules import each other.

Imports within functions count too, since they are read from the syntax trees.
"""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

SRC = Path(__file__).resolve().parents[1] / "src"
LAYERS = (
    *("system", "data", "mitigations", "models", "metrics", "results", "training", "attacks", "defense"),
    *(
        "steps",
        "study",
        "workflow",
        "provenance",
        "published",
        "report",
        "auditing",
        "claims",
        "webpage",
        "crate",
        "api",
        "cli",
        "__main__",
    ),
)
"""From the lowest to the highest: what measures writes by the schema of results, and what deletes looks whether all is
still."""
PURE = ("study",)
"""Layers that compute nothing: they import no library of arrays."""
ARRAYS = {"torch", "torchvision", "numpy", "pandas", "scipy", "pyarrow", "matplotlib", "seaborn", "safetensors"}
FILES = {
    ".".join(file.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): file
    for file in SRC.rglob("*.py")
    if "__pycache__" not in file.parts
}
"""Modules by dotted name."""


@cache
def imports(module: str) -> dict[str, bool]:
    """The modules that a module imports, by dotted name, and whether for types alone."""
    found: dict[str, bool] = {}
    for other, for_types in _imports(ast.parse(FILES[module].read_text(encoding="utf-8")), for_types=False):
        found[other] = found.get(other, True) and for_types
    return dict(sorted(found.items()))


def _imports(tree: ast.AST, for_types: bool) -> Iterator[tuple[str, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((_module(alias.name), for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((_module(f"{node.module}.{alias.name}"), for_types) for alias in node.names)
        else:
            typed = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
            yield from _imports(node, for_types or typed)


def _module(name: str) -> str:
    """The module of a dotted name: itself, or the one that defines it."""
    return name if name in FILES or not name.startswith("vicious") else name.rpartition(".")[0]


def layer(module: str) -> str:
    return module.split(".")[1]


MODULES = sorted(name for name in FILES if "." in name)


def test_every_package_has_its_layer() -> None:
    assert {layer(module) for module in MODULES} == set(LAYERS)
    assert len(set(LAYERS)) == len(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_no_module_imports_upward(name: Any) -> None:
    above = LAYERS[LAYERS.index(name) + 1 :]
    found = [
        f"{module} imports {other}"
        for module in MODULES
        if layer(module) == name
        for other in imports(module)
        if other.startswith("vicious.") and layer(other) in above
    ]
    assert found == []


def test_no_two_modules_import_each_other() -> None:
    """Nor in a circle of more. For types alone they may: nothing is loaded for these."""
    graph = {
        module: {other for other, for_types in imports(module).items() if other in FILES and not for_types} - {module}
        for module in MODULES
    }
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a cycle of imports: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("name", PURE)
def test_what_plans_imports_no_library_of_arrays(name: Any) -> None:
    found = [
        f"{module} imports {other}"
        for module in MODULES
        if layer(module) == name
        for other in imports(module)
        if other.split(".")[0] in ARRAYS
    ]
    assert found == []


def test_a_file_that_is_found_by_its_name_is_imported_by_none_outside_of_its_folder() -> None:
    """Adding one, or taking one away, touches nothing else. Measures are left out: the losses are two of them."""
    folders = (
        *("data.datasets", "models.targets", "models.decoders", "models.codes", "mitigations"),
        *("training.recipes", "training.penalties", "defense.detectors", "report.tables", "report.figures"),
        "auditing.models",
    )
    found = []
    for folder in (f"vicious.{name}" for name in folders):
        own = {
            name for name in MODULES if name.rpartition(".")[0] == folder and not name.split(".")[-1].startswith("_")
        }
        assert own, folder
        found += [
            f"{module} imports {other}"
            for module in MODULES
            if module.rpartition(".")[0] != folder
            for other in imports(module)
            if other in own
        ]
    assert found == []
