"""From official archives to uint8 arrays of 32x32, whatever the dataset, with memory that stays flat.

Images are resized with Pillow's bilinear filter, which widens when it shrinks (so that nothing aliases) and
interpolates plainly when it enlarges. It alone reproduces the published standard deviations at 32x32. Of bicubic,
Hamming, box, Lanczos and nearest the best gives, of MNIST, .2960 (bilinear .2893, published .2895), of Fashion-MNIST
.3451 (.3385, .3385), of 8,000 images of Tiny ImageNet .2595 (.2543, .2541). Means differ less: .1309, .2856 and .4833
(published .1311, .2856 and .4805, of all images of Tiny ImageNet: the mean of 8,000 is itself that far off). CelebA's
178x218 faces are squeezed whole, not cropped.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vicious.data.facts import Dataset
from vicious.data.formats.raw import RawDataset, RawSplit
from vicious.data.prepared import INFO_NAME, images_name, labels_name
from vicious.data.splits import SIDE, SPLITS
from vicious.system.errors import DataError
from vicious.system.files import atomic_path, storage_errors, write_json
from vicious.system.progress import Progress

_CHUNK = 1000
"""Images held in memory at once."""


def prepare(
    dataset: Dataset,
    root: Path,
    out: Path,
    *,
    source: Literal["official", "synthetic"],
    train: int | None,
    validation: int | None,
    test: int | None,
    split_seed: int,
    files: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write a dataset's arrays and, last, dataset.json into the folder ``out``.

    The official train set is cut by a seeded permutation: its tail, of the official share, is the validation set.
    A distribution may bring its own (CelebA does). A cap takes a prefix of its permuted split, so that a smaller subset
    lies within a larger one, and no cap moves another split. Within a split the official order is kept.

    Args:
        root: folder with the files in the official formats.
        out: folder for {split}_images.npy, uint8 (N, C, 32, 32), and {split}_labels.npy, int64 (N,) or uint8 (N, K).
        source: whether the files are the official data or drawn stand-ins; recorded.
        train, validation, test: largest number of images, or None for all.
        split_seed: seed of all permutations, not negative.
        files: the verified files; recorded. Where a folder is among them, it is read in place of its archive.

    Raises:
        DataError: a file is missing or damaged, or a split would be empty.
        StorageError: the disk is full or may not be written.
    """
    raw = _reader(dataset, files)(root)
    chosen = choose_images(dataset, raw, {"train": train, "validation": validation, "test": test}, split_seed)
    settings = {"name": dataset.name, "source": source, "split_seed": split_seed}
    fingerprint = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    with storage_errors(out):
        # Without it nobody takes a mixture of old and new arrays for a prepared dataset.
        (out / INFO_NAME).unlink(missing_ok=True)
    pixels, arrays = np.zeros((dataset.channels, 256), dtype=np.int64), {}
    for split, (part, indices) in chosen.items():
        chunks = _chunks(dataset, part, indices, split)
        if split == "train":
            chunks = _counted(chunks, pixels)
        shape = (len(indices), dataset.channels, SIDE, SIDE)
        labels = part.labels[indices].astype(np.uint8 if dataset.multilabel else np.int64)
        name = images_name(split)
        arrays[name] = _write_array(out / name, shape, np.dtype(np.uint8), chunks, fingerprint)
        name = labels_name(split)
        arrays[name] = _write_array(out / name, labels.shape, labels.dtype, [labels], fingerprint)
    statistics = [_mean_and_std(histogram) for histogram in pixels]
    write_json(
        out / INFO_NAME,
        settings
        | {
            "title": dataset.title,
            "channels": dataset.channels,
            "classes": dataset.classes,
            "multilabel": dataset.multilabel,
            "label_names": list(raw.label_names or dataset.class_names),
            "n": {split: len(indices) for split, (_, indices) in chosen.items()},
            "mean": [mean for mean, _ in statistics],
            "std": [std for _, std in statistics],
            "synthetic": source == "synthetic",
            "files": [dict(file) for file in files],
            "arrays": arrays,
            "fingerprint": fingerprint.hexdigest(),
        },
    )


