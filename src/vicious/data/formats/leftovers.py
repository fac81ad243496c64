"""Files that systems and editors leave beside the data, which are no part of a distribution."""

from pathlib import PurePosixPath

_NAMES = {
    *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "#recycle", "$recycle.bin"),
    *("system volume information", "lost+found"),
}


def is_leftover(name: str) -> bool:
    """Whether a file's name, or a path in an archive, is a system's or an editor's: ``._x``, ``__MACOSX/x``, ``x~``.

    A part of the path tells: a hidden one, one that macOS, Windows or a NAS makes, or an editor's backup.
    """
    return any(
        part.startswith(".") or part.lower() in _NAMES or part.endswith("~") or (part[0] == part[-1] == "#")
        for part in PurePosixPath(name).parts
    )
