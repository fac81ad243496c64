"""What is known of a dataset: the type of the facts in its file below ``vicious/data/datasets``.

Paths are torchvision's layout below one root folder, so that a folder filled by torchvision can be used as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from vicious.data.splits import SIDE

if TYPE_CHECKING:  # facts are read at the start of every command, which must not wait for numpy
    from vicious.data.formats.raw import RawDataset
    from vicious.data.synthetic.plan import Plan


ROOM = 64 << 20
"""Bytes by which a file may be larger than the official one: unpacked, packed anew, or a subset."""


@dataclass(frozen=True)
class OfficialFile:
    """One file of an official distribution.

    Attributes:
        path: where it lies below the data root.
        size, md5: bytes, and their hexadecimal MD5.
        mirrors: addresses, tried in order.
        unpacked: folder below the data root that may stand in for this archive; empty for none.
        listing: official file with one line for each image that the unpacked folder must hold.
    """

    path: str
    size: int
    md5: str
    mirrors: tuple[str, ...]
    unpacked: str = ""
    listing: str = ""

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def most(self) -> int:
        """The most bytes that are read of any file in its place, as it lies there and unpacked."""
        return self.size + ROOM


@dataclass(frozen=True)
class Dataset:
    """One dataset: its facts, its reader and its stand-in.

    Attributes:
        name: key used in params.yaml, paths and commands; the name of its file.
        title, order: name, and place among all datasets, in tables and figures.
        height, width: of an official image, in pixels.
        channels: 1 (grey) or 3 (RGB).
        classes: number of classes; of binary attributes where ``multilabel``.
        multilabel: labels are 0/1 vectors over attributes instead of one class.
        sizes: official numbers of train (validation cut off), validation and test images.
        licence: terms, in a line.
        mean, std: channel statistics of the 32x32 train images in [0, 1], to check a loader.
        read: opens the official files below a data root; raises DataError where one is missing or damaged.
        read_unpacked: the same with the unpacked folder in place of its archive; None where none may stand in.
        draw: writes the synthetic stand-in in the official formats, and returns the files in the order of ``files``.
        class_names: for readers, where the files hold none.
        attribute_sets: sets of attributes that a model may be trained for, by name, as ascending columns of the labels.
    """

    name: str
    title: str
    order: int
    height: int
    width: int
    channels: int
    classes: int
    multilabel: bool
    sizes: tuple[int, int, int]
    files: tuple[OfficialFile, ...]
    licence: str
    homepage: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    read: Callable[[Path], "RawDataset"]
    draw: Callable[["Plan"], list[Path]]
    read_unpacked: Callable[[Path], "RawDataset"] | None = None
    class_names: tuple[str, ...] = ()
    attribute_sets: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def pixels(self) -> int:
        """Numbers in one prepared image."""
        return self.channels * SIDE * SIDE


def hosted(folder: str, hosts: tuple[str, ...], table: dict[str, tuple[int, str]]) -> tuple[OfficialFile, ...]:
    """Files of one folder that each host serves under the same names; ``table`` gives size and MD5 by name."""
    return tuple(
        OfficialFile(str(PurePosixPath(folder, name)), size, md5, tuple(host + name for host in hosts))
        for name, (size, md5) in table.items()
    )
