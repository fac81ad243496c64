"""What one job asks a machine for: megabytes and minutes, from the models' sizes in closed form, so that planning needs
no PyTorch.

Margins stand for slower machines; what is still too little grows with each attempt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from vicious.data.splits import SIDE
from vicious.models.architecture import Model
from vicious.models.size import FLOAT, Size

COPIES = 2
"""Rows of a batch for each image, where it is joined by one augmented copy."""
CSV_AND_JSON = 40e3
"""Bytes of records, curves and summaries beside each model and attack."""
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
IMAGE = 4e-3
"""Seconds to unpack, decode and shrink an image of a dataset."""


@dataclass(frozen=True)
class Rate:
    """How fast something computes.

    Attributes:
        flops: a second, sustained, where models are wide enough.
        launch: seconds to start what a layer computes for a batch; narrow models wait for it.
    """

    flops: float
    launch: float = 0.0

    def seconds(self, flops: float, launches: float = 0.0) -> float:
        """Of some work. A GPU computes while further layers are started, so the longer of both counts, not their
        sum."""
        return max(flops / self.flops, launches * self.launch)


CPU_RATE = Rate(31e9)
"""Of one core of an AMD EPYC in these models."""
GPU_RATE = Rate(31e12, launch=3.7e-4)
"""Of an NVIDIA H100: 31 TFLOP/s in joint trainings of depth 28, width 5 and batches of 125; with width 1 (MNIST) 1.7
TFLOP/s, which is 63 ms for the 171 launches of a step."""


@dataclass(frozen=True)
class Need:
    """What a job asks for.

    Attributes:
        mem_mb: main memory, in megabytes.
        runtime: minutes by the clock.
    """

    mem_mb: int
    runtime: int


LIGHT = Need(mem_mb=4000, runtime=30)
"""Of a job that reads and writes tables: summaries, comparisons, tables, figures."""


@dataclass(frozen=True)
class Cost:
    """What a job costs, as the budget adds it up.

    Attributes:
        flops: floating-point operations, two for each multiplication with its addition.
        launches: passes of a batch through a layer, of trainings; a backward pass counts as two forward passes.
        seconds: of what is beside the models, on any machine.
        disk: bytes that it leaves.
        memory: bytes that it holds beside its process.
    """

    flops: float = 0.0
    launches: float = 0.0
    seconds: float = 0.0
    disk: float = 0.0
    memory: float = 0.0


@dataclass(frozen=True)
class Work:
    """What a job on a target model works on.

    Attributes:
        raw: bytes of the dataset's files.
        images: in all files of the dataset.
        train, validation, test: images.
        channels: of an image.
        outputs: of the target model.
        target, attack: the models.
        epochs: passes over the training images, or over those drawn for each.
        epoch_images: training images of an epoch.
        batch_images: images in a batch.
        device: "cpu" or "cuda".
        copies: rows of a batch for each image: 1, or :data:`COPIES`.
        longer: times as many epochs, of an attacker with fewer images.
    """

    raw: float
    images: int
    train: int
    validation: int
    test: int
    channels: int
    outputs: int
    target: Model
    attack: Model
    epochs: int
    epoch_images: int
    batch_images: int
    device: str
    copies: int = COPIES
    longer: int = 1

    @property
    def sizes(self) -> tuple[Size, Size]:
        """Of the target and of the attack model."""
        return self.target.size(self.channels, self.outputs), self.attack.size(self.channels, self.outputs)

    @property
    def forward(self) -> int:
        """FLOPs of one image through both."""
        return sum(size.flops for size in self.sizes)


def training(job: Work) -> Need:
    """Of any training: as of a joint one, the dearest."""
    joint = training_cost(job)
    return _need(_training_bytes(job), _rate(job.device).seconds(joint.flops, joint.launches), job.device)


def fitting(job: Work, flops: float) -> Need:
    """Of an attack model that is fitted in closed form, in float64: matrices of its numbers and of pixels, the images,
    and what a chunk of them takes."""
    _, attack = job.sizes
    held = 4 * 2 * FLOAT * attack.parameters + 8 * 8 * _pixels(job.channels) ** 2
    held += 3 * (job.train + job.validation) * _pixels(job.channels)
    return _need(held, _rate(job.device).seconds(flops), job.device)


def conditioning(job: Work, cost: Cost) -> Need:
    """Of an attack model that is conditioned and then trained at this cost: matrices of pixels in float64 too, and the
    images."""
    held = 8 * 8 * _pixels(job.channels) ** 2 + 3 * (job.train + job.validation) * _pixels(job.channels)
    seconds = _rate(job.device).seconds(cost.flops, cost.launches)
    return _need(_training_bytes(job) + held, seconds, job.device)


def assessment(job: Work) -> Need:
    """Of the assessment of one attack on one model."""
    seconds = _rate(job.device).seconds(_judged(job) * job.forward) + CPU_RATE.seconds(_measuring_flops(job))
    held = _training_bytes(job) + _covariance_bytes(job.channels) + _identification_bytes(job)
    return _need(held, seconds, job.device)


def membership(job: Work) -> Need:
    """Of membership inference on one model."""
    return _need(_training_bytes(job), _rate(job.device).seconds(membership_cost(job).flops), job.device)


def detection(job: Work, detectors: Iterable[str], user_images: Sequence[int], draws: int) -> Need:
    """Of the judgement of one model.

    Args:
        detectors: that judge it; some take the gradient over :data:`~vicious.defense.stated_loss.AT_ONCE` of the user's
            images.
        user_images: how many a user has, each number in turn.
        draws: samples of each number.
    """
    from vicious.defense.stated_loss import AT_ONCE  # detectors need numpy, which other steps need not wait for

    held = _weights_bytes(job) + AT_ONCE * 2 * job.sizes[0].activations + max(user_images) * 80 * _pixels(job.channels)
    cost = detection_cost(job, detectors, user_images, draws)
    return _need(held, cost.seconds + _rate(job.device).seconds(cost.flops), job.device)


def preparation(job: Work) -> Need:
    """Of making arrays of a dataset's files, all of which are read."""
    return _need(2 * job.images * _pixels(job.channels), IMAGE * job.images)


