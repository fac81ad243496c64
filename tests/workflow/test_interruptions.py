"""A study that is killed, locked, or has no place to write: what is told, and that the same command then ends with the
same bytes."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from chaos import EPOCHS, SAVED, ChaosError, Study, chaos, check, halted
from waiting import wait_for

from vicious.workflow.unlock import LOCKS

HONEST = "results/smoke/models/mnist/honest/seed0/target.safetensors"


@pytest.mark.slow
def test_a_study_that_is_killed_now_and_then_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    joint = HONEST.replace("honest", "vicious-logits-beta1").replace("target", "joint")
    total = chaos(tmp_path, 5, seed, (HONEST, joint), limit=600)
    assert total["snakemake"] + total["job"] + total["all"] >= 5
    assert total[SAVED] > 0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Files of a study of one model, by path, with their hashes; and its folder."""
    study = Study(tmp_path_factory.mktemp("undisturbed") / "a study", (HONEST,))
    assert study.start().wait() == 0, study.told()
    return study.folder, study.hashes()


RECORD = "results/smoke/models/mnist/honest/seed0/train_honest.provenance.json"
DAMAGE: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "halved": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "emptied": lambda path: path.write_bytes(b""),
    "of nothing": lambda path: path.write_text("{}"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("record", [RECORD, "data/prepared/smoke/mnist/prepare.provenance.json"])
def test_a_damaged_record_is_what_chaos_looks_for(undisturbed: Any, tmp_path: Path, kind: str, record: str) -> None:
    study = Study.__new__(Study)
    study.folder = tmp_path / "a study"
    shutil.copytree(undisturbed[0], study.folder)
    assert study.hashes() == undisturbed[1]
    DAMAGE[kind](study.folder / record)
    with pytest.raises(ChaosError, match=record):
        check(study, undisturbed[1])


@pytest.fixture
def study(undisturbed: Any, tmp_path: Path) -> Study:
    """A study whose data are prepared, and whose model is not yet trained."""
    prepared = Study(tmp_path / "a study", (HONEST,))
    for part in ("data", ".snakemake"):
        shutil.copytree(undisturbed[0] / part, prepared.folder / part)
    return prepared


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[None]:
    """Something mounted on a folder that is made if need be; skips where that needs another user."""
    place.mkdir(parents=True, exist_ok=True)
    may = shutil.which("mount") and os.geteuid() == 0
    if not may or subprocess.run(["mount", *options, place], capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def full(place: Path, free: int = 0) -> AbstractContextManager[None]:
    """A disk of 8 MB with so many bytes free, in place of a folder."""

    @contextmanager
    def disk() -> Iterator[None]:
        with mounted(place, "-t", "tmpfs", "-o", "size=8m", "none"):
            with (place / "filler").open("wb", buffering=0) as file:
                try:
                    while file.write(bytes(65536)):
                        pass
                except OSError:
                    file.truncate(file.tell() - free)
            yield

    return disk()


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    with mounted(place, "--bind", str(place)):
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        yield


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "free", "told"),
    [
        ("results", 16_384, "error: cannot write results/smoke/models/mnist/honest/seed0/target.safetensors"),
        (".cache/resume", 16_384, "cannot write .cache/resume/"),
        ("logs/smoke", 0, "cannot write logs/smoke: the disk is full: free some space"),
        (".snakemake", 0, "cannot write .snakemake: the disk is full: free some space"),
    ],
)
def test_a_full_disk_is_told_with_its_path_and_costs_nothing_but_time(
    study: Any, undisturbed: Any, part: str, free: int, told: str
) -> None:
    place = study.folder / part
    if part == ".snakemake":
        shutil.rmtree(place)
    with full(place, free):
        assert study.start().wait() == 1
        assert told in study.told()
        assert "the disk is full: free some space" in study.told()
        assert not [path for path in study.folder.rglob("*.safetensors") if path.parent.name == "seed0"]
        assert not list(study.folder.rglob("*.part*"))
        (place / "filler").unlink()
        if free:  # else nothing was begun
            assert study.start().wait() == 0, study.told()
            assert study.hashes() == undisturbed[1]
            assert study.left() == []


@pytest.mark.slow
def test_a_log_that_cannot_be_written_ends_no_job(study: Any, undisturbed: Any) -> None:
    log = study.folder / "logs/smoke/mnist/honest/seed0"
    with full(log):
        assert study.start().wait() == 0, study.told()
        assert f"honest mnist seed 0: {EPOCHS * 96}/{EPOCHS * 96} images" in study.told(), "what the log would say"
    assert study.hashes() == undisturbed[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("results", ("results/smoke", "Read-only file system")),
        ("logs", ("cannot write logs/smoke: the file system is read-only",)),
        (".cache", ("cannot write .cache/resume", "the file system is read-only")),
        (".", ("cannot write .snakemake: the file system is read-only",)),
    ],
)
def test_a_read_only_folder_is_told_with_its_path(study: Any, undisturbed: Any, part: str, told: Any) -> None:
    study.log = study.folder.parent / "snakemake.txt"
    with read_only(study.folder / part):
        assert study.start().wait() == 1
        assert all(words in study.told() for words in told), study.told()
        assert "Traceback" not in study.told()
    assert not [path for path in study.folder.rglob("*.safetensors") if path.parent.name == "seed0"]
    if part in ("results", ".cache"):  # else nothing was begun
        assert study.start().wait() == 0, study.told()
        assert study.hashes() == undisturbed[1]
        assert study.left() == []


def held(snakemake: int) -> list[psutil.Process]:
    """The processes of a Snakemake's only job, stopped, so that it lasts as long as a test needs it."""
    parent = psutil.Process(snakemake)
    wait_for(lambda: any("train-honest" in process.cmdline() for process in parent.children(recursive=True)))
    (shell,) = parent.children()
    job = halted(shell)
    for process in job:
        process.suspend()
    return job


def ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.slow
def test_of_two_at_once_the_second_ends_with_an_error_and_a_killed_one_is_unlocked(
    study: Any, undisturbed: Any
) -> None:
    first = study.start()
    job = held(first.pid)
    second = subprocess.run(study.command, cwd=study.folder, env=study.environment, capture_output=True, text=True)
    assert second.returncode == 1
    for words in ("`vicious unlock` tells which", "Directory cannot be locked"):
        assert words in second.stdout + second.stderr
    refused = study.vicious("unlock")
    assert refused.returncode == 1
    assert f"kill {first.pid}: " in refused.stderr

    first.kill()
    first.wait()
    orphan = study.vicious("unlock")
    assert orphan.returncode == 1
    assert "vicious train-honest" in orphan.stderr
    for process in job:
        process.resume()
    wait_for(lambda: all(map(ended, job)))
    assert names(study.folder / LOCKS)
    done = study.vicious("unlock")
    assert (done.returncode, done.stderr) == (0, "")
    assert "unlocked" in done.stdout
    assert "not locked" in study.vicious("unlock").stdout
    assert study.start().wait() == 0, study.told()
    assert study.hashes() == undisturbed[1]
    assert study.left() == []
