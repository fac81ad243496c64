"""How often R orders reconstructions as PSNR and SSIM do, under every estimator of the covariance."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vicious.report import frames, style
from vicious.report.estimators import REFERENCES, settings, title_of
from vicious.report.frames import PUBLISHED
from vicious.report.style import SMALL
from vicious.report.text import Text, span
from vicious.results.schema import AGREEMENT, ATTACK_OF, SUMMARY, check_table, read_table
from vicious.study.artifacts import Destination

EXPERIMENT = "main"
_HEADLINE = {PUBLISHED: " (published)", "share 0.95": ""}  # estimators in bold, and what follows their name
_TITLES = {"psnr": "PSNR", "ssim": "SSIM", "lpips": "LPIPS"}
_CHANCE = 0.5


@style.applied()
def draw(agreement: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw how far each estimator, a line, agrees with each reference, a panel, by task; from rows of agreement.csv."""
    check_table(SUMMARY, summary)
    check_table(AGREEMENT, agreement)
    source = frames.sources(summary)
    found = settings(agreement)
    references = _references(agreement)
    paired = set(agreement.loc[agreement["pairs"] > 0, "task"])
    tasks = [task for task in source if task in paired]
    shown = agreement.loc[agreement["task"].isin(paired)]
    reach = max(0.1, float((shown["agree"] - _CHANCE).abs().max())) if len(shown) else 0.1
    failed = [*_without(agreement, source), *frames.failed_seeds(frames.groups(summary, ATTACK_OF))]
    height = 1.5 + 0.152 * max(len(found), 3)
    around: dict[str, Any] = {"failed": failed, "titles": [style.once(source)]}
    with style.page(1, len(references), height, sharey=True, **around) as (figure, ((*axes,),)):
        for ax, reference in zip(axes, references, strict=True):
            _draw(ax, shown.loc[shown["reference"] == reference], list(found["estimator"]), tasks, reach)
            ax.set_title(f"pairs ordered as {_TITLES.get(reference, reference)} does (share)", pad=4)
            ax.set_xticks(np.arange(len(tasks)) + 0.5, [style.short_heading(t, source) for t in tasks], rotation=90)
        names = [_name(*row) + _HEADLINE.get(row[0], "") for row in found.itertuples(index=False, name=None)]
        axes[0].set_yticks(np.arange(len(found)) + 0.5, names)
        for label, estimator in zip(axes[0].get_yticklabels(), found["estimator"], strict=True):
            label.set_fontweight("bold" if estimator in _HEADLINE else "normal")
    return figure


def text(agreement: pd.DataFrame, summary: pd.DataFrame) -> Text:
    groups = frames.groups(summary, ATTACK_OF)
    counts = agreement.loc[agreement["models"] > 0].drop_duplicates("task")
    references = ", ".join(_TITLES.get(reference, reference) for reference in _references(agreement))
    attacks = "; ".join(
        f"{_counted(row['pairs'], 'pair')} of {_counted(row['models'], 'attack')} ({frames.title(row['task'])})"
        for row in counts.to_dict("records")
    )
    pairs = sorted({int(pairs) for pairs in counts["pairs"]}) or [0]
    return Text(
        "Which R to trust: how often R orders two reconstructions of one test image as a measure of image quality does "
        f"(left to right: {references}), for each estimator of the covariance's inverse, in [0, 1]; 0.5 is chance. "
        f"{_counted(span(pairs), 'pair')} of attacks of each dataset.",
        (
            "Ties count half. Pairs are of the original study's attacks on the same task and seed. Below 0.5 R calls "
            "the worse reconstruction the riskier one more often than not.",
            "Kept are the fewest leading components with so much of the variance, or those whose eigenvalue is larger "
            "than so much times d, the number of pixels, times the largest. A ridge is added to every eigenvalue, as a "
            f"multiple of their mean. Bold: the published R and R95.{frames.risk_elsewhere(summary)}",
            f"Attacks over all seeds: {attacks or 'none'}.",
            frames.conditions(summary, risk=True, found=groups),
        ),
        [*frames.failures(groups), *_without(agreement, frames.sources(summary))],
    )


def write(agreement: Path, summary: Path, out: Destination) -> tuple[Path, ...]:
    rows, found = read_table(SUMMARY, summary), read_table(AGREEMENT, agreement)
    return style.write_figure(out, draw(found, rows), text(found, rows))


def _counted(count: object, noun: str) -> str:
    number = f"{count:g}" if isinstance(count, int | float) else str(count)
    return f"{number} {noun}{'' if number == '1' else 's'}"


def _name(estimator: str, kind: str, parameter: float) -> str:
    """A line's name, longer than in tables."""
    names = {
        "share": f"{100 * parameter:g}% of variance kept" + (" (R95)" if parameter == 0.95 else ""),
        "truncated": f"eigenvalues > {parameter:g} d",
        "ridge": f"ridge of {parameter:g}",
    }
    return names.get(kind, title_of(estimator, kind, parameter))


def _references(agreement: pd.DataFrame) -> list[str]:
    return [*REFERENCES, *sorted(set(agreement["reference"]) - set(REFERENCES))]


def _draw(ax: Axes, agreement: pd.DataFrame, estimators: list[str], tasks: list[str], reach: float) -> None:
    """The heat map of one reference; colours are symmetric about chance, as far as ``reach``."""
    values = agreement.pivot_table("agree", "estimator", "task").reindex(index=estimators, columns=tasks)
    if values.notna().to_numpy().any():
        sns.heatmap(
            values,
            **{"vmin": _CHANCE - reach, "vmax": _CHANCE + reach, "cmap": "vlag_r", "cbar": False, "linewidths": 0.4},
            **{"annot": True, "fmt": ".2f", "annot_kws": {"fontsize": SMALL}, "ax": ax},
        )
    else:
        ax.set(xlim=(0, 1), ylim=(max(len(estimators), 1), 0))
        style.say(ax, "no pair of attacks")
    ax.set(xlabel="", ylabel="")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _without(agreement: pd.DataFrame, source: dict[str, str]) -> list[str]:
    paired = set(agreement.loc[agreement["pairs"] > 0, "task"])
    return [f"{frames.title(task)}: no pair of attacks" for task in source if task not in paired]