def factorisation(job: Work) -> Need:
    """Of the covariance of the train and validation images."""
    return _need(_covariance_bytes(job.channels), CPU_RATE.seconds(factorisation_cost(job).flops))


def training_cost(job: Work, *, target: bool = True, attack: bool = True) -> Cost:
    """Of a training: every row forward and backward, and the validation images forward, in every epoch. A frozen target
    model is asked once for images that come more than once.

    A backward pass counts as two forward passes (Kaplan et al., "Scaling Laws for Neural Language Models", 2020,
    section 2.1).

    Args:
        target: the target model is trained; else it is frozen and only runs forward.
        attack: there is an attack model, which is trained.
    """
    own, other = job.sizes
    forward = own + other if attack else own
    trained = sum([*([own] if target else []), *([other] if attack else [])], Size())
    rows, batches = job.epochs * job.copies * job.epoch_images, ceil(job.epoch_images / job.batch_images)
    passed = rows + job.epochs * job.validation
    asked = passed
    if not target and job.epochs * job.epoch_images > job.train:
        asked = rows - job.epochs * job.epoch_images + job.train + job.validation
    flops = own.flops * (asked + (2 * rows if target else 0)) + (other.flops * (passed + 2 * rows) if attack else 0)
    activations = 2 * (own.activations + other.activations) * job.copies * job.batch_images
    return Cost(
        flops=float(flops),
        launches=float(job.epochs * batches * (forward.layers + 2 * trained.layers)),
        disk=FLOAT * trained.parameters + CSV_AND_JSON,
        memory=_weights_bytes(job) + activations,
    )


