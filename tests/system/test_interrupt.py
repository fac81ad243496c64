"""SIGINT, SIGTERM and SIGHUP to real processes of the command line: what they leave, say and return; and signals that
are held back."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from waiting import wait_for

from vicious.data.prepared import PreparedDataset
from vicious.system import interrupt
from vicious.system.interrupt import Interrupted, exit_code, held_back

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
WORDS = "interrupted: run the same command again to go on"
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """The signals have their usual meaning in processes started here, also where ``nohup`` runs the tests."""
    before = {number: signal.getsignal(number) for number in CODES}
    for number, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", CODES)
def test_a_signal_that_is_ignored_stays_so(number: int) -> None:
    """As SIGHUP is below ``nohup``."""
    lines = ("import os, signal", "from vicious.system import interrupt", f"signal.signal({number}, signal.SIG_IGN)")
    program = "\n".join([*lines, "interrupt.listen()", f"os.kill(os.getpid(), {number})"])
    assert subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, check=False).returncode == 0


@pytest.fixture
def start(launch: Any) -> Callable[..., Any]:
    """Starts a Python program in a process of its own, with what it prints."""

    def run(program: Any, folder: Path) -> Any:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return launch([sys.executable, *program], cwd=folder, env=ENVIRONMENT, text=True, **pipes)

    return run


WRITING = """
import sys, time
from pathlib import Path
from vicious import __main__, cli
from vicious.system import files

def check_config():
    for number in range(10**9):
        files.write_text("a.txt", f"{number}\\n" * 20_000)
        Path("ready").touch()

cli.check_config = check_config
sys.argv = ["vicious", "check-config"]
sys.exit(__main__.main())
"""
"""A command that writes one file again and again."""


@pytest.mark.parametrize("number", CODES)
def test_a_signal_while_a_file_is_written_leaves_an_old_or_a_new_one_and_nothing_else(
    start: Any, tmp_path: Path, number: Any
) -> None:
    chance = random.Random(int(number))
    for _ in range(4):
        process = start(["-c", WRITING], tmp_path)
        wait_for((tmp_path / "ready").exists)
        time.sleep(chance.random() / 20)
        process.send_signal(number)
        process.send_signal(number)  # while it cleans up
        _, told = process.communicate(timeout=60)
        assert (process.returncode, told.strip()) == (CODES[number], WORDS)
        lines = (tmp_path / "a.txt").read_text().splitlines()
        assert len(lines) == 20_000
        assert len(set(lines)) == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "ready"]
        (tmp_path / "ready").unlink()


@pytest.mark.parametrize("number", CODES)
def test_a_command_that_only_starts_ends_as_cleanly(start: Any, tmp_path: Path, number: Any) -> None:
    os.mkfifo(tmp_path / "params.yaml")  # it waits for someone to write
    process = start(["-m", "vicious", "check-config", "params.yaml"], tmp_path)
    wait_for(lambda: listens(process))
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told.strip()) == (CODES[number], WORDS)


DROPPING = """
import signal, sys, time
from vicious import __main__, cli

class Finalized:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)
        raise RuntimeError("not reached")

def check_config():
    Finalized()
    while True:
        time.sleep(60)

cli.check_config = check_config
sys.argv = ["vicious", "check-config"]
sys.exit(__main__.main())
"""
"""A signal in a finalizer, whose exceptions Python drops."""


def test_a_signal_where_python_drops_exceptions_ends_the_command_all_the_same(start: Any, tmp_path: Path) -> None:
    process = start(["-c", DROPPING], tmp_path)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told.strip()) == (143, WORDS)


def listens(process: Any) -> bool:
    """Whether a process has a handler for SIGTERM, which Python by itself has not."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")), 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


OPTIONS = "--data prepared --depth 10 --width 1 --epochs 20 --batch-images 8 --learning-rate 0.002 --seed 0"
SERVER = "--outputs noise0.2 --beta-c 1 --beta-r 1 --evasion 0.5 --evades both"
WRITTEN = "--out out/target.safetensors --attack-out out/joint.safetensors --provenance out/p.json"
TRAIN = ["-m", "vicious", "train-vicious", *OPTIONS.split(), *SERVER.split(), *WRITTEN.split()]


def trained(folder: Path) -> dict[Any, Any]:
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir() if path.name != "p.json"}


def saved(resume: Any) -> int:
    """The epochs of the curve in the only resume state."""
    for state in resume.glob("[!.]*"):
        with safe_open(state, framework="np") as file:
            return len(json.loads(file.metadata()["curve"]))
    return 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_training_that_is_ended_goes_on_from_there_to_the_same_bytes(
    prepared: PreparedDataset, start: Any, tmp_path: Path, number: Any
) -> None:
    folders = tmp_path / "whole", tmp_path / "ended"
    for folder in folders:
        shutil.copytree(prepared.folder, folder / "prepared")
    _, told = start(TRAIN, folders[0]).communicate(timeout=120)
    assert "960/960 images" in told
    chance, resume = random.Random(int(number)), folders[1] / ".cache/resume"
    for epochs in (1, 8):  # at least so many are done when it is ended
        process = start(TRAIN, folders[1])

        def enough(least: int = epochs) -> bool:
            return saved(resume) >= least

        wait_for(enough)
        time.sleep(0.1 * chance.random())
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
        assert process.returncode == (143 if number == signal.SIGTERM else -signal.SIGKILL)
        if number == signal.SIGTERM:
            assert WORDS in told.splitlines()
            assert not list(tmp_path.rglob("*.part*"))
    _, told = start(TRAIN, folders[1]).communicate(timeout=120)
    assert "960/960 images" in told
    assert trained(folders[1]) == trained(folders[0])
    assert not list(resume.iterdir())
    assert not list(tmp_path.rglob("*.part*"))


def test_a_signal_that_is_held_back_comes_at_the_end_of_the_outermost_block(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # put back at the end
    monkeypatch.setattr(interrupt, "_SIGNALS", interrupt._Signals())
    interrupt.listen()
    done = []
    try:
        with pytest.raises(Interrupted, match="SIGTERM") as found, held_back():
            with held_back():
                signal.raise_signal(signal.SIGTERM)
                done.append("inner")
            done.append("outer")
        signal.raise_signal(signal.SIGTERM)  # it would break the cleaning up
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert done == ["inner", "outer"]
    assert exit_code(found.value) == 143
    assert exit_code(KeyboardInterrupt()) == 130
