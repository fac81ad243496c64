"""What a study says of every claim: a page for readers, and numbers for who makes the study again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite, isnan, nan
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vicious.claims import Claim, claims
from vicious.claims.finding import Finding
from vicious.results.schema import SUMMARY, read_table
from vicious.study import paths
from vicious.study.config import Params, ScaleName
from vicious.study.grid import EXPERIMENTS, Experiment, cells
from vicious.system.errors import ConfigError, DataError, MixedResultsError
from vicious.system.files import write_json, write_text
from vicious.system.typed_json import UntypedError, read_typed
from vicious.workflow.budget import CPU, budget, total

ANSWERS = {True: "supported", False: "contradicted", None: "not decided"}
"""What a measured number says of a claim, in words."""
_MOST_DECIMALS = 6
"""As many as the file of published values has."""
Findings = dict[str, list[Finding]]
"""By the claim's name."""
_Number = Annotated[float, Field(allow_inf_nan=False)] | None


class _Published(BaseModel):
    """A finding in the file of published values; None stands for NaN."""

    model_config = ConfigDict(extra="forbid")

    name: str
    what: str
    unit: str
    value: _Number
    low: _Number
    high: _Number
    models: int


class Published(BaseModel):
    """The file of published values, which stands beside the page."""

    model_config = ConfigDict(extra="forbid")

    scale: ScaleName
    datasets: list[str]
    source: str
    claims: dict[str, list[_Published]]

    def findings(self, claim: str) -> list[Finding]:
        """Those of one claim."""
        return [
            Finding(one.name, one.what, one.unit, _nan(one.value), _nan(one.low), _nan(one.high), one.models)
            for one in self.claims.get(claim, [])
        ]


def _nan(value: float | None) -> float:
    return nan if value is None else value


def measured(params: Params) -> Findings:
    """What the summaries of a configuration's scale say of every claim.

    Raises:
        ConfigError: there are none.
    """
    summaries = paths.summaries(params.scale)
    found = {name: claim.measured(summaries) for name, claim in claims().items()}
    if not any(found.values()):
        raise ConfigError(
            f"{summaries} holds nothing that a claim is measured on: run `snakemake --cores 2 --config "
            f"scale={params.scale}` first, or choose another scale"
        )
    return found


def source_of(params: Params) -> str:
    """Where the images of a study's summaries are from; raises MixedResultsError where some are drawn and some not."""
    files = [file for name in EXPERIMENTS if (file := paths.summary(params.scale, name)).is_file()]
    found = sorted({str(source) for file in files for source in read_table(SUMMARY, file)["source"]})
    if len(found) > 1:
        raise MixedResultsError(
            f"{paths.summaries(params.scale)} mixes {' and '.join(found)} data: run `snakemake` again"
        )
    return found[0] if found else params.study.source


def verdict(claim: Claim, found: Sequence[Finding]) -> str:
    """Whether findings support a claim, in words."""
    if not found:
        return "not measured"
    answers = [claim.supported(one) for one in found]
    counts = {words: answers.count(answer) for answer, words in ANSWERS.items() if answer in answers}
    if len(counts) == 1:
        (words,) = counts
        return words
    return ", ".join(f"{words} in {count}" for words, count in counts.items()) + f" of {len(found)} cases"


def page(params: Params, found: Findings) -> str:
    """The page, in Markdown."""
    every, source = claims(), source_of(params)
    data = "official data" if source == "official" else "synthetic stand-ins, not real data"
    lines = [
        "# What is claimed, and what was measured",
        "",
        f"Made by `vicious claims --out` from the summaries of the scale {params.scale}, which uses {data}. Intervals "
        "are of 95%, with models as units. A claim is supported where the whole interval says so, as stated below it, "
        "and contradicted where the whole interval says the opposite. Else it is not decided: the interval is too wide "
        "or, with one model of each kind, there is none.",
        "",
        "| claim | by | verdict |",
        "| --- | --- | --- |",
        *(_line(claim, found[name]) for name, claim in every.items()),
        "",
        f"`vicious reproduce CLAIM` makes again what one claim is measured on, at the scale {params.scale} and on the "
        f"same {len(params.datasets)} datasets, and compares each value with the one below. `--config` takes the "
        "options of `snakemake --config`: where the data lie, which files are accepted, or `datasets=[mnist]` for "
        "less. Give what the study was made with: other files are other images. In a clone, first remove "
        "the results that it holds; the command says how. Seeds fix what is trained, but another processor or library "
        "may round otherwise. In the one comparison that was made, of two processors (results.md), values changed less "
        "than from seed to seed. So a value may differ by the tolerance: half of the interval's width, times the "
        "square root of 2, since both vary. If values are normally distributed, about 95 of 100 lie within.",
    ]
    for name, claim in every.items():
        lines += ["", f"## {name}", "", *_section(params, claim, found[name])]
    return "\n".join(lines) + "\n"


