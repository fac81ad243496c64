"""Two programs train F and G together and then compute the risk of the same images. The first is a plain loop of the
structure of the original study's program, in one process. The second is this project: train-vicious, fit-covariance and
assess-risk, a process each. Networks, images, epochs and threads are the same, and the start of each process counts.

    python benchmarks/original.py [images] [depth] [rounds]

Before it reports, it checks that both compute the same risk of the same weights. assess-risk measures more than that:
PSNR, SSIM, and the risk under every estimator.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from inputs import assessment, drawn, precisions, vicious_training
from measuring import Process, machine, report, run

PLAIN = Path(__file__).with_name("plain.py")
TOLERANCE = 0.02
"""Relative, of the risk: one program inverts in float32, the other in float64, so they may differ by one eigenvalue."""


def main(images: int = 1000, depth: int = 28, rounds: int = 2) -> None:
    where = machine()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = drawn(folder, images)
        programs = {"the original's structure": [_plain(data, folder / "plain", depth)]}
        for precision in precisions():
            programs[f"this project ({precision})"] = _project(data, folder / precision, depth, precision)
        found: dict[str, list[Process]] = {name: [] for name in programs}
        for _ in range(rounds):
            for name, commands in programs.items():
                found[name].append(_together([run(command, OMP_NUM_THREADS="1") for command in commands]))
        _check_risk(data, folder / "float32", depth)
    taken = {
        name: [median(getattr(one, key) for one in each) for key in ("seconds", "cpu", "peak")]
        for name, each in found.items()
    }
    first = next(iter(taken.values()))
    rows = [
        [name, *(f"{value:.1f}" for value in (seconds, cpu)), f"{peak / 1e9:.2f}"]
        + [f"{other / own:.2f}" for other, own in zip(first, (seconds, cpu, peak), strict=True)]
        for name, (seconds, cpu, peak) in taken.items()
    ]
    head = ["program", "seconds", "CPU seconds", "peak GB"]
    head += ["times as fast", "CPU, times less", "memory, times less"]
    size = f"{images} training images, one epoch, depth {depth}, width 1, 125 images a batch; median of {rounds} rounds"
    report("original", where, head, rows, threads=1, size=size)


def _plain(data: Path, out: Path, depth: int) -> list[str]:
    return [sys.executable, str(PLAIN), str(data), str(out), "--depth", str(depth)]


def _project(data: Path, out: Path, depth: int, precision: str) -> list[list[str]]:
    """The commands, each in a process of its own."""
    covariance = out / "covariance.safetensors"
    return [
        vicious_training(data, out, depth, 1, precision),
        ["vicious", "fit-covariance", "--data", str(data), "--out", str(covariance)],
        assessment(data, covariance, out),
    ]


def _together(processes: Sequence[Process]) -> Process:
    """Several processes, one after the other, as one."""
    seconds, cpu, peaks = zip(*((one.seconds, one.cpu, one.peak) for one in processes), strict=True)
    return Process(sum(seconds), sum(cpu), max(peaks), "".join(one.output for one in processes))


def _check_risk(data: Path, out: Path, depth: int) -> None:
    """Both programs compute the same risk of the same weights."""
    from plain import risk_of_weights

    own = json.loads((out / "risk-joint.json").read_text())["risk"]
    plain = risk_of_weights(data, out / "target.safetensors", out / "joint.safetensors", depth, 1)
    assert abs(plain - own) <= TOLERANCE * own, f"risk {plain} by the plain program, {own} by assess-risk"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
