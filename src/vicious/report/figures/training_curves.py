"""Training curves of target models and of the original study's attacks, a row of panels for each task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vicious.report import frames, style
from vicious.report.style import BETA, COLOURS, GREY
from vicious.report.text import Text
from vicious.results.schema import MOST_BYTES
from vicious.study.artifacts import Destination
from vicious.system.errors import DataError, MixedResultsError
from vicious.system.files import read_bounded, read_json

EXPERIMENT = "main"
_LOOKS = {"honest": "honest", "posthoc": "honest", "vicious": "vicious", "autoencoder": "autoencoder"}
"""Roles in order, and the colour of each."""
_AGAIN = "delete both and run `snakemake` again"
_DASHES = ("", (3, 1.5), (1, 1))  # by outputs, in widths of the line


@dataclass(frozen=True)
class Curve:
    """One training.

    Attributes:
        role: "honest", "vicious", "autoencoder", or "posthoc" for an attack on a trained target model.
        outputs: what the attack model reads; "" for an honest model.
        beta_r: weight of the reconstruction loss; of a post-hoc attack, that of its target model.
        epochs: a row per completed epoch, the columns of the training's CSV.
        selected: epoch whose weights were kept; None where the training failed.
        failure: why it failed, or None.
    """

    task: str
    source: str
    role: str
    outputs: str
    beta_r: float
    seed: int
    epochs: pd.DataFrame
    selected: int | None
    failure: str | None

    @property
    def model(self) -> tuple[int, float, str]:
        """What all seeds have in common; sorts honest, post-hoc, vicious by beta_R, autoencoder."""
        return list(_LOOKS).index(self.role), self.beta_r, self.outputs

    @property
    def look(self) -> str:
        """What its colour stands for."""
        names = {"vicious": f"vicious, {BETA} = {self.beta_r:g}", "autoencoder": "autoencoder"}
        return names.get(self.role, "honest, and post-hoc attack on it")

    @property
    def label(self) -> str:
        """The training's name, such as ``MNIST, vicious (logits, beta_R = 3), seed 0``."""
        role = "post-hoc attack" if self.role == "posthoc" else self.role
        beta = f"beta_R = {self.beta_r:g}" if self.role == "vicious" else ""
        settings = ", ".join(filter(None, [self.outputs, beta]))
        return f"{frames.title(self.task)}, {role}{f' ({settings})' if settings else ''}, seed {self.seed}"


@dataclass(frozen=True)
class _Panel:
    """One column of panels: which of the CSV's columns it shows; of several, the first that a curve has."""

    title: str
    columns: tuple[str, ...]
    roles: tuple[str, ...]
    scale: float = 1.0
    log: bool = False


# The loss that is minimised means something else for each role; its two terms can be compared.
_TARGETS, _ATTACKS = ("honest", "vicious"), ("posthoc", "vicious", "autoencoder")
_PANELS = (
    _Panel("validation accuracy (%)", ("validation_accuracy",), _TARGETS, 100.0),
    _Panel("validation SSIM", ("validation_ssim",), _ATTACKS),
    _Panel("loss: classification", ("train_classification", "train_loss"), _TARGETS, log=True),
    _Panel("loss: reconstruction", ("train_reconstruction", "train_loss"), _ATTACKS, log=True),
)


def write(curves: Sequence[Path], out: Destination) -> tuple[Path, ...]:
    """Write the figure from training curves (CSV); beside each lies the record of its training (JSON)."""
    found = load_curves(curves)
    return style.write_figure(out, draw(found), text(found))


def load_curves(files: Sequence[Path]) -> list[Curve]:
    """The curves by task in the catalogue's order, then by role, beta_R, outputs and seed; raises as :func:`write`."""
    if not files:
        raise DataError("no training curve: give the CSV of each training")
    found = [_load(file) for file in files]
    found.sort(key=lambda curve: (frames.order(curve.task), *curve.model, curve.seed))
    for one, two in pairwise(found):
        if (one.task, one.model, one.seed) == (two.task, two.model, two.seed):
            raise MixedResultsError(f"two training curves of {one.label}: give each once")
        if one.task == two.task and one.source != two.source:
            raise MixedResultsError(f"the training curves of {one.task} mix data sources: give those of one study")
    return found


