"""End a running study again and again, each time give the same command once more, and look at what comes of it.

    python tests/workflow/chaos.py --kills 200

Every study must end with the bytes of an undisturbed one, leave nothing behind, compute nothing again that was
complete, and be sound by its records. It has every kind of job, a download from a server of this machine included.
"""

import argparse
import base64
import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
from project import BIN, ROOT, copy_project, environment, set_params

from vicious.data.datasets import find_dataset
from vicious.system.files import digest

EPOCHS = 12
"""Enough for a training to be ended within."""
KINDS = ("snakemake", "job", "all")
"""What is ended: Snakemake alone, so that its jobs are orphans; a job, that is its shell and its program; all at
once."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
OFFICIAL = "mnist"
"""The dataset that is downloaded: drawn images in the official files, from a server that is slow enough."""
SLOW = 0.05
"""Seconds between two pieces of a download."""
VOLATILE = ("seconds", "peak_mb", "finished", "measured", "hardware")
"""What differs between the records of two sound builds."""
TIMED = "detection_table"
"""The table that shows how long detectors took; its CSV has the rest of what it shows."""
AT_WORK = 0.75
"""Share of kills whose moment counts from the first job, and not from Snakemake's own start."""
LONGEST = (0.05, 0.2, 0.8)
"""From a start, of Snakemake or of its first job, to the latest kill, in the time that an undisturbed study takes: one
of these for a study. The first has a study ended dozens of times, wherever it is; the last lets it come far."""
PATIENCE = 8.0
"""What anything may take, an orphan to end, a study to go on: as above; two minutes at least."""
PLACES = ("data/prepared/smoke", "results/smoke", "paper_figures/smoke")
"""Where records of provenance lie."""
NOT_ALL = ("are not built", "builds the rest")
"""Notes where only some of a study's targets were asked for."""
SAVED = "with a training's state saved"
"""Kills after which a training has something to go on from: one at least has to be."""
NO_CLUSTER = Path(__file__).resolve().parents[1] / "no_cluster"
"""Holds a ``squeue`` as on a machine that belongs to no cluster, whatever this one does meanwhile."""


class ChaosError(AssertionError):
    """A killed study did not end as an undisturbed one."""


class Study:
    """The commands that a user gives in one folder."""

    def __init__(self, folder: Path, targets: tuple[str, ...], server: "Server | None" = None) -> None:
        """
        Args:
            folder: to work in.
            targets: what is built.
            server: whence the dataset's files come; None: they are drawn.
        """
        self.folder, self.log = copy_project(folder), folder / "snakemake.txt"
        set_params(folder, scale="smoke", datasets=[OFFICIAL], scales__smoke__epochs=EPOCHS)
        if server is not None:
            server.serve(folder)
        self.command = [str(BIN / "snakemake"), "--cores", "2", "--", *targets]
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

    def hashes(self) -> dict[str, str]:
        """What must be the same each time, by its path: the SHA-256 of a file; of a record that of what lasts in it."""
        found = [path for part in ("data", "results", "paper_figures") for path in (self.folder / part).rglob("*")]
        return {
            path.relative_to(self.folder).as_posix(): hashlib.sha256(lasting(path)).hexdigest()
            for path in sorted(found)
            if path.is_file() and path.suffix != ".lock"
        }

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


class Server(ThreadingHTTPServer):
    """Drawn images in the official files of :data:`OFFICIAL`, on the loopback interface, delivered slowly."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: to draw the files into.
        """
        super().__init__(("127.0.0.1", 0), _Slowly)
        drawn = ["--source", "synthetic", "--root", str(folder), "--out", str(folder / "source.json")]
        command = [sys.executable, "-m", "vicious", "fetch", "--dataset", OFFICIAL, *drawn]
        subprocess.run(
            [*command, "--counts", "96", "32", "32"], check=True, env=environment(ROOT), stderr=subprocess.DEVNULL
        )
        self.files = {path.name: path for path in folder.rglob("*.gz")}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def serve(self, project: Path) -> None:
        """Have a project download its official files from here, and accept them."""
        spec = find_dataset(OFFICIAL)
        sums = {one.path: f"md5:{digest(self.files[one.name], 'md5')}" for one in spec.files}
        set_params(project, scales__smoke__source="official", data__checksums=sums)
        facts = project / "src/vicious/data/datasets" / f"{OFFICIAL}.py"
        text = facts.read_text(encoding="utf-8")
        for host in {one.removesuffix(file.name) for file in spec.files for one in file.mirrors}:
            text = text.replace(host, f"http://127.0.0.1:{self.server_port}/")
        facts.write_text(text, encoding="utf-8")


