"""The risk of ten models on one dataset, by the project's way and by the original study's. The project factorises the
covariance once; one process for all models also measures distances from the mean image once, and the study's jobs, one
for each model, measure them anew. The original computes for each model a covariance by np.cov, its pseudo-inverse in
float32 and distances by einsum; one model is run and counts ten times. The floor is one pass over the images for their
covariance and one symmetric eigendecomposition, in float64.

    python benchmarks/risk.py [--full]

``--full`` takes 50,000 images and 10,000 test images, three rounds. All have all cores. The images are random, with the
spectrum of photographs. Memory is the peak of a process that fits the covariance of as many images as CelebA has.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from measuring import in_turn, machine, report, run
from numpy.typing import NDArray

from vicious.data.batches import EVALUATION_BATCH
from vicious.data.datasets import find_dataset
from vicious.data.prepared import PreparedDataset, PreparedInfo, images_name, labels_name, load_prepared
from vicious.data.splits import SIDE, SPLITS
from vicious.metrics.moments import fit
from vicious.metrics.risk import Array, distances, energies, risk_of_distances, whiten, whiten_share
from vicious.system.files import digest

MODELS = 10
PIXELS = 3 * SIDE**2
QUICK, FULL = (11_250, 1_250, 2_500), (45_000, 5_000, 10_000)
"""Train, validation and test images; the full ones are those of CIFAR-10."""
CHUNK, DRAWN = 1000, 10_000
"""Images at a time; different images: further ones repeat them."""
Images = NDArray[np.float32]


def photographs(count: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Noise (count, 3, 32, 32) whose amplitude falls with the frequency as that of photographs does."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)).clip(1 / SIDE)
    noise = np.fft.rfft2(generator.standard_normal((count, 3, SIDE, SIDE), np.float32)) / frequency
    return (128 + 12 * np.fft.irfft2(noise, (SIDE, SIDE))).clip(0, 255).astype(np.uint8)


def write_prepared(folder: Path, name: str, counts: tuple[int, ...]) -> PreparedDataset:
    """A prepared dataset of such images, with labels at random."""
    generator, dataset = np.random.default_rng(0), find_dataset(name)
    for split, count in zip(SPLITS, counts, strict=True):
        shape = (count, 3, SIDE, SIDE)
        images = np.lib.format.open_memmap(folder / images_name(split), "w+", np.uint8, shape)
        for start in range(0, count, CHUNK):
            stop = min(start + CHUNK, count)
            drawn = start < DRAWN
            images[start:stop] = photographs(stop - start, generator) if drawn else images[: stop - start]
        images.flush()
        several = generator.integers(2, size=(count, dataset.classes), dtype=np.uint8)
        one = generator.integers(dataset.classes, size=(count,))
        np.save(folder / labels_name(split), several if dataset.multilabel else one)
    info = PreparedInfo(
        name=name,
        title=dataset.title,
        channels=3,
        classes=dataset.classes,
        multilabel=dataset.multilabel,
        label_names=(),
        n=dict(zip(SPLITS, counts, strict=True)),
        mean=dataset.mean,
        std=dataset.std,
        synthetic=True,
        source="synthetic",
        split_seed=0,
        files=(),
        arrays={path.name: digest(path) for path in folder.glob("*.npy")},
        fingerprint="random",
    )
    (folder / "dataset.json").write_text(json.dumps(asdict(info)))
    return load_prepared(folder)


def known(data: PreparedDataset) -> Iterator[NDArray[np.uint8]]:
    """The train and validation images, in rows (n, d)."""
    for split in SPLITS[:2]:
        images = data.images(split)
        for start in range(0, len(images), CHUNK):
            yield images[start : start + CHUNK].reshape(-1, PIXELS)


def original(data: PreparedDataset, test: Images, stolen: Images) -> float:
    """The mean risk of a model, as the original study computes it."""
    images = np.concatenate(list(known(data))).astype(np.float32) / 255
    mean = images.mean(0)
    inverse = torch.linalg.pinv(torch.from_numpy(np.cov(images, rowvar=False)).float())
    risks = []
    for start in range(0, len(test), 125):
        x, y = test[start : start + 125], stolen[start : start + 125]
        found = []
        for difference in (torch.from_numpy(x - mean), torch.from_numpy(x - y)):
            found.append(torch.einsum("ij,jk,ik->i", difference, inverse, difference).clamp_min(0).sqrt())
        risks.append(found[0] / found[1])
    return torch.cat(risks).mean().item()


def project(data: PreparedDataset, test: Images, stolen: list[Images], anew: bool) -> list[tuple[float, float]]:
    """The mean of ``risk`` and of ``risk95`` of each model, with distances from the mean image anew for each or not."""
    covariance = fit(data)
    whitenings = [whiten(covariance), whiten_share(covariance)]

    def measured(differ: Callable[[slice], Array]) -> list[Array]:
        batches = [slice(start, start + EVALUATION_BATCH) for start in range(0, len(test), EVALUATION_BATCH)]
        found = [distances(energies(differ(batch), covariance), whitenings) for batch in batches]
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def of_mean() -> list[Array]:
        return measured(lambda batch: test[batch] - covariance.mean)

    once, found = None if anew else of_mean(), []
    for model in stolen:
        guess = of_mean() if once is None else once
        error = measured(lambda batch, own=model: test[batch].astype(np.float64) - own[batch])  # type: ignore[misc]
        risk, risk95 = (risk_of_distances(*both).mean() for both in zip(guess, error, strict=True))
        found.append((float(risk), float(risk95)))
    return found


def floor(data: PreparedDataset) -> None:
    """One pass over the images, and one eigendecomposition."""
    covariance = np.zeros((PIXELS, PIXELS))
    for chunk in known(data):
        centred = chunk / 255 - 0.5
        covariance += centred.T @ centred
    np.linalg.eigh(covariance)


def peak() -> float:
    """Bytes of a process that fits the covariance of as many images as CelebA has."""
    sizes = find_dataset("celeba").sizes
    with TemporaryDirectory() as folder:
        write_prepared(Path(folder), "celeba", (*sizes[:2], 1))
        return run([sys.executable, __file__, "--fit", folder]).peak


def main(full: bool) -> None:
    where, counts = machine(), FULL if full else QUICK
    with TemporaryDirectory() as folder:
        data = write_prepared(Path(folder), "cifar10", counts)
        test = np.divide(data.images("test").reshape(-1, PIXELS), 255, dtype=np.float32)
        noise = np.random.default_rng(1).normal(0, 0.05, test.shape).astype(np.float32)
        stolen = [(test + np.roll(noise, model, 0)).clip(0, 1) for model in range(MODELS)]
        risks: list[float] = []
        works = {
            "original": lambda: risks.append(original(data, test, stolen[0])),
            "project, a job for each model": lambda: risks.append(project(data, test, stolen, anew=True)[0][0]),
            "project, one process": lambda: risks.append(project(data, test, stolen, anew=False)[0][0]),
            "floor": lambda: floor(data),
        }
        seconds = in_turn(works, rounds=3 if full else 1)
    assert np.allclose(risks, risks[0], rtol=1e-3), risks
    seconds["original"] *= MODELS
    report(
        "risk",
        where,
        ("way", "ten models, s", "times as fast as the original", "share of the floor"),
        [
            (way, round(taken, 1), round(seconds["original"] / taken, 1), f"{seconds['floor'] / taken:.0%}")
            for way, taken in seconds.items()
        ],
        threads=torch.get_num_threads(),
        pixels=PIXELS,
        images=sum(counts[:2]),
        test_images=counts[2],
        original_models_run=1,
        peak_gb=round(peak() / 1e9, 2),
        peak_images=sum(find_dataset("celeba").sizes[:2]),
        target="at least 5 times as fast as the original; peak below 2 GB",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fit"]:
        fit(load_prepared(Path(sys.argv[2])))
    else:
        main("--full" in sys.argv[1:])
