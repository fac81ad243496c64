"""A run of Snakemake, followed by what it says: which jobs are done, at work, failed and left, and the time left.

Nothing here reads a clock or prints: a message has its time, and what is to be said of it comes back as text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from logging import WARNING, LogRecord
from pathlib import Path
from statistics import median
from typing import Any, Literal

from vicious.system.escape import escaped
from vicious.workflow.budget import duration

Key = tuple[str, frozenset[tuple[str, str]]]
"""A job's rule, and its wildcards with their values."""
SILENT = (
    *("run_info", "workflow_started", "resources_info", "progress", "rulegraph", "debug_dag", "shellcmd"),
    *("job_started", "group_info", "group_error"),
)
"""Events of Snakemake's of which nothing is said: what they tell is shown otherwise."""
NOISE = (
    "Select jobs to execute...",
    "Removing output files of failed job ",
    "Exiting because a job execution failed. Look above",
)
"""How messages without an event begin that say nothing more."""
EXCERPT = 20
"""Failures that the end of a run names."""
LOG_LINES = 400
"""Lines of a failed job's log that are shown: all that verifying a study finds."""
_TAIL = 65536
_EXCEPTION = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b.*")


@dataclass(frozen=True)
class Job:
    """A job that a run is to make.

    Attributes:
        rule: of Snakemake.
        names: its wildcards, such as dataset, model and seed.
        kind: what it is counted with; "" for a target, which gathers files and takes no time.
        seconds: that it is estimated to take.
    """

    rule: str
    names: Mapping[str, str]
    kind: str
    seconds: float

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return key(self.rule, self.names)

    def __str__(self) -> str:
        words = (f"seed {value}" if name == "seed" else value for name, value in self.names.items())
        return escaped(" ".join((self.rule, *words)))


@dataclass(frozen=True)
class Begun:
    """A job at work. ``since``: when it began, in seconds."""

    job: Job
    since: float


@dataclass(frozen=True)
class Failure:
    """A job that failed.

    Attributes:
        job: that did.
        seconds: that it took.
        reason: in one line.
        log: path of its log; "" where it has none.
    """

    job: Job
    seconds: float
    reason: str
    log: str

    def __str__(self) -> str:
        log = f" (log: {escaped(self.log)})" if self.log else ""
        return f"{self.job}{log}: {self.reason}"


@dataclass(frozen=True)
class Said:
    """What is said of a message: of a job that is ``done`` or ``failed``, or what ``snakemake`` said itself, of which
    a warning or an error is ``bad``."""

    text: str
    about: Literal["done", "failed", "snakemake"]
    bad: bool = False


def key(rule: str, names: Mapping[str, str]) -> Key:
    """What tells a job from others."""
    return rule, frozenset((name, str(value)) for name, value in names.items())


