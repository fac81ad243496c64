"""The datasets: one file each, found by its name. A file holds a ``DATASET``: facts, reader and stand-in.

A new file is a new dataset; nothing else lists them. Files import neither numpy nor torch before they read or draw.
"""

from functools import cache

from vicious.data.facts import Dataset
from vicious.system import registry
from vicious.system.errors import ConfigError


@cache
def find_dataset(name: str) -> Dataset:
    """The dataset of a name; raises ConfigError where there is no such file, or it declares another name."""
    found: Dataset = registry.find(__name__, name, "DATASET").DATASET
    declared = getattr(found, "name", None)
    if declared != name:
        raise ConfigError(f"{__name__.replace('.', '/')}/{name}.py declares the name {declared!r}: make both the same")
    return found


@cache
def all_datasets() -> tuple[Dataset, ...]:
    """All datasets, in the order of tables."""
    return tuple(sorted(map(find_dataset, registry.names(__name__)), key=lambda one: (one.order, one.name)))


def dataset_names() -> tuple[str, ...]:
    """The names of all datasets, in the order of tables."""
    return tuple(one.name for one in all_datasets())


def official_names() -> tuple[str, ...]:
    """File names, and paths below the data root, of all official files, sorted."""
    return tuple(sorted({name for one in all_datasets() for file in one.files for name in (file.name, file.path)}))


def attribute_sets() -> tuple[str, ...]:
    """The names of all attribute sets, in the order of their datasets."""
    return tuple(dict.fromkeys(name for one in all_datasets() for name in one.attribute_sets))
