"""Showing a table or a figure's caption in the terminal."""

from pathlib import Path

from vicious.study.artifacts import known
from vicious.study.paths import figures
from vicious.system.errors import ConfigError, DataError
from vicious.system.registry import nearest


def shown(name: str, scale: str) -> str:
    """The Markdown of a table or figure that is built: its caption, then its rows, or where its picture is.

    Args:
        name: of the table or figure, such as ``main_table``, or its number, such as ``table1``.
        scale: of the study.

    Raises:
        ConfigError: there is none of this name.
        DataError: it is not built.
    """
    names = {known_as: one for one in known().values() for known_as in (one.name, one.alias) if known_as}
    if name not in names:
        raise ConfigError(f"there is no table or figure {name!r}{nearest(name, names)}")
    artifact, folder = names[name], figures(scale)
    pages = sorted(folder.glob(f"{artifact.name}_*.md")) if artifact.each_task else [folder / f"{artifact.name}.md"]
    pages = [page for page in pages if page.is_file()]
    if not pages:
        raise DataError(
            f"{artifact.label} is not built: `snakemake --cores all --config scale={scale} -- {name}` builds it"
        )
    return "\n\n".join(_page(page) for page in pages)


def _page(page: Path) -> str:
    text, picture = page.read_text(encoding="utf-8").strip(), page.with_suffix(".png")
    return f"{text}\n\n{picture}" if picture.is_file() else text
