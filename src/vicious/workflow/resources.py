"""What one job asks a machine for: megabytes and minutes, in closed form, so that planning a study needs no PyTorch.

Estimates are those of :mod:`vicious.workflow.budget`, which counts on the models themselves, rounded up: a convolution of every group of the
target model costs the same, since the side halves where the channels double. Margins stand for slower machines; what is still too
little grows with each attempt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from vicious.data.catalog import CATALOG
from vicious.data.splits import SIDE
from vicious.data.tasks import Task, parse_task
from vicious.study.config import Params, ScaleParams
from vicious.study.grid import settings, task_outputs
from vicious.training.recipes import RECIPES, STANDARD

MARGIN = 1.5
"""Of memory."""
PROCESS = 1e9
"""Bytes of Python with PyTorch."""
CUDA = 4e9
"""Bytes that CUDA's libraries take beside it."""
SLOWER = 3.0
"""How much slower than the measured ones a machine may be."""
START = 15
"""Minutes of every job: a busy file system, imports, reading, writing."""
CPU_RATE = 31e9
"""FLOPs a second of one core of an AMD EPYC in these models."""
GPU_RATE = 31e12
"""FLOPs a second of an NVIDIA H100 in wide models."""
LAUNCH = 2.5e-3
"""Seconds a step of training waits for a GPU for each layer: what narrow models take there."""
IMAGE = 4e-3
"""Seconds to unpack, decode and shrink an image of a dataset."""
VERDICTS = 4.0
"""Seconds of all detectors for one draw of user images, beside what the model computes."""
QUERIES = 3000
"""Forward passes of the model for it."""


@dataclass(frozen=True)
class Need:
    """What a job asks for.

    Attributes:
        mem_mb: main memory, in megabytes.
        runtime: minutes by the clock.
    """

    mem_mb: int
    runtime: int


AT_ONCE = 50
"""Images whose gradient detectors take together: :data:`vicious.defense.stated_loss.AT_ONCE`."""
LIGHT = Need(mem_mb=4000, runtime=30)
"""Of a job that reads and writes tables: summaries, comparisons, tables, figures."""


@dataclass(frozen=True)
class Work:
    """What a job on a target model works on.

    Attributes:
        train, validation, test: images.
        channels: of an image.
        outputs: of the target model.
        depth, width: of the target and the attack model.
        epochs: passes over the training images, or over those drawn for each.
        epoch_images: training images of an epoch.
        batch_images: images in a batch; each comes with one augmented copy.
        device: "cpu" or "cuda".
    """

    train: int
    validation: int
    test: int
    channels: int
    outputs: int
    depth: int
    width: int
    epochs: int
    epoch_images: int
    batch_images: int
    device: str


def work(params: Params, task: str, recipe: str | None = None) -> Work:
    """What the jobs of a task, of one of its honest models if a recipe is named, work on."""
    parsed, own = parse_task(task), settings(params, task)
    how = STANDARD if recipe is None else RECIPES[recipe]
    n = task_images(params, parsed, images(own, parsed.dataset))
    return Work(
        **n,
        channels=CATALOG[parsed.dataset].channels,
        outputs=task_outputs(parsed),
        depth=how.depth(own.depth),
        width=how.width(own.width),
        epochs=how.longer * own.epochs,
        epoch_images=an_epoch(own, n)["train"],
        batch_images=own.batch_images,
        device=params.runtime.device,
    )


def images(own: ScaleParams, dataset: str) -> dict[str, int]:
    """Images of each split: the scale's cap, or the official number."""
    caps = {"train": own.train, "validation": own.validation, "test": own.test}
    official = dict(zip(caps, CATALOG[dataset].sizes, strict=True))
    return {split: official[split] if cap is None else min(cap, official[split]) for split, cap in caps.items()}


def an_epoch(own: ScaleParams, n: dict[str, int]) -> dict[str, int]:
    """Images of each split that an epoch takes, out of all."""
    return n if own.epoch_images is None else {**n, "train": min(n["train"], own.epoch_images)}


def task_images(params: Params, task: Task, n: dict[str, int]) -> dict[str, int]:
    """Images of each split that a task uses: with some classes, as many as the smallest count has."""
    if task.classes is None:
        return n
    counts = {str(dataset): numbers for dataset, numbers in params.study.class_counts.counts.items()}
    share = min(counts[task.dataset]) / CATALOG[task.dataset].classes
    return {split: max(1, round(share * count)) for split, count in n.items()}