def _reader(dataset: Dataset, files: Sequence[Mapping[str, Any]]) -> Callable[[Path], RawDataset]:
    """The reader of what was verified: an archive that appeared since then beside its unpacked folder is none."""
    unpacked = {file.unpacked for file in dataset.files if file.unpacked}
    if dataset.read_unpacked and any(file.get("path") in unpacked for file in files):
        return dataset.read_unpacked
    return dataset.read


def choose_images(
    dataset: Dataset, raw: RawDataset, caps: Mapping[str, int | None], seed: int
) -> dict[str, tuple[RawSplit, np.ndarray]]:
    """For each split the official split it is taken from, and the ascending indices into that; raises DataError where a
    split would be empty."""
    pools: dict[str, tuple[RawSplit, np.ndarray]] = {}
    for number, (split, part) in enumerate(raw.splits.items()):
        # One generator for each official split: the size of one then never changes the choice in another.
        generator = np.random.default_rng(seed if number == 0 else (seed, number))
        pools[split] = part, generator.permutation(len(part))
    if "validation" not in pools:
        part, order = pools["train"]
        share = dataset.sizes[1] / (dataset.sizes[0] + dataset.sizes[1])
        cut = len(order) - max(1, round(len(order) * share))
        pools["train"], pools["validation"] = (part, order[:cut]), (part, order[cut:])
    chosen: dict[str, tuple[RawSplit, np.ndarray]] = {}
    for split in SPLITS:
        (part, order), cap = pools[split], caps[split]
        indices = np.sort(order if cap is None else order[: max(cap, 0)])
        if not len(indices):
            raise DataError(
                f"{dataset.title}: the {split} split has no image ({len(order)} are there, the cap is {cap})"
            )
        chosen[split] = part, indices
    return chosen


def _chunks(dataset: Dataset, part: RawSplit, indices: np.ndarray, split: str) -> Iterator[np.ndarray]:
    """The images of ``indices`` as uint8 (n, C, 32, 32) with n up to the chunk size."""
    images = part.images(indices)
    with Progress(len(indices), f"prepare {dataset.title} {split}") as progress:
        for start in range(0, len(indices), _CHUNK):
            chunk = np.empty((min(_CHUNK, len(indices) - start), dataset.channels, SIDE, SIDE), dtype=np.uint8)
            for row in chunk:
                row[:] = resize(next(images)).transpose(2, 0, 1)
            yield chunk
            progress.advance(len(chunk))


def resize(image: np.ndarray) -> np.ndarray:
    """Resize uint8 (H, W, C), C being 1 or 3, to (32, 32, C); see the module's text for the filter."""
    if image.shape[:2] == (SIDE, SIDE):
        return image
    from torchvision.transforms.v2 import functional

    # As an image, which Pillow then resizes: a tensor of 218x178 gives other pixels, by one step of 256
    small = functional.resize(functional.to_pil_image(image), [SIDE, SIDE])
    return np.asarray(small).reshape(SIDE, SIDE, image.shape[2])


def _write_array(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], chunks: Iterable[np.ndarray], fingerprint: Any
) -> str:
    """Write chunks as one .npy file, atomically, feed ``fingerprint`` with the file's very bytes, and return their
    SHA-256.

    Plain writes, not a memory map: on a full disk a map ends the process with a bus error, a write raises.
    """
    header, own = BytesIO(), hashlib.sha256()
    facts = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, facts)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for piece in chain([header.getvalue()], (chunk.tobytes() for chunk in chunks)):
            fingerprint.update(piece)
            own.update(piece)
            file.write(piece)
    return own.hexdigest()


def _counted(chunks: Iterable[np.ndarray], pixels: np.ndarray) -> Iterator[np.ndarray]:
    """Pass chunks (n, C, 32, 32) on, counting their pixels by channel and value, (C, 256)."""
    for chunk in chunks:
        for channel, histogram in enumerate(pixels):
            histogram += np.bincount(chunk[:, channel].ravel(), minlength=256)
        yield chunk


def _mean_and_std(histogram: np.ndarray) -> tuple[float, float]:
    """Mean and population standard deviation, in [0, 1], of pixels counted by value, (256,).

    Sums are whole numbers up to the last step, exact for any number of images, so nothing cancels.
    """
    count, total, squares = (int(histogram @ np.arange(256) ** power) for power in range(3))
    return total / (255 * count), (count * squares - total**2) ** 0.5 / (255 * count)
