"""How a job computes: threads, device, determinism. Part of what makes its result."""

import ctypes
import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vicious.system.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# numbers of malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 32 * 2**20
"""Bytes: the most that glibc allows."""


def limit_threads(threads: int) -> None:
    """Before numpy or torch load: sums depend on the number of threads, and jobs share the machine."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def use_device(name: str, threads: int) -> "torch.device":
    """The device of a job, "cpu" or "cuda", set up so that the same job gives the same bits.

    Raises:
        ConfigError: there is no such device here.
    """
    import torch

    torch.set_num_threads(threads)
    # As use_deterministic_algorithms(True), which loads a compiler for a second.
    torch.set_deterministic_debug_mode("error")
    torch.backends.cudnn.allow_tf32 = False  # float32 is float32
    # PyTorch fills memory that nothing has written yet; nothing here reads such, and a step takes 5% longer
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("runtime.device is cuda, but no CUDA GPU is visible here: set it to cpu")
    return torch.device(name)


def moved(tensor: "Tensor", device: "torch.device") -> "Tensor":
    """A tensor on a device; a GPU copies it when it comes to it, and this process does not wait."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


@contextmanager
def kept_memory() -> Iterator[None]:
    """Have the C library keep what is freed for the next batch, and give it back at the end: to do so after each batch,
    and to ask for it again, takes up to a tenth of a training's time. Only glibc is known to do that. Later work of
    this process keeps its memory too, up to 32 MB a piece."""
    try:
        glibc = ctypes.CDLL("libc.so.6")
    except OSError:
        yield
        return
    glibc.mallopt(_TRIM_THRESHOLD, -1)
    glibc.mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)
    try:
        yield
    finally:
        glibc.malloc_trim(0)


def name_user() -> None:
    """Give a user whom the system knows by number alone, as in a container, that number as a name: libraries ask."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = str(os.getuid())


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes with one thread in here: for networks so small that threads wait for each other, and the longer
    the busier the machine is."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
