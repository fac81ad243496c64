"""Waiting for what other processes do."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], seconds: float = 600.0) -> None:
    """Return once ``condition`` holds; AssertionError where it does not within seconds, which are many, for slow
    machines."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited for {seconds:.0f} seconds"
        time.sleep(0.05)
