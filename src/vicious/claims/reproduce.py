"""Making again what a claim is measured on, and comparing it with what was published."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vicious.claims import Claim
from vicious.claims.finding import Finding
from vicious.claims.page import Published, interval, number, source_of
from vicious.provenance.records import Record, read_records, records_below
from vicious.study import paths
from vicious.study.config import Params
from vicious.system.errors import ConfigError, ProvenanceError
from vicious.system.progress import QUIET, progress_hidden


@dataclass(frozen=True)
class Compared:
    """A published finding beside the same one of a study that was made again."""

    published: Finding
    found: Finding

    @property
    def agrees(self) -> bool | None:
        """Whether they differ by no more than the tolerance; None where that is not known."""
        tolerance = self.published.tolerance
        if tolerance != tolerance or self.found.value != self.found.value:
            return None
        return abs(self.found.value - self.published.value) <= tolerance

    def __str__(self) -> str:
        words = {True: "agrees", False: "differs", None: "cannot be compared"}[self.agrees]
        tolerance = number(self.published.tolerance)
        return (
            f"{words}: {self.found.what}: {interval(self.found)}, published {interval(self.published)}, tolerance "
            f"{tolerance}"
        )


def asked(changes: Sequence[str], published: Published) -> list[str]:
    """Settings for Snakemake: those given, and the scale and datasets of the published values where none are."""
    given = {change.partition("=")[0] for change in changes}
    known = {"scale": published.scale, "datasets": f"[{','.join(published.datasets)}]"}
    return [*(f"{key}={value}" for key, value in known.items() if key not in given), *changes]


def check(claim: Claim, params: Params, published: Published) -> None:
    """Refuse what cannot be compared before anything is made.

    Raises:
        ConfigError: the published values are of another scale, or there are none of this claim; or the configuration
            has no such experiment.
        ProvenanceError: the summaries that are here were not made here, so that nothing would be made again.
    """
    if published.scale != params.scale:
        raise ConfigError(
            f"the published values are of scale {published.scale}, this configuration has {params.scale}: add --config "
            f"scale={published.scale}"
        )
    if not published.findings(claim.name):
        raise ConfigError(f"no value of {claim.name} was published: `vicious claims` says what is measured")
    _check_made_here(params)


def _check_made_here(params: Params) -> None:
    """A clone has the published summaries. Compared with what was published they agree, and say nothing."""
    records = read_records(records_below(paths.summaries(params.scale)))
    read = sorted({file for one in records.values() if isinstance(one, Record) for file in one.inputs})
    absent = [file for file in read if not Path(file).is_file()]
    if absent:
        summaries, figures = paths.summaries(params.scale), paths.figures(params.scale)
        raise ProvenanceError(
            f"{len(absent)} of the {len(read)} files that {summaries} was made from, such as {absent[0]}, are not "
            "here. A clone holds the published summaries: to compare them with what was published would show "
            f"nothing. `rm -r {summaries} {figures}` removes them; then run this again, to make them. Afterwards "
            f"`git checkout {summaries} {figures}` brings the published ones back"
        )


def build(claim: Claim, changes: Sequence[str], cores: int) -> None:
    """Have Snakemake make what is missing of a claim's experiment.

    Raises:
        ProvenanceError: Snakemake is not installed, or ended with an error.
    """
    if importlib.util.find_spec("snakemake") is None:
        raise ProvenanceError("Snakemake is not installed: `make env` installs it; then run this again")
    config, quiet = ["--config", *changes] if changes else [], QUIET if progress_hidden() else []
    command = [sys.executable, "-P", "-m", "snakemake", *quiet, "--cores", str(cores), *config, "--", claim.experiment]
    if subprocess.run(command, check=False).returncode != 0:
        raise ProvenanceError("snakemake could not make the results: see its message above")


def compare(claim: Claim, params: Params, published: Published) -> list[Compared]:
    """Each published finding that this study has too, beside its own.

    Raises:
        ConfigError: they have none in common, or the images are of another source.
    """
    found = {one.name: one for one in claim.measured(paths.summaries(params.scale))}
    if found and source_of(params) != published.source:
        raise ConfigError(
            f"the published values are of {published.source} data, this study's of {source_of(params)} data: they "
            "cannot be compared"
        )
    both = [Compared(one, found[one.name]) for one in published.findings(claim.name) if one.name in found]
    if not both:
        raise ConfigError(
            f"this study has none of the published cases of {claim.name}: "
            f"{', '.join(one.name for one in published.findings(claim.name))}; choose other datasets"
        )
    return both
