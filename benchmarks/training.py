"""Joint trainings by the pipeline's loop, in float32 and in bfloat16, against a bare step in float32: forward, loss,
backward and Adam on one batch that stays in memory. What the loop adds to the bare step is reading, augmentation and
sums.

    python benchmarks/training.py [--threads N]
"""

import argparse
import os
from itertools import product

from measuring import machine, report
from rates import drawn, flops_of_a_row, rates

from vicious.models.precision import is_slow
from vicious.models.schedule import Schedule
from vicious.system.runtime import limit_threads, use_device
from vicious.system.settings import Precision

SIZES = ((10, 1, 20, 240), (28, 1, 125, 250), (28, 5, 25, 50))
"""Depth, width, images in a batch, images of an epoch."""
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
HEAD = ("depth, width, batch", "precision", "bare rows/s", "loop rows/s", "GFLOP/s", "loop adds", "to float32")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--epochs", type=int, default=3, help="the first is not timed")
    given = parser.parse_args()
    where = machine()
    limit_threads(given.threads)
    device = use_device("cpu", given.threads)
    rows: list[list[str]] = []
    plain = 0.0
    with drawn("mnist", 1000) as data:
        for (depth, width, batch, images), precision in product(SIZES, PRECISIONS):
            name = f"{depth}, {width}, {batch}"
            if is_slow(precision, device):
                rows.append([name, precision, *["not measured"] * 5])
                continue
            schedule = Schedule(given.epochs, batch, 1e-3, 0, images, precision)
            found = rates(data, depth, width, schedule, device)
            plain = found.loop if precision == "float32" else plain
            speed = found.loop * flops_of_a_row(depth, width, 1, 10) / 1e9
            rows.append(
                [
                    *(name, precision, f"{found.bare:,.1f}", f"{found.loop:,.1f}", f"{speed:,.0f}"),
                    *(f"{found.bare / found.loop - 1:.1%}", f"{found.loop / plain:.2f}"),
                ]
            )
    emulated = is_slow("bfloat16", device)
    report(
        "training", where, HEAD, rows,
        threads=given.threads,
        target="bfloat16 at least 1.4 times float32 at width 1 and 1.7 times at width 5; the loop adds less than 5%",
        note="This CPU has no instructions for bfloat16, and emulates it many times slower." if emulated else "",
    )  # fmt: skip


if __name__ == "__main__":
    main()
