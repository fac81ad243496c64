"""Names that params.yaml and the command line take. They load nothing, so that the command line answers, and a job starts, at once."""

from pathlib import Path
from typing import Literal, get_args

from vicious.data.catalog import CATALOG
from vicious.data.tasks import CELEBA_SETS

PARAMS_FILE = Path("params.yaml")

DatasetName = Literal["mnist", "fashion_mnist", "cifar10", "cifar100", "tiny_imagenet", "celeba"]
ScaleName = Literal["smoke", "demo", "pilot", "paper"]
DetectorName = Literal[
    "linear_decodability",
    "gap_decodability",
    "own_decoder",
    "distance_correlation",
    "within_class_scatter",
    "effective_rank",
    "entropy",
    "margin",
    "calibration",
    "jacobian_spectrum",
    "gradient_norm",
    "finetuning",
]
EvadedName = Literal["linear_decodability", "distance_correlation", "both"]
RecipeName = Literal["deeper", "wider", "longer", "plain", "smoothed", "decayed"]
AttributeSet = Literal["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "k10", "k15", "k20", "k30", "k40"]

assert get_args(DatasetName) == tuple(CATALOG)
assert get_args(AttributeSet) == tuple(CELEBA_SETS)
