"""An audit: from images and outputs to a verdict and all that it rests on."""

from collections.abc import Callable
from dataclasses import dataclass

from vicious.auditing.decode import Decoded, decode
from vicious.auditing.given import Given
from vicious.auditing.measured import Measures, measure
from vicious.auditing.verdict import Verdict, judge
from vicious.defense.beyond_label import explained_by_image, left_out, likeness
from vicious.defense.detector import PACKAGE, Detector, Evidence, find_detector
from vicious.defense.exact import Exact, exact_test
from vicious.defense.excess import MOST, PASSES, Excess, compare, first_of
from vicious.system.errors import MetricError
from vicious.system.progress import Progress
from vicious.system.randomness import derive_seed
from vicious.system.registry import names
from vicious.system.runtime import one_thread

MITIGATED = ("probabilities", "top3", "top1", "round1", "noise1", "label")
"""What a user could send instead: see :mod:`vicious.mitigations`."""
LEAK = "kernel_decodability"
"""The detector that asks for the leak alone, which an audit has anyway."""
MOST_DETECTED = 300
"""Images that detectors see; of more, the first."""


@dataclass(frozen=True)
class Score:
    """What one detector says: higher looks more vicious. None, and why, where it cannot say anything."""

    detector: str
    score: float | None
    why_not: str = ""


@dataclass(frozen=True)
class Left:
    """Share of the images' variation beyond the label that would leak if the user sent this instead of the outputs."""

    sent: str
    leak: float


@dataclass(frozen=True)
class Audit:
    """All findings of an audit.

    Attributes:
        given: what was audited.
        verdict: the answer.
        exact: the exact test; None where no two images of the same predicted label differ.
        excess: the leak, and the comparison with honest students.
        decoded: reconstructions of all images.
        measures: how close they are.
        scores: of the study's detectors.
        left: what mitigations would leave.
    """

    given: Given
    verdict: Verdict
    exact: Exact | None
    excess: Excess
    decoded: Decoded
    measures: Measures
    scores: tuple[Score, ...]
    left: tuple[Left, ...]


def run_audit(given: Given) -> Audit:
    """Audit what was gathered. The same input gives the same audit."""
    evidence = given.evidence
    detectors = [find_detector(name) for name in names(PACKAGE) if name != LEAK]
    with Progress(3 + PASSES + len(detectors) + len(MITIGATED), "audit", unit="parts") as progress:

        def done() -> None:
            progress.advance(1)

        exact = _exact(evidence)
        done()
        trained: list[None] = []

        def learnt() -> None:
            trained.append(None)
            done()

        excess = compare(evidence, learnt, given.affine)
        progress.advance(PASSES - len(trained))
        decoded = decode(evidence.logits, evidence.pixels, evidence.multilabel, evidence.seed)
        done()
        with one_thread():
            measures = measure(decoded, evidence.pixels, _shape(evidence))
            done()
            scores = tuple(_score(one, given, done) for one in detectors)
        left = _left(evidence, done)
    verdict = judge(exact, excess, measures, len(evidence.images))
    return Audit(given, verdict, exact, excess, decoded, measures, scores, left)


def _shape(evidence: Evidence) -> tuple[int, int, int]:
    channels, height, width = evidence.images.shape[1:]
    return channels, height, width


def _exact(evidence: Evidence) -> Exact | None:
    try:
        return exact_test(evidence)
    except MetricError:
        return None


def _score(detector: Detector, given: Given, done: Callable[[], None]) -> Score:
    if detector.name == "calibration" and not given.labelled:
        found = Score(detector.name, None, "it needs true labels")
    else:
        try:
            found = Score(detector.name, detector.score(first_of(given.evidence, MOST_DETECTED)))
        except (MetricError, ArithmeticError, ValueError) as error:
            found = Score(detector.name, None, str(error))
    done()
    return found


def _left(evidence: Evidence, done: Callable[[], None]) -> tuple[Left, ...]:
    """The leak of what each mitigation leaves, read as an attacker reads it."""
    import torch

    from vicious.mitigations import readable, transmit

    first = first_of(evidence, MOST)
    images, logits = likeness(first.pixels, first.predicted), torch.from_numpy(first.logits)
    found = []
    for sent in MITIGATED:
        generator = torch.Generator().manual_seed(derive_seed(evidence.seed, "mitigation", sent))
        read = readable(transmit(logits, sent, evidence.multilabel, generator), sent).double().numpy()
        varies = images.unexplained > 0
        leak = float(explained_by_image(left_out(read, first.predicted), images).sum()) if varies else 0.0
        found.append(Left(sent, leak))
        done()
    return tuple(found)
