"""Things that are registered by being there: one file each in a package's folder, found by its name.

Datasets, target models, attack models, detectors, mitigations, tables and figures are such files. A file whose name
begins with an underscore is not one of them. Listing names imports nothing.
"""

import difflib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType

from vicious.system.errors import ConfigError


@cache
def names(package: str) -> tuple[str, ...]:
    """The names of the files in a package's folder, sorted.

    Args:
        package: dotted name, such as ``vicious.defense.detectors``; those around it are imported, it and its files are
            not.
    """
    found = pkgutil.iter_modules(map(str, _places(package)))
    return tuple(sorted(one.name for one in found if not one.name.startswith("_")))


def file(package: str, name: str) -> Path:
    """The file of a name, which is not imported."""
    return next(path for place in _places(package) if (path := place / f"{name}.py").is_file())


def _places(package: str) -> list[Path]:
    """The folders of a package: its own, and those that were added to its ``__path__``."""
    if package in sys.modules:
        return list(map(Path, sys.modules[package].__path__))
    spec = importlib.util.find_spec(package)
    found = None if spec is None else spec.submodule_search_locations
    assert found, f"there is no package {package}"
    return list(map(Path, found))


def find(package: str, name: str, *needed: str) -> ModuleType:
    """Import the file of a name, which must define the names that are ``needed``.

    Raises:
        ConfigError: there is no such file, and which one is nearest; or it lacks one of these names.
    """
    folder = package.replace(".", "/")
    if name not in names(package):
        raise ConfigError(f"{folder} has no {name}.py{nearest(name, names(package))}")
    found = importlib.import_module(f"{package}.{name}")
    if missing := [one for one in needed if not hasattr(found, one)]:
        raise ConfigError(f"{folder}/{name}.py defines no {' and no '.join(missing)}, as each file there must")
    return found


def nearest(name: object, valid: Iterable[str]) -> str:
    """A hint for a message: the valid name that is most like one that is not, and all valid ones."""
    known = list(valid)
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    return f"{guess} (valid: {', '.join(known)})" if known else guess
