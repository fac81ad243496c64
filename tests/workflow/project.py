"""A copy of this project to run in, and its commands as a user gives them there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PAPER = pytest.param("paper", marks=pytest.mark.slow)
"""The scale with most jobs by far: a plan of it takes half a minute on a slow machine."""
SMOKE = ("scale=smoke", "datasets=[mnist,cifar100,celeba]")
"""A dataset of each kind: grey, with class counts, with attributes."""
PARTS = ("Snakefile", "params.yaml", "workflow", "src", "profiles", "dvc.yaml", ".gitignore", ".dvcignore")


def copy_project(target: Path) -> Path:
    """The project's code in a folder of its own."""
    target.mkdir(parents=True, exist_ok=True)
    ignore = shutil.ignore_patterns("__pycache__")
    for name in PARTS:
        source = ROOT / name
        shutil.copytree(source, target / name, ignore=ignore) if source.is_dir() else shutil.copy(source, target / name)
    return target


def once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], str]) -> tuple[Path, str]:
    """A folder of that name as ``build`` left it, and what that returned: built once, by whichever test process comes
    first."""
    shared = factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder, told = shared / name, shared / f"{name}.txt"
    with FileLock(shared / f"{name}.lock"):
        if not told.exists():
            told.write_text(build(folder), encoding="utf-8")
    return folder, told.read_text(encoding="utf-8")


def set_params(folder: Path, **keys: object) -> None:
    """Change values of a project's params.yaml, by keys with ``__`` between levels."""
    file = folder / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key, value in keys.items():
        *above, last = key.split("__")
        block = params
        for name in above:
            block = block[name]
        block[last] = value
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def environment(folder: Path) -> dict[str, str]:
    """Environment variables in which this environment's programs run a project's own source."""
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    python = os.pathsep.join(filter(None, [str(folder / "src"), os.environ.get("PYTHONPATH")]))
    variables = {**os.environ, "PYTHONPATH": python, "PATH": path, "DVC_NO_ANALYTICS": "1"}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # most users have it not: jobs keep their compiled source
    return variables


def run(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """A program in a project's folder."""
    return subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=1800, env=environment(folder)
    )


def snakemake(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Snakemake in a project's folder."""
    return run(folder, BIN / "snakemake", *arguments)


def counts(result: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Jobs by rule, as Snakemake lists them before it begins or in a dry run; none where nothing is to be done."""
    lines = iter((result.stdout + result.stderr).splitlines())
    for line in lines:
        if line.startswith("---"):
            break
    listed = (line.split() for line in iter(lambda: next(lines, ""), ""))
    return {name: int(count) for name, count in listed}


def smoke_study(factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The smoke study of a few datasets, built once, and what Snakemake told."""

    def build(folder: Path) -> str:
        result = snakemake(copy_project(folder), "--cores", "2", "--verbose", "--config", *SMOKE)
        assert result.returncode == 0, result.stderr[-3000:]
        return result.stdout + result.stderr

    return once(factory, "a study built", build)


def narrow_params(folder: Path) -> None:
    """Write into params.yaml what that study was given by --config."""
    choice = dict(item.split("=", 1) for item in SMOKE)
    set_params(folder, **{key: yaml.safe_load(value) for key, value in choice.items()})


def study_files(folder: Path) -> list[Path]:
    """What must be the same each time: all but provenance."""
    found = (path for part in ("data/prepared", "results/smoke") for path in (folder / part).rglob("*"))
    return sorted(path for path in found if path.is_file() and not path.name.endswith(".provenance.json"))
