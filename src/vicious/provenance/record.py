"""Where a result comes from: code, libraries, hardware, time, inputs and outputs."""

import ast
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from vicious import __version__
from vicious.system.files import digest, write_json

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
_COMPUTING = "vicious.system.runtime"
CODE = {
    "fetch": ("vicious.data.source",),
    "prepare": ("vicious.data.prepare",),
    "fit-covariance": ("vicious.metrics.moments", _COMPUTING),
    "train-honest": ("vicious.training.jobs", _COMPUTING),
    "train-vicious": ("vicious.training.jobs", _COMPUTING),
    "train-attack": ("vicious.training.jobs", _COMPUTING),
    "assess-risk": ("vicious.attacks.assess", _COMPUTING),
    "evaluate-defense": ("vicious.defense.evaluate", _COMPUTING),
    "summarize": ("vicious.results.summaries",),
    "write-metrics": ("vicious.results.flat",),
    "compare": ("vicious.results.comparisons",),
    "agree": ("vicious.results.agreement",),
    "per-class": ("vicious.results.per_class",),
    "summarize-defense": ("vicious.defense.collect",),
    "check-complete": ("vicious.results.summaries", "vicious.defense.collect"),
}
"""The modules that make a command's results, with all that they import; a table's or figure's is the one of its name."""
_ONLY_REPORTING = (
    "__init__.py",
    "system/errors.py",
    "system/interrupt.py",
    "system/progress.py",
    "provenance/record.py",
)

_PRODUCTS = ("dvc.lock", "docs/pilot")
"""What Git keeps of results: making it again does not make the code another."""


@cache
def code_hash(*modules: str) -> str:
    """Hash of the source of ``modules`` and of all of this package's modules that they import, directly or not.

    It changes when code that makes a result changes, and not when a file is merely touched, nor when only the version,
    an error's text, the progress display or the handling of signals does: that must not train a study's models again.
    """
    total = hashlib.sha256()
    for file in source_files(*modules):
        total.update(f"{file.relative_to(_SOURCE).as_posix()} {digest(file)}\n".encode())
    return total.hexdigest()[:16]


def source_files(*modules: str) -> list[Path]:
    """The files behind :func:`code_hash`, sorted."""
    found: set[Path] = set()
    waiting = [_module_file(module) for module in modules]
    while waiting:
        file = waiting.pop()
        if file is None or file in found or file.relative_to(_SOURCE).as_posix() in _ONLY_REPORTING:
            continue
        found.add(file)
        waiting.extend(_module_file(name) for name in _imports(file))
    return sorted(found)


def code_of(command: str) -> str:
    """The :func:`code_hash` of what makes a command's results, by :data:`CODE`; that of nothing for what is no command."""
    product = (f"vicious.report.{command}",) if command.isalnum() else ()
    return code_hash(*CODE.get(command, product))


def _module_file(name: str) -> Path | None:
    parts = name.split(".")
    if parts[0] != "vicious":
        return None
    base = _SOURCE.joinpath(*parts[1:])
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _imports(file: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


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
    """Package version, Git commit and whether tracked files differ from it; None where there is no Git."""

    def git(*arguments: str) -> str | None:
        try:
            return subprocess.run(
                ["git", "-C", str(_SOURCE), *arguments], capture_output=True, text=True, check=True, timeout=30
            ).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return None

    products = [f":(top,exclude){name}" for name in _PRODUCTS]
    status = git("status", "--porcelain", "--untracked-files=no", "--", ":/", *products)
    return {
        "package": __version__,
        "commit": git("rev-parse", "HEAD"),
        "dirty": None if status is None else bool(status),
    }


def libraries() -> dict[str, str]:
    """Versions of the libraries that results depend on, as installed."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def write_provenance(
    path: Path,
    command: str,
    settings: Mapping[str, Any],
    inputs: Iterable[Path],
    outputs: Iterable[Path],
    seconds: float,
    measured: Mapping[str, Any] | None = None,
) -> None:
    """Write one provenance JSON.

    Args:
        path: where to; no result depends on this file, since its times differ from run to run.
        command: the command that ran.
        settings: its settings; those of the steps behind its inputs, seeds among them, are taken from their records.
        inputs: files it read; their hashes are recorded.
        outputs: files it wrote, likewise; those that it removed again are left out.
        seconds: how long it took.
        measured: times of its parts, where it tells them.
    """
    from vicious.provenance.records import settings_behind

    read = _hashes(inputs)
    content = {
        "command": command,
        "settings": dict(settings),
        "settings_behind": settings_behind(read),
        "inputs": read,
        "outputs": _hashes(outputs),
        "code": {**code_version(), "hash": code_of(command)},
        "libraries": libraries(),
        "hardware": hardware(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        **({} if measured is None else {"measured": measured}),
    }
    write_json(path, content)


def _hashes(files: Iterable[Path]) -> dict[str, str]:
    return {file.as_posix(): digest(file) for file in files if file.is_file()}
