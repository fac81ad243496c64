"""Kill a running study again and again, each time give the same command once more, and look at what comes of it.

    python tests/workflow/chaos.py --kills 50

Every study must end with the bytes of an undisturbed one, leave nothing behind, and compute nothing again that was
complete.
"""

import argparse
import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
from project import BIN, copy_project, environment

STUDY = "{epochs: 6, defense: {datasets: []}, mitigations: {datasets: []}, tradeoff: {beta_r: []}, autoencoder: []}"
CHOICE = ("scale=smoke", "datasets=[mnist]", f"scales={{smoke: {STUDY}}}")
KINDS = ("snakemake", "job", "all")
"""What is killed: Snakemake alone, so that its jobs are orphans; a job, that is its shell and its program; all at
once."""
AT_WORK = 0.75
"""Share of kills whose moment counts from the first job, and not from Snakemake's own start."""
LONGEST = 0.6
"""From a start, of Snakemake or of its first job, to the latest kill: in the time that an undisturbed study takes."""
PATIENCE = 8.0
"""What anything may take, an orphan to end, a study to go on: as above; two minutes at least."""
SAVED = "with a training's state saved"
"""Kills after which a training has something to go on from: one at least has to be."""
NO_CLUSTER = Path(__file__).resolve().parents[1] / "no_cluster"
"""Holds a ``squeue`` as on a machine that belongs to no cluster, whatever this one does meanwhile."""


class ChaosError(AssertionError):
    """A killed study did not end as an undisturbed one."""


