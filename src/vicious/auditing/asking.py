"""Asking a model: images as it takes them, in batches that it takes, and answers as numbers that are checked."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.loaded import Layout, Run
from vicious.system.errors import AuditError
from vicious.system.settings import shortened

_VALUES = 1 << 22
"""Values of a batch's images, at most: 16 MiB as float32. A large network's own maps are some hundred times that."""
_MOST = 128
"""Images of a batch."""


@dataclass(frozen=True)
class Asking:
    """How a model is asked.

    Attributes:
        name: of the model's file, for messages.
        run: asks one batch.
        shape: (channels, height, width) of an image.
        rank: number of axes of the input: 4; 3 for (n, H, W); 2 for flat rows.
        layout: order of the axes.
        dtype: of the input.
        low: value of a black pixel.
        high: value of a white pixel.
        mean: for each channel, taken off then; () for none.
        std: for each channel, divided by then; () for none.
        batch: images of each batch, where the model takes no other number.
    """

    name: str
    run: Run
    shape: tuple[int, int, int]
    rank: int
    layout: Layout
    dtype: str
    low: float
    high: float
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    batch: int | None = None

    def prepared(self, images: NDArray[np.float32]) -> NDArray[np.generic]:
        """Images (n, C, H, W) in [0, 1] as the model takes them."""
        values = self.low + (self.high - self.low) * images.astype(np.float32)
        for numbers, done in ((self.mean, np.subtract), (self.std, np.divide)):
            if numbers:
                values = done(values, np.asarray(numbers, np.float32)[:, None, None])
        if self.layout == "nhwc":
            values = values.transpose(0, 2, 3, 1)
        if self.rank == 2:
            values = values.reshape(len(values), -1)
        elif self.rank == 3:
            values = values.reshape(len(values), *self.shape[1:])
        if np.dtype(self.dtype).kind in "iu":
            values = values.round()
        return np.ascontiguousarray(values, dtype=self.dtype)

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Answers (n, K) of images (n, C, H, W) in [0, 1].

        Raises:
            AuditError: images of another shape or range; or the model fails, or answers what is no finite (n, K).
        """
        self._check(images)
        step = self.batch or max(1, min(_MOST, _VALUES // max(1, int(np.prod(self.shape)))))
        parts = [self._answers(images[at : at + step]) for at in range(0, len(images), step)]
        if len({part.shape[1] for part in parts}) > 1:
            raise AuditError(f"{self.name} answers with other numbers of outputs each time: only one number is handled")
        answers = np.concatenate(parts)
        if bad := int((~np.isfinite(answers).all(1)).sum()):
            raise AuditError(
                f"{self.name} answers NaN or infinity for {bad} of {len(answers)} images: check the range of values "
                "that it takes (--range, --mean, --std)"
            )
        return answers

    def _check(self, images: NDArray[np.float32]) -> None:
        if images.ndim != 4 or images.shape[1:] != self.shape or not len(images):
            raise AuditError(
                f"{self.name} takes images of shape {self.shape} (channels, height, width), got an array of shape "
                f"{images.shape}: resize them first"
            )
        low, high = float(images.min()), float(images.max())
        if not (low >= -1e-6 and high <= 1 + 1e-6):
            raise AuditError(f"pixels must be in [0, 1], got {low:g} to {high:g}: scale them first")

    def _answers(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        number = len(images)
        if self.batch is not None and number < self.batch:  # it takes no fewer
            images = np.concatenate([images, np.repeat(images[-1:], self.batch - number, axis=0)])
        batch = self.prepared(images)
        try:
            found = np.asarray(self.run(batch))
        except AuditError:
            raise
        except Exception as error:  # of any library, and of any kind
            raise AuditError(
                f"{self.name} fails on a batch of shape {batch.shape} and type {batch.dtype} ({one_line(error)}): "
                "check --shape and --layout"
            ) from error
        return self._matrix(found, len(batch))[:number]

    def _matrix(self, found: NDArray[np.generic], rows: int) -> NDArray[np.float64]:
        if found.dtype.kind != "f":
            raise AuditError(
                f"{self.name} answers values of type {found.dtype}, expected logits or probabilities: choose another "
                "output (--output), or export the model without its last step"
            )
        if found.shape == (rows,):
            found = found[:, None]
        if found.ndim != 2 or len(found) != rows or not found.shape[1]:
            raise AuditError(
                f"{self.name} answers an array of shape {found.shape} for {rows} images, expected ({rows}, K): choose "
                "another output (--output), or export the model so that each image gets K numbers"
            )
        return found.astype(np.float64)

    def settled(self) -> tuple["Asking", int, tuple[str, ...]]:
        """Ask it for the first time, with three images of noise: how it can be asked, its number of outputs K, and
        notes.

        A model that fails on several images at once, or answers one otherwise than alone, is asked one by one.

        Raises:
            AuditError: it cannot be asked at all.
        """
        images = np.random.default_rng(0).random((3, *self.shape), dtype=np.float32)
        if self.batch is not None:
            return self, self(images).shape[1], ()
        alone = replace(self, batch=1)
        try:
            together = self(images)
        except AuditError as first:
            try:
                return alone, alone(images).shape[1], (f"{self.name} takes one image at a time.",)
            except AuditError:
                raise first from None
        single = alone(images)
        if single.shape == together.shape and _alike(single, together):
            return self, together.shape[1], ()
        if _alike(single, alone(images)):
            note = f"{self.name} answers an image otherwise beside others: it is asked one at a time."
            return alone, single.shape[1], (note,)
        return self, together.shape[1], (f"{self.name} answers the same image differently each time.",)


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether answers differ by rounding alone, float16's included."""
    return bool(np.abs(one - other).max() <= 1e-2 * max(1e-3, float(np.abs(one).max())))


def one_line(error: BaseException) -> str:
    """The first lines of a library's error, in one line of at most 300 characters."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 300 else shortened(words, 300)[1:-1]
