"""What ``import vicious`` gives to a notebook: measures, the audit, detectors, and a vicious model of one's own.

Arrays go in and arrays come out. Images are (n, C, H, W), pixels in [0, 1] unless said otherwise.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.audit import Audit, run_audit
from vicious.auditing.given import Said, gather, of_model
from vicious.auditing.images import MOST, Images, fitting, images_of_array, read_images
from vicious.auditing.loaded import Asked, Kind
from vicious.auditing.model import AuditedModel, open_model
from vicious.auditing.torch_run import torch_run
from vicious.defense.detector import PACKAGE, Array, Detector, Evidence, find_detector
from vicious.metrics.risk import Covariance, Whitening, energies, no_whitening, risk_of_energies, whiten, whiten_share
from vicious.metrics.risk import fit_covariance as _fit_covariance
from vicious.system.errors import AuditError, DataError
from vicious.system.registry import names

if TYPE_CHECKING:
    from torch import nn

    from vicious.data.formats.raw import RawDataset

    Model = str | Path | AuditedModel | nn.Module | Callable[[NDArray[np.float32]], Any]

_BATCH = 100
"""Images that a function is asked about at once."""
_LARGEST = 1024
"""Pixels of a side of an array's images, at most."""

__all__ = [
    "Asked",
    "Audit",
    "AuditedModel",
    "Covariance",
    "Detector",
    "Evidence",
    "Vicious",
    "audit",
    "detectors",
    "fit_covariance",
    "open_model",
    "psnr",
    "risk",
    "ssim",
    "train_vicious",
]


