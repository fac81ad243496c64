"""What a file of a model is read into, and what a user says of a model beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Kind = Literal["logits", "probabilities"]
Layout = Literal["nchw", "nhwc"]
Run = Callable[[NDArray[Any]], NDArray[Any]]
"""A batch as the model takes it, (n, ...) -> what it answers, (n, ...)."""


@dataclass(frozen=True)
class Asked:
    """What the user says of the model. None: as the model says itself.

    Attributes:
        shape: (channels, height, width) of an image.
        layout: order of the input's axes, (n, C, H, W) or (n, H, W, C).
        value_range: values of a black and of a white pixel.
        mean: for each channel, taken off in the units of ``value_range``.
        std: for each channel, what is divided by then.
        kind: what the model's outputs are.
        input: name of the input that takes the images.
        output: name of the output that is read.
    """

    shape: tuple[int, int, int] | None = None
    layout: Layout | None = None
    value_range: tuple[float, float] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    kind: Kind | None = None
    input: str | None = None
    output: str | None = None


@dataclass(frozen=True)
class Loaded:
    """A model as its file gives it.

    Attributes:
        format: of the file, in words.
        run: asks it a batch.
        axes: of its input with the batch first, None for an axis of any length; None where the file names no axes.
        found: what the file says of inputs and outputs, for messages.
        dtype: of the input.
        value_range: of pixels, where the file states it.
        kind: of the outputs, where the file states it.
        multilabel: whether outputs are of attributes, where the file states it.
        layout: of the input, where the file states it.
        module: where weights may be had.
        notes: what was assumed, a sentence each.
    """

    format: str
    run: Run
    axes: tuple[int | None, ...] | None
    found: str
    dtype: str = "float32"
    value_range: tuple[float, float] | None = None
    kind: Kind | None = None
    multilabel: bool | None = None
    layout: Layout | None = None
    module: "nn.Module | None" = None
    notes: tuple[str, ...] = ()