class _Slowly(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        whole = self.server.files[self.path.rpartition("/")[2]].read_bytes()
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(whole) - start))
        self.end_headers()
        with suppress(OSError):  # the client was ended
            for at in range(start, len(whole), 4096):
                self.wfile.write(whole[at : at + 4096])
                time.sleep(SLOW)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def lasting(path: Path) -> bytes:
    """A file's bytes; of a record of provenance, and of a table that shows seconds, without what differs between two
    sound builds."""
    content = path.read_bytes()
    if path.suffix == ".html":  # the report page, which shows when all was made
        return b"complete" if content.endswith(b"</html>\n") else b"cut"
    if path.stem == TIMED and path.suffix != ".json":
        rows = csv.DictReader(content.decode().splitlines()) if path.suffix == ".csv" else ()
        return repr([{name: value for name, value in row.items() if name != "seconds"} for row in rows]).encode()
    if not (path.name.endswith("provenance.json") or (path.suffix == ".json" and "paper_figures" in path.parts)):
        return content
    try:
        record = json.loads(content)
        inputs = {name: "" if name.endswith("provenance.json") else value for name, value in record["inputs"].items()}
        kept = {key: value for key, value in record.items() if key not in VOLATILE} | {"inputs": inputs}
        if path.stem == TIMED:
            kept["outputs"] = sorted(kept["outputs"])
        return json.dumps(kept, sort_keys=True).encode()
    except (ValueError, KeyError, AttributeError):
        return content  # no record, which an undisturbed study has not


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


def kill(snakemake: psutil.Process, chance: random.Random) -> list[str]:
    """Send a signal to part of a running study at once; what was ended, by which signal, and which commands ran."""
    shells = snakemake.children()
    kind, number = chance.choice(KINDS if shells else KINDS[:1]), chance.choice(SIGNALS)
    victims = [] if kind == "job" else [snakemake]
    if kind != "snakemake":
        for shell in [chance.choice(shells)] if kind == "job" else shells:
            victims += halted(shell)
    ran = {command(victim) for victim in victims} - {""}
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(number)
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.resume()
    return [kind, number.name, *sorted(ran)]


def command(process: psutil.Process) -> str:
    """The project's command that a process runs; "" for none."""
    with suppress(psutil.Error):
        words = process.cmdline()
        if process.name().startswith("python") and "vicious" in words[:-1]:
            return str(words[words.index("vicious") + 1])
    return ""


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
        while process.poll() is None:  # without one of its jobs Snakemake goes on with others
            more = sum(happened[kind] for kind in KINDS) < kills
            hit: list[str] = []
            try:
                process.wait(chance.uniform(0.1, longest) if more else study.patience)
            except subprocess.TimeoutExpired:
                if not more:
                    process.kill()
                    raise ChaosError(f"it does not end:\n{study.told()}") from None
                with suppress(psutil.NoSuchProcess):  # it ended in this very moment
                    hit = kill(psutil.Process(process.pid), chance)
                happened.update(hit)
                happened[SAVED] += any((study.folder / ".cache/resume").glob("[!.]*"))
            if hit[:1] and hit[0] != "job":
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
    verified = study.vicious("verify", *(str(place) for place in PLACES if (study.folder / place).exists()))
    notes = [line for line in verified.stdout.splitlines() if line.startswith("note:")]
    if verified.returncode or [line for line in notes if not any(words in line for words in NOT_ALL)]:
        raise ChaosError(f"vicious verify: {verified.stdout}{verified.stderr}")
    process = study.start()
    if process.wait(study.patience) or "Nothing to be done" not in study.told():
        raise ChaosError(f"the same command does not find all done:\n{study.told()}")


def chaos(
    folder: Path,
    kills: int,
    seed: int,
    targets: tuple[str, ...] = ("all",),
    limit: float = 6 * 3600.0,
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
    server = Server(folder / "official files")
    calm = Study(folder / "undisturbed", targets, server)
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
        study = Study(folder / f"study {total['studies']}", targets, server)
        study.patience = calm.patience
        total += disturbed(study, jobs, chance, max(left, 1), chance.choice(LONGEST) * measured, deadline)
        check(study, expected)
        shutil.rmtree(study.folder)
        print(", ".join(f"{what}: {count}" for what, count in total.items()), flush=True)
    server.shutdown()
    return total


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="default: another each time")
    parser.add_argument("targets", nargs="*", default=["all"], help="what is built (default: the whole smoke study)")
    parser.add_argument("--limit", type=float, default=6 * 3600.0, help="seconds after which it is given up")
    arguments = parser.parse_args()
    print(f"{arguments.kills} kills, --seed {arguments.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="chaos "))
    try:
        total = chaos(folder, arguments.kills, arguments.seed, tuple(arguments.targets), arguments.limit)
    except ChaosError as error:
        sys.exit(f"error: {error}\nseed {arguments.seed}; the studies are in {folder}")
    shutil.rmtree(folder)
    print(f"{sum(total[kind] for kind in KINDS)} kills, {total['studies']} studies: every one as if undisturbed.")


if __name__ == "__main__":
    main()
