"""What every detector is: a score from what a user has in hand; higher = more vicious.

Each detector is a file of :data:`PACKAGE`, found by its name, that holds a ``DETECTOR``. Its score depends on the
evidence alone: never on which other detectors run. A file imports PyTorch where it computes, since planning a study
reads what detectors cost.

A detector sees neither the attack model, nor training data, nor any image that is not the user's own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vicious.system.errors import MetricError
from vicious.system.registry import find

if TYPE_CHECKING:
    from torch import nn

PACKAGE = "vicious.defense.detectors"
FEWEST = 10  # images that a user must have at least
ROUNDING = 1e-12  # a spread of no more than this share of the values is none
Access = Literal["outputs", "queries", "weights"]
"""What a detector needs of the model: its outputs on the user's images; on any image the user makes; its weights."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """What a user has in hand. Arrays of other number types are converted.

    Attributes:
        images: (n, C, H, W), the user's own images, pixels in [0, 1].
        labels: (n,) classes or (n, K) attributes, as the user knows them.
        logits: (n, K), the target model's outputs on them.
        query: images (m, C, H, W) in [0, 1] -> logits (m, K); None where only outputs are known. Detectors call
            :meth:`ask`.
        model: the target model in evaluation mode, not to be changed; None where its weights are not known.
        seed: of a detector's own random choices.

    Raises:
        MetricError: unlike numbers of images, labels and logits; fewer than :data:`FEWEST`; another shape; pixels
            outside [0, 1]; fewer than two outputs for classes; a label that is no output's; or values that no float32
            holds, NaN and infinity included.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    logits: Array
    query: Callable[[NDArray[np.float32]], Array] | None = None
    model: "nn.Module | None" = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, dtype in (("images", np.float32), ("logits", np.float64)):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=dtype))
        object.__setattr__(self, "labels", np.asarray(self.labels))
        if self.images.ndim != 4 or self.logits.ndim != 2 or self.labels.ndim not in (1, 2):
            raise MetricError(
                "images must be (n, C, H, W), logits (n, K) and labels (n,) or (n, K),"
                f" got {self.images.shape}, {self.logits.shape} and {self.labels.shape}"
            )
        images, labels, logits = len(self.images), len(self.labels), len(self.logits)
        if not images == labels == logits:
            raise MetricError(f"images ({images}), labels ({labels}) and logits ({logits}) must be equally many")
        if images < FEWEST:
            raise MetricError(f"a detector needs at least {FEWEST} of the user's images, got {images}")
        for name in ("images", "logits"):
            _check_finite(getattr(self, name), name)
        if self.images.size and (self.images.min() < 0 or self.images.max() > 1):
            raise MetricError(f"pixels must be in [0, 1], got {self.images.min():g} to {self.images.max():g}")
        outputs = self.logits.shape[1]
        if self.multilabel:
            fits = self.labels.shape == self.logits.shape and bool(np.isin(self.labels, (0, 1)).all())
        else:
            fits = outputs > 1 and bool(np.isin(self.labels, range(outputs)).all())
        if not fits:
            raise MetricError(f"the labels do not fit {outputs} outputs: classes from 0, or an attribute for each")
        object.__setattr__(self, "labels", self.labels.astype(np.int64))

    @property
    def multilabel(self) -> bool:
        """Labels are attributes, not classes."""
        return self.labels.ndim == 2

    @property
    def pixels(self) -> Array:
        """The images as rows, (n, d)."""
        return self.images.reshape(len(self.images), -1).astype(np.float64)

    @property
    def predicted(self) -> Array:
        """The predicted class one-hot, or the predicted attributes, (n, K)."""
        return predicted(self.logits, self.multilabel)

    @property
    def occurring(self) -> NDArray[np.bool_]:
        """Which outputs (K,) are of classes that the model predicts here, or of attributes that differ."""
        label = self.predicted
        return np.asarray(np.ptp(label, axis=0) > 0 if self.multilabel else label.any(0))

    def ask(self, images: NDArray[np.float32]) -> Array:
        """The model's logits (m, K) on images (m, C, H, W) in [0, 1] that the user makes.

        Raises:
            MetricError: the model cannot be asked, or what it answers is no such thing.
        """
        if self.query is None:
            raise MetricError("the model cannot be asked: the evidence has its outputs alone")
        logits = np.asarray(self.query(images), dtype=np.float64)
        if logits.shape != (expected := (len(images), self.logits.shape[1])):
            raise MetricError(f"the model answers {logits.shape} where {expected} was asked for")
        _check_finite(logits, "answered logits")
        return logits

    def limited(self, access: Access) -> "Evidence":
        """The same without what a detector of that access has no use for."""
        query = None if access == "outputs" else self.query
        return replace(self, query=query, model=self.model if access == "weights" else None)


