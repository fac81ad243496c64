"""A model from anywhere, as something that answers images."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.asking import Asking
from vicious.auditing.foreign import FORMATS, explained, explained_folder
from vicious.auditing.loaded import Asked, Kind, Layout, Loaded
from vicious.system.errors import AuditError
from vicious.system.files import open_regular
from vicious.system.registry import find, names

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Asked", "AuditedModel", "open_model"]

_PACKAGE = "vicious.auditing.models"
_TARGET = "target.safetensors"
_HEAD = 64
"""Bytes at the beginning of a file, by which formats know their own."""
_CHANNELS = (1, 3)
_MOST_VALUES = 1 << 28
"""Values of a batch, at most, where a model takes no smaller one."""
_LONGEST = 1024
"""Pixels of an image's side, at most."""


@dataclass(frozen=True)
class AuditedModel:
    """A model that can be asked.

    Attributes:
        name: of its file.
        format: of its file, in words, such as ``ONNX``.
        channels: of an image, 1 or 3.
        height: of an image, in pixels.
        width: of an image, in pixels.
        layout: the order of axes in which it takes images; :meth:`query` sees to it.
        low: what it takes for a black pixel; :meth:`query` sees to it.
        high: what it takes for a white pixel.
        kind: what its outputs are; None where neither the file nor the user says it.
        multilabel: whether outputs are of attributes; None where the file does not say it.
        classes: number of outputs K.
        notes: what was assumed, a sentence each.
        module: the network, where weights may be had.
    """

    name: str
    format: str
    channels: int
    height: int
    width: int
    layout: Layout
    low: float
    high: float
    kind: Kind | None
    multilabel: bool | None
    classes: int
    ask: Callable[[NDArray[np.float32]], NDArray[np.float64]] = field(repr=False)
    notes: tuple[str, ...] = ()
    module: "nn.Module | None" = field(default=None, repr=False)

    def query(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """What it answers: images (n, C, H, W) in [0, 1] -> outputs (n, K), finite.

        Raises:
            AuditError: images of another shape; or the model fails, or answers what is no finite (n, K).
        """
        return self.ask(images)


def open_model(path: Path, asked: Asked = Asked()) -> AuditedModel:  # noqa: B008 (frozen)
    """Open the file of a model: ONNX, torch.export, TorchScript, or a study's target model or its folder.

    Raises:
        AuditError: the file is missing, damaged, of no known format, or could run code; or what is needed to ask it is
            stated neither by it nor by the user.
        CheckpointError: a study's target model is damaged.
    """
    path = file_of(path)
    loaded = _loaded(path, asked)
    geometry = _geometry(path, loaded, asked)
    low, high, notes = _range(path, loaded, asked)
    asking = Asking(
        name=path.name,
        run=loaded.run,
        shape=geometry.shape,
        rank=geometry.rank,
        layout=geometry.layout,
        dtype=loaded.dtype,
        low=low,
        high=high,
        mean=_per_channel(asked.mean, geometry.shape[0], "mean"),
        std=_per_channel(asked.std, geometry.shape[0], "std"),
        batch=geometry.batch,
    )
    if 0 in asking.std:
        raise AuditError("--std must not be 0")
    ask, classes, found = asking.settled()
    return AuditedModel(
        path.name,
        loaded.format,
        *geometry.shape,
        layout=geometry.layout,
        low=low,
        high=high,
        kind=asked.kind or loaded.kind,
        multilabel=loaded.multilabel,
        classes=classes,
        ask=ask,
        notes=(*loaded.notes, *notes, *found),
        module=loaded.module,
    )


def file_of(path: Path) -> Path:
    """The file of a model: of a folder, a study's target model in it.

    Raises:
        AuditError: it is missing, or a folder without one.
    """
    if path.is_dir():
        if not (path / _TARGET).is_file():
            raise AuditError(f"{path} {explained_folder(path)}")
        return path / _TARGET
    if not path.exists():
        raise AuditError(f"{path} is missing: give the file of a model: {FORMATS}")
    return path


def _loaded(path: Path, asked: Asked) -> Loaded:
    with open_regular(path) as file:
        head = file.read(_HEAD)
    if not head:
        raise AuditError(f"{path} is empty: export the model again")
    for name in names(_PACKAGE):
        format_ = find(_PACKAGE, name, "recognises", "load")
        if format_.recognises(path, head):
            loaded: Loaded = format_.load(path, asked)
            return loaded
    raise AuditError(f"{path} {explained(path, head)}")


@dataclass(frozen=True)
class _Geometry:
    """What a model takes: the shape (channels, height, width) of an image, the number of axes of a batch and their
    order, and images of a batch where there is one number alone."""

    shape: tuple[int, int, int]
    rank: int
    layout: Layout
    batch: int | None


def _geometry(path: Path, loaded: Loaded, asked: Asked) -> _Geometry:
    """What the file states, completed by the user; raises an AuditError where they differ, or something is missing."""
    axes = loaded.axes
    if axes is None:
        axes = (None, None, None, None)
    if len(axes) not in (2, 3, 4):
        raise AuditError(
            f"{path} takes arrays of {len(axes)} axes, expected images (n, C, H, W) or (n, H, W, C), or flat rows: "
            f"export it so. It has {loaded.found}"
        )
    layout = asked.layout or loaded.layout or _layout(axes)
    stated: tuple[int | None, ...]
    if len(axes) == 4:
        _, *rest = axes
        stated = tuple(rest) if layout == "nchw" else (rest[2], rest[0], rest[1])
    else:
        stated = (1, *axes[1:]) if len(axes) == 3 else (None, None, None)
    if asked.shape is None and None in stated:
        raise AuditError(
            f"{path} does not state the shape of its images: it has {loaded.found}. Give --shape CHANNELS HEIGHT WIDTH"
        )
    shape = asked.shape or stated
    odd = [(one, other) for one, other in zip(shape, stated, strict=True) if other is not None and one != other]
    flat = len(axes) == 2 and axes[1] is not None and axes[1] != math.prod(map(int, filter(None, shape)))
    channels, height, width = (int(one or 0) for one in shape)
    if odd or flat:
        raise AuditError(
            f"--shape {channels} {height} {width} does not fit {path}, which has {loaded.found}: give the shape "
            "that it takes, or --layout"
        )
    if channels not in (1, 3) or not (1 <= height <= _LONGEST and 1 <= width <= _LONGEST):
        raise AuditError(
            f"{path} takes images of {channels} channels, {height} x {width} pixels; 1 or 3 channels and at most "
            f"{_LONGEST} x {_LONGEST} pixels can be audited. It has {loaded.found}. --layout and --shape say "
            "it otherwise"
        )
    if axes[0] is not None and axes[0] * channels * height * width > _MOST_VALUES:
        raise AuditError(
            f"{path} takes batches of {axes[0]:,} images alone: export it for batches of one, or of any size"
        )
    return _Geometry((channels, height, width), len(axes), layout, axes[0])


def _layout(axes: tuple[int | None, ...]) -> Layout:
    return "nhwc" if len(axes) == 4 and axes[3] in _CHANNELS and axes[1] not in _CHANNELS else "nchw"


def _range(path: Path, loaded: Loaded, asked: Asked) -> tuple[float, float, tuple[str, ...]]:
    """The values of a black and of a white pixel, and what was assumed."""
    if (given := asked.value_range or loaded.value_range) is not None:
        if not (all(map(math.isfinite, given)) and given[0] != given[1]):
            raise AuditError(
                f"--range {given[0]:g} {given[1]:g}: two different numbers are needed, as in --range 0 255"
            )
        return *given, ()
    if loaded.dtype == "uint8":
        return 0.0, 255.0, ()
    return 0.0, 1.0, (f"{path.name} does not state its range of values: [0, 1] is assumed, --range changes it.",)


def _per_channel(given: tuple[float, ...] | None, channels: int, name: str) -> tuple[float, ...]:
    if given is None:
        return ()
    if len(given) not in (1, channels) or not all(map(math.isfinite, given)):
        raise AuditError(f"--{name} has {len(given)} numbers, expected one, or one for each of {channels} channels")
    return given if len(given) == channels else given * channels