class Run:
    """How far a run of Snakemake is.

    Args:
        jobs: all that it is to make.
        together: how many run at a time, at least 1.
        start: when it began, in seconds.
        ratios: of jobs that were made before: rule -> measured over estimated seconds of each.
    """

    def __init__(
        self, jobs: Iterable[Job], together: int, start: float, ratios: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        self.jobs = {one.key: one for one in jobs}
        self.together, self.start = together, start
        self.running: dict[int, Begun] = {}
        self.done: set[Key] = set()
        self.failed: dict[Key, Failure] = {}
        self._ratios = {rule: list(found) for rule, found in (ratios or {}).items()}
        self._numbers: dict[int, Job] = {}

    def begin(self, number: int, rule: str, names: Mapping[str, str], at: float) -> None:
        """Snakemake's job of this number began, or began again."""
        job = self.jobs.setdefault(key(rule, names), Job(rule, dict(names), rule, 0.0))
        self.failed.pop(job.key, None)
        self._numbers[number], self.running[number] = job, Begun(job, at)

    def finish(self, number: int, at: float) -> tuple[Job, float] | None:
        """The job of this number that is done, and the seconds that it took; None where it was not begun."""
        begun = self.running.pop(number, None)
        if begun is None:
            return None
        took = max(at - begun.since, 0.0)
        self.done.add(begun.job.key)
        if begun.job.seconds > 0:
            self._ratios.setdefault(begun.job.rule, []).append(took / begun.job.seconds)
        return begun.job, took

    def fail(self, number: int, reason: str, log: str, at: float) -> Failure | None:
        """The failure of the job of this number; None where it was not begun, or its failure is known."""
        job, begun = self._numbers.get(number), self.running.pop(number, None)
        if job is None or job.key in self.failed or job.key in self.done:
            return None
        failure = Failure(job, 0.0 if begun is None else max(at - begun.since, 0.0), reason, log)
        self.failed[job.key] = failure
        return failure

    def left(self, at: float) -> float:
        """Seconds that the rest takes: what each job is estimated to take, corrected by the median of what jobs of its
        rule took, shared by those that run at a time; and no less than the longest of those that run."""
        factors = {rule: median(found) for rule, found in self._ratios.items()}
        running = {begun.job.key: begun.since for begun in self.running.values()}
        waiting, at_work = 0.0, []
        for one, job in self.jobs.items():
            seconds = job.seconds * factors.get(job.rule, 1.0)
            if one in running:
                at_work.append(max(seconds - (at - running[one]), 0.0))
            elif one not in self.done and one not in self.failed:
                waiting += seconds
        return max((waiting + sum(at_work)) / self.together, *at_work, 0.0)

    def expected(self, job: Job) -> float:
        """Seconds that a job is expected to take."""
        found = self._ratios.get(job.rule)
        return job.seconds * (median(found) if found else 1.0)

    def counted(self) -> str:
        """Jobs that are done, of all: ``[12/297]``."""
        return f"[{len(self.done)}/{len(self.jobs)}]"

    def take(self, record: LogRecord, text: str, excerpts: bool) -> Iterator[Said]:
        """Follow a message of Snakemake's.

        Args:
            record: with what Snakemake's loggers get of an event.
            text: its words, as Snakemake would print them.
            excerpts: whether the log of a failed job is shown below its failure.

        Yields:
            what is said of it in a log; nothing of most messages.
        """
        event, at = str(getattr(record, "event", None)), record.created
        if event == "job_info":
            self.begin(_field(record, "jobid"), _field(record, "rule_name"), _field(record, "wildcards") or {}, at)
        elif event == "job_finished":
            done = self.finish(_field(record, "job_id"), at)
            if done is not None and done[0].kind:
                left = f"{duration(self.left(at))} left"
                yield Said(f"{self.counted()} {left}  {done[0]}  {done[1]:.0f} s", "done")
        elif event == "job_error":
            logs = [str(one) for one in _field(record, "log") or ()]
            texts = [_tail(Path(one)) for one in logs]
            reason = next(filter(None, map(_error, texts)), "") or _last(texts, bool(_field(record, "indent")))
            failure = self.fail(_field(record, "jobid"), reason, logs[0] if logs else "", at)
            if failure is not None:
                left = f"{duration(self.left(at))} left"
                said = [f"{self.counted()} {left}  FAILED after {failure.seconds:.0f} s: {failure}"]
                yield Said("\n".join([*said, *(_excerpt(texts, reason) if excerpts else ())]), "failed", bad=True)
        elif (
            event not in SILENT and text not in ("", "None") and not text.startswith(NOISE) and not _of_job(event, text)
        ):
            yield Said(text, "snakemake", record.levelno >= WARNING)

    def end(self, at: float) -> str:
        """What was made in all, and what failed, in lines."""
        done, jobs, took = len(self.done), len(self.jobs), duration(at - self.start)
        if done == jobs:
            return f"All {jobs} jobs are done, in {took}."
        lost = f", {len(self.failed)} failed" if self.failed else ""
        first = f"{done} of {jobs} jobs are done, in {took}{lost}; the same command again goes on."
        shown = [f"failed: {one}" for one in self.failed.values()][:EXCERPT]
        more = [f"and {len(self.failed) - EXCERPT} more"] if len(self.failed) > EXCERPT else []
        return "\n".join([first, *shown, *more])


def screen(run: Run, at: float, width: int, height: int) -> list[str]:
    """A run as lines for a terminal: how far it is, its jobs by kind, and those at work.

    Args:
        at: now, in seconds.
        width, height: of the terminal, in characters. Where the lines are too many, kinds that are done are left out,
            then jobs at work.
    """
    left = run.left(at)
    lost = f", {len(run.failed)} failed" if run.failed else ""
    lines = [
        f"{len(run.done)} of {len(run.jobs)} jobs done{lost}. "
        f"About {duration(left)} left; {duration(at - run.start)} so far."
    ]
    working = [one for one in sorted(run.running.values(), key=lambda one: one.since) if one.job.kind]
    room = max(height - 2, 6)
    kinds = _kinds(run)
    if len(kinds) + len(working) + 5 > room:
        kinds = [one for one in kinds if any(one[2:])]
    lines += ["", *_table(kinds)]
    most = max(room - len(lines) - 2, 3)
    if working:
        took = [f"{at - one.since:.0f} s of about {duration(run.expected(one.job))}" for one in working[:most]]
        names = max(len(str(one.job)) for one in working[:most])
        lines += ["", *(f"{one.job!s:<{names}}  {words}" for one, words in zip(working, took, strict=False))]
        lines += [f"and {len(working) - most} more at work"] if len(working) > most else []
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines]


