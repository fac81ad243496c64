"""`make` makes the environment when it is needed, and not again."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder whose environment is complete, as `make` leaves it."""
    folder = tmp_path / "a project"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv").mkdir()
    (folder / ".venv" / ".complete").write_text(f"{folder.resolve()}/.venv\n")
    return folder


def makes_an_environment(folder: Path) -> bool:
    """Whether `make env` there would make one; nothing is run."""
    planned = subprocess.run(["make", "-n", "env"], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert ("pip install" in planned) != ("Nothing to be done" in planned)
    assert ("pwd -P" in planned) == ("pip install" in planned)
    return "pip install" in planned


def test_an_environment_is_made_once(project: Path) -> None:
    assert not makes_an_environment(project)


def test_a_linked_environment_is_taken_as_it_is(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "another"
    shutil.copytree(project, other, ignore=shutil.ignore_patterns(".venv"))
    (other / ".venv").symlink_to(project / ".venv")
    (project / ".venv" / ".complete").touch()
    assert not makes_an_environment(other)


@pytest.mark.parametrize("cpu", ["", "1"])
def test_without_a_gpu_the_lock_lacks_what_a_gpu_needs_and_nothing_else(project: Path, cpu: str) -> None:
    shutil.rmtree(project / ".venv")
    asked, environment = [f"CPU={cpu}"] if cpu else [], os.environ | {"CPU": "x86_64"}  # as some shells set it
    planned = subprocess.run(
        ["make", "-n", "env", *asked], cwd=project, capture_output=True, text=True, check=True, env=environment
    ).stdout
    (project / ".venv").mkdir()
    planned = planned.replace("\\\n", "")  # lines that go on
    (command,) = (line for line in planned.splitlines() if line.startswith("awk "))
    subprocess.run(["bash", "-c", command], cwd=project, check=True)
    lock, kept = ((project / name).read_text(encoding="utf-8") for name in ("requirements.lock", ".venv/lock"))
    if not cpu:
        assert kept == lock
        assert "--index-url" not in planned
        return
    pins = re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock, re.M)
    left_out = ("torch", "torchvision", "triton")
    wanted = {pin for pin in pins if not pin[0].startswith(("nvidia-", "cuda-")) and pin[0] not in left_out}
    assert set(re.findall(r"^([a-z0-9-]+)==([^ ]+)", kept, re.M)) == wanted
    blocks = re.split(r"^(?=\S)", lock, flags=re.M)
    assert kept == "".join(block for block in blocks if block.split(" ")[0].partition("==")[::2] in wanted)
    versions = dict(pins)
    assert f"torch=={versions['torch']} torchvision=={versions['torchvision']}\n" in planned


@pytest.mark.parametrize("change", ["none yet", "unfinished", "moved", "copied", "another lock"])
def test_an_environment_that_cannot_work_is_made_again(project: Path, tmp_path: Path, change: str) -> None:
    folder, other = project, tmp_path / "another"
    if change == "none yet":
        shutil.rmtree(folder / ".venv")
    elif change == "unfinished":
        (folder / ".venv" / ".complete").unlink()
    elif change == "moved":
        folder = folder.rename(other)
    elif change == "copied":
        folder = shutil.copytree(folder, other)
    else:
        (folder / ".venv" / ".complete").write_text(f"{folder.resolve()}/.venv\n")
        stamp = (folder / ".venv" / ".complete").stat().st_mtime + 10
        os.utime(folder / "requirements.lock", (stamp, stamp))
    assert makes_an_environment(folder)
