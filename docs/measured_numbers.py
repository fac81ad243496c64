"""Writes the tables of README and docs that hold measured numbers, from the published results.

A block of a page between ``<!-- numbers: NAME -->`` and ``<!-- end -->`` is what the function NAME here makes.
``make numbers`` writes all blocks anew, and a test compares them with the results.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite, isnan
from pathlib import Path
from typing import Any

import pandas as pd

from vicious.claims import claims as all_claims
from vicious.claims.finding import Finding
from vicious.claims.page import number, read_published, time, verdict
from vicious.data.datasets import dataset_names
from vicious.results.schema import BEST
from vicious.study.config import load_params
from vicious.webpage import words

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/results.md", "docs/audit.md", "docs/defense.md")
TABLES = Path("paper_figures/pilot")
BLOCK = re.compile(r"(<!-- numbers: (\w+) -->\n).*?(<!-- end -->)", re.S)
SHOWN = 3
"""Cases of a claim that its line names; of more it says how many there are."""
_ROLES = ("honest", "vicious")
_MEASURES = {
    **{"accuracy": ("accuracy (%)", 2), "psnr": ("PSNR (dB)", 2), "ssim": ("SSIM", 3)},
    **{"top1": ("identified (%)", 1), "risk": ("R", 3), "risk95": ("R95", 3)},
}
"""Headings and decimals."""


def claims(root: Path) -> list[str]:
    """A line for each claim: what was measured, the verdict, and the command that measures it again."""
    published = read_published(root / "docs/claims.json")
    measured = {one.name.partition("/")[0] for name in all_claims() for one in published.findings(name)}
    datasets = ",".join(name for name in dataset_names() if name in measured)
    params = load_params(root / "params.yaml", ["scale=pilot", f"datasets=[{datasets}]"])
    lines = []
    for name, claim in all_claims().items():
        found = published.findings(name)
        if found:
            cells = (claim.words, _measured(found, claim.limit), verdict(claim, found), f"`vicious reproduce {name}`")
            lines.append((*cells, time(params, claim.experiment).partition(" on ")[0]))
        else:
            lines.append((claim.words, "–", "not measured yet", "", ""))
    return _table(
        ("claim", "measured", "verdict", "make it again", "time"), sorted(lines, key=lambda line: line[3] == "")
    )


def _measured(found: Sequence[Finding], limit: float) -> str:
    if len(found) > SHOWN:
        return f"{len(found)} cases, see [claims](docs/claims.md)"
    return "; ".join(
        f"{one.what.replace(', logits', '').replace('beta_R = 1', '').strip(', ')}: {_span(one, limit)}"
        for one in found
    )


def _span(one: Finding, limit: float) -> str:
    unit = f" {one.unit}" if one.unit else ""
    if isnan(one.value):
        return "failed"
    decimals = {"": 3, "points": 1}.get(one.unit, 2)
    value, low, high = (number(end, limit, decimals) for end in (one.value, one.low, one.high))
    sign = "+" if one.value > 0 else ""
    return f"{sign}{value} [{low}, {high}]{unit}" if one.known else f"{sign}{value}{unit}"


def models(root: Path) -> list[str]:
    """Accuracy of each model, and what the best attack reads from it: mean ± standard deviation over seeds."""
    rows = _main(root)
    lines = [
        (row["title"], row["outputs"], row["role"], *(_spread(row, name) for name in _MEASURES), str(int(row["seeds"])))
        for row in rows
    ]
    return _table(("dataset", "outputs", "model", *(head for head, _ in _MEASURES.values()), "seeds"), lines, text=3)


def differences(root: Path) -> list[str]:
    """What vicious models have more of each measure than honest ones, with its interval."""
    rows = [row for row in _main(root) if row["role"] == "vicious"]
    lines = [(row["title"], row["outputs"], *(_difference(row, name) for name in _MEASURES)) for row in rows]
    return _table(("dataset", "outputs", *(head for head, _ in _MEASURES.values())), lines, text=2)


def attacks(root: Path) -> list[str]:
    """What each attack reads from the same models: PSNR and identified images."""
    frame = _pilot(root, "attack_models_table")
    lines = []
    for (title, outputs, attack), rows in frame.groupby(["title", "outputs", "attack"], sort=False):
        by_role = {row["role"]: row for row in rows.to_dict("records")}
        cells = [
            _spread(by_role[role], measure) if role in by_role else "–"
            for measure in ("psnr", "top1")
            for role in _ROLES
        ]
        name = words.attack(str(attack))
        lines.append((str(title), str(outputs), f"**{name}**" if attack == BEST else name, *cells))
    heads = [f"{_MEASURES[measure][0]}, {role}" for measure in ("psnr", "top1") for role in _ROLES]
    return _table(("dataset", "outputs", "attack", *heads), lines, text=3)


def estimators(root: Path) -> list[str]:
    """R under some estimators, of the best attack on honest and vicious models; and how often it orders two
    reconstructions of an image as SSIM does."""
    frame = _pilot(root, "estimators_table")
    shown = frame.loc[(frame["outputs"] == "logits") & frame["role"].isin(_ROLES)]
    titles = list(dict.fromkeys(shown["title"]))
    lines = []
    for estimator, named in _ESTIMATORS.items():
        cells = []
        for title in titles:
            rows = shown.loc[(shown["title"] == title) & (shown["estimator"] == estimator)].set_index("role")
            for row in (rows.loc[role] for role in _ROLES):
                cells.append(f"{row['risk_mean']:.3f} ± {row['risk_sd']:.3f}{_lost(row, 'risk_n')}")
            cells.append(f"{rows.loc['honest', 'agree_ssim']:.2f}")
        lines.append((named, *cells))
    heads = [f"{title}, {head}" for title in titles for head in (*_ROLES, "as SSIM")]
    return _table(("R under", *heads), lines, text=1)


_ESTIMATORS = {
    "truncated 2.2e-16": "float64 pseudo-inverse",
    "ledoit_wolf": "Ledoit-Wolf",
    "ridge 0.01": "ridge, 0.01 of the mean variance",
    "truncated 1.2e-07": "published",
    "share 0.99": "99% of the variance",
    "share 0.95": "95% of the variance (R95)",
    "share 0.9": "90% of the variance",
    "share 0.8": "80% of the variance",
    "identity": "no whitening",
}
"""Estimators by their names in results, and for readers."""


def membership(root: Path) -> list[str]:
    """Whether the loss tells training images from test images."""
    frame = _pilot(root, "membership_table")
    lines = []
    for row in frame.to_dict("records"):
        auc, low, high, more = (row[name] for name in ("auc_mean", "auc_low", "auc_high", "difference_mean"))
        against = f"{more:+.3f} [{row['difference_low']:.3f}, {row['difference_high']:.3f}]" if isfinite(more) else "–"
        cells = (
            f"{auc:.3f} [{low:.3f}, {high:.3f}]{_lost(row, 'auc_n')}",
            against,
            f"{row['advantage_mean']:.3f}",
            str(int(row["seeds"])),
        )
        lines.append((row["title"], row["role"], *cells))
    return _table(("dataset", "model", "AUC", "vicious minus honest", "largest advantage", "seeds"), lines, text=2)


def verdicts(root: Path) -> list[str]:
    """How often an audit is right, as benchmarks/verdicts.py measured it; and its wrong answers with most images."""
    measured = _verdicts(root)
    lines = [list(map(str, row)) for row in measured["rows"]]
    images, wrong = max(measured["facts"]["wrong"].items(), key=lambda one: int(one[0]))
    said = [f"- {one}" for one in wrong] or ["- none"]
    return [*_table(measured["head"], lines, text=1), "", f"Wrong with {images} images:", "", *said]


def separated(root: Path) -> list[str]:
    """How well each number of an audit tells vicious from honest classifiers that the study does not know."""
    head, lines = _verdicts(root)["facts"]["separated"]
    return _table(head, lines, text=1)


def weak(root: Path) -> list[str]:
    """Audits of honest classifiers that learnt little, as benchmarks/verdicts.py --weak measured them."""
    measured = _benchmark(root, "weak_verdicts")
    return _table(measured["head"], [list(map(str, row)) for row in measured["rows"]], text=2)


def evading(root: Path) -> list[str]:
    """What it costs servers that know the recommended rule to pass it, as benchmarks/evading.py measured it."""
    measured = _benchmark(root, "evading")
    return _table(measured["head"], [list(map(str, row)) for row in measured["rows"]], text=2)


def detection(root: Path) -> list[str]:
    """AUROC of each detector over the pilot's models, by dataset and number of images."""
    frame = _pilot(root, "detection_table")
    frame = frame.loc[frame["server"] == "vicious"]
    at = [*frame[["title", "n_user"]].drop_duplicates().itertuples(index=False, name=None)]
    lines = []
    for detector, rows in frame.groupby("detector", sort=False):
        cells = {(row["title"], row["n_user"]): row for row in rows.to_dict("records")}
        lines.append((str(detector).replace("_", " "), *(_auroc(cells[one]) if one in cells else "–" for one in at)))
    return _table(("detector", *(f"{title}, n = {number:,}" for title, number in at)), lines, text=1)


