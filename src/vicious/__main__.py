"""The ``vicious`` command, and ``python -m vicious``."""

import gc
import sys

from vicious import cli

COLLECT_AFTER = 100_000
"""New objects before Python looks for unused ones: importing PyTorch makes a million that stay, and jobs are many and short."""


def main() -> int:
    """Run the command line in a process of its own, without the time that Python's memory management takes of it.

    Returns:
        The exit code.
    """
    gc.set_threshold(COLLECT_AFTER)
    code = cli.main()
    gc.freeze()  # the process ends: nothing is won by looking once more for what is not used
    return code


if __name__ == "__main__":
    sys.exit(main())
