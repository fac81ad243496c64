"""The ``vicious`` command, and ``python -m vicious``."""

import gc
import sys

from vicious.system import interrupt

COLLECT_AFTER = 100_000
"""New objects before Python looks for unused ones: importing PyTorch makes a million that stay, and jobs are many and
short."""


def main() -> int:
    """Run the command line in a process of its own, without the time that Python's memory management takes of it.

    Returns:
        The exit code: 0, 1 for an error that is explained, 130 or 143 when SIGINT or SIGTERM ended it.
    """
    gc.set_threshold(COLLECT_AFTER)
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