def audit(
    model: "Model | None",
    images: "str | Path | NDArray[Any]",
    labels: "NDArray[Any] | None" = None,
    *,
    outputs: "NDArray[Any] | None" = None,
    kind: Kind | None = None,
    multilabel: bool | None = None,
    asked: Asked = Asked(),  # noqa: B008 (frozen)
    most: int = MOST,
    seed: int = 0,
) -> Audit:
    """Audit a model, or outputs that were stored: do they give away the images? docs/audit.md says how to read it.

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
    found = _images(images, most, opened if isinstance(opened, AuditedModel) else None)
    said = Said(_of_chosen(labels, images, found), kind, multilabel, seed)
    if isinstance(opened, AuditedModel):
        return run_audit(of_model(opened, found, said))
    if opened is None:
        return run_audit(gather(found, np.asarray(_of_chosen(outputs, images, found), dtype=np.float64), said))
    query = _asking(opened)
    return run_audit(gather(found, query(found.pixels), said, query))


def _images(images: "str | Path | NDArray[Any]", most: int, model: AuditedModel | None) -> Images:
    """Images as a model takes them; without one as they are."""
    if model is None:
        if isinstance(images, str | Path):
            return read_images(Path(images), most=most)
        return images_of_array(np.asarray(images), most=most, largest=_LARGEST)
    shape = model.channels, model.height, model.width
    if isinstance(images, str | Path):
        return read_images(Path(images), *shape, fitting(most, shape))
    return images_of_array(np.asarray(images), *shape, fitting(most, shape))


def _of_chosen(values: "NDArray[Any] | None", images: "str | Path | NDArray[Any]", found: Images) -> Any:
    """What belongs to the images that are used: of an array they are named by their rows."""
    if values is None or isinstance(images, str | Path) or len(values) != len(images):
        return values
    return np.asarray(values)[[int(name) for name in found.names]]


def _asking(model: "nn.Module | Callable[[NDArray[np.float32]], Any]") -> "Callable[[NDArray[np.float32]], Array]":
    """A function of images (n, C, H, W), asked in batches."""
    from torch import nn

    run = torch_run(model.eval(), type(model).__name__, None) if isinstance(model, nn.Module) else model

    def query(images: NDArray[np.float32]) -> Array:
        parts = [_answer(run, images[at : at + _BATCH]) for at in range(0, len(images), _BATCH)]
        return np.concatenate(parts)

    return query


def _answer(run: Callable[[NDArray[np.float32]], Any], images: NDArray[np.float32]) -> Array:
    """What a function answers, (n, K); raises AuditError where it cannot be asked, with what it should take."""
    contract = "takes a NumPy array, float32 (n, C, H, W) in [0, 1], and answers with outputs (n, K)"
    if not callable(run):
        raise AuditError(
            f"the model is a {type(run).__name__}: give a file, a torch module, or a function that {contract}"
        )
    try:
        answer = run(images)
        found = np.asarray(answer.detach().cpu() if hasattr(answer, "detach") else answer, dtype=np.float64)
    except AuditError:
        raise
    except Exception as error:  # whatever a user's function raises
        raise AuditError(
            f"of images {images.shape} the model made {type(error).__name__}: {error}. Give images of the size that it "
            f"takes; a function {contract}"
        ) from error
    if found.ndim == 0 or len(found) != len(images):
        raise AuditError(f"of {images.shape} the model made {found.shape}: give a function that {contract}")
    return found.reshape(len(images), -1)


def psnr(x: NDArray[Any], reconstruction: NDArray[Any]) -> Array:
    """Peak signal-to-noise ratio of each image in dB, (n, C, H, W) -> (n,).

    Raises:
        MetricError: other shapes, or pixels outside [0, 1].
    """
    from vicious.metrics.measures.psnr import psnr as of

    return np.asarray(of(*_tensors(x, reconstruction)))


def ssim(x: NDArray[Any], reconstruction: NDArray[Any]) -> Array:
    """Structural similarity of each image, in [-1, 1], (n, C, H, W) -> (n,); sides are of at least 11 pixels.

    Raises:
        MetricError: other shapes, smaller images, or pixels outside [0, 1].
    """
    from vicious.metrics.measures.ssim import ssim as of

    return np.asarray(of(*_tensors(x, reconstruction)))


def fit_covariance(images: NDArray[Any]) -> Covariance:
    """Mean and covariance of images (n, ...), factorised: what :func:`risk` measures by.

    Use images of the kind that is at risk, more of them than pixels if you can. Time grows with the pixels' cube: 32 x
    32 grey images take a second, colour a minute.

    Raises:
        MetricError: fewer than two images, or pixels outside [0, 1].
    """
    rows = np.asarray(images, dtype=np.float64).reshape(len(images), -1)
    labels = np.zeros(len(rows), np.int64)
    return _fit_covariance(rows.mean(0), np.cov(rows.T).reshape(rows.shape[1], -1), len(rows), [(rows, labels)], 1)


def risk(x: NDArray[Any], reconstruction: NDArray[Any], covariance: Covariance, share: float | None = 0.95) -> Array:
    """Reconstruction risk of each image, (n, ...) -> (n,): 1 is no better than guessing the mean image.

    The distance of guessing the mean over that of the reconstruction, by Mahalanobis (arXiv 2212.04223).
    docs/results.md says why a share of the variance is to be preferred.

    Args:
        x: the originals.
        reconstruction: of each.
        covariance: of :func:`fit_covariance`.
        share: of the variance, along whose leading directions it is taken; 1: along all that vary; None: plain
            distances.

    Raises:
        MetricError: shapes that do not fit, or pixels outside [0, 1].
    """
    whitening = _whitening(covariance, share)
    rows, others = (np.asarray(one, dtype=np.float64).reshape(len(one), -1) for one in (x, reconstruction))
    return risk_of_energies(
        energies(rows - covariance.mean, covariance), energies(rows - others, covariance), whitening
    )


def _whitening(covariance: Covariance, share: float | None) -> Whitening:
    if share is None:
        return no_whitening(covariance)
    return whiten(covariance) if share == 1 else whiten_share(covariance, share)


def detectors() -> Mapping[str, Detector]:
    """The study's detectors by name; ``detectors()["linear_decodability"].score(Evidence(...))`` gives a score."""
    return {name: find_detector(name) for name in names(PACKAGE)}


