"""Audits from Python, on arrays or files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.audit import Audit, run_audit
from vicious.auditing.given import Given, gather
from vicious.auditing.images import MOST, Images, images_of_array, read_images
from vicious.auditing.loaded import Asked, Kind
from vicious.auditing.model import AuditedModel, open_model
from vicious.auditing.outputs import read_outputs
from vicious.auditing.torch_run import torch_run
from vicious.defense.detector import Array
from vicious.system.errors import AuditError

if TYPE_CHECKING:
    from torch import nn

    Model = str | Path | AuditedModel | nn.Module | Callable[[NDArray[np.float32]], Any]

_MOST_VALUES = 100_000_000
"""Values of all images together, float32: 400 MB."""
_BATCH = 100


def audit(
    model: "Model | None",
    images: "str | Path | NDArray[Any]",
    labels: "NDArray[Any] | None" = None,
    *,
    outputs: NDArray[Any] | None = None,
    kind: Kind | None = None,
    multilabel: bool | None = None,
    asked: Asked = Asked(),  # noqa: B008 (frozen)
    most: int = MOST,
    seed: int = 0,
) -> Audit:
    """Audit a model, or outputs that were stored.

    Args:
        model: the file of a model; a PyTorch module or any function that takes float32 images (n, C, H, W) in [0, 1]
            and answers (n, K); None where ``outputs`` are given.
        images: a folder, a zip, .npy or .npz; or an array (n, H, W), (n, H, W, C) or (n, C, H, W) of bytes, or of
            floating point in [0, 1].
        labels: (n,) classes or (n, K) attributes, as the user knows them; not needed.
        outputs: (n, K), of each image.
        kind: "logits" or "probabilities"; None: what the model's file says, or what they look like.
        multilabel: whether outputs are of attributes and not of classes.
        asked: what the file of a model does not say.
        most: images that are used at most.
        seed: of all random choices.

    Raises:
        AuditError: neither a model nor outputs, or both; or any of them cannot be used. The text says what to do.
    """
    if (model is None) == (outputs is None):
        raise AuditError("give a model, or outputs that it gave, and not both")
    opened = open_model(Path(model), asked) if isinstance(model, str | Path) else model
    if isinstance(opened, AuditedModel):
        found = _images(images, most, opened)
        given = of_model(opened, found, labels, kind, multilabel, seed)
    else:
        found = _own_size(images, most)
        query = None if opened is None else _asking(opened)
        values = query(found.pixels) if query else np.asarray(outputs, dtype=np.float64)
        given = gather(found.names, found.pixels, values, _labels(labels), kind, multilabel, query, seed)
    return run_audit(given)


def of_model(
    model: AuditedModel,
    images: Images,
    labels: NDArray[Any] | None = None,
    kind: Kind | None = None,
    multilabel: bool | None = None,
    seed: int = 0,
) -> Given:
    """What is audited of an opened model and images that were read for it."""
    values = model.query(images.pixels)
    found = gather(
        images.names,
        images.pixels,
        values,
        _labels(labels),
        kind or model.kind,
        model.multilabel if multilabel is None else multilabel,
        model.query,
        seed,
    )
    return _noted(found, (*model.notes, *images.notes))


def of_stored(
    outputs: Path,
    images: Images,
    labels: NDArray[Any] | None = None,
    kind: Kind | None = None,
    multilabel: bool | None = None,
    seed: int = 0,
) -> Given:
    """What is audited of stored outputs and the images that they are of."""
    stored = read_outputs(outputs, images.names)
    found = gather(images.names, images.pixels, stored.values, _labels(labels), kind, multilabel, None, seed)
    return _noted(found, (*stored.notes, *images.notes))


def fitting(most: int, shape: tuple[int, int, int]) -> int:
    """How many images of a shape fit into memory, at most ``most``."""
    return max(1, min(most, _MOST_VALUES // int(np.prod(shape))))


def _noted(given: Given, notes: tuple[str, ...]) -> Given:
    return replace(given, notes=(*notes, *given.notes))


def _images(images: "str | Path | NDArray[Any]", most: int, model: AuditedModel) -> Images:
    shape = model.channels, model.height, model.width
    if isinstance(images, str | Path):
        return read_images(Path(images), *shape, fitting(most, shape))
    return images_of_array(np.asarray(images), *shape, fitting(most, shape))


def _own_size(images: "str | Path | NDArray[Any]", most: int) -> Images:
    """Images as they are, for a function that takes just these."""
    if isinstance(images, str | Path):
        return read_images(Path(images), most=most)
    array = np.asarray(images)
    if array.ndim != 4:
        return images_of_array(array, most=most)
    height, width = array.shape[2:] if array.shape[1] in (1, 3) else array.shape[1:3]
    return images_of_array(array, None, height, width, most)


def _asking(model: "nn.Module | Callable[[NDArray[np.float32]], Any]") -> Callable[[NDArray[np.float32]], Array]:
    """A function of images (n, C, H, W), asked in batches."""
    from torch import nn

    run = torch_run(model.eval(), type(model).__name__, None) if isinstance(model, nn.Module) else model

    def query(images: NDArray[np.float32]) -> Array:
        parts = [np.asarray(run(images[at : at + _BATCH])) for at in range(0, len(images), _BATCH)]
        return np.concatenate(parts).reshape(len(images), -1).astype(np.float64)

    return query


def _labels(labels: NDArray[Any] | None) -> NDArray[np.int64] | None:
    return None if labels is None else np.asarray(labels, dtype=np.int64)
