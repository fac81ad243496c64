"""Text of files, records and paths, made fit for a terminal: this is the one place that does it."""


def escaped(text: object, keep: str = "") -> str:
    """A text in which whatever a terminal would obey, hide or reorder is written out: ``\\n``, ``\\x1b``, ``\\u202e``.

    That is each control or formatting character, line end, odd space and lone surrogate. All else stays as it is.

    Args:
        keep: characters that stay: the line ends of a text whose parts were escaped before.
    """
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(one if one.isprintable() or one in keep else repr(one)[1:-1] for one in shown)
