"""How fast joint trainings are: the bare step, and the loop around it with reading, augmentation and sums."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from vicious.data.datasets import find_dataset
from vicious.data.prepare import prepare
from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.data.synthetic.plan import write_synthetic
from vicious.models.architecture import Model, model
from vicious.models.checkpoint import failure
from vicious.models.schedule import Schedule
from vicious.training import jobs, loop
from vicious.training.stepping import Stepping

ROWS = 2
"""Rows of a batch for each image: itself and its augmented copy."""


@dataclass(frozen=True)
class Rates:
    """Rows (an image or its copy) a second: medians over epochs after the first.

    Attributes:
        bare: of steps on one batch that stays.
        loop: of the training loop.
    """

    bare: float
    loop: float


def networks(depth: int, width: int) -> tuple[Model, Model]:
    """The study's target model and attack model."""
    size = {"depth": depth, "width": width}
    return model("target", "wideresnet", size), model("attack", "mirror", size)


def flops_of_a_row(depth: int, width: int, channels: int, outputs: int) -> int:
    """Forward and backward through both, a backward pass as two forward passes."""
    return 3 * sum(one.size(channels, outputs).flops for one in networks(depth, width))


def rates(
    data: PreparedDataset,
    depth: int,
    width: int,
    schedule: Schedule,
    device: torch.device,
    recorded: bool = True,
) -> Rates:
    """Train a vicious pair for ``schedule.epochs`` epochs, and time each but the first, beside as many bare steps.

    Args:
        recorded: a GPU records its steps and replays them; else it starts each anew.
    """
    bare: list[float] = []
    looped: list[float] = []
    train_epoch, count = loop._train_epoch, min(schedule.epoch_images or 10**9, data.info.n["train"])

    def timed(run: Any, held: Any, epoch: int, progress: Any) -> Any:
        looped.append(_seconds(lambda: kept.append(train_epoch(run, held, epoch, progress)), device))
        batch = next(held.batches(schedule.batch_images))
        rows, labels = torch.cat([batch.images] * ROWS), torch.cat([batch.labels] * ROWS)
        steps = ceil(count / schedule.batch_images)
        bare.append(_seconds(lambda: [run.step(rows, labels, batch.chosen) for _ in range(steps)], device))
        return kept.pop()

    kept: list[Any] = []
    target, attack = networks(depth, width)
    plain = lambda objective, optimisers, full, record: Stepping(  # noqa: E731 (one argument differs)
        objective, optimisers, full, record if recorded else None
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        chdir(folder),
        patch.object(loop, "_train_epoch", timed),
        patch.object(loop, "Stepping", plain),
    ):
        files = Path("target.safetensors"), Path("attack.safetensors")
        jobs.train_vicious(data, *files, target, attack, "logits", 1.0, 1.0, schedule, device, "")
        if (reason := failure(files[0])) is not None:
            raise RuntimeError(reason)
    full = ROWS * schedule.batch_images * ceil(count / schedule.batch_images)
    return Rates(full / statistics.median(bare[1:]), ROWS * count / statistics.median(looped[1:]))


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


@contextmanager
def drawn(dataset: str, images: int, held_out: int = 250) -> Iterator[PreparedDataset]:
    """A prepared synthetic stand-in with so many training images, and fewer to validate and test."""
    spec = find_dataset(dataset)
    counts = images, held_out, held_out
    with tempfile.TemporaryDirectory() as folder:
        write_synthetic(spec, Path(folder, "raw"), *counts)
        prepare(
            spec,
            Path(folder, "raw"),
            Path(folder, "data"),
            source="synthetic",
            train=images,
            validation=held_out,
            test=held_out,
            split_seed=0,
        )
        yield load_prepared(Path(folder, "data"))