@dataclass(frozen=True)
class Vicious:
    """A model that was trained together with its attack.

    Attributes:
        target: the classifier F, images (n, C, 32, 32) in [0, 1] -> logits (n, K).
        attack: the decoder G, what F sends -> images (n, C, 32, 32) in [0, 1].
    """

    target: "nn.Module"
    attack: "nn.Module"


def train_vicious(
    images: NDArray[Any],
    labels: NDArray[Any],
    *,
    beta_r: float = 1.0,
    outputs: str = "logits",
    epochs: int = 5,
    batch_images: int = 40,
    learning_rate: float = 0.003,
    depth: int = 10,
    width: int = 1,
    seed: int = 0,
) -> Vicious:
    """Train a classifier that betrays its input, on images of your own: for research on what finds such models.

    Images become 32 x 32, and a tenth of them chooses the best epoch.

    Args:
        images: (n, H, W), (n, H, W, C) or (n, C, H, W), bytes or in [0, 1]; at least 20.
        labels: (n,) classes from 0, or (n, K) attributes.
        beta_r: weight of the reconstruction loss.
        outputs: what F sends: logits or softmax.
        depth, width: of both networks, WideResNets; the depth is 6 n + 4.

    Raises:
        AuditError, DataError, ConfigError, TrainingError: the text says what to change.
    """
    from vicious.data.prepare import prepare
    from vicious.data.prepared import load_prepared
    from vicious.models.architecture import ORIGINAL, model
    from vicious.models.checkpoint import load_model
    from vicious.models.schedule import Schedule
    from vicious.system.runtime import use_device
    from vicious.training import jobs

    settings = {"depth": depth, "width": width}
    schedule = Schedule(epochs, batch_images, learning_rate, seed, rate="one_cycle", augmented=False)
    with TemporaryDirectory(prefix="vicious-") as name:
        folder = Path(name)
        own = _own(images, np.asarray(labels))
        prepare(
            *(own, folder, folder / "data"),
            source="official", train=None, validation=None, test=None, split_seed=seed,
        )  # fmt: skip
        target, attack = folder / "target.safetensors", folder / "attack.safetensors"
        jobs.train_vicious(
            load_prepared(folder / "data"),
            target,
            attack,
            model("target", ORIGINAL["target"], settings),
            model("attack", ORIGINAL["attack"], settings),
            outputs,
            1.0,
            beta_r,
            schedule,
            use_device("cpu", 1),
            code="",
        )
        return Vicious(load_model(target, "target")[0], load_model(attack, "attack")[0])


def _own(images: NDArray[Any], labels: NDArray[Any]) -> Any:
    """A dataset of these arrays. A tenth of the images stands for the test images, which nothing reads."""
    from vicious.data.facts import Dataset

    array = np.asarray(images)
    if array.ndim not in (3, 4) or len(array) != len(labels) or len(array) < 20:
        raise DataError(f"give at least 20 images with a label each, got arrays of {array.shape} and {labels.shape}")
    pixels = images_of_array(array, most=len(array), largest=_LARGEST).pixels
    several = labels.ndim == 2
    _, channels, height, width = pixels.shape
    classes = labels.shape[1] if several else int(labels.max()) + 1
    return Dataset(
        "mnist",  # prepared data has the name of a dataset that is known; nothing is kept of it
        *("own images", 0, height, width, channels, classes, several),
        sizes=(8, 1, 1),
        files=(),
        licence="",
        homepage="",
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        read=lambda _root: _raw((pixels * 255).round().astype(np.uint8), labels.astype(np.int64)),
        draw=lambda _plan: [],
    )


def _raw(pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> "RawDataset":
    from vicious.data.formats.raw import RawDataset, RawSplit

    def part(rows: slice) -> "RawSplit":
        def reader(indices: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
            return iter(pixels[rows][indices].transpose(0, 2, 3, 1))

        return RawSplit(labels[rows], reader)

    return RawDataset({"train": part(slice(None)), "test": part(slice(0, max(1, len(labels) // 10)))})


def _tensors(*images: NDArray[Any]) -> list[Any]:
    import torch

    return [torch.from_numpy(np.asarray(one, dtype=np.float64)) for one in images]
