"""What the command line and the workflow call: read summaries, write one table or figure with its caption."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from vicious.files import write_text
from vicious.report import figure1, figure2, figure3, frames, style, table1


def write_table1(summary_csv: Path, out_dir: Path, expected_seeds: int | None = None) -> tuple[Path, ...]:
    """Write table1.csv, table1.md and table1.tex below ``out_dir``, and return their paths.

    ``expected_seeds`` is the number of seeds planned for each model: those without a row count as failed.

    Raises:
        DataError: the summary is damaged or lacks a column.
        MixedResultsError: the summary mixes configurations.
        StorageError: a file cannot be written.
    """
    summary = frames.read_summary(Path(summary_csv))
    table = table1.table1(summary, expected_seeds)
    caption = table1.caption(summary, expected_seeds)
    texts = {
        "table1.csv": table1.to_csv(table),
        "table1.md": table1.to_markdown(table, caption),
        "table1.tex": table1.to_latex(table, caption),
    }
    for name, text in texts.items():
        write_text(Path(out_dir) / name, text)
    return tuple(Path(out_dir) / name for name in texts)


def write_figure1(
    summary_csv: Path,
    galleries: Sequence[tuple[str, Path | None, Path | None]],
    out_dir: Path,
    expected_seeds: int | None = None,
) -> tuple[Path, ...]:
    """Write figure1.pdf, figure1.png and figure1.md; ``galleries`` holds (dataset, honest file, vicious file).

    A gallery that is None, is not there or holds no image is drawn as failed. Raises as :func:`write_table1`.
    """
    summary = frames.read_summary(Path(summary_csv))
    panels = figure1.load_panels(summary, galleries)
    caption = figure1.caption(summary, panels, expected_seeds)
    return _write(1, figure1.figure1(panels), caption, Path(out_dir))


def write_figure2(summary_csv: Path, out_dir: Path, expected_seeds: int | None = None) -> tuple[Path, ...]:
    """Write figure2.pdf, figure2.png and figure2.md; raises as :func:`write_table1`."""
    summary = frames.read_summary(Path(summary_csv))
    drawn = figure2.figure2(summary, expected_seeds)
    return _write(2, drawn, figure2.caption(summary, expected_seeds), Path(out_dir))


def write_figure3(
    summary_csv: Path, detection_csv: Path, out_dir: Path, detector: str = figure3.DETECTOR
) -> tuple[Path, ...]:
    """Write figure3.pdf, figure3.png and figure3.md; raises as :func:`write_table1`."""
    summary = frames.read_summary(Path(summary_csv))
    detection = frames.read_detection(Path(detection_csv))
    drawn = figure3.figure3(summary, detection, detector)
    return _write(3, drawn, figure3.caption(summary, detection, detector), Path(out_dir))


def _write(number: int, drawn: Figure, caption: str, out_dir: Path) -> tuple[Path, ...]:
    pdf, png, text = (out_dir / f"figure{number}{suffix}" for suffix in (".pdf", ".png", ".md"))
    style.save(drawn, pdf, png)
    write_text(text, f"**Figure {number}.** {caption.replace('beta_R', 'β_R')}\n")
    return pdf, png, text