def _kinds(run: Run) -> list[tuple[str, int, int, int, int]]:
    """Each kind of job, in the order of the run's jobs: done, running, failed, left."""
    running = Counter(one.job.kind for one in run.running.values())
    done = Counter(run.jobs[one].kind for one in run.done)
    failed = Counter(one.job.kind for one in run.failed.values())
    every = Counter(one.kind for one in run.jobs.values() if one.kind)
    return [
        (kind, done[kind], running[kind], failed[kind], count - done[kind] - running[kind] - failed[kind])
        for kind, count in every.items()
    ]


def _table(kinds: Sequence[tuple[str, int, int, int, int]]) -> Iterator[str]:
    """Aligned lines, a heading first; a count of none is left blank."""
    first = max((len(kind) for kind, *_ in kinds), default=0)
    for name, *cells in (("", "done", "running", "failed", "left"), *kinds):
        yield "  ".join([name.ljust(first), *(str(one or "").rjust(7) for one in cells)]).rstrip()


def _field(record: LogRecord, name: str) -> Any:
    """What a record of Snakemake's says under a name; None where it does not."""
    return getattr(record, name, None)


def _tail(log: Path) -> str:
    """The end of a log; "" where it cannot be read."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - _TAIL, 0))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _error(text: str) -> str:
    """The reason that a job's log gives: its last line with ``error: `` or ``interrupted: ``, or the last of a
    traceback."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(("error: ", "interrupted: "))]
    if said:
        return escaped(said[-1].removeprefix("error: "))
    return escaped(lines[-1]) if lines and _EXCEPTION.fullmatch(lines[-1]) else ""


def _last(texts: Sequence[str], grouped: bool) -> str:
    """The reason where no log gives one."""
    if grouped:
        return "it, or another job of its group on the cluster, failed or was ended"
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    ends = f"; its log ends: {escaped(lines[-1])}" if lines else ""
    return f"it said no error, as a job that is killed or lacks memory does not{ends}"


def _excerpt(texts: Sequence[str], reason: str) -> Iterator[str]:
    """The last lines of the logs, indented, where they say more than the reason."""
    lines = [line.rstrip() for text in texts for line in text.splitlines() if line.strip()]
    if [escaped(line.strip().removeprefix("error: ")) for line in lines] != [reason]:
        yield from (f"    {escaped(line)}" for line in lines[-LOG_LINES:])


def _of_job(event: str, text: str) -> bool:
    """Whether an error says no more than that a job's command failed, of which Snakemake says more in another."""
    return event == "error" and text.startswith("RuleException:\nCalledProcessError")