def _auroc(row: Mapping[Any, Any]) -> str:
    if not isfinite(row["auroc"]):
        return "–"
    ends = f" [{row['auroc_low']:.2f}, {row['auroc_high']:.2f}]" if isfinite(row["auroc_low"]) else ""
    return f"{row['auroc']:.2f}{ends}"


def adaptive(root: Path) -> list[str]:
    """Servers that know of detectors: what they keep, and the share of their verdicts that is flagged."""
    frame = _pilot(root, "adaptive_table")
    frame = frame.loc[frame["n_user"] == FLAGGED_AT]
    lines = []
    for (title, name), rows in frame.groupby(["title", "server"], sort=False):
        flagged = rows.set_index("detector")["flagged"]
        first = rows.iloc[0]
        gain = "–" if name == "honest" else f"{first['gain_mean']:+.2f}"
        shares = [f"{flagged[one]:.0f}" if one in flagged and isfinite(flagged[one]) else "–" for one in FLAGGING]
        cells = (f"{first['accuracy_mean']:.1f}", gain, f"{first['top1_mean']:.1f}", *shares)
        lines.append((str(title), str(name).removeprefix("vicious, "), f"{first['models']:.0f}", *cells))
    heads = ("dataset", "server", "models", "accuracy (%)", "gain (dB)", "identified (%)")
    return _table((*heads, *(f"{one.replace('_', ' ')} (%)" for one in FLAGGING)), lines, text=2)


