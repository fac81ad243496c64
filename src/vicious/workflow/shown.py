"""Where a run of Snakemake is shown: a view that stays in its place on a terminal, lines one below the other in a log.

Both take Snakemake's messages one by one, and :func:`vicious.workflow.following.Run.take` says what to make of them.
"""

import os
import threading
import time
from logging import LogRecord
from typing import TYPE_CHECKING, Protocol, TextIO

from vicious.workflow.following import Run, screen

if TYPE_CHECKING:
    from rich.console import RenderableType


class View(Protocol):
    """What the logger hands Snakemake's messages to."""

    def take(self, record: LogRecord, text: str) -> None:
        """Show a message. ``text``: its words, as Snakemake would print them."""

    def close(self) -> None:
        """The run has ended."""


def on_terminal(stream: TextIO) -> bool:
    """Whether a view that stays in its place can be drawn there."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def view(run: Run, stream: TextIO, colour: bool, excerpts: bool, quiet: bool) -> View:
    """Where a run is shown.

    Args:
        stream: standard output or error.
        colour: whether colours may be used on a terminal.
        excerpts: whether the log of a failed job is shown below its failure, where this is no terminal.
        quiet: whether nothing is shown but what fails.
    """
    if on_terminal(stream) and not quiet:
        return Terminal(run, stream, colour)
    return Log(run, stream, excerpts and not on_terminal(stream), quiet)


class Log:
    """Lines in a log or a pipe, without any code for a terminal."""

    def __init__(self, run: Run, stream: TextIO, excerpts: bool, quiet: bool = False) -> None:
        self._run, self._stream, self._excerpts, self._quiet = run, stream, excerpts, quiet

    def take(self, record: LogRecord, text: str) -> None:
        """Print what is said of a message."""
        for one in self._run.take(record, text, self._excerpts):
            if one.bad or not self._quiet:
                print(one.text, file=self._stream, flush=True)

    def close(self) -> None:
        """Print what was made in all."""
        if self._run.failed or not self._quiet:
            print(self._run.end(time.time()), file=self._stream, flush=True)


class Terminal:
    """A view that is drawn anew each second, and above it what failed and what Snakemake said."""

    def __init__(self, run: Run, stream: TextIO, colour: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self._run, self._lock = run, threading.Lock()  # the view is drawn by a thread of its own
        self._console = Console(file=stream, no_color=not colour, highlight=False, markup=False, emoji=False)
        self._live = Live(
            console=self._console,
            get_renderable=self._drawn,
            refresh_per_second=1,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _drawn(self) -> "RenderableType":
        from rich.text import Text

        with self._lock:
            first, *rest = screen(self._run, time.time(), self._console.width, self._console.height)
        words = Text("\n".join([first, *rest]), no_wrap=True)
        words.stylize("bold", 0, len(first))
        return words

    def take(self, record: LogRecord, text: str) -> None:
        """Draw anew after a message; print what it says above the view, unless a job is done, which the view shows."""
        from rich.text import Text

        with self._lock:
            said = [one for one in self._run.take(record, text, excerpts=False) if one.about != "done"]
        for one in said:
            self._console.print(Text(one.text, style="red" if one.bad else ""), soft_wrap=True)
        self._live.refresh()

    def close(self) -> None:
        """Take the view away, and print what was made in all."""
        self._live.stop()
        self._console.print(self._run.end(time.time()), soft_wrap=True)
