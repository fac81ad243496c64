"""SIGINT, SIGTERM and SIGHUP alike: work ends where nothing is left half-done, and says how to go on."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

ENDING = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
"""Signals that ask a process to end; the last one comes when its terminal is closed."""
CLEANING = 10.0
"""Seconds after a signal in which further ones are ignored: they must not break the cleaning up."""
AGAIN = 0.05
"""Seconds until a signal is raised once more that came where Python drops exceptions."""


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_code(interruption: KeyboardInterrupt) -> int:
    """What shells report for a program that a signal ended: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
    return 128 + (interruption.number if isinstance(interruption, Interrupted) else signal.SIGINT)


class _Signals:
    """Signals of this process: at once an exception, or noted while a block holds them back."""

    def __init__(self) -> None:
        self.holding = 0
        self._noted: int | None = None
        self._raised = -CLEANING

    def receive(self, number: int, _frame: FrameType | None) -> None:
        if time.monotonic() - self._raised < CLEANING:
            return
        self._noted = number
        if not self.holding:
            self.check()

    def check(self) -> None:
        if self._noted is not None:
            number, self._noted = self._noted, None
            self._raised = time.monotonic()
            raise Interrupted(number)

    def dropped(self, unraisable: "UnraisableHookArgs") -> None:
        """Raise once more a signal that came in a finalizer, such as Python runs while it imports; print what else is
        dropped."""
        interruption = unraisable.exc_value
        if not isinstance(interruption, Interrupted):
            sys.__unraisablehook__(unraisable)
            return
        self._raised = -CLEANING
        signal.signal(signal.SIGALRM, lambda _, frame: self.receive(interruption.number, frame))
        signal.setitimer(signal.ITIMER_REAL, AGAIN)


_SIGNALS = _Signals()


def listen() -> None:
    """From now on signals of :data:`ENDING` raise :class:`Interrupted` in the main thread; ignored ones stay so."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _SIGNALS.receive)
    sys.unraisablehook = _SIGNALS.dropped


def ignore() -> None:
    """From now on SIGINT, SIGTERM and SIGHUP change nothing: all is done, and the process ends by itself."""
    for number in (*ENDING, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def held_back() -> Iterator[None]:
    """A block that no signal breaks; one that comes meanwhile is raised by :func:`check` or at the block's end."""
    _SIGNALS.holding += 1
    try:
        yield
    finally:
        _SIGNALS.holding -= 1
        if not _SIGNALS.holding:
            _SIGNALS.check()


def check() -> None:
    """Raise :class:`Interrupted` if a signal was held back: a good place to end."""
    _SIGNALS.check()