@dataclass(frozen=True)
class Detector:
    """A named score.

    Attributes:
        name: of its file.
        access: what it needs of the model.
        measure: evidence -> score, higher = more vicious; deterministic given the evidence's seed.
        passes: number of user images -> forward passes of the model for a score; a backward pass counts as two.
        seconds: of a score of 1,000 images on one core, beside these passes.
    """

    name: str
    access: Access
    measure: Callable[[Evidence], float]
    passes: Callable[[int], int] = lambda _images: 0
    seconds: float = 0.1

    def score(self, evidence: Evidence) -> float:
        """The score of some evidence, limited to what the detector says that it needs.

        Raises:
            MetricError: the evidence lacks it, or there is no finite score.
        """
        given = evidence.limited(self.access)
        if (self.access == "queries" and given.query is None) or (self.access == "weights" and given.model is None):
            raise MetricError(f"the detector {self.name} needs the model's {self.access}")
        if given.model is not None and not all(bool(one.isfinite().all()) for one in given.model.state_dict().values()):
            raise MetricError("the model's weights hold values that are not finite: it is damaged")
        found = float(self.measure(given))
        if not np.isfinite(found):
            raise MetricError(f"the detector {self.name} gives {found}: its outputs are degenerate")
        return found


def find_detector(name: str) -> Detector:
    """The detector of a name out of :data:`PACKAGE`."""
    found: Detector = find(PACKAGE, name, "DETECTOR").DETECTOR
    return found


def _check_finite(values: NDArray[Any], name: str) -> None:
    """A float32 model gives no larger ones, whose squares would overflow and look like constant outputs."""
    if not (np.abs(values) <= np.finfo(np.float32).max).all():
        raise MetricError(
            f"the {name} hold values that are not finite, or beyond float32: the model or the input is damaged"
        )


def predicted(logits: Array, multilabel: bool) -> Array:
    """The predicted class one-hot, or the predicted attributes, (n, K)."""
    return (logits >= 0).astype(np.float64) if multilabel else np.asarray(np.eye(logits.shape[1])[logits.argmax(1)])


def standardised(values: Array, size: float | None = None) -> Array:
    """Zero mean and unit variance per column; a constant one becomes 0.

    Args:
        values: (n, K).
        size: of the values before what made these; a spread that is but rounding of it counts as none. None: their own.
    """
    spread = values.std(0)
    least = ROUNDING * (np.abs(values).max() if size is None else size)
    scaled: Array = (values - values.mean(0)) / np.where(spread > least, spread, np.inf)
    return scaled


def beyond_label(evidence: Evidence) -> tuple[Array, int]:
    """What of the standardised logits the predicted label does not explain, (n, K), and the degrees of freedom left.

    The least squares residual on the one-hot predicted class, or on a constant and the predicted attributes.
    """
    label = evidence.predicted
    features = np.hstack([np.ones((len(label), 1)), label])
    x = standardised(evidence.logits)
    solution, _, rank, _ = np.linalg.lstsq(features, x, rcond=None)
    return x - features @ solution, len(x) - int(rank)


def effective_rank(energies: NDArray[Any]) -> float:
    """Exponential of the entropy of nonnegative energies (m,), between 1 and m; 0 where all are zero.

    Roy and Vetterli, "The effective rank" (2007).
    """
    total = energies.sum()
    if total <= 0:
        return 0.0
    shares = energies[energies > 1e-15 * total] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))


def log_probabilities(evidence: Evidence) -> Array:
    """Logarithms of the probabilities of the choices of each decision, (n, decisions, choices).

    Classes are one decision between K choices, attributes are K decisions between two.
    """
    from scipy.special import log_softmax

    logits = evidence.logits
    if evidence.multilabel:
        return np.stack([-np.logaddexp(0, logits), -np.logaddexp(0, -logits)], axis=2)
    return np.asarray(log_softmax(logits, axis=1))[:, None, :]
