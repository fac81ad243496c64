"""Does a model give away more than honest students of its own labels do?

The leak of outputs is the share of the images' variation beyond the predicted label that is read from them
(:mod:`vicious.defense.beyond_label`). Honest models leak, too, and how much depends on the data: so a user makes the
reference on the spot, students that learn the model's labels from the user's own images
(:mod:`vicious.defense.student`). The excess is the model's leak minus a student's, on the same images, with a 95%
bootstrap interval over them.

A model leaks more than honest ones where this interval is above 0 for every family of students. A perceptron learns
slowly what to ignore, so its outputs tell much; a model that leaks less than that is not called anything, however it
was trained.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vicious.defense.beyond_label import explained_by_image, left_out, likeness
from vicious.defense.detector import Array, Evidence, predicted
from vicious.defense.student import FAMILIES, FOLDS, Family, student_outputs
from vicious.metrics.bootstrap import interval

MOST = 500
"""Images whose leak is taken; of more, the first. Students are trained on all."""
FEWEST = 40
"""Images with which there is a comparison."""
PER_LABEL = 3
"""Images of a predicted label, on average, with which there is a comparison: each fold of a student needs some."""
OUTPUTS_PER_LABEL = 2
"""Outputs for each label that occurs, at most: a student has one, and more outputs can tell more."""
PASSES = len(FAMILIES) * FOLDS
"""How often ``told`` is called."""


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
        leak: share of the images' variation beyond the predicted label that outputs tell, with the ends of its
            interval, ``low`` and ``high``; about 0 or less: none.
        images: how many it was taken of.
        against: one comparison for each family of students; () where there is none.
        why_not: why there is none.
    """

    leak: float
    low: float
    high: float
    images: int
    against: tuple[Against, ...] = ()
    why_not: str = ""

    @property
    def more(self) -> bool:
        """More than every family of students, beyond the intervals."""
        return bool(self.against) and all(one.low > 0 for one in self.against)

    @property
    def least(self) -> Against | None:
        """The comparison that leaves the least excess."""
        return min(self.against, key=lambda one: one.low, default=None)


def compare(evidence: Evidence, told: Callable[[], None] = lambda: None) -> Excess:
    """Compare a model with honest students. The true labels are not used.

    Args:
        evidence: with the model's outputs; it need not be there to be asked.
        told: called :data:`PASSES` times as students finish.

    Raises:
        MetricError: the images are all the same.
    """
    first = replace(
        evidence, images=evidence.images[:MOST], labels=evidence.labels[:MOST], logits=evidence.logits[:MOST]
    )
    label = first.predicted
    images = likeness(first.pixels, label)
    if images.unexplained <= 0:
        return Excess(0.0, 0.0, 0.0, len(label), why_not="images of the same predicted label are all alike")
    own = explained_by_image(left_out(first.logits, label), images)
    found = Excess(float(own.sum()), *interval(own, np.sum), len(own))
    if why_not := _why_not(evidence):
        return replace(found, why_not=why_not)
    against = []
    for family in FAMILIES:
        outputs = student_outputs(evidence.images, evidence.predicted, evidence.multilabel, family, evidence.seed, told)
        theirs = explained_by_image(left_out(outputs[:MOST], label), images)
        ends = interval(own - theirs, np.sum)
        against.append(
            Against(family, _agreement(evidence, outputs), float(theirs.sum()), float((own - theirs).sum()), *ends)
        )
    return replace(found, against=tuple(against))


def _why_not(evidence: Evidence) -> str:
    """Why there can be no comparison with students; "" where there can."""
    count, label = len(evidence.images), evidence.predicted
    if count < FEWEST:
        return f"there are {count} images; students need at least {FEWEST}"
    if evidence.multilabel:
        both = int((np.ptp(label, axis=0) > 0).sum())
        if both * OUTPUTS_PER_LABEL < label.shape[1]:
            return f"only {both} of {label.shape[1]} attributes are predicted for some images and not for others"
        return ""
    occur = int(label.any(0).sum())
    if occur < 2:
        return "the model predicts the same label for all images"
    if label.shape[1] > OUTPUTS_PER_LABEL * occur:
        return (
            f"only {occur} of the model's {label.shape[1]} labels are predicted; give images of at least half of them"
        )
    if count < PER_LABEL * occur:
        return (
            f"{count} images of {occur} predicted labels are too few; students need {PER_LABEL} of a label on average"
        )
    return ""


def _agreement(evidence: Evidence, outputs: Array) -> float:
    expected: Array = evidence.predicted
    if evidence.multilabel:
        kept: NDArray[np.bool_] = np.ptp(expected, axis=0) > 0
        return float((predicted(outputs, True) == expected[:, kept]).mean())
    return float((predicted(outputs, False) == expected[:, expected.any(0)]).all(1).mean())
