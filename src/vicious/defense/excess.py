"""Does a model give away more than honest students of its own labels do?

The leak of outputs is the share of the images' variation beyond the predicted label that is read from them
(:mod:`vicious.defense.beyond_label`). Honest models leak, too, and how much depends on the data: so a user makes the
reference on the spot, students that learn the model's labels from the user's own images
(:mod:`vicious.defense.student`). The excess is the model's leak minus a student's, on the same images, with a 95%
bootstrap interval over them.

A model leaks more than honest students where this interval is above 0 for every family of them. A perceptron learns
slowly what to ignore, so its outputs tell much; a model that leaks less than that is not called anything, however it
was trained. An affine model (:mod:`vicious.defense.affine`) is compared with affine students, too.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vicious.defense.beyond_label import explained_by_image, left_out, likeness
from vicious.defense.detector import Array, Evidence, predicted
from vicious.defense.student import AFFINE, FAMILIES, FOLDS, Family, student_outputs
from vicious.metrics.bootstrap import interval

MOST = 500
"""Images whose leak is taken; of more, the first. Students are trained on all."""
FEWEST = 40
"""Images with which there is a comparison."""
PER_LABEL = 3
"""Images of a predicted label, on average, with which there is a comparison: each fold of a student needs some."""
OF_A_LABEL = FOLDS
"""Images with which a label occurs: with fewer, a student may never see it."""
PASSES = (len(FAMILIES) + len(AFFINE)) * FOLDS
"""How often ``told`` is called at most."""


@dataclass(frozen=True)
class Against:
    """The comparison with students of one family.

    Attributes:
        family: of the students.
        agreement: share of images where a student that did not see them predicts the model's label; of attributes the
            mean share.
        leak: of the students' outputs.
        excess: the model's leak minus this one, with the ends ``low`` and ``high`` of its interval.
    """

    family: Family
    agreement: float
    leak: float
    excess: float
    low: float
    high: float


@dataclass(frozen=True)
class Excess:
    """A model's leak and its comparisons.

    Attributes:
        leak: share of the images' variation beyond the predicted label that all outputs tell, with the ends of its
            interval, ``low`` and ``high``; about 0 or less: none.
        images: how many it was taken of.
        against: one comparison for each family of students; () where there is none.
        why_not: why there is none.
        compared: the leak of the outputs of those labels that are predicted, which students have, too.
    """

    leak: float
    low: float
    high: float
    images: int
    against: tuple[Against, ...] = ()
    why_not: str = ""
    compared: float = 0.0

    @property
    def more(self) -> bool:
        """More than every family of students, beyond the intervals."""
        return bool(self.against) and all(one.low > 0 for one in self.against)

    @property
    def more_than_some(self) -> bool:
        """More than some family of students, beyond its interval."""
        return any(one.low > 0 for one in self.against)


def compare(evidence: Evidence, told: Callable[[], None] = lambda: None, affine: bool = False) -> Excess:
    """Compare a model with honest students. The true labels are not used, and the model is not asked.

    Args:
        evidence: with the model's outputs.
        affine: the model is affine (:func:`vicious.defense.affine.is_affine`), so affine students are asked, too.
        told: called as students finish, at most :data:`PASSES` times.
    """
    first = first_of(evidence, MOST)
    label = first.predicted
    images = likeness(first.pixels, label)
    if images.unexplained <= 0:
        return Excess(0.0, 0.0, 0.0, len(label), why_not="images of the same predicted label are all alike")
    own = explained_by_image(left_out(first.logits, label), images)
    found = Excess(float(own.sum()), *interval(own, np.sum), len(own))
    if why_not := _why_not(evidence):
        return replace(found, why_not=why_not)
    common = evidence.occurring
    if not common.all():  # more outputs than a student has can tell more
        own = explained_by_image(left_out(first.logits[:, common], label), images)
    against = []
    families = (*FAMILIES, *AFFINE) if affine else FAMILIES
    for family in families:
        outputs = student_outputs(evidence.images, evidence.predicted, evidence.multilabel, family, evidence.seed, told)
        theirs = explained_by_image(left_out(outputs[:MOST], label), images)
        ends = interval(own - theirs, np.sum)
        against.append(
            Against(family, _agreement(evidence, outputs), float(theirs.sum()), float((own - theirs).sum()), *ends)
        )
    found = replace(found, compared=float(own.sum()))
    if all(one.agreement <= _guessed(evidence) for one in against):
        return replace(
            found,
            why_not="students learn nothing of the model's labels from these images: the outputs may be in another "
            "order, or the model expects other pixels (range, mean, layout)",
        )
    return replace(found, against=tuple(against))


def first_of(evidence: Evidence, most: int) -> Evidence:
    """The evidence of the first ``most`` images alone."""
    return replace(
        evidence, images=evidence.images[:most], labels=evidence.labels[:most], logits=evidence.logits[:most]
    )


def _guessed(evidence: Evidence) -> float:
    """The agreement that always the commonest answer has, with two standard errors on top."""
    label = evidence.predicted[:, evidence.occurring]
    most = float(np.maximum(label.mean(0), 1 - label.mean(0)).mean() if evidence.multilabel else label.mean(0).max())
    return most + 2 * float(np.sqrt(most * (1 - most) / label[:, : label.shape[1] if evidence.multilabel else 1].size))


def _why_not(evidence: Evidence) -> str:
    """Why there can be no comparison with students; "" where there can."""
    count, label = len(evidence.images), evidence.predicted
    if count < FEWEST:
        return f"there are {count} images; students need at least {FEWEST}"
    if evidence.multilabel:
        return "" if evidence.occurring.any() else "the model predicts the same attributes for all images"
    occur = label.sum(0)[label.any(0)]
    if len(occur) < 2:
        return "the model predicts the same label for all images"
    if np.sort(occur)[-2] < OF_A_LABEL:
        return f"hardly any image has another predicted label than most; students need {OF_A_LABEL} of a second one"
    if count < PER_LABEL * len(occur):
        return (
            f"{count} images of {len(occur)} predicted labels are too few; students need {PER_LABEL} of each on average"
        )
    return ""


def _agreement(evidence: Evidence, outputs: Array) -> float:
    expected: Array = evidence.predicted
    if evidence.multilabel:
        kept: NDArray[np.bool_] = np.ptp(expected, axis=0) > 0
        return float((predicted(outputs, True) == expected[:, kept]).mean())
    return float((predicted(outputs, False) == expected[:, expected.any(0)]).all(1).mean())
