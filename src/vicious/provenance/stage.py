"""What a stage of dvc.yaml runs: it deletes what is stale of its results, and has Snakemake make that again.

DVC hands the command of a stage to a shell, with the values of params.yaml in place of ``${...}``, before anybody
checked them. So no command there holds one: DVC gives the stage's name in the variable DVC_STAGE, and all else is read
here, and checked first.
"""

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from vicious.provenance.discard import discard
from vicious.study import paths
from vicious.study.config import PARAMS_FILE, Params
from vicious.system.errors import ConfigError, ProvenanceError
from vicious.system.progress import QUIET, progress_hidden, tell
from vicious.system.registry import nearest


@dataclass(frozen=True)
class DvcStage:
    """A stage of dvc.yaml.

    Attributes:
        places: folders of its results.
        target: what Snakemake is asked for.
    """

    places: tuple[Path, ...]
    target: str


def stages(params: Params) -> dict[str, DvcStage]:
    """The stages of a configuration, by the names that DVC gives them."""
    scale = params.scale
    found: dict[str, DvcStage] = {}
    for dataset in params.datasets:
        places = {
            "data": (paths.source_record(scale, dataset).parent, paths.prepared(scale, dataset)),
            "models": (paths.results(scale) / "models" / dataset,),
            "assessments": (paths.results(scale) / "assessments" / dataset,),
        }
        found |= {f"{kind}@{dataset}": DvcStage(one, f"{kind}_{dataset}") for kind, one in places.items()}
    found["summaries"] = DvcStage((paths.summaries(scale),), "results")
    found["figures"] = DvcStage((paths.figures(scale),), "all")
    return found


def build_stage(name: str, params: Params, configuration: Path = PARAMS_FILE) -> None:
    """Delete what is stale of a stage's results, then become the Snakemake that makes them. Does not return.

    Args:
        name: as DVC calls it; from another folder it calls a stage ``../dvc.yaml:models@mnist``.
        params: what is asked for, and the scale.
        configuration: the file that ``params`` came from, for messages.

    Raises:
        ConfigError: there is no such stage.
        ProvenanceError: Snakemake is not installed.
    """
    short, known = name.rpartition(":")[2], stages(params)
    if short not in known:
        raise ConfigError(f"{short!r} is no stage of this configuration{nearest(short, known)}")
    if importlib.util.find_spec("snakemake") is None:
        raise ProvenanceError("Snakemake is not installed: `make env` installs it; then run this again")
    for one in discard(known[short].places, params, configuration):
        tell(str(one))
    quiet = QUIET if progress_hidden() else []
    command = [sys.executable, "-P", "-m", "snakemake", *quiet, "--cores", "all", "--", known[short].target]
    os.execv(sys.executable, command)  # so that what ends this stage ends Snakemake, as it is used to
