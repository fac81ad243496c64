"""How jobs compute."""

import platform
import subprocess
import sys

import pytest


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of another C library nothing is asked")
def test_freed_memory_is_kept_for_the_next_batch() -> None:
    program = """
import resource
from pathlib import Path
from vicious.system.runtime import use_device
use_device("cpu", 1)
import torch

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

before = held()
maps = [torch.ones(4 * 2**20) for _ in range(8)]  # of 16 MiB
del maps
print(held() - before)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert int(told) > 100 * 2**20