def _line(claim: Claim, found: list[Finding]) -> str:
    return f"| [{claim.words}](#{claim.name}) | {claim.source} | {verdict(claim, found)} |"


def _section(params: Params, claim: Claim, found: list[Finding]) -> list[str]:
    lines = [
        f"{claim.words}.",
        "",
        f"- Claimed by: {claim.source}.",
        f"- {claim.measured_as}",
        f"- Supported where the whole interval lies {side(claim)}.",
    ]
    lines += [f"- Verdict: **{verdict(claim, found)}**."]
    if not found:
        return [*lines, f"- The experiment `{claim.experiment}` has no such case here, or was not built."]
    lines += [f"- To make it again: `vicious reproduce {claim.name}`, {time(params, claim.experiment)}.", ""]
    lines += ["| case | measured | tolerance | models | verdict |", "| --- | ---: | ---: | ---: | --- |"]
    for one in found:
        cells = (
            one.what,
            interval(one, claim.limit),
            number(one.tolerance),
            str(one.models),
            ANSWERS[claim.supported(one)],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def side(claim: Claim) -> str:
    """Where the whole interval of a number has to lie to support a claim, in words."""
    return f"{'above' if claim.above else 'below'} {claim.limit:g}"


def time(params: Params, experiment: Experiment) -> str:
    """How long it takes to make an experiment again, in words."""
    if not cells(params, experiment):
        return "an experiment that this configuration leaves out"
    hours = total(budget(params, experiments=[experiment]).values()).hours(CPU)
    minutes = max(1, round(60 * hours))
    words = f"{hours:.1f} hours" if hours >= 1 else f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{words} on 2 CPU cores by the budget, if nothing is there"


def interval(one: Finding, limit: float = nan) -> str:
    """A finding's value with its interval and unit, for readers; ``limit`` as for :func:`number`."""
    if isnan(one.value):
        return "failed"
    ends = f" [{number(one.low, limit)}, {number(one.high, limit)}]" if one.known else ""
    return f"{number(one.value, limit)}{ends}{' ' if one.unit else ''}{one.unit}"


def number(value: float, limit: float = nan, decimals: int = 3) -> str:
    """A number for readers; an en dash for NaN. It has more decimals, up to six, where it would else look like a limit
    that it is not."""
    if not isfinite(value):
        return "–"
    while decimals < _MOST_DECIMALS and value != limit and round(value, decimals) == round(limit, decimals):
        decimals += 1
    return f"{value:.{decimals}f}"


def write(params: Params, found: Findings, out: Path) -> tuple[Path, Path]:
    """Write the page, and beside it, as .json, the published values."""
    if out.suffix != ".md":
        raise ConfigError(f"--out {out}: give a name that ends in .md; the values stand beside it as .json")
    values = {name: [_finite(one) for one in findings] for name, findings in found.items() if findings}
    data = out.with_suffix(".json")
    write_text(out, page(params, found))
    of = {"scale": params.scale, "datasets": list(params.datasets), "source": source_of(params)}
    write_json(data, of | {"claims": values})
    return out, data


def _finite(one: Finding) -> Mapping[str, object]:
    numbers = {"value": one.value, "low": one.low, "high": one.high}
    return asdict(one) | {key: round(number, 6) if isfinite(number) else None for key, number in numbers.items()}


def read_published(file: Path) -> Published:
    """Read the published values; raises DataError where the file is missing or damaged."""
    try:
        return read_typed(file, Published)
    except UntypedError as error:
        raise DataError(
            f"{error}: --published names another file, and `vicious claims --out` writes one from a study's summaries"
        ) from None
