"""How a job computes: threads, device, determinism. Part of what makes its result."""

import getpass
import os
from typing import TYPE_CHECKING

from vicious.system.errors import ConfigError

if TYPE_CHECKING:
    import torch


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
    # With it PyTorch fills memory that nothing has written yet; nothing here reads such, and a step takes 5% longer
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("runtime.device is cuda, but no CUDA GPU is visible here: set it to cpu")
    return torch.device(name)


def name_user() -> None:
    """Give a user whom the system knows by number alone, as in a container, that number as a name: libraries ask."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = str(os.getuid())