@style.applied()
def draw(curves: Sequence[Curve]) -> Figure:
    """Draw a thin line for each training, with a mark at the epoch that was selected, and a cross where one failed."""
    tasks = list(dict.fromkeys(curve.task for curve in curves))
    source = {curve.task: curve.source for curve in curves}
    around: dict[str, Any] = {"failed": _failed(curves), "handles": _legend(curves), "titles": [style.once(source)]}
    with style.page(len(tasks), len(_PANELS), 0.5 + 1.15 * len(tasks), **around) as (figure, axes):
        for row, task in zip(axes, tasks, strict=True):
            for ax, panel in zip(row, _PANELS, strict=True):
                shown = [curve for curve in curves if curve.task == task and curve.role in panel.roles]
                _draw(ax, panel, shown, _palette(curves), _dashes(curves))
            row[0].set_ylabel(style.short_heading(task, source))
        for top, bottom, panel in zip(axes[0], axes[-1], _PANELS, strict=True):
            top.set_title(panel.title, pad=4)
            bottom.set_xlabel("epoch")
    return figure


def text(curves: Sequence[Curve]) -> Text:
    betas = ", ".join(f"{beta:g}" for beta in sorted({curve.beta_r for curve in curves if curve.role == "vicious"}))
    seeds = {task: {curve.seed for curve in curves if curve.task == task} for task in (curve.task for curve in curves)}
    outputs = ", ".join(dict.fromkeys(curve.outputs for curve in curves if curve.outputs))
    roles, failed = {curve.role for curve in curves}, [curve for curve in curves if curve.failure is not None]
    return Text(
        f"Training curves, a thin line for each of {len(curves)} trainings. Left to right: accuracy (%) and SSIM on "
        "the validation images, and the two terms of the loss on the training images: classification and "
        "reconstruction (logarithmic, no unit).",
        (
            "Dots: the epoch whose weights were kept, that with the best validation score."
            + (" Crosses: the last complete epoch of a failed training." if failed else ""),
            "Classification: honest and vicious target models. Reconstruction: the original study's attacks, of which "
            "the post-hoc one is trained on a trained honest model."
            + (" Autoencoders are trained for reconstruction alone." if "autoencoder" in roles else ""),
            f"{frames.listed('Data', ((c.task, frames.source_words(c.source)) for c in curves))} "
            f"{frames.listed('Seeds', ((task, ', '.join(map(str, sorted(of)))) for task, of in seeds.items()))}"
            + (f" Outputs: {outputs}." if outputs else "")
            + (f" Weight of the reconstruction loss in vicious training: beta_R = {betas}." if betas else ""),
        ),
        [f"{curve.label}: {frames.one_line(str(curve.failure))}" for curve in failed],
    )


def _palette(curves: Sequence[Curve]) -> dict[str, Any]:
    """Colours by what they stand for; those of vicious models are darker for a larger beta_R."""
    looks = {curve.look: curve.role for curve in sorted(curves, key=lambda curve: curve.model)}
    palette = {look: COLOURS[_LOOKS[role]] for look, role in looks.items()}
    vicious = [look for look, role in looks.items() if role == "vicious"]
    return palette | dict(zip(vicious, sns.light_palette(COLOURS["vicious"], len(vicious) + 1)[1:], strict=True))


def _dashes(curves: Sequence[Curve]) -> dict[str, Any]:
    kinds = sorted({curve.outputs for curve in curves} - {""})
    return {"": "", **{outputs: _DASHES[index % len(_DASHES)] for index, outputs in enumerate(kinds)}}


def _legend(curves: Sequence[Curve]) -> list[Line2D]:
    dashes = {outputs: line for outputs, line in _dashes(curves).items() if outputs}
    handles = [Line2D([], [], color=colour, linewidth=1.2, label=look) for look, colour in _palette(curves).items()]
    for outputs, line in dashes.items() if len(dashes) > 1 else ():
        look: dict[str, Any] = {"color": GREY, "linestyle": (0, line) if line else "-", "linewidth": 1.2}
        handles.append(Line2D([], [], label=f"reads {outputs}", **look))
    mark: dict[str, Any] = {"color": GREY, "linestyle": "none"}
    handles.append(Line2D([], [], marker="o", markersize=3, label="selected epoch", **mark))
    if any(curve.failure is not None and len(curve.epochs) for curve in curves):
        handles.append(Line2D([], [], marker="x", markersize=4.5, label="failed", **mark))
    return handles


