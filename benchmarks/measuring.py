"""What the benchmarks share: times taken in turn, the machine they were taken on, and a file for each benchmark.

Machines are shared and noisy. So what is compared runs in turn in one process or in one process each, several rounds of
it, and the medians and their ratio count, not the seconds of one run.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).parent / "measured"
"""A JSON file for each benchmark, which docs/performance.md is written from."""


def in_turn(works: Mapping[str, Callable[[], object]], rounds: int = 3, warm: int = 0) -> dict[str, float]:
    """Median seconds of each of some works, which run in turn for so many rounds, after ``warm`` rounds without a
    clock."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(warm + rounds):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if number >= warm:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in taken.items()}


@dataclass(frozen=True)
class Process:
    """What a process took.

    Attributes:
        seconds: by the clock.
        cpu: seconds of all cores.
        peak: most bytes of memory at once; Linux counts from the peak of the process that started it, so that this one
            must be small.
        output: what it printed.
    """

    seconds: float
    cpu: float
    peak: float
    output: str


def run(command: Sequence[str | Path], **environment: str) -> Process:
    """Run a command to its end; raises CalledProcessError where it fails."""
    start = time.perf_counter()
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(map(str, command)), output)
    return Process(time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, output)


def machine() -> dict[str, Any]:
    """Where and when something is measured."""
    found = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run(["git", "status", "--porcelain", "src"], capture_output=True, text=True, check=False)
    return {
        "cpu": found[0] if found else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": version("torch"),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit.stdout.strip() + ("+" if changed.stdout.strip() else ""),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)], *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def report(
    name: str, where: Mapping[str, Any], head: Sequence[str], rows: Sequence[Sequence[object]], **facts: object
) -> None:
    """Print a benchmark's rows as a Markdown table, and write them to its file.

    Args:
        name: of the benchmark, as its file in this folder.
        where: :func:`machine`, taken before anything ran.
        facts: what a reader needs beside the table, such as threads and targets.
    """
    print(table(head, rows), flush=True)
    MEASURED.mkdir(exist_ok=True)
    content = {"machine": dict(where), "facts": facts, "head": list(head), "rows": [list(row) for row in rows]}
    path = MEASURED / f"{name}.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    temporary.replace(path)
    print(f"written to {path}", file=sys.stderr)
