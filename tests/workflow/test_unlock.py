"""What counts as alive in a folder, and what does not; then the lock goes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vicious import cli
from vicious.system.errors import StudyRunningError, UnlockError
from vicious.workflow.unlock import LOCKS, processes, slurm_jobs, unlock, works

PYTHON = sys.executable
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine belongs to none, whatever runs beside."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(ROOT / "tests/no_cluster"), os.environ["PATH"]]))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python /a/bin/snakemake --cores 2", True),
        ("/a/bin/python3.11 -m snakemake --cores 2", True),
        ("python -X dev -m vicious prepare --out data", True),
        ("python -m vicious agree a.json --estimators e.csv --agreement a.csv --provenance p.json", True),
        ("/a/bin/python -P /a/bin/vicious train-honest --out x --seed 0", True),
        ("snakemake --cores 2", True),
        ("", False),
        ("python", False),
        ("python -m", False),
        ("python -X dev", False),
        ("python -c import(snakemake)", False),
        ("python -m vicious unlock", False),
        ("python /a/bin/vicious verify results/demo", False),
        ("python -m pytest tests/test_unlock.py", False),
        ("python /a/bin/pytest -k snakemake", False),
        ("vim workflow/rules/vicious", False),
        ("tail -f snakemake.log", False),
        ("bash -c snakemake --cores 2", False),
    ],
)
def test_snakemake_and_commands_that_write_count_and_nothing_that_names_them(line: str, expected: bool) -> None:
    assert works(line.split()) is expected


@pytest.fixture
def start(tmp_path: Path, spawn: Any) -> Callable[..., Any]:
    """Starts a program that does nothing, of a given name, in a folder."""

    def run(name: str, folder: Path, *arguments: Any) -> Any:
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text("import time\nprint('here', flush=True)\ntime.sleep(60)\n")
        folder.mkdir(exist_ok=True)
        return spawn("here", script, *arguments, cwd=folder)

    return run


def test_living_processes_of_the_folder_are_told_and_the_lock_stays(
    tmp_path: Path, start: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a study"
    study, job = start("snakemake", folder, "--cores", "1"), start("vicious", folder, "prepare", "--out", "x")
    start("vicious", tmp_path / "another", "prepare", "--out", "x")
    start("vim", folder, "snakemake")
    (folder / LOCKS).mkdir(parents=True)
    (folder / LOCKS / "0.input.lock").touch()
    (tmp_path / "a link").symlink_to(folder)
    monkeypatch.chdir(tmp_path / "a link")
    assert cli.main(["unlock"]) == 1
    told = capsys.readouterr().err
    for process, end in ((study, "snakemake --cores 1"), (job, "vicious prepare --out x")):
        assert [line.endswith(end) for line in told.splitlines() if f"kill {process.pid}: " in line] == [True]
    assert told.count("kill ") == 2
    assert (folder / LOCKS / "0.input.lock").exists()

    for process in (study, job):
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    assert list(processes(folder)) == []


def test_the_processes_that_started_it_do_not_count(tmp_path: Path) -> None:
    """As where a wrapper of the name starts it: the tests' own process stands for that."""
    code = "from pathlib import Path; from vicious.workflow.unlock import processes; print(*processes(Path.cwd()))"
    script = tmp_path / "snakemake"
    script.write_text(
        f"import subprocess, sys\nsys.exit(subprocess.run([sys.executable, '-c', {code!r}]).returncode)\n"
    )
    told = subprocess.run([PYTHON, script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout == "\n"


def test_a_folder_that_is_no_project_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnlockError, match="run this in the project's root folder"):
        unlock(tmp_path)


def test_nothing_locked_is_told(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").touch()
    assert "not locked" in unlock(tmp_path)
    (tmp_path / LOCKS).mkdir(parents=True)
    assert "not locked" in unlock(tmp_path)


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A Slurm that lists what it is given."""

    def lists(text: str, code: int = 0, told: str = "no controller") -> None:
        program = tmp_path / "slurm" / "squeue"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ncat <<'end'\n{text}\nend\necho '{told}' >&2\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", os.pathsep.join([str(program.parent), os.environ["PATH"]]))

    return lists


def test_slurm_jobs_of_the_folder_count_but_for_the_own(
    tmp_path: Path, squeue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a study"
    folder.mkdir()
    squeue(f"17 {folder}\n18 /elsewhere\n19 {folder}")
    monkeypatch.setenv("SLURM_JOB_ID", "19")
    assert list(slurm_jobs(folder)) == ["scancel 17: a Slurm job of yours"]
    with pytest.raises(StudyRunningError, match="scancel 17"):
        unlock(folder)


def test_a_silent_slurm_is_not_taken_for_an_idle_one(tmp_path: Path, squeue: Any) -> None:
    squeue("", code=1)
    with pytest.raises(UnlockError, match="no controller"):
        unlock(tmp_path)


def test_a_slurm_without_a_cluster_has_no_jobs(tmp_path: Path) -> None:
    assert subprocess.run("squeue", check=False).returncode == 1
    (tmp_path / "Snakefile").touch()
    assert "not locked" in unlock(tmp_path)


def test_what_looks_at_results_needs_neither_snakemake_nor_dvc(tmp_path: Path) -> None:
    """The package alone: the tools around it come with the extra ``workflow``."""
    for name in ("psutil", "snakemake", "dvc"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError(name={name!r})", encoding="utf-8")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    told = {}
    for command in (["discard", "results/smoke"], ["unlock"]):
        path = os.pathsep.join([str(tmp_path), str(ROOT / "src")])
        words = [sys.executable, "-m", "vicious", *command]
        told[command[0]] = subprocess.run(
            words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
        )
    assert told["discard"].returncode == 0, told["discard"].stderr
    assert told["unlock"].returncode == 1
    assert "without psutil" in told["unlock"].stderr
    assert "Traceback" not in told["unlock"].stderr
