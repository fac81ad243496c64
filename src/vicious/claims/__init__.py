"""What the paper and this project claim, each in a file of its own, and what a study measured of it.

A claim is registered by being there: a file in statements/. The first line of its docstring is the claim, the rest how
it is measured. It also has

- ``SOURCE``, who claims it: a name out of :data:`SOURCES`;
- ``EXPERIMENT``, whose results it is measured on;
- ``READS``, names of CSVs in ``results/<scale>/summaries``, each with its :class:`~vicious.results.schema.Table`;
- ``findings(tables)``, a :class:`~vicious.claims.finding.Finding` for each case, from these CSVs by name;
- ``ABOVE`` or ``BELOW``, a limit: a finding whose whole interval lies on that side supports the claim, one whose whole
  interval lies on the other side speaks against it. Where neither is so, the interval is too wide to decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from vicious.claims.finding import Finding
from vicious.results.schema import read_table
from vicious.study.grid import Experiment
from vicious.system import registry
from vicious.system.errors import ConfigError

PACKAGE = "vicious.claims.statements"
SOURCES = {"paper": "the paper's abstract, in our words", "project": "this project"}


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        name: of its file.
        words: what is claimed.
        measured_as: how it is measured, in words.
        source: who claims it.
        experiment: whose results it is measured on.
        limit: what the whole interval of a finding has to lie beyond to support it.
        above: whether it has to lie above the limit; else below.
    """

    name: str
    words: str
    measured_as: str
    source: str
    experiment: Experiment
    limit: float
    above: bool
    _file: ModuleType

    def measured(self, summaries: Path) -> list[Finding]:
        """What a study found of it; empty where it has no such experiment.

        Raises:
            DataError, MixedResultsError: a CSV is damaged.
        """
        files = {name: summaries / name for name in self._file.READS}
        if not all(file.is_file() for file in files.values()):
            return []
        tables = {name: read_table(self._file.READS[name], file) for name, file in files.items()}
        found: Sequence[Finding] = self._file.findings(tables)
        return list(found)

    def supported(self, finding: Finding) -> bool | None:
        """Whether a finding supports it, or speaks against it; None where its interval is too wide, or there is none
        over models."""
        if not finding.known or finding.low <= self.limit <= finding.high:
            return None
        return (finding.low > self.limit) == self.above


def claims() -> dict[str, Claim]:
    """Every claim by its name: those of the paper, then those of this project."""
    found = {name: _read(name) for name in registry.names(PACKAGE)}
    return dict(sorted(found.items(), key=lambda item: (list(SOURCES.values()).index(item[1].source), item[0])))


def find_claim(name: str) -> Claim:
    """The claim of a name; raises ConfigError where there is none, with the nearest name."""
    known = claims()
    if name not in known:
        raise ConfigError(f"no claim is called {name!r}{registry.nearest(name, known)}: `vicious claims` lists all")
    return known[name]


def _read(name: str) -> Claim:
    file = registry.find(PACKAGE, name, "SOURCE", "EXPERIMENT", "READS", "findings")
    words, _, how = (" ".join(part.split()) for part in (file.__doc__ or "").partition("\n\n"))
    above = hasattr(file, "ABOVE")
    if above == hasattr(file, "BELOW"):
        raise ConfigError(f"{PACKAGE.replace('.', '/')}/{name}.py must define one of ABOVE and BELOW")
    limit = file.ABOVE if above else file.BELOW
    return Claim(name, words.rstrip("."), how, SOURCES[file.SOURCE], file.EXPERIMENT, limit, above, file)
