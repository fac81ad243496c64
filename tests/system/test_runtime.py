"""How jobs compute."""

import platform
import subprocess
import sys

import pytest


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of another C library nothing is asked")
def test_freed_memory_is_kept_for_the_next_batch_and_then_given_back() -> None:
    program = """
import resource
from pathlib import Path
import torch
from vicious.system.runtime import kept_memory

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

before = held()
with kept_memory():
    maps = [torch.ones(4 * 2**20) for _ in range(8)]  # of 16 MiB
    del maps
    print(held() - before)
print(held() - before)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    kept, after = (int(line) / 2**20 for line in told.split())
    assert kept > 100
    assert after < 20
