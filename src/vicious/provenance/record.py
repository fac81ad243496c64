"""Where a result comes from: code, libraries, hardware, time, inputs and outputs."""

import importlib.metadata
import logging
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vicious import __version__
from vicious.provenance.identity import meaning
from vicious.provenance.records import settings_behind
from vicious.steps import Step
from vicious.system.errors import ProvenanceError
from vicious.system.files import digest, write_json

log = logging.getLogger(__name__)
_SOURCE = Path(__file__).resolve().parents[1]
_LIBRARIES = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "seaborn",
    "safetensors",
    "pyarrow",
    "pillow",
)
_PRODUCTS = ("dvc.lock", "results", "paper_figures", "models")
"""What Git keeps of results: making it again does not make the code another."""


def code_of(step: Step) -> str:
    """The identity of the code that makes a step's results."""
    return meaning(*step.entries())


def check_code(step: Step, identity: str) -> None:
    """Refuse to make a step's results by other code than the workflow planned with, whose identity it records.

    Raises:
        ProvenanceError: the code here has another identity.
    """
    if (own := code_of(step)) != identity:
        raise ProvenanceError(
            f"this job is to run code of the identity {identity}, and that in {_SOURCE} is {own}: it was changed "
            "since snakemake began, or PYTHONPATH or the environment leads to another version; run snakemake again"
        )


def check_code_here() -> None:
    """Refuse to judge results in a project's folder by the code of another one.

    Raises:
        ProvenanceError: the working folder has this package's source, and it is not what runs.
    """
    here = Path("src/vicious")
    if (here / "__init__.py").is_file() and not here.samefile(_SOURCE):
        raise ProvenanceError(
            f"the code that runs is that of {_SOURCE}, not that of this folder: PYTHONPATH or the environment leads "
            "there; run the command of this folder's environment, or set PYTHONPATH=src"
        )


def hardware() -> dict[str, Any]:
    """The machine in words: processor, cores that may be used, system, and the GPU if this process has used one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    machine: dict[str, Any] = {"processor": _processor(), "cores": cores, "system": platform.platform(terse=True)}
    torch = sys.modules.get("torch")  # not imported for this: most commands need none
    if torch is not None and torch.cuda.is_initialized():
        machine["gpu"] = torch.cuda.get_device_name()
    return machine


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def code_version() -> dict[str, Any]:
    """Package version, Git commit and whether tracked files differ from it.

    The last two are None, with a warning that says why, unless the project itself is a repository: a copy without one
    may lie below another project's, and must not name that one's commit.
    """
    version: dict[str, Any] = {"package": __version__, "commit": None, "dirty": None}
    root = _SOURCE.parents[1]
    products = [f":(top,exclude){name}" for name in _PRODUCTS]
    try:
        top = _git(root, "rev-parse", "--show-toplevel")
        if not Path(top).samefile(root):
            log.warning("no commit is recorded: %s is no repository of its own, but lies in that of %s", root, top)
            return version
        status = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ":/", *products)
        return {**version, "commit": _git(root, "rev-parse", "HEAD"), "dirty": bool(status)}
    except subprocess.CalledProcessError as error:
        why = (error.stderr.strip() or "unknown error").splitlines()[0]
    except (OSError, subprocess.SubprocessError) as error:
        why = str(error)
    log.warning("no commit is recorded, since Git says: %s", why)
    return version


def _git(root: Path, *words: str) -> str:
    """What Git prints in a folder, whatever repository the environment names, as it does in a hook."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-C", str(root), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, env=environment)
    return done.stdout.removesuffix("\n")


def libraries() -> dict[str, str]:
    """Versions of the libraries that results depend on, as installed."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def peak() -> int:
    """The most bytes of memory that this process has held at once, those of its libraries included."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024


def write_provenance(
    path: Path,
    step: Step,
    seconds: float,
    measured: Mapping[str, Any] | None = None,
) -> None:
    """Write one provenance JSON.

    Args:
        path: where to; no result depends on this file, since its times differ from run to run.
        step: the step that ran. Its files' hashes are recorded, and the settings of the steps behind its inputs, seeds
            among them, from their records.
        seconds: how long it took.
        measured: times of its parts, where it measured them.
    """
    read = _hashes(step.reads())
    content = {
        "command": step.command(),
        "settings": step.settings(),
        "settings_behind": settings_behind(read),
        "inputs": read,
        "outputs": _hashes(step.writes()),
        "code": {**code_version(), "hash": code_of(step)},
        "libraries": libraries(),
        "hardware": hardware(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "peak_mb": round(peak() / 1e6, 1),
        **({} if measured is None else {"measured": measured}),
    }
    write_json(path, content)


def _hashes(files: Iterable[Path]) -> dict[str, str]:
    return {file.as_posix(): digest(file) for file in files if file.is_file()}
