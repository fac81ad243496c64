"""Every detector of the study, in the order of its tables."""

from vicious.defense.calibration import CALIBRATION
from vicious.defense.detector import Detector
from vicious.defense.distance_correlation import DISTANCE_CORRELATION
from vicious.defense.effective_rank import EFFECTIVE_RANK
from vicious.defense.entropy import ENTROPY
from vicious.defense.finetuning import FINETUNING
from vicious.defense.gap_decodability import GAP_DECODABILITY
from vicious.defense.gradient_norm import GRADIENT_NORM
from vicious.defense.jacobian_spectrum import JACOBIAN_SPECTRUM
from vicious.defense.linear_decodability import LINEAR_DECODABILITY
from vicious.defense.margin import MARGIN
from vicious.defense.own_decoder import OWN_DECODER
from vicious.defense.within_class_scatter import WITHIN_CLASS_SCATTER

DETECTORS: tuple[Detector, ...] = (
    LINEAR_DECODABILITY,
    GAP_DECODABILITY,
    OWN_DECODER,
    DISTANCE_CORRELATION,
    WITHIN_CLASS_SCATTER,
    EFFECTIVE_RANK,
    ENTROPY,
    MARGIN,
    CALIBRATION,
    JACOBIAN_SPECTRUM,
    GRADIENT_NORM,
    FINETUNING,
)
BY_NAME = {detector.name: detector for detector in DETECTORS}
