"""Progress of long work: a bar with rate and time left on a terminal, a plain line now and then in a log."""

import logging
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vicious.system.escape import escaped

if TYPE_CHECKING:
    from tqdm import tqdm

QUIET = ["--quiet", "progress", "rules"]
"""Options with which Snakemake leaves out its progress, too."""
_PACKAGE = "vicious"
_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_NOTES = 0.5


def tell(line: str) -> None:
    """Print text to standard error, escaped apart from its line ends; where that cannot be written, a log on a full
    disk say, from then on to standard output; where neither can, nowhere.

    So no work ends for the want of a log, and Snakemake's user reads what went wrong.

    Raises:
        BrokenPipeError: whoever read both has gone.
    """
    line = escaped(line, keep="\n")
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = sys.stdout
        try:
            print(line, flush=True)
        except BrokenPipeError:
            raise
        except OSError:
            silence()


def say(text: object) -> None:
    """Print what a command was asked for to standard output, escaped apart from its line ends."""
    print(escaped(text, keep="\n"))


def hide_progress(hidden: bool) -> None:
    """Leave out, or show again, progress and what is logged as information; warnings and errors stay."""
    logging.getLogger(_PACKAGE).setLevel(logging.WARNING if hidden else logging.NOTSET)


def progress_hidden() -> bool:
    """Whether progress is left out: whether the package's logger takes warnings and errors alone."""
    return logging.getLogger(_PACKAGE).level > logging.INFO


class Told(logging.Handler):
    """Hands what is logged to :func:`tell`: one line, escaped; a traceback follows as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_OneLine("%(levelname)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Tell a record."""
        tell(self.format(record))


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        return escaped(super().formatMessage(record))


def silence() -> None:
    """From now on standard output and error take everything and keep nothing."""
    silent = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(silent, number)
    os.close(silent)


class Progress:
    """Counts work in ``unit`` towards ``total``.

    On a terminal it is a tqdm bar; elsewhere it prints ``label: 1200/4000 images, 310 images/s, 9 s left`` to standard
    error at most every 10 seconds and once at the end, so that a log stays readable. After :func:`hide_progress` it
    shows nothing.

    Args:
        total: amount of work; None where it is not known.
        label: what is being done.
        unit: name of one piece of work, plural; "B" counts bytes.
    """

    def __init__(self, total: int | None, label: str, unit: str = "images") -> None:
        self.total, self.label, self.unit = total, label, unit
        self.done = 0
        self._start = self._last = time.monotonic()
        self._hidden = progress_hidden()
        self._bar = self._on_terminal() if sys.stderr.isatty() and not self._hidden else None

    def _on_terminal(self) -> "tqdm[Any]":
        from tqdm import tqdm

        return tqdm(total=self.total, desc=self.label, unit=self.unit, unit_scale=True, dynamic_ncols=True)

    def advance(self, amount: int, note: str | Callable[[], str] = "") -> None:
        """Count ``amount`` more pieces as done; ``note`` (a loss, say) is shown beside the rate, now and then: where it
        is a function, that is called when its text is shown."""
        self.done += amount
        if self._hidden:
            return
        due = time.monotonic() - self._last >= (_SECONDS_BETWEEN_LINES if self._bar is None else _SECONDS_BETWEEN_NOTES)
        if due:
            self._last = time.monotonic()
        if self._bar is not None:
            if due or not callable(note):
                self._bar.set_postfix_str(note() if callable(note) else note, refresh=False)
            self._bar.update(amount)
        elif due:
            self._print(note() if callable(note) else note)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None and not self._hidden:
            self._print("done")

    def _print(self, note: str) -> None:
        rate = self.done / max(time.monotonic() - self._start, 1e-9)
        parts = [f"{self.done}/{self.total} {self.unit}" if self.total else f"{self.done} {self.unit}"]
        parts.append(f"{rate:.3g} {self.unit}/s")
        if self.total and self.done < self.total:
            parts.append(f"{(self.total - self.done) / max(rate, 1e-9):.0f} s left")
        if note:
            parts.append(note)
        tell(f"{self.label}: {', '.join(parts)}")
