"""Examples of the commands of steps, tables and figures: command lines of the plan itself."""

import shlex
from collections.abc import Iterator

from vicious.study.config import Params
from vicious.study.plan import first

_WIDTH = 100


def example(command: str, params: Params) -> tuple[str, str] | None:
    """The first command line that a study of one dataset has of a command.

    Args:
        command: of a step, table or figure.
        params: whose scale it is of. The dataset is the first that has the command.

    Returns:
        the dataset; and the command line, in lines of at most 100 characters if its words allow it, each but the last
        with a backslash at its end. None where no dataset has the command.
    """
    for dataset in params.datasets:
        found = first(command, params.model_copy(update={"datasets": [dataset]}))
        if found is not None:
            words = ["vicious", *shlex.split(found.command_line)]
            return dataset, " \\\n  ".join(_lines([shlex.quote(word) for word in words]))
    return None


def _lines(words: list[str]) -> Iterator[str]:
    """Words in lines; an option stays with its first value."""
    line = ""
    for at, word in enumerate(words):
        value = words[at + 1] if word.startswith("--") and at + 1 < len(words) else ""
        if line and len(line) + len(word) + len(value) + 6 > _WIDTH:
            yield line
            line = word
        else:
            line = f"{line} {word}".lstrip()
    yield line