def training(job: Work) -> Need:
    """Of any training: as of a joint one, the dearest."""
    rows = 2 * job.epoch_images * 3 + job.validation  # a backward pass costs two forward passes
    flops = job.epochs * rows * (_target_flops(job) + _attack_flops(job))
    steps = job.epochs * ceil(job.epoch_images / job.batch_images)
    return _need(_training_bytes(job), _seconds(flops, job.device, waits=steps * job.depth), job.device)


def assessment(job: Work) -> Need:
    """Of the assessment of one attack on one model."""
    passes = job.test * (_target_flops(job) + _attack_flops(job))
    projections = job.test * 10 * _pixels(job.channels) ** 2
    seconds = _seconds(passes, job.device) + _seconds(projections, "cpu")
    return _need(_training_bytes(job) + _covariance_bytes(job.channels), seconds, job.device)


def detection(job: Work, user_images: Sequence[int], draws: int) -> Need:
    """Of the judgement of one model by all detectors, of which some take the gradient over :data:`AT_ONCE` of the user's images.

    Args:
        user_images: how many a user has, each number in turn.
        draws: samples of each number.
    """
    samples, most = draws * len(user_images), max(user_images)
    held = 16 * _parameters(job) + AT_ONCE * 2 * _target_activations(job) + most * 80 * _pixels(job.channels)
    passes = (job.test + samples * QUERIES) * _target_flops(job)
    return _need(held, samples * VERDICTS + _seconds(passes, job.device), job.device)


def preparation(params: Params, dataset: str) -> Need:
    """Of making arrays of a dataset's files, all of which are read."""
    spec = CATALOG[dataset]
    drawn = params.study.source == "synthetic"
    n = sum(images(params.cell(dataset), dataset).values() if drawn else spec.sizes)
    return _need(2 * n * _pixels(spec.channels), IMAGE * n)


def factorisation(job: Work) -> Need:
    """Of the covariance of the train and validation images: the product, and two eigendecompositions."""
    d = _pixels(job.channels)
    return _need(_covariance_bytes(job.channels), _seconds(2 * (job.train + job.validation) * d**2 + 18 * d**3, "cpu"))


def _need(held: float, seconds: float, device: str = "cpu") -> Need:
    """Bytes held beside the process, and seconds of computing on a measured machine, with their margins."""
    process = PROCESS + (CUDA if device == "cuda" else 0)
    return Need(ceil(MARGIN * (process + held) / 1e8) * 100, START + ceil(SLOWER * seconds / 60))


def _seconds(flops: float, device: str, waits: float = 0) -> float:
    return flops / GPU_RATE + LAUNCH * waits if device == "cuda" else flops / CPU_RATE


def _target_flops(job: Work) -> float:
    """FLOPs of one image through F: depth - 4 convolutions, three shortcuts, the stem."""
    convolution = 2 * 9 * (16 * job.width * SIDE) ** 2
    return convolution * (job.depth - 3) + 2 * 9 * job.channels * 16 * SIDE**2


def _attack_flops(job: Work) -> float:
    """FLOPs of one image through G, whose three groups have 8, 16 and 32 pixels a side; the last does not grow with the width."""
    blocks = _blocks(job)
    convolution = 2 * 9 * (16 * job.width * SIDE) ** 2 / 4
    last = 2 * 9 * (16 * SIDE) ** 2
    return (4 * blocks + 8) * convolution + (2 * blocks + job.width) * last + 2 * 1024 * job.width * job.outputs


def _training_bytes(job: Work) -> float:
    """Weights, gradients and two moments; activations of a batch and their gradients; the images."""
    activations = _target_activations(job) + _attack_activations(job)
    images = (job.train + job.validation) * _pixels(job.channels)
    return 16 * _parameters(job) + 2 * activations * 2 * job.batch_images + images


def _parameters(job: Work) -> float:
    """Of F and G together: those of a block grow with the square of the width, those of G's first layer with the outputs."""
    return (120e3 * _blocks(job) + 40e3) * job.width**2 + 1100 * job.width * job.outputs


def _target_activations(job: Work) -> float:
    """Bytes that F keeps of one image: four maps a block, half as many pixels from one group to the next."""
    return (460e3 * _blocks(job) + 200e3) * job.width


def _attack_activations(job: Work) -> float:
    """Bytes that G keeps of one image."""
    return _blocks(job) * (100e3 * job.width + 265e3) + 200e3 * job.width


def _blocks(job: Work) -> int:
    """Residual blocks in each of the three groups."""
    return (job.depth - 4) // 6


def _covariance_bytes(channels: int) -> float:
    """The covariance, its factors and their copies."""
    return 5 * 8 * _pixels(channels) ** 2


def _pixels(channels: int) -> int:
    return channels * SIDE**2