class Study:
    """The commands that a user gives in one folder."""

    def __init__(self, folder: Path, targets: tuple[str, ...]) -> None:
        self.folder, self.log = copy_project(folder), folder / "snakemake.txt"
        self.command = [str(BIN / "snakemake"), "--cores", "2", "--config", *CHOICE, "--", *targets]
        self.environment = environment(folder)
        self.environment["PATH"] = os.pathsep.join([str(NO_CLUSTER), self.environment["PATH"]])
        self.patience = 120.0

    def start(self) -> subprocess.Popen[bytes]:
        """Snakemake, in the background."""
        with self.log.open("wb") as log:
            return subprocess.Popen(
                self.command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def told(self) -> str:
        """What the latest Snakemake printed."""
        return self.log.read_text(errors="replace")

    def vicious(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the project."""
        command = [sys.executable, "-m", "vicious", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def unlock(self) -> None:
        """As a user does whom Snakemake told that the folder is locked: wait as long as a job is alive."""
        deadline = time.monotonic() + self.patience
        while (result := self.vicious("unlock")).returncode:
            if "is in use" not in result.stderr or time.monotonic() > deadline:
                raise ChaosError(f"vicious unlock: {result.stdout}{result.stderr}")
            time.sleep(0.3)

    def files(self) -> dict[str, Path]:
        """What must be the same each time, by its path: all but provenance and logs."""
        found = [path for part in ("data", "results", "paper_figures") for path in (self.folder / part).rglob("*")]
        records = ("provenance.json", ".lock")
        return {
            path.relative_to(self.folder).as_posix(): path
            for path in sorted(found)
            if path.is_file()
            and not path.name.endswith(records)
            and not (path.suffix == ".json" and "paper_figures" in path.parts)
        }

    def hashes(self) -> dict[str, str]:
        """SHA-256 of these."""
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in self.files().items()}

    def recorded(self) -> dict[str, str]:
        """Outputs that Snakemake recorded, and that are not marked incomplete, with the log of their job."""
        metadata, incomplete = (self._records(kind) for kind in ("metadata", "incomplete"))
        return {name: str(record.get("log")) for name, record in metadata.items() if name not in incomplete}

    def _records(self, kind: str) -> dict[str, dict[str, object]]:
        folder = self.folder / ".snakemake" / kind
        found = {}
        for path in (path for path in folder.rglob("*") if path.is_file()):
            name = "".join(part.removeprefix("@") for part in path.relative_to(folder).parts)
            try:
                record = json.loads(path.read_text())
            except ValueError:
                record = {}  # Snakemake was killed while it wrote this
            found[base64.urlsafe_b64decode(name).decode()] = record
        return found

    def left(self) -> list[str]:
        """What a study must not leave behind."""
        kinds = [f".snakemake/{kind}/**/*" for kind in ("locks", "incomplete")]
        found = {path for pattern in (*kinds, "**/*.part*", ".cache/resume/*") for path in self.folder.glob(pattern)}
        return sorted(str(path.relative_to(self.folder)) for path in found if path.is_file())


def complete(study: Study, jobs: dict[str, set[str]]) -> Iterator[str]:
    """Outputs of those jobs of which Snakemake recorded every output; of failed jobs, too, but it removed what these
    wrote."""
    recorded = study.recorded()
    for outputs in jobs.values():
        if outputs <= recorded.keys() and all((study.folder / name).exists() for name in outputs):
            yield from outputs


def identity(path: Path) -> tuple[int, int]:
    """The same for a file that nobody wrote again; zeros where there is none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return 0, 0
    return stat.st_ino, stat.st_mtime_ns


def wait_for_job(process: subprocess.Popen[bytes]) -> None:
    """Wait until Snakemake has started a job, or ended."""
    with suppress(psutil.NoSuchProcess):
        while process.poll() is None and not psutil.Process(process.pid).children():
            time.sleep(0.05)


def halted(shell: psutil.Process) -> list[psutil.Process]:
    """A job's shell, which is stopped so that it starts nothing more, and what it started; none where it ended."""
    with suppress(psutil.NoSuchProcess):
        shell.suspend()
        return [shell, *shell.children(recursive=True)]
    return []


def kill(snakemake: psutil.Process, chance: random.Random) -> str:
    """Kill part of a running study at once; what was killed."""
    shells = snakemake.children()
    kind = chance.choice(KINDS if shells else KINDS[:1])
    victims = [] if kind == "job" else [snakemake]
    if kind != "snakemake":
        for shell in [chance.choice(shells)] if kind == "job" else shells:
            victims += halted(shell)
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    return kind


def disturbed(
    study: Study, jobs: dict[str, set[str]], chance: random.Random, kills: int, longest: float, deadline: float
) -> Counter[str]:
    """Build a study under at most so many kills; how many of each kind there were, and what they hit."""
    happened: Counter[str] = Counter()
    finished: dict[str, tuple[int, int]] = {}
    while True:
        if time.monotonic() > deadline:
            raise ChaosError(f"out of time after {happened}")
        process = study.start()
        if chance.random() < AT_WORK:
            wait_for_job(process)
        wait = chance.uniform(0.1, longest) if sum(happened[kind] for kind in KINDS) < kills else study.patience
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            if wait == study.patience:
                process.kill()
                raise ChaosError(f"it does not end:\n{study.told()}") from None
            with suppress(psutil.NoSuchProcess):  # it ended in this very moment
                happened[kill(psutil.Process(process.pid), chance)] += 1
            happened[SAVED] += any((study.folder / ".cache/resume").glob("[!.]*"))
            process.wait(study.patience)
        for name, before in finished.items():
            if identity(study.folder / name) != before:
                raise ChaosError(f"{name} was complete, and was made again")
        if process.returncode == 0:
            happened["outputs kept from before a kill"] = len(finished)
            return happened
        finished |= {name: identity(study.folder / name) for name in complete(study, jobs)}
        if "Directory cannot be locked" in study.told():
            happened["unlocked"] += 1
            study.unlock()


def check(study: Study, expected: dict[str, str]) -> None:
    """Raise ChaosError where a study is not as an undisturbed one."""
    found = study.hashes()
    different = [name for name in sorted({*expected, *found}) if found.get(name) != expected.get(name)]
    if different:
        raise ChaosError(f"not as in an undisturbed study: {different}")
    if left := study.left():
        raise ChaosError(f"left behind: {left}")
    process = study.start()
    if process.wait(study.patience) or "Nothing to be done" not in study.told():
        raise ChaosError(f"the same command does not find all done:\n{study.told()}")


def chaos(
    folder: Path,
    kills: int,
    seed: int,
    targets: tuple[str, ...] = ("all",),
    limit: float = 3600.0,
) -> Counter[str]:
    """Studies one after the other, until so many kills have happened, one of them in a training; how many of each kind
    there were.

    Args:
        folder: to work in; each study gets a folder below it.
        kills: how many, over all studies.
        seed: of the kinds and moments of kills.
        targets: what is built.
        limit: seconds after which it is given up.

    Raises:
        ChaosError: a study did not end as it should; its folder is left.
    """
    chance, deadline = random.Random(seed), time.monotonic() + limit
    calm = Study(folder / "undisturbed", targets)
    start = time.monotonic()
    if calm.start().wait():
        raise ChaosError(f"the undisturbed study failed:\n{calm.told()}")
    measured = time.monotonic() - start
    calm.patience = max(calm.patience, PATIENCE * measured)
    print(f"An undisturbed study takes {measured:.0f} s.", flush=True)
    jobs: dict[str, set[str]] = {}
    for name, log in calm.recorded().items():
        jobs.setdefault(log, set()).add(name)
    expected, total = calm.hashes(), Counter[str]()
    check(calm, expected)
    while (left := kills - sum(total[kind] for kind in KINDS)) > 0 or not total[SAVED]:
        total["studies"] += 1
        study = Study(folder / f"study {total['studies']}", targets)
        study.patience = calm.patience
        total += disturbed(study, jobs, chance, max(left, 1), LONGEST * measured, deadline)
        check(study, expected)
        shutil.rmtree(study.folder)
        print(", ".join(f"{what}: {count}" for what, count in total.items()), flush=True)
    return total


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="default: another each time")
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds after which it is given up")
    arguments = parser.parse_args()
    print(f"{arguments.kills} kills, --seed {arguments.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="chaos "))
    try:
        total = chaos(folder, arguments.kills, arguments.seed, limit=arguments.limit)
    except ChaosError as error:
        sys.exit(f"error: {error}\nseed {arguments.seed}; the studies are in {folder}")
    shutil.rmtree(folder)
    print(f"{sum(total[kind] for kind in KINDS)} kills, {total['studies']} studies: every one as if undisturbed.")


if __name__ == "__main__":
    main()
