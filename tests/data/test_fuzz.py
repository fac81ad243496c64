"""Whatever happens to a file of the official formats, reading it gives images or a DataError, and soon.

``make fuzz`` tries many more variants.
"""

import gzip
import io
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import TIMES, mutants
from PIL import Image

from vicious.data.datasets import find_dataset
from vicious.data.formats.images import decode
from vicious.system.errors import DataError

pytestmark = pytest.mark.fuzz


@contextmanager
def explained() -> Iterator[None]:
    """A block that succeeds or ends in a DataError, within seconds."""
    start = time.monotonic()
    with suppress(DataError):
        yield
    assert time.monotonic() - start < 20


def read_all(dataset: str, root: Path) -> None:
    spec = find_dataset(dataset)
    for split in spec.read(root).splits.values():
        for image in split.images(np.arange(len(split))):
            assert image.dtype == np.uint8
            assert image.shape == (spec.height, spec.width, spec.channels)


def try_mutants(dataset: str, root: Path, file: Path, number: int, pack: Callable[[bytes], bytes] = bytes) -> None:
    """Read a dataset with variants of one of its files, packed after they were changed; the sound one is read too."""
    data = file.read_bytes()
    sound = gzip.decompress(data) if pack is not bytes else data
    file.write_bytes(pack(sound))
    read_all(dataset, root)
    for mutant in mutants(sound, number):
        file.write_bytes(pack(mutant))
        with explained():
            read_all(dataset, root)
    file.write_bytes(data)


def packed(data: bytes) -> bytes:
    return gzip.compress(data, 1)


@pytest.mark.parametrize("pack", [bytes, packed], ids=["packed bytes", "unpacked bytes"])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"])
def test_idx(mnist: Any, name: str, pack: Any) -> None:
    try_mutants("mnist", mnist.root, mnist.root / "MNIST/raw" / name, 150, pack)


@pytest.mark.parametrize("pack", [bytes, packed], ids=["packed bytes", "unpacked bytes"])
def test_tar(cifar10: Any, pack: Any) -> None:
    try_mutants("cifar10", cifar10.root, cifar10.root / "cifar-10-python.tar.gz", 60, pack)


def test_headers_of_tar(cifar10: Any) -> None:
    """Headers alone are changed, and their checksums are sound."""
    archive = cifar10.root / "cifar-10-python.tar.gz"
    with tarfile.open(archive) as tar:
        places = [entry.offset for entry in tar]
    sound = gzip.decompress(archive.read_bytes())
    for number, place in enumerate(places):
        for mutant in mutants(sound[place : place + 512], 15, number):
            header = bytearray(mutant[:512].ljust(512, b"\0"))
            header[148:156] = b"        "
            header[148:156] = b"%06o\0 " % sum(header)
            archive.write_bytes(packed(sound[:place] + header + sound[place + 512 :]))
            with explained():
                read_all("cifar10", cifar10.root)


def _with_few_classes(tiny: Any) -> None:
    """Leave out what makes each reading long."""
    for member in [name for name in tiny.parts if name.endswith("_10.JPEG")]:
        del tiny.parts[member]
    tiny.pack()


def test_zip(tiny: Any, celeba: Any) -> None:
    _with_few_classes(tiny)
    for dataset, made, name in (
        ("tiny_imagenet", tiny, "tiny-imagenet-200.zip"),
        ("celeba", celeba, "celeba/img_align_celeba.zip"),
    ):
        try_mutants(dataset, made.root, made.root / name, 120)


def test_structure_of_zip(tiny: Any) -> None:
    """The list of members alone is changed."""
    _with_few_classes(tiny)
    archive = tiny.root / "tiny-imagenet-200.zip"
    sound = archive.read_bytes()
    with zipfile.ZipFile(archive) as file:
        start = file.start_dir
    for mutant in mutants(sound[start:], 200):
        archive.write_bytes(sound[:start] + mutant)
        with explained():
            read_all("tiny_imagenet", tiny.root)


@pytest.mark.parametrize("name", ["wnids.txt", "words.txt", "val/val_annotations.txt"])
def test_lists_of_photographs(tiny: Any, name: str) -> None:
    _with_few_classes(tiny)
    member = f"tiny-imagenet-200/{name}"
    for mutant in mutants(tiny.parts[member], 60):
        tiny.parts[member] = mutant
        tiny.pack()
        with explained():
            read_all("tiny_imagenet", tiny.root)


@pytest.mark.parametrize("name", ["list_attr_celeba.txt", "list_eval_partition.txt"])
def test_lists_of_faces(celeba: Any, name: str) -> None:
    try_mutants("celeba", celeba.root, celeba.root / "celeba" / name, 100)


def test_empty_lists_of_faces(celeba: Any) -> None:
    celeba.parts["images"] = {}
    celeba.parts["list_attr_celeba.txt"] = ["0", celeba.parts["list_attr_celeba.txt"][1]]
    celeba.parts["list_eval_partition.txt"] = []
    celeba.pack()
    with explained():
        read_all("celeba", celeba.root)


def test_names_with_long_numbers(tiny: Any) -> None:
    name = "tiny-imagenet-200/train/n00000000/images/n00000000_{}.JPEG"
    tiny.parts[name.format("1" * 5000)] = tiny.parts[name.format("1")]
    tiny.pack()
    with explained():
        read_all("tiny_imagenet", tiny.root)


WAYS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "with metadata": {
        "exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\1\3\0\1\0\0\0\1\0\0\0\0\0\0\0",
        "icc_profile": b"x" * 300,
    },
    "with restarts": {"restart_marker_blocks": 2, "optimize": True},
}


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("way", WAYS)
def test_jpeg(rng: np.random.Generator, mode: str, way: str) -> None:
    spec, buffer = find_dataset("tiny_imagenet"), io.BytesIO()
    pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((64, 64)).convert(mode).save(buffer, "JPEG", **WAYS[way])
    assert decode(spec, buffer.getvalue(), Path("x"), "y").shape == (64, 64, 3)
    for mutant in mutants(buffer.getvalue(), 400):
        with explained():
            decode(spec, mutant, Path("x"), "y")


def test_several_pictures_in_one_jpeg(rng: np.random.Generator) -> None:
    spec, buffer = find_dataset("tiny_imagenet"), io.BytesIO()
    first, second = (Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)) for _ in range(2))
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    decode(spec, buffer.getvalue(), Path("x"), "y")
    for mutant in mutants(buffer.getvalue()[:1500], 200):
        with explained():
            decode(spec, mutant + buffer.getvalue()[1500:], Path("x"), "y")


def test_more_variants_are_tried_on_request() -> None:
    assert len(list(mutants(b"x", 3))) == 3 * TIMES
