"""What is audited: a user's images, and the outputs of a model on them as logits."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vicious.auditing.asking import one_line
from vicious.auditing.images import Images
from vicious.auditing.loaded import Kind
from vicious.auditing.model import AuditedModel
from vicious.defense.affine import PAIRS, is_affine
from vicious.defense.detector import FEWEST, Array, Evidence
from vicious.defense.student import smaller
from vicious.system.errors import AuditError, MetricError

LEAST = 2.0**-126
"""Probabilities are no smaller where their logarithm is taken: the smallest normal float32."""
LARGEST_SIDE = 64
"""Pixels of a side of the images that are reconstructed; larger ones are made smaller."""
_LARGEST = 1e30
_ALIKE = 0.02
"""Two images are nearly the same if their squared distance is at most this share of that of two images on average."""
_SUM = 1e-2
"""How far probabilities of classes may be from a sum of 1: those of float16, rounded ones too."""


@dataclass(frozen=True)
class Said:
    """What a user says beside images and outputs.

    Attributes:
        labels: (n,) classes or (n, K) attributes; None: not known.
        kind: of the outputs; None: as the model says, or probabilities if all lie in [0, 1].
        multilabel: whether outputs are of attributes; None: as the model says, or if labels are, or if probabilities do
            not sum to 1.
        seed: of all random choices.
    """

    labels: NDArray[np.int64] | None = None
    kind: Kind | None = None
    multilabel: bool | None = None
    seed: int = 0


@dataclass(frozen=True)
class Given:
    """What is audited.

    Attributes:
        names: of the images.
        evidence: images (n, C, H, W) in [0, 1], at most :data:`LARGEST_SIDE` pixels a side, and logits (n, K). Labels
            are those of the user or, without any, the predicted ones.
        kind: what the outputs were before they became logits.
        labelled: whether the labels are the user's.
        affine: the model was asked, and is a linear map of its pixels.
        notes: what was assumed, a sentence each.
    """

    names: tuple[str, ...]
    evidence: Evidence
    kind: Kind
    labelled: bool
    notes: tuple[str, ...] = ()
    affine: bool = False


def of_model(model: AuditedModel, images: Images, said: Said) -> Given:
    """What is audited of a model and images that were read for it; raises as :meth:`AuditedModel.query` and
    :func:`gather`."""
    known = replace(
        said,
        kind=said.kind or model.kind,
        multilabel=model.multilabel if said.multilabel is None else said.multilabel,
    )
    return gather(images, model.query(images.pixels), known, model.query, model.notes)


def gather(
    images: Images,
    outputs: Array,
    said: Said = Said(),
    query: Callable[[NDArray[np.float32]], Array] | None = None,
    notes: tuple[str, ...] = (),
) -> Given:
    """Bring images and outputs into the form that everything else takes.

    Args:
        images: n of them.
        outputs: (n, K), finite.
        query: asks the model, which takes images of the size that they have here.
        notes: what was assumed of the outputs.

    Raises:
        AuditError: fewer than :data:`~vicious.defense.detector.FEWEST` images, outputs or labels that are not of them,
            or outputs that are not of the kind that was said.
    """
    count, labels = len(images.pixels), said.labels
    if count < FEWEST:
        raise AuditError(f"{count} images are too few to say anything: give at least {FEWEST}, better 200")
    if outputs.ndim != 2 or len(outputs) != count:
        raise AuditError(f"{count} images need as many rows of outputs, found an array of {outputs.shape}")
    if labels is not None and len(labels) != count:
        raise AuditError(f"{count} images need as many labels, found {len(labels)}")
    if not np.isfinite(outputs).all():
        raise AuditError("outputs hold NaN or infinity: leave such images out, or correct the model")
    if said.seed < 0:
        raise AuditError(f"--seed {said.seed}: a seed is 0 or more")
    kind = _kind(outputs, said.kind)
    found = [*notes, *images.notes]
    if said.kind is None:
        found.append(f"Outputs are taken for {kind}; --outputs says otherwise.")
    several = _multilabel(outputs, labels, kind, said.multilabel, found)
    logits = _logits(outputs, kind, several, found)
    predicted = (logits >= 0).astype(np.int64) if several else logits.argmax(1)
    scale = max(1.0, float(np.abs(logits).max()) / _LARGEST)  # no scale changes what they tell
    asked = None if query is None else _as_logits(query, kind, several, scale)
    small = smaller(images.pixels, LARGEST_SIDE)
    kept = _different(small)
    if len(kept) < len(small):
        found.append(
            f"Left out, as nearly the same as another image: {len(small) - len(kept)}. Frames of one scene count once."
        )
    if shrunk := small.shape != images.pixels.shape:
        found.append(f"Images are reconstructed at {small.shape[3]} x {small.shape[2]} pixels.")
    if len(kept) < FEWEST:
        raise AuditError(f"only {len(kept)} images differ from each other: give at least {FEWEST} different ones")
    order = np.random.default_rng(said.seed).permutation(kept)  # users sort images by class, and folds must not be
    evidence = Evidence(
        small[order],
        (predicted if labels is None else labels)[order],
        logits[order] / scale,
        query=None if shrunk else asked,
        seed=said.seed,
    )
    first = order[: 2 * PAIRS]  # of the size that the model takes
    whole = Evidence(images.pixels[first], evidence.labels[: len(first)], evidence.logits[: len(first)], asked)
    affine = is_affine(whole, evidence.occurring)
    names = tuple(images.names[one] for one in order)
    return Given(names, evidence, kind, labels is not None, tuple(found), affine)


def _different(images: NDArray[np.float32]) -> NDArray[np.int64]:
    """Which images to keep so that no two are nearly the same: the first of each, in order."""
    rows = images.reshape(len(images), -1)
    squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    spread = 2 * (squares.mean() - float((rows.mean(0, dtype=np.float64) ** 2).sum()))
    kept: list[int] = []
    if spread <= 1e-9 * max(1.0, squares.mean()):  # they do not differ at all, which is for others to say
        return np.arange(len(rows))
    for start in range(0, len(rows), 256):
        block = slice(start, start + 256)
        distances = squares[block, None] + squares[: start + 256] - 2.0 * (rows[block] @ rows[: start + 256].T)
        for row, near in enumerate(distances, start):
            if not (near[kept] <= _ALIKE * spread).any():
                kept.append(row)
    return np.asarray(kept, np.int64)


def _kind(outputs: Array, said: Kind | None) -> Kind:
    within = bool(outputs.min() >= -1e-6 and outputs.max() <= 1 + 1e-6)
    if said == "probabilities" and not within:
        raise AuditError(
            f"outputs lie between {outputs.min():g} and {outputs.max():g}, so they are no probabilities: "
            "say --outputs logits"
        )
    return said or ("probabilities" if within else "logits")


def _multilabel(
    outputs: Array, labels: NDArray[np.int64] | None, kind: Kind, said: bool | None, notes: list[str]
) -> bool:
    if labels is not None:
        return labels.ndim == 2
    if said is not None or outputs.shape[1] == 1:
        return bool(said) and outputs.shape[1] > 1
    if kind == "probabilities" and np.abs(outputs.sum(1) - 1).max() > _SUM:
        notes.append("Probabilities do not sum to 1, so each output is taken for an attribute of its own.")
        return True
    return False


def _as_logits(
    query: Callable[[NDArray[np.float32]], Array], kind: Kind, multilabel: bool, scale: float
) -> Callable[[NDArray[np.float32]], Array]:
    """The same question, answered by logits; raises a MetricError where the model fails."""

    def ask(images: NDArray[np.float32]) -> Array:
        try:
            answers = np.asarray(query(images), np.float64)
        except Exception as error:
            raise MetricError(f"the model fails on images that are made for it: {one_line(error)}") from error
        return _logits(answers, kind, multilabel, []) / scale

    return ask


def _logits(outputs: Array, kind: Kind, multilabel: bool, notes: list[str]) -> Array:
    """Outputs as logits (n, K), or (n, 2) of a single output."""
    if kind == "logits":
        logits = outputs
    elif multilabel or outputs.shape[1] == 1:
        clipped = outputs.clip(LEAST, 1)
        logits = np.log(clipped) - np.log((1 - outputs).clip(LEAST, 1))
    else:
        logits = np.log(outputs.clip(LEAST, 1))
    if outputs.shape[1] == 1:
        notes.append("The model has one output, so it is taken for the second of two classes.")
        logits = np.hstack([-logits / 2, logits / 2])
    return np.asarray(logits)
