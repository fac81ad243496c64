"""The most memory that a training takes at depth 28, width 1 and 125 images a batch, for an epoch of a few batches out
of as many images as MNIST has. A plain loop of the structure of the original study's program trains, and then this
project's train-vicious, on the same images. Beside it stands what Python with PyTorch takes alone: part of both.

    python benchmarks/memory.py [batches] [rounds]
"""

import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from inputs import made_up, precisions, vicious_training
from measuring import machine, report, run

PLAIN = Path(__file__).with_name("plain.py")
ALONE = "import os, torch; os._exit(0)"  # at its usual exit PyTorch reads 0.1 GB of CUDA's libraries
DEPTH = 28
IMAGES = 50_000


def main(batches: int = 4, rounds: int = 2) -> None:
    where = machine()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = made_up(folder / "data", IMAGES, 125, 125)
        plain = [sys.executable, str(PLAIN), str(data), str(folder / "plain"), "--depth", str(DEPTH)]
        plain += ["--train-only", "--batches", str(batches)]
        programs = {"Python with PyTorch alone": [sys.executable, "-c", ALONE], "the original's structure": plain}
        for precision in precisions():
            command = vicious_training(data, folder / precision, DEPTH, 1, precision, 125 * batches)
            programs[f"this project ({precision})"] = command
        peaks: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(rounds):
            for name, command in programs.items():
                peaks[name].append(run(command, OMP_NUM_THREADS="1").peak / 1e9)
    held = {name: median(each) for name, each in peaks.items()}
    alone, original = list(held.values())[:2]
    rows = [[name, f"{peak:.2f}", f"{peak - alone:.2f}", f"{peak / original:.2f}"] for name, peak in held.items()]
    head = ["program", "peak GB", "without Python and PyTorch, GB", "peak, share of the original's"]
    size = f"depth {DEPTH}, width 1, {batches} batches of 125 out of {IMAGES:,} images; median of {rounds} rounds"
    report("memory", where, head, rows, threads=1, size=size, target="a share of at most 0.5 in bfloat16")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
