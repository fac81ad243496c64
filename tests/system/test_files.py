"""Atomic writing: a final name never holds half a file."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from models_by_hand import F

from vicious.system import files
from vicious.system.errors import StorageError
from vicious.system.files import atomic_path, check_writable, read_json, write_json, write_text


def names(folder: Path) -> list[Any]:
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_write_leaves_only_the_file(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "x\n")
    assert (tmp_path / "new" / "a.txt").read_text() == "x\n"
    assert names(tmp_path / "new") == ["a.txt"]


def test_an_error_keeps_the_old_content_and_leaves_nothing(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_temporary_name_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.tar.npz") as temporary:
        assert temporary.suffix == ".npz"
        assert temporary.parent == tmp_path


WRITES = """
import sys, time
from vicious.system.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(spawn: Any) -> Callable[..., Any]:
    """Starts a process that writes a path and does not end; its temporary file is there."""
    return lambda path: spawn("writing", "-c", WRITES, path)


@pytest.mark.parametrize("name", ["a.txt", "[a] *.txt", "a"])
def test_what_a_killed_process_left_goes_with_the_next_write_and_nothing_else(
    tmp_path: Path, writer: Any, name: str
) -> None:
    dead, alive, other = writer(tmp_path / name), writer(tmp_path / name), writer(tmp_path / "other.txt")
    for process in (dead, other):
        process.send_signal(signal.SIGKILL)
        process.wait()
    (tmp_path / f"x{name}").write_text("another file")
    assert len(names(tmp_path)) == 4
    write_text(tmp_path / name, "new")
    left = names(tmp_path)
    assert [one for one in left if not one.startswith(".")] == sorted([name, f"x{name}"])
    assert len([one for one in left if ".part" in one]) == 2, "that of the living, and that of another path"
    alive.send_signal(signal.SIGKILL)
    alive.wait()
    write_text(tmp_path / name, "newer")
    write_text(tmp_path / "other.txt", "new")
    assert names(tmp_path) == sorted([name, f"x{name}", "other.txt"])


def test_a_temporary_file_that_was_taken_for_left_behind_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    hurried: list[Any] = []

    def slow(handle: Any, operation: Any) -> None:
        if operation == fcntl.LOCK_EX and not hurried:
            hurried.append(names(tmp_path))
            files._remove_left(tmp_path / "a.txt")
        lock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", slow)
    write_text(tmp_path / "a.txt", "new")
    assert len(hurried[0]) == 1
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_without_locks_files_are_written_and_what_was_left_stays(
    tmp_path: Path, writer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = writer(tmp_path / "a.txt")
    process.kill()
    process.wait()

    def none(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert len(names(tmp_path)) == 2


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "permission")]
)
def test_a_refusal_of_the_file_system_is_explained(tmp_path: Path, code: Any, words: str) -> None:
    with pytest.raises(StorageError, match=words), atomic_path(tmp_path / "a.txt"):
        raise OSError(code, os.strerror(code))
    assert names(tmp_path) == []


def test_a_refusal_wrapped_by_a_library_is_found(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="disk is full"), atomic_path(tmp_path / "a.txt"):
        try:
            raise OSError(errno.ENOSPC, "no space")
        except OSError as error:
            raise ValueError("cannot encode") from error


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, full for real."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    if not mounted or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_keeps_the_old_file(tiny_disk: Any) -> None:
    write_text(tiny_disk / "a.txt", "old")
    with pytest.raises(StorageError, match=r"cannot write .*a\.txt: the disk is full"):
        write_text(tiny_disk / "a.txt", "x" * 1_000_000)
    assert (tiny_disk / "a.txt").read_text() == "old"
    assert names(tiny_disk) == ["a.txt"]


def test_a_full_disk_stops_weights_tables_and_arrays(tiny_disk: Any) -> None:
    import numpy as np

    from vicious.metrics.risk import Covariance, save_covariance
    from vicious.models.architecture import Architecture
    from vicious.models.checkpoint import save_model

    architecture = Architecture(F, 1, 10, False)
    with pytest.raises(StorageError, match="disk is full"):
        save_model(architecture.build(), tiny_disk / "target.safetensors", architecture, {})
    zeros, eye = np.zeros(200), np.eye(200)
    single = zeros.astype(np.float32), eye.astype(np.float32)
    covariance = Covariance(zeros, zeros, eye, 5, 0.0, np.zeros((1, 1)), np.zeros((1, 200)), *single)
    with pytest.raises(StorageError, match="disk is full"):
        save_covariance(covariance, tiny_disk / "covariance.safetensors", "data")
    assert not any(path.suffix == ".safetensors" or path.name.startswith(".") for path in tiny_disk.iterdir())


def test_a_folder_that_cannot_be_written_is_told_before_and_nothing_is_left(tiny_disk: Any) -> None:
    with pytest.raises(StorageError, match=r"cannot write .*new/folder: the disk is full"):
        check_writable(tiny_disk / "new" / "folder", 100_000)
    check_writable(tiny_disk / "new" / "folder", 1024)
    assert names(tiny_disk) == []


def test_json_is_strict_and_sorted(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": [0.5]})
    assert (tmp_path / "a.json").read_text().index('"a"') < (tmp_path / "a.json").read_text().index('"b"')
    assert read_json(tmp_path / "a.json") == {"a": [0.5], "b": 1}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", float("nan"))
    assert not Path(tmp_path / "b.json").exists()


@pytest.mark.parametrize("call", ["fsync", "chmod"])
@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM])
def test_files_are_written_where_the_file_system_knows_no_fsync_or_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os if call == "fsync" else Path, call, refuse)
    write_text(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert names(tmp_path) == ["a.txt"]


def test_a_failing_disk_is_not_taken_for_a_missing_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="full"):
        write_text(tmp_path / "a.txt", "lost")
    assert names(tmp_path) == []
