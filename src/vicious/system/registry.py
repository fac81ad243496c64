"""Things that are registered by being there: one file each in a package's folder, found by its name.

Datasets, target models, attack models, detectors, mitigations, tables and figures are such files. A file whose name begins with an
underscore is not one of them. Listing names imports nothing.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from types import ModuleType

from vicious.system.errors import ConfigError


@cache
def names(package: str) -> tuple[str, ...]:
    """The names of the files in a package's folder, sorted.

    Args:
        package: dotted name, such as ``vicious.defense.detectors``; it is imported, its files are not.
    """
    folder = importlib.import_module(package).__path__
    return tuple(sorted(one.name for one in pkgutil.iter_modules(folder) if not one.name.startswith("_")))


def find(package: str, name: str) -> ModuleType:
    """Import the file of a name.

    Raises:
        ConfigError: there is no such file; names the nearest one.
    """
    if name not in names(package):
        raise ConfigError(f"{package.replace('.', '/')} has no {name}.py{nearest(name, names(package))}")
    return importlib.import_module(f"{package}.{name}")


def nearest(name: object, valid: Iterable[str]) -> str:
    """A hint for a message: the valid name that is most like one that is not, and all valid ones."""
    known = list(valid)
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    return f"{guess} (valid: {', '.join(known)})" if known else guess
