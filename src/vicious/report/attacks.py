"""What tables of several attacks on the same target models share."""

from collections.abc import Iterable, Sequence

from vicious.report import frames, render
from vicious.report.frames import Group
from vicious.report.render import Column, Line


def columns(groups: Iterable[Group], attack: Sequence[Column], measured: Sequence[Column]) -> list[Column]:
    """Dataset, outputs where there are several kinds, target model, what tells attacks apart, measures, and n."""
    return [
        Column("title", "Dataset", text=True),
        *render.outputs_column(group.outputs for group in groups),
        Column("target", "Target model", text=True),
        Column("attack", "Attack", text=True),
        *attack,
        *measured,
        Column("seeds", "n", "$n$", text=True),
    ]


def gain(over: str) -> Column:
    """The column ``gain``: PSNR in dB minus that of another attack, in a word."""
    return Column("gain", f"PSNR over {over} (dB)", rf"\shortstack{{PSNR over\\{over} (dB)}}", decimals=2)


def line(group: Group, source: str, attack: str) -> Line:
    """The words of a printed line, by the keys of :func:`columns`."""
    psnr, beta = group.over_seeds("psnr"), f", beta_R = {group.beta_r:g}" if group.role == "vicious" else ""
    return {
        "title": frames.marked_title(group.task, source),
        "outputs": group.outputs,
        "target": f"{group.role}{beta}",
        "attack": attack,
        "seeds": f"{psnr.ok} of {psnr.total}" if psnr.failed else f"{psnr.total}",
    }