def _draw(ax: Axes, panel: _Panel, shown: Sequence[Curve], palette: dict[str, Any], dashes: dict[str, Any]) -> None:
    """Draw the curves, or say why there is none."""
    if panel.log:
        ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, min_n_ticks=1))
    values = pd.concat([pd.DataFrame(), *(_values(panel, curve) for curve in shown)], ignore_index=True)
    if len(values):
        what: dict[str, Any] = {
            "x": "epoch",
            "y": "value",
            "hue": "look",
            "palette": palette,
            "legend": False,
            "ax": ax,
        }
        lines = {"style": "outputs", "dashes": dashes, "linewidth": 0.7, "solid_capstyle": "round"}
        sns.lineplot(values, units="unit", estimator=None, **lines, **what)
        for mark, size in (("o", 7), ("x", 20)):
            chosen = values.loc[values["mark"] == mark]
            if len(chosen):
                sns.scatterplot(chosen, marker=mark, s=size, linewidth=0 if mark == "o" else 1.1, zorder=3, **what)
    else:
        failed = any(curve.failure is not None for curve in shown)
        style.say(ax, "failed" if failed else "no values" if shown else "not run")
        ax.set(xticks=[], yticks=[])
        ax.set_yticks([], minor=True)
    ax.margins(x=0.06, y=0.12)
    if panel.log and len(values):
        style.log_marks(ax)
    ax.set(xlabel="", ylabel="")


def _values(panel: _Panel, curve: Curve) -> pd.DataFrame:
    """What a panel shows of a curve: its finite values by epoch, and marks, "o" at the epoch kept and "x" at a failed
    one's last."""
    column = next((name for name in panel.columns if name in curve.epochs), None)
    if column is None:
        return pd.DataFrame()
    values = curve.epochs[column].to_numpy() * panel.scale
    found = pd.DataFrame({"epoch": curve.epochs["epoch"], "value": values, "mark": ""})
    found = found.loc[np.isfinite(values) & ((values > 0) | (not panel.log))]
    if curve.failure is None:
        found["mark"] = found["mark"].where(found["epoch"] != curve.selected, "o")
    else:
        found.loc[found.index[-1:], "mark"] = "x"
    return found.assign(unit=curve.label, look=curve.look, outputs=curve.outputs)


def _failed(curves: Sequence[Curve]) -> list[str]:
    seeds: dict[str, list[str]] = {}
    for curve in curves:
        if curve.failure is not None:
            seeds.setdefault(curve.label.rpartition(", seed")[0], []).append(str(curve.seed))
    return [f"{name}, seed {', '.join(which)}" for name, which in seeds.items()]


def _load(file: Path) -> Curve:
    record = _read(file.with_suffix(".json"), read_json)
    epochs = _read(file, lambda path: pd.read_csv(BytesIO(read_bounded(path, MOST_BYTES)), dtype=float))
    try:
        failure, selected = record.get("failure"), record.get("selected_epoch")
        curve = Curve(
            **{name: str(record[name]) for name in ("task", "source", "role")},
            outputs=str(record["outputs"] or ""),
            beta_r=float(record["beta_r"]),
            seed=int(record["schedule"]["seed"]),
            epochs=epochs,
            selected=None if selected is None else int(selected),
            failure=None if failure is None else str(failure),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{file.with_suffix('.json')} is not the record of a training ({error!r}): {_AGAIN}") from error
    if curve.role not in _LOOKS:
        raise DataError(f"{file.with_suffix('.json')}: unknown role {curve.role}: {_AGAIN}")
    if "epoch" not in epochs or (curve.failure is None and curve.selected not in set(epochs["epoch"])):
        raise DataError(f"{file} does not have the epoch that its record names, {curve.selected}: {_AGAIN}")
    return curve


def _read(file: Path, how: Callable[[Path], Any]) -> Any:
    try:
        return how(file)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {file} ({error}), of a training: {_AGAIN}") from error
