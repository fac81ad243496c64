"""What figures and tables say, and whether it can be read."""

from typing import Any

from matplotlib.text import Text

from vicious.report import style


def all_words(figure: Any) -> str:
    """All text of a figure."""
    return " ".join(text.get_text() for text in figure.findobj(Text))


def check_legible(figure: Any) -> None:
    """All text is large enough, inside the figure, and apart from other text."""
    figure.draw_without_rendering()
    hidden = _hidden(figure)
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text() and text not in hidden]
    assert min(text.get_fontsize() for text in texts) >= style.SMALL
    boxes = [text.get_window_extent() for text in texts]
    boxes = [box for box in boxes if box.width > 1]
    for index, box in enumerate(boxes):
        assert figure.bbox.padded(3).contains(*box.min), texts[index].get_text()
        assert figure.bbox.padded(3).contains(*box.max), texts[index].get_text()
        for other in boxes[:index]:
            width = min(box.x1, other.x1) - max(box.x0, other.x0)
            height = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(width, height) < 2, texts[index].get_text()


def _hidden(figure: Any) -> set[Any]:
    """Labels of ticks beyond the ends of their axis, which are not drawn."""
    found = set()
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                found |= {tick.label1, tick.label2}
    return found


def printed_cells(markdown: Any) -> list[Any]:
    """The lines of a table in Markdown below its heading, as lists of cells."""
    return [line[2:-2].split(" | ") for line in markdown.splitlines() if line.startswith("|")][2:]