FLAGGED_AT = 200
"""Images of the verdicts that the table of adaptive servers shows."""
FLAGGING = ("linear_decodability", "gap_decodability", "kernel_decodability", "own_decoder", "distance_correlation")


def _pilot(root: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(root / TABLES / f"{name}.csv", keep_default_na=False, na_values=[""])


def _verdicts(root: Path) -> Any:
    return _benchmark(root, "verdicts")


def _benchmark(root: Path, name: str) -> Any:
    return json.loads((root / f"benchmarks/measured/{name}.json").read_text(encoding="utf-8"))


def _main(root: Path) -> Sequence[Mapping[Any, Any]]:
    """The rows of table 1 of the best attack on honest and vicious models."""
    frame = _pilot(root, "main_table")
    return frame.loc[(frame["attack"] == "best") & frame["role"].isin(_ROLES)].to_dict("records")


def _spread(row: Mapping[Any, Any], name: str) -> str:
    decimals = _MEASURES[name][1]
    mean, sd = row[f"{name}_mean"], row[f"{name}_sd"]
    if not isfinite(mean):
        return "failed"
    spread = f" ± {sd:.{decimals}f}" if isfinite(sd) else ""
    return f"{mean:.{decimals}f}{spread}{_lost(row, name + '_n')}"


def _lost(row: Mapping[Any, Any], counted: str) -> str:
    """How many of the seeds planned a number lacks; "" for none."""
    lost = int(row["seeds"] - row[counted])
    return f" ({lost}/{int(row['seeds'])} failed)" if lost else ""


def _difference(row: Mapping[Any, Any], name: str) -> str:
    decimals = _MEASURES[name][1]
    value, low, high = (row[f"{name}_{end}"] for end in ("difference", "low", "high"))
    if not isfinite(value):
        return "failed"
    span = f" [{low:.{decimals}f}, {high:.{decimals}f}]" if isfinite(low) else ""
    return f"{value:+.{decimals}f}{span}{_lost(row, name + '_difference_n')}"


def _table(head: Sequence[str], lines: Iterable[Sequence[str]], text: int | None = None) -> list[str]:
    """A Markdown table whose first ``text`` columns are flush left, the others right; None: all flush left."""
    rule = ["---" if text is None or place < text else "---:" for place in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *lines)]


NUMBERS: dict[str, Callable[[Path], list[str]]] = {
    one.__name__: one
    for one in (
        *(claims, models, differences, attacks, estimators, membership),
        *(verdicts, weak, separated, evading, detection, adaptive),
    )
}


def renewed(page: str, root: Path = ROOT) -> str:
    """A page's text with all its blocks made anew."""
    return BLOCK.sub(lambda found: f"{found[1]}{chr(10).join(NUMBERS[found[2]](root))}\n{found[3]}", page)


if __name__ == "__main__":
    for name in PAGES:
        file = ROOT / name
        file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(0)
