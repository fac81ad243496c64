"""Table 1: accuracy, and what the post-hoc and the vicious attack reconstruct, for each dataset.

The data frame has a row for each dataset, outputs and beta_R, with mean, standard deviation and number of seeds in
columns of their own. The Markdown and LaTeX tables print it with a line for each model, and two baselines to read R by:
the mean image (R = 1 by definition), and the mean image of the predicted class: what the label alone gives away.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vicious.data.catalog import CATALOG
from vicious.report import frames
from vicious.report.frames import Cell, Group, Pair

_PERCENT = 100.0
_ATTACK_COLUMNS = ("psnr", "ssim", "risk", "risk95")
_BASELINE_COLUMNS = {"psnr": "psnr_class_mean", "risk": "risk_class_mean", "risk95": "risk95_class_mean"}
_PRINTED = ("accuracy", *_ATTACK_COLUMNS)
_DECIMALS = {"accuracy": 2, "psnr": 2, "ssim": 3, "risk": 3, "risk95": 3}


def table1(summary: pd.DataFrame, expected_seeds: int | None = None) -> pd.DataFrame:
    """The numbers of table 1, a row for each dataset, outputs and beta_R.

    Accuracies are percentages, PSNR is in dB. Each measure has columns ``_mean``, ``_sd`` (ddof 1, over seeds) and
    ``_n`` (seeds that succeeded); ``honest_seeds`` and ``vicious_seeds`` count the seeds planned. ``failures`` names
    each seed without a result, and why.

    Args:
        summary: rows of summary.csv.
        expected_seeds: seeds planned for each model; a seed without a row then counts as failed.

    Raises:
        DataError: a column is missing, or there is no post-hoc or joint attack.
        MixedResultsError: the rows mix configurations.
    """
    frames.check_summary(summary)
    source = frames.sources(summary)
    rows = [_row(pair, source[pair.dataset]) for pair in frames.pairs(frames.groups(summary, expected_seeds))]
    table = pd.DataFrame(rows)
    table["n_images"] = table["n_images"].astype("Int64")
    return table


def to_csv(table: pd.DataFrame) -> str:
    """The table as machine-readable CSV."""
    return table.to_csv(index=False, lineterminator="\n")


def to_markdown(table: pd.DataFrame, caption: str) -> str:
    """The table as Markdown, below its caption and above the failures."""
    shown = _shown(table)
    header = ["Dataset", *(["Outputs"] if shown.outputs else []), "Model and attack", *_MARKDOWN_HEADS]
    rows = [header, ["---"] * 2 + ["---"] * shown.outputs + ["---:"] * len(_MARKDOWN_HEADS)]
    rows += [_cells(line, shown, _MARKDOWN) for line in shown.lines]
    body = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    notes = "".join(f"- {_markdown_text(note)}\n" for note in _failures(table))
    failed = f"\nWithout a result:\n\n{notes}" if notes else ""
    return f"**Table 1.** {_markdown_text(caption)}\n\n{body}\n{failed}"


def to_latex(table: pd.DataFrame, caption: str, label: str = "tab:risk") -> str:
    """The table as a LaTeX ``table*`` that needs the package booktabs only."""
    shown = _shown(table)
    first = 2 + shown.outputs
    measures = len(_PRINTED)
    rows = [
        " & " * first + rf"\multicolumn{{{measures}}}{{c}}{{mean $\pm$ s.d.\ over seeds}} & & \\",
        rf"\cmidrule(lr){{{first + 1}-{first + measures}}}",
        _latex_row(["Dataset", *(["Outputs"] if shown.outputs else []), "Model and attack", *_LATEX_HEADS]),
        r"\midrule",
    ]
    for before, line in zip([None, *shown.lines], shown.lines, strict=False):
        if before is not None and line.title:
            rows.append(r"\addlinespace")
        rows.append(_latex_row(_cells(line, shown, _LATEX)))
    return "\n".join(
        [
            "% Needs \\usepackage{booktabs}.",
            r"\begin{table*}[t]",
            r"\centering",
            rf"\caption{{{_latex_text(caption)}{_dagger_note(table)}}}",
            rf"\label{{{label}}}",
            r"\footnotesize",
            r"\setlength{\tabcolsep}{2.5pt}",
            rf"\begin{{tabular}}{{{'l' * first}{'r' * len(_LATEX_HEADS)}}}",
            r"\toprule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            *_latex_notes(_failures(table)),
            r"\end{table*}",
            "",
        ]
    )


def caption(summary: pd.DataFrame, expected_seeds: int | None = None) -> str:
    """The caption, with the settings used and how to read the cells."""
    return (
        "Accuracy of honest and vicious models, and what is reconstructed from their outputs by the post-hoc attack on "
        "honest models and by the attack trained together with vicious ones. R is the published reconstruction risk, "
        "R95 the same on the leading components that explain 95% of the variance; larger is worse for privacy. "
        "Guessing the mean image gives R = 1 by definition; the mean image of the class that the honest model "
        "predicts is what the label alone gives away. Mean ± standard deviation over seeds, none for a single seed; "
        "seeds without a result are counted as failed and left out of the mean. "
        f"{frames.settings(summary, expected_seeds)}{_cautions(summary)}"
    )


def _cautions(summary: pd.DataFrame) -> str:
    """What a reader must know to read R: an attribute baseline, and covariances from too few images."""
    datasets = list(dict.fromkeys(summary["dataset"]))
    attributes = [frames.title(name) for name in datasets if name in CATALOG and CATALOG[name].multilabel]
    text = ""
    if attributes:
        text += f" For {', '.join(attributes)}, whose labels are attributes, the predicted class mean is the least-squares image for the predicted attributes."
    if {"covariance_images", "pixels"} <= set(summary.columns):
        few = summary.loc[summary["covariance_images"] <= summary["pixels"], "dataset"]
        names = ", ".join(frames.title(name) for name in datasets if name in set(few))
        if names:
            text += f" {names}: fewer images than pixels stand behind the covariance, so R means little there."
    return text


def _row(pair: Pair, source: str) -> dict[str, Any]:
    honest, vicious = pair.honest, pair.vicious
    return {
        "dataset": pair.dataset,
        "title": frames.title(pair.dataset),
        "source": source,
        "outputs": pair.outputs,
        "beta_r": vicious.beta_r,
        "n_images": honest.images or vicious.images,
        "honest_seeds": honest.planned,
        "vicious_seeds": vicious.planned,
        **_columns("honest_accuracy", honest.cell("accuracy", _PERCENT)),
        **_columns("vicious_accuracy", vicious.cell("accuracy", _PERCENT)),
        **_measures("posthoc", honest, {name: name for name in _ATTACK_COLUMNS}),
        **_measures("vicious", vicious, {name: name for name in _ATTACK_COLUMNS}),
        **_measures("honest_class_mean", honest, _BASELINE_COLUMNS),
        **_measures("vicious_class_mean", vicious, _BASELINE_COLUMNS),
        "mean_image_risk": 1.0,
        "mean_image_risk95": 1.0,
        "failures": "; ".join(frames.failures((honest, vicious))),
    }


def _measures(prefix: str, group: Group, columns: dict[str, str]) -> dict[str, float]:
    return {
        name: value
        for measure, column in columns.items()
        for name, value in _columns(f"{prefix}_{measure}", group.cell(column)).items()
    }


def _columns(name: str, cell: Cell) -> dict[str, float]:
    return {f"{name}_mean": cell.mean, f"{name}_sd": cell.sd, f"{name}_n": cell.ok}


@dataclass(frozen=True)
class _Line:
    """One printed line; ``cells`` holds None where a measure does not apply, ``title`` is empty below the first."""

    title: str
    synthetic: bool
    outputs: str
    label: str
    cells: tuple[Cell | None, ...]
    images: str
    seeds: str


@dataclass(frozen=True)
class _Shown:
    """The lines, and whether they name the outputs."""

    lines: list[_Line]
    outputs: bool


@dataclass(frozen=True)
class _Format:
    """How one kind of file writes text, a number of a cell with its spread, and the mark of synthetic data."""

    text: Callable[[str], str]
    cell: Callable[[Cell, int], str]
    synthetic: str
    none: str


def _shown(table: pd.DataFrame) -> _Shown:
    lines: list[_Line] = []
    for (dataset, _outputs), rows in table.groupby(["dataset", "outputs"], sort=False):
        fresh = all(line.title != frames.title(str(dataset)) for line in lines)
        lines += _block(rows.to_dict("records"), fresh)
    return _Shown([*lines, _mean_image()], len(set(table["outputs"])) > 1)


def _block(rows: Sequence[dict[Any, Any]], fresh: bool) -> list[_Line]:
    """The lines of one dataset and outputs: honest, its label alone, and each vicious beta_R."""
    first = rows[0]
    images = f"{int(first['n_images']):,}" if not pd.isna(first["n_images"]) else "none"

    def line(row: dict[Any, Any], label: str, role: str, prefixes: Iterable[str | None]) -> _Line:
        total = int(row[f"{role}_seeds"])
        cells = tuple(
            _cell(row, f"{prefix}_{name}", total) if prefix else None
            for prefix, name in zip(prefixes, _PRINTED, strict=True)
        )
        leading = label == _HONEST
        return _Line(
            str(row["title"]) if leading and fresh else "",
            row["source"] == "synthetic",
            str(row["outputs"]) if leading else "",
            label,
            cells,
            images,
            _seeds(cells, total),
        )

    posthoc, alone, vicious = "posthoc", "honest_class_mean", "vicious"
    return [
        line(first, _HONEST, "honest", ("honest", posthoc, posthoc, posthoc, posthoc)),
        line(first, _ALONE, "honest", (None, alone, None, alone, alone)),
        *(
            line(row, _vicious_label(row["beta_r"]), "vicious", ("vicious", vicious, vicious, vicious, vicious))
            for row in rows
        ),
    ]


_HONEST = "honest, post-hoc"
_ALONE = "predicted class mean"


def _vicious_label(beta_r: float) -> str:
    return "vicious" if math.isnan(beta_r) else f"vicious, beta_R = {beta_r:g}"


def _mean_image() -> _Line:
    one = Cell(1.0, math.nan, 1, 1)
    return _Line("any", False, "", "mean image", (None, None, None, one, one), "", "")


def _cell(row: dict[Any, Any], name: str, total: int) -> Cell:
    return Cell(float(row[f"{name}_mean"]), float(row[f"{name}_sd"]), int(row[f"{name}_n"]), total)


def _seeds(cells: Iterable[Cell | None], total: int) -> str:
    ok = min(cell.ok for cell in cells if cell is not None)
    if ok < total:
        return f"{ok} of {total}"
    return "(1 seed)" if total == 1 else str(total)


def _cells(line: _Line, shown: _Shown, form: _Format) -> list[str]:
    title = form.text(line.title) + (form.synthetic if line.synthetic and line.title else "")
    return [
        title,
        *([line.outputs] if shown.outputs else []),
        form.text(line.label),
        *(
            form.none if cell is None else form.cell(cell, _DECIMALS[name])
            for name, cell in zip(_PRINTED, line.cells, strict=True)
        ),
        line.images,
        line.seeds,
    ]


def _failures(table: pd.DataFrame) -> list[str]:
    notes = [note for text in table["failures"] for note in str(text).split("; ") if note]
    return list(dict.fromkeys(notes))


def _absent(cell: Cell) -> str:
    """What stands in a cell without any number."""
    return f"failed ({cell.total} of {cell.total} seeds)" if cell.total else "not run"


def _some_failed(cell: Cell) -> str:
    # A model with one planned seed says so once, in its last column; one left of several says so in the cell.
    single = "1 seed; " if cell.ok == 1 else ""
    return f"{single}{cell.failed}/{cell.total} failed"


def _markdown_cell(cell: Cell, decimals: int) -> str:
    if not cell.ok:
        return _absent(cell)
    number = _number(cell.mean, decimals, "∞")
    spread = f" ± {cell.sd:.{decimals}f}" if not math.isnan(cell.sd) else ""
    return f"{number}{spread}" + (f" ({_some_failed(cell)})" if cell.failed else "")


def _latex_cell(cell: Cell, decimals: int) -> str:
    if not cell.ok:
        failed = rf"\shortstack{{failed\\({cell.total} of {cell.total} seeds)}}"
        return failed if cell.total else "not run"
    number = _number(cell.mean, decimals, r"\infty")
    spread = rf" \pm {cell.sd:.{decimals}f}" if not math.isnan(cell.sd) else ""
    text = f"${number}{spread}$"
    return rf"\shortstack{{{text}\\{_some_failed(cell)}}}" if cell.failed else text


def _number(value: float, decimals: int, infinity: str) -> str:
    return infinity if math.isinf(value) else f"{value:.{decimals}f}"


def _markdown_text(text: str) -> str:
    for sign in "\\|*<>`":
        text = text.replace(sign, "\\" + sign)
    return text.replace("beta_R", "β_R")


_LATEX_SIGNS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
}


def escape_latex(text: str) -> str:
    """``text`` with every sign that LaTeX would act on made literal; signs beyond ASCII become question marks."""
    return "".join(_LATEX_SIGNS.get(sign, sign if sign.isascii() else "?") for sign in " ".join(text.split()))


def _latex_text(text: str) -> str:
    return escape_latex(text).replace(r"beta\_R", r"$\beta_R$").replace("R95", "$R_{95}$")


def _dagger_note(table: pd.DataFrame) -> str:
    return r" $^{\dagger}$~Synthetic stand-in." if (table["source"] == "synthetic").any() else ""


def _latex_notes(notes: Sequence[str]) -> list[str]:
    if not notes:
        return []
    lines = [_latex_text(f"Without a result: {note}.") for note in notes]
    return [r"\par\smallskip\raggedright", " \\\\\n".join(lines)]


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


_MARKDOWN_HEADS = ("Accuracy (%)", "PSNR (dB)", "SSIM", "R", "R95", "Test images", "Seeds")
_LATEX_HEADS = (r"Accuracy (\%)", "PSNR (dB)", "SSIM", "$R$", "$R_{95}$", "Images", "Seeds")
_MARKDOWN = _Format(_markdown_text, _markdown_cell, " (synthetic stand-in)", "–")
_LATEX = _Format(_latex_text, _latex_cell, r"$^{\dagger}$", "--")
