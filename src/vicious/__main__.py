"""The ``vicious`` command, and ``python -m vicious``."""

import errno
import gc
import os
import sys

from vicious.system import interrupt

COLLECT_AFTER = 100_000
"""New objects before Python looks for unused ones: importing PyTorch makes a million that stay, and jobs are many and
short."""


def main() -> int:
    """:func:`run` where standard output or error may be closed or full: then nothing more is said there.

    Returns:
        As :func:`run`; of a command that was right itself 141 where the reader has gone, as ``head`` does, and 1 where
        what it says cannot be written.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)  # stands for a closed stream, so that no file takes its number
    os.close(handle)
    code, reason = 0, None
    try:
        code = run()
        reason = _lost()
    except OSError:
        reason = _lost("\n")
        if reason is None:  # the error is another file's
            raise
    if reason is not None:
        silent = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(silent, number)
        code = code or (141 if reason == errno.EPIPE else 1)
    return code


def _lost(more: str = "") -> int | None:
    """The error's number where what was said, and ``more``, cannot be written; None where it can."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.write(more)
            stream.flush()
        except OSError as error:
            return error.errno
    return None


def run() -> int:
    """Run the command line in a process of its own, without the time that Python's memory management takes of it.

    Returns:
        The exit code: 0, 1 for an error that is explained, 129, 130 or 143 when SIGHUP, SIGINT or SIGTERM ended it.
    """
    gc.set_threshold(COLLECT_AFTER)
    os.environ["MPLBACKEND"] = "agg"  # a notebook's own is not installed here, and matplotlib would not even load
    try:
        interrupt.listen()
        from vicious import cli  # takes a moment, in which a signal may come

        code = cli.main()
    except KeyboardInterrupt as interruption:
        interrupt.ignore()
        from vicious.system.progress import tell

        tell("interrupted: run the same command again to go on")
        code = interrupt.exit_code(interruption)
    interrupt.ignore()
    gc.freeze()  # the process ends: nothing is won by looking once more for what is not used
    return code


if __name__ == "__main__":
    sys.exit(main())
