"""The one command after a killed Snakemake: it unlocks the folder, once nothing that belongs to it works any more.

It sees the processes of this machine that may be read, that is, this user's, and this user's Slurm jobs.
"""

import getpass
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from vicious.system.errors import StudyRunningError, UnlockError
from vicious.system.escape import escaped

LOCKS = Path(".snakemake/locks")
NO_CLUSTER = "Could not establish a configuration source"
"""What Slurm's commands say where they are installed and belong to no cluster."""


def unlock(folder: Path) -> str:
    """Remove Snakemake's lock on ``folder``, the project's root; returns what was done, in words.

    Raises:
        StudyRunningError: Snakemake or a job of the folder is alive.
        UnlockError: it cannot be told, this is no project, or Snakemake failed to unlock.
    """
    alive = [*processes(folder), *slurm_jobs(folder)]
    if alive:
        raise StudyRunningError(
            f"{folder} is in use, so it was not unlocked:",
            *(f"  {one}" for one in alive),
            "wait for these, or end them by the command named first; then run the same command again",
        )
    if not locked(folder):
        if not any((folder / name).exists() for name in ("Snakefile", ".snakemake")):
            raise UnlockError(f"{folder} has neither Snakefile nor .snakemake: run this in the project's root folder")
        return f"{escaped(folder)} is not locked: nothing to do"
    result = subprocess.run(
        [sys.executable, "-P", "-m", "snakemake", "--unlock"], cwd=folder, capture_output=True, text=True, check=False
    )
    if result.returncode:
        said = (result.stdout + result.stderr).strip().splitlines()
        raise UnlockError(f"snakemake --unlock failed in {folder}:", *said)
    return (
        f"{escaped(folder)} was locked by a Snakemake that is no longer alive: unlocked; run snakemake again to go on"
    )


def locked(folder: Path) -> bool:
    """Whether Snakemake has a lock on ``folder``."""
    return any((folder / LOCKS).glob("*"))


def at_work(folder: Path) -> bool:
    """Whether Snakemake or a job of ``folder`` is alive, as far as can be seen from here; where nothing can, whether it
    is locked."""
    try:
        return any(True for _ in processes(folder)) or any(True for _ in slurm_jobs(folder))
    except UnlockError:
        return locked(folder)


def check_not_locked(folder: Path) -> None:
    """Refuse to change results under a Snakemake that may be at work.

    Raises:
        StudyRunningError: the folder is locked.
    """
    if locked(folder):
        raise StudyRunningError(
            "Snakemake works in this folder, or was killed, so nothing was touched: `vicious unlock` tells which, and "
            "mends it"
        )


def processes(folder: Path) -> Iterator[str]:
    """Snakemake and jobs that work in ``folder``, in words; not this process and those that started it.

    Raises:
        UnlockError: psutil is not installed.
    """
    try:
        import psutil
    except ModuleNotFoundError:
        raise UnlockError(
            f"cannot look for processes in {folder} without psutil: install it, `make env` does, then run the same "
            "command again"
        ) from None
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        try:
            if process.pid not in own and works(process.cmdline()) and Path(process.cwd()).samefile(folder):
                yield f"kill {process.pid}: {' '.join(process.cmdline())}"
        except (psutil.Error, OSError):
            continue  # it ended, or is another user's


def works(words: Sequence[str]) -> bool:
    """Whether a command line is that of Snakemake, or of a command of this project that writes files.

    A zombie has none. Editors, shells and tests may name these programs, but are others.
    """
    name, options = _program(words)
    return name == "snakemake" or (name == "vicious" and not {"--out", "--provenance"}.isdisjoint(options))


def _program(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The name of a program, Python's own or not, and what follows it."""
    if not words:
        return "", ()
    name, rest = PurePath(words[0]).name, words[1:]
    if not re.fullmatch(r"python[0-9.]*", name):
        return name, rest
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        rest = rest[2:] if rest[0] in ("-X", "-W") else rest[1:]
    script = rest[1:] if rest[:1] == ["-m"] else rest
    return ("".join(PurePath(word).name for word in script[:1]), script[1:])


def slurm_jobs(folder: Path) -> Iterator[str]:
    """This user's Slurm jobs whose work directory is ``folder``, in words, but for the one this runs in; none without
    Slurm.

    Raises:
        UnlockError: Slurm does not answer.
    """
    if shutil.which("squeue") is None:
        return
    listed = subprocess.run(
        ["squeue", "--user", getpass.getuser(), "--noheader", "--format", "%A %Z"],
        capture_output=True,
        text=True,
        check=False,
    )
    if NO_CLUSTER in listed.stderr:
        return
    if listed.returncode:
        raise UnlockError(
            f"Slurm does not tell which jobs are alive ({listed.stderr.strip()}): try again, or, once you know that "
            f"none of {folder} is, run snakemake --unlock"
        )
    for line in listed.stdout.splitlines():
        number, place = line.split(" ", 1)
        if number != os.environ.get("SLURM_JOB_ID") and os.path.realpath(place) == os.path.realpath(folder):
            yield f"scancel {number}: a Slurm job of yours"
