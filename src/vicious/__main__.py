"""The ``vicious`` command, and ``python -m vicious``."""

import errno
import gc
import os
import sys
from typing import TextIO

from vicious.system import interrupt
from vicious.system.progress import silence, tell

COLLECT_AFTER = 100_000
"""New objects before Python looks for unused ones: importing PyTorch makes a million that stay, and jobs are many and
short."""


def main() -> int:
    """:func:`run` where standard output or error may be closed or full: then nothing more is said there.

    Returns:
        As :func:`run`; of a command that was right itself 141 where the reader has gone, as ``head`` does, and 1 where
        what it says on standard output cannot be written. What standard error cannot take changes nothing.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)  # stands for a closed stream, so that no file takes its number
    os.close(handle)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w"))
    try:
        code = run()
        output, error = _refusal(sys.stdout), _refusal(sys.stderr)
    except OSError:
        code, error = 0, 0
        output = _refusal(sys.stdout, "\n") or _refusal(sys.stderr, "\n")
        if not output:  # it is another file's
            raise
    if output or error:
        silence()
    return code or {0: 0, errno.EPIPE: 141}.get(output, 1)


def _refusal(stream: TextIO, more: str = "") -> int:
    """The error's number where what was said to a stream, and ``more``, cannot be written; 0 where it can."""
    try:
        if more:  # even of nothing a full device says that it cannot take it
            stream.write(more)
        stream.flush()
    except OSError as error:
        return error.errno or errno.EIO
    return 0


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
        tell("interrupted: run the same command again to go on")
        code = interrupt.exit_code(interruption)
    interrupt.ignore()
    gc.freeze()  # the process ends: nothing is won by looking once more for what is not used
    return code


if __name__ == "__main__":
    sys.exit(main())
