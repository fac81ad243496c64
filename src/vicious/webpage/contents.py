"""What is on the page, gathered from what is built of a scale."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from vicious.claims import Claim, claims
from vicious.claims.finding import Finding
from vicious.claims.page import source_of
from vicious.provenance.records import Record, read_record
from vicious.provenance.status import failed
from vicious.report.show import pages, read_page
from vicious.study import grid, paths
from vicious.study.artifacts import Artifact, known
from vicious.study.config import Params
from vicious.study.plan import Plan
from vicious.webpage import gallery, models, pictures, prose


@dataclass(frozen=True)
class Picture:
    """A figure's picture: its address, and its size in pixels."""

    address: str
    width: int
    height: int


@dataclass(frozen=True)
class Part:
    """One page of a table or figure.

    Attributes:
        text: caption, table and notes as HTML.
        plain: the caption's first words, in place of a picture that is not seen.
        picture: of a figure; None for a table.
    """

    text: Markup
    plain: str
    picture: Picture | None


@dataclass(frozen=True)
class Item:
    """A table or figure.

    Attributes:
        artifact: which.
        parts: empty where it is not built.
        record: of its provenance; the reason where it cannot be read.
    """

    artifact: Artifact
    parts: Sequence[Part]
    record: Record | str


@dataclass(frozen=True)
class Claimed:
    """A claim, and what was measured of it."""

    claim: Claim
    found: Sequence[Finding]


@dataclass(frozen=True)
class Contents:
    """What is on the page.

    Attributes:
        scale: of the study.
        source: where its images are from: ``official`` or ``synthetic``.
        failures: what has no result, and why; each once.
        done, jobs: how many jobs there are results of, failed ones too; and how many there are.
        claimed: empty where nothing that a claim is measured on is built.
        galleries: groups of cards, each with the same original images.
        rows: of all models.
        items: tables and figures by experiment.
        left_out: tables and figures that this configuration does not have.
    """

    scale: str
    source: str
    failures: Sequence[str]
    done: int
    jobs: int
    claimed: Sequence[Claimed]
    galleries: Sequence[Sequence[gallery.Card]]
    rows: Sequence[models.Row]
    items: dict[grid.Experiment, list[Item]]
    left_out: Sequence[Artifact]

    @property
    def commits(self) -> list[str]:
        """The commits whose code made tables and figures; marked where it had changes that were not committed."""
        found = [item.record.code for item in self.built() if isinstance(item.record, Record)]
        return sorted({f"{code.commit[:10]}{' with changes' if code.dirty else ''}" for code in found if code.commit})

    def built(self) -> Iterator[Item]:
        """Tables and figures that are there."""
        return (item for items in self.items.values() for item in items if item.parts)


def gather(params: Params) -> Contents:
    """All that is built of a configuration's scale, in this folder.

    Raises:
        DataError, MixedResultsError: a file is damaged.
    """
    plan, summaries = Plan(params), paths.summaries(params.scale)
    measured = [Claimed(claim, claim.measured(summaries)) for claim in claims().values()]
    items: dict[grid.Experiment, list[Item]] = {}
    for artifact in known().values():
        if artifact.name in plan.rules:
            items.setdefault(artifact.experiment, []).append(_item(artifact, params.scale))
    rows = models.rows(params.scale)
    return Contents(
        params.scale,
        source_of(params),
        _failures(plan, rows),
        sum(all(Path(file).is_file() for file in one.outputs) for one in plan.steps),
        len(plan.steps),
        measured if any(one.found for one in measured) else [],
        gallery.groups(params),
        rows,
        {name: items[name] for name in grid.EXPERIMENTS if name in items},
        [artifact for artifact in known().values() if artifact.name not in plan.rules],
    )


def _failures(plan: Plan, rows: Sequence[models.Row]) -> list[str]:
    """What summaries say that failed; and jobs that say so themselves, of which these do not tell, or are not there."""
    summed = [f"{row.attack}: {line}" for row in rows for line in row.failures]
    alone = [one for one in plan.steps if not (summed and one.step.command() in _SUMMED)]
    return list(dict.fromkeys([*summed, *(f"{file}: {reason}" for one in alone for file, reason in failed(one))]))


_SUMMED = ("train-honest", "train-vicious", "train-attack", "assess-risk", "choose-best")
"""Commands whose failures stand in summaries, by model and attack."""


def _item(artifact: Artifact, scale: str) -> Item:
    parts = []
    for page in pages(artifact, scale):
        text, picture = read_page(page), page.with_suffix(".png")
        shown = Picture(*pictures.figure(picture)) if picture.is_file() else None
        parts.append(Part(prose.html(text), prose.plain(text.partition("\n")[0]), shown))
    return Item(artifact, parts, read_record(paths.figures(scale) / f"{artifact.name}.json"))