def assessment_cost(job: Work, columns: int) -> Cost:
    """Of an assessment: both models forward, and its measures; so many columns for each test image."""
    flops = _judged(job) * job.forward + _measuring_flops(job)
    return Cost(flops, disk=job.test * (FLOAT * columns + 100) + CSV_AND_JSON)


def membership_cost(job: Work) -> Cost:
    """Of membership inference on one model, which answers all test images and as many training images."""
    return Cost(float((job.test + min(job.train, job.test)) * job.sizes[0].flops), disk=CSV_AND_JSON)


def detection_cost(job: Work, detectors: Iterable[str], user_images: Sequence[int], draws: int) -> Cost:
    """Of the judgement of one model: what it answers on the test images and to the detectors, and their own time. The
    arguments are those of :func:`detection`."""
    from vicious.defense.detector import find_detector

    judges = [find_detector(name) for name in detectors]
    queries = draws * sum(judge.passes(n) for judge in judges for n in user_images)
    seconds = draws * sum(user_images) / 1000 * sum(judge.seconds for judge in judges)
    return Cost(float((job.test + queries) * job.sizes[0].flops), seconds=seconds)


def factorisation_cost(job: Work) -> Cost:
    """Of the covariance: the product, and two eigendecompositions (about 9 d^3: Golub and Van Loan, "Matrix
    Computations", section 8.3)."""
    d = _pixels(job.channels)
    flops = 2.0 * (job.train + job.validation) * d**2 + 2 * 9.0 * d**3
    return Cost(flops, disk=3.0 * FLOAT * d**2, memory=_covariance_bytes(job.channels))


def preparation_cost(job: Work) -> Cost:
    """Of prepared arrays: a byte for each pixel."""
    return Cost(disk=float((job.train + job.validation + job.test) * _pixels(job.channels)))


def _need(held: float, seconds: float, device: str = "cpu") -> Need:
    """Bytes held beside the process, and seconds of computing on a measured machine, with their margins."""
    process = PROCESS + (CUDA if device == "cuda" else 0)
    return Need(ceil(MARGIN * (process + held) / 1e8) * 100, START + ceil(SLOWER * seconds / 60))


def _rate(device: str) -> Rate:
    return GPU_RATE if device == "cuda" else CPU_RATE


def _training_bytes(job: Work) -> float:
    """Weights, gradients and two moments; activations of a batch and their gradients; the images."""
    activations = sum(size.activations for size in job.sizes)
    images = (job.train + job.validation) * _pixels(job.channels)
    return _weights_bytes(job) + 2 * activations * job.copies * job.batch_images + images


def _weights_bytes(job: Work) -> float:
    """Weights, gradients and two moments of F and G."""
    return 4 * FLOAT * sum(size.parameters for size in job.sizes)


def _measuring_flops(job: Work) -> float:
    """Five projections onto the eigenvectors; and the products of reconstructions, and of at most as many guesses by
    label, with all test images. Of validation images two projections, and the first of these products."""
    d = _pixels(job.channels)
    test = job.test * (5 * 2.0 * d**2 + 2 * 2.0 * job.test * d)
    return test + job.validation * (2 * 2.0 * d**2 + 2.0 * job.validation * d)


def _judged(job: Work) -> int:
    """Images that an attack is measured on."""
    return job.test + job.validation


def _identification_bytes(job: Work) -> float:
    """A batch and some candidates in float64, their products, and outputs of all test images; see
    :class:`vicious.metrics.identification.Candidates`."""
    return 8 * (3 * 1250 * _pixels(job.channels) + 4 * 1250 * 1000) + 2 * FLOAT * job.test * job.outputs


def _covariance_bytes(channels: int) -> float:
    """The covariance, its factors and their copies."""
    return 5 * 8 * _pixels(channels) ** 2


def _pixels(channels: int) -> int:
    return channels * SIDE**2
