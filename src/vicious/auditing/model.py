"""A model from anywhere, as something that answers images."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.loaded import Asked, Kind, Layout

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Asked", "AuditedModel", "open_model"]


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
    """Open the file of a model.

    Raises:
        AuditError: the file is missing, damaged, of no known format, or could run code; or what is needed to ask it is
            stated neither by it nor by the user.
    """
    raise NotImplementedError
