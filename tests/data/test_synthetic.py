"""Synthetic stand-ins are read by the loaders for real data, repeat byte for byte, vary, and can be learned."""

import gzip
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CIFAR10, CIFAR100, MNIST, CelebA, FashionMNIST

from vicious.data.datasets import all_datasets, find_dataset
from vicious.data.datasets.celeba import ATTRIBUTES
from vicious.data.synthetic.digits import draw_digit
from vicious.data.synthetic.faces import draw_face
from vicious.data.synthetic.garments import draw_garment
from vicious.data.synthetic.objects import draw_object
from vicious.data.synthetic.plan import write_synthetic
from vicious.system.files import digest

COUNTS = (14, 6, 7)
SHAPES = {
    **dict.fromkeys(("mnist", "fashion_mnist"), (28, 28, 1)),
    **dict.fromkeys(("cifar10", "cifar100"), (32, 32, 3)),
    **{"tiny_imagenet": (64, 64, 3), "celeba": (218, 178, 3)},
}
"""Of official images: height, width, channels."""


class Cifar10(CIFAR10):
    """Without the check of the official checksums."""

    def _check_integrity(self) -> bool:
        return True


class Cifar100(CIFAR100):
    """Without the check of the official checksums."""

    def _check_integrity(self) -> bool:
        return True


class Faces(CelebA):
    """Without the check of the official checksums."""

    def _check_integrity(self) -> bool:
        return True


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All six, below a folder with a space in its name."""
    root = tmp_path_factory.mktemp("stand ins")
    for dataset in all_datasets():
        write_synthetic(dataset, root, *COUNTS)
    return root


@pytest.mark.parametrize("dataset", all_datasets(), ids=lambda dataset: dataset.name)
def test_the_files_are_where_the_official_ones_would_be(dataset: Any, tmp_path: Path) -> None:
    files = write_synthetic(dataset, tmp_path / "a b", 3, 1, 2)
    expected = {tmp_path / "a b" / file.path for file in dataset.files}
    assert set(files) == expected
    assert {path for path in (tmp_path / "a b").rglob("*") if path.is_file()} == expected


@pytest.mark.parametrize("dataset", all_datasets(), ids=lambda dataset: dataset.name)
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(dataset: Any, written: Path, tmp_path: Path) -> None:
    again = write_synthetic(dataset, tmp_path / "again", *COUNTS)
    other = write_synthetic(dataset, tmp_path / "other", *COUNTS, seed=1)
    first = [written / file.relative_to(tmp_path / "again") for file in again]
    assert [digest(file) for file in again] == [digest(file) for file in first]
    # Which image belongs to which split depends on the counts alone
    assert all(digest(a) != digest(b) for a, b in zip(again, other, strict=True) if "partition" not in a.name)


@pytest.mark.parametrize("dataset", all_datasets(), ids=lambda dataset: dataset.name)
def test_the_loader_of_real_data_reads_the_files(dataset: Any, written: Path) -> None:
    raw = dataset.read(written)
    train, validation, test = COUNTS
    joined = {"train": train + validation, "test": test}
    expected = {"train": train, "validation": validation, "test": test} if dataset.multilabel else joined
    shape = dataset.height, dataset.width, dataset.channels
    assert SHAPES.get(dataset.name, shape) == shape
    assert {split: len(part) for split, part in raw.splits.items()} == expected
    for part in raw.splits.values():
        images = list(part.images(np.arange(len(part))))
        assert len(images) == len(part)
        assert {(image.shape, image.dtype) for image in images} == {(shape, np.dtype(np.uint8))}
        if dataset.multilabel:
            assert part.labels.shape == (len(part), 40)
            assert np.ptp(part.labels, axis=0).sum() > 5
        else:
            assert np.ptp(np.bincount(part.labels, minlength=dataset.classes)) <= 1


@pytest.mark.parametrize(("loader", "folder"), [(MNIST, "MNIST"), (FashionMNIST, "FashionMNIST")])
def test_torchvision_reads_the_idx_files(loader: Any, folder: str, written: Path, tmp_path: Path) -> None:
    raw = tmp_path / folder / "raw"
    raw.mkdir(parents=True)
    for file in (written / folder / "raw").iterdir():
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    for train, count in ((True, 20), (False, 7)):
        data = loader(tmp_path, train=train)
        assert data.data.shape == (count, 28, 28)
        assert np.ptp(np.bincount(data.targets.numpy(), minlength=10)) <= 1
        assert data.data.float().std() > 20


@pytest.mark.parametrize(
    ("loader", "dataset", "folder"),
    [(Cifar10, "cifar10", "cifar-10-batches-py"), (Cifar100, "cifar100", "cifar-100-python")],
)
def test_torchvision_and_our_loader_read_the_cifar_archives_alike(
    loader: Any, dataset: str, folder: str, written: Path, tmp_path: Path
) -> None:
    spec = find_dataset(dataset)
    archive = written / spec.files[0].path
    shutil.unpack_archive(archive, tmp_path)
    # The list of classes is the one part that torchvision checks on its own
    loader.meta = {**loader.meta, "md5": digest(tmp_path / folder / loader.meta["filename"], "md5")}
    ours = spec.read(written)
    for split, count in (("train", 20), ("test", 7)):
        theirs = loader(tmp_path, train=split == "train")
        assert theirs.data.shape == (count, 32, 32, 3)
        np.testing.assert_array_equal(theirs.targets, ours.splits[split].labels)
        np.testing.assert_array_equal(theirs.data, np.stack(list(ours.splits[split].images(np.arange(count)))))
    assert len(theirs.classes) == spec.classes


def test_torchvision_reads_the_faces(written: Path, tmp_path: Path) -> None:
    folder = tmp_path / "celeba"
    folder.mkdir()
    with zipfile.ZipFile(written / "celeba" / "img_align_celeba.zip") as archive:
        archive.extractall(folder)
    for name in ("list_attr_celeba.txt", "list_eval_partition.txt"):
        (folder / name).write_bytes((written / "celeba" / name).read_bytes())
    names = [f"{number:06d}.jpg" for number in range(1, sum(COUNTS) + 1)]
    # Lists that torchvision insists on and this project does not use
    (folder / "identity_CelebA.txt").write_text("".join(f"{name} 1\n" for name in names))
    for name in ("list_bbox_celeba.txt", "list_landmarks_align_celeba.txt"):
        (folder / name).write_text(f"{len(names)}\na b\n" + "".join(f"{name} 1 1\n" for name in names))
    for split, count in zip(("train", "valid", "test"), COUNTS, strict=True):
        data = Faces(tmp_path, split=split)
        assert len(data) == count
        assert data[0][0].size == (178, 218)
        assert data.attr.shape == (count, 40)
        assert data.attr_names[:40] == list(ATTRIBUTES)


def test_tiny_imagenet_has_its_lists_and_images(written: Path) -> None:
    top = "tiny-imagenet-200"
    with zipfile.ZipFile(written / f"{top}.zip") as archive:
        wnids = archive.read(f"{top}/wnids.txt").decode().split()
        assert len(set(wnids)) == 200
        train = [name for name in archive.namelist() if "/train/" in name and name.endswith(".JPEG")]
        assert len({name.split("/")[2] for name in train}) == len(train) == 20  # no class twice before all came once
        rows = [line.split("\t") for line in archive.read(f"{top}/val/val_annotations.txt").decode().splitlines()]
        assert len(rows) == 7
        assert all(len(row) == 6 and row[1] in wnids for row in rows)
        for name in (train[0], f"{top}/val/images/{rows[0][0]}"):
            with archive.open(name) as file, Image.open(file) as image:
                assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (64, 64))


def _objects(label: int, rng: np.random.Generator) -> np.ndarray:
    return draw_object(label, 10, 32, rng)


def _drawn(draw: Any, start: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat images in [0, 1] of the labels 0, 1, ..., 9, 0, ... and these labels."""
    labels = np.arange(count) % 10
    images = [draw(label, np.random.default_rng([start, index])) for index, label in enumerate(labels.tolist())]
    return np.stack(images).reshape(count, -1) / 255, labels


@pytest.mark.parametrize(("draw", "accuracy"), [(draw_digit, 0.6), (draw_garment, 0.6), (_objects, 0.3)])
def test_a_linear_classifier_learns_the_classes(draw: Any, accuracy: float) -> None:
    (train, labels), (test, truth) = _drawn(draw, 0, 600), _drawn(draw, 1, 200)
    mean = train.mean(axis=0)
    x, y = train - mean, np.eye(10)[labels] - 0.1
    # Ridge regression in its dual form: fewer images than pixels
    weights = x.T @ np.linalg.solve(x @ x.T + 30 * np.eye(len(x)), y)
    assert (((test - mean) @ weights).argmax(axis=1) == truth).mean() > accuracy


@pytest.mark.parametrize("draw", [draw_digit, draw_garment])
def test_the_nearest_class_mean_is_mostly_right(draw: Any) -> None:
    (train, labels), (test, truth) = _drawn(draw, 0, 300), _drawn(draw, 1, 200)
    means = np.stack([train[labels == label].mean(axis=0) for label in range(10)])
    nearest = ((test[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == truth).mean() > 0.4


@pytest.mark.parametrize(
    ("draw", "labels"),
    [(draw_digit, 10), (draw_garment, 10), (_objects, 10)],
)
def test_images_differ_within_a_class(draw: Any, labels: int) -> None:
    for label in range(labels):
        images = [draw(label, np.random.default_rng(seed)).astype(float) for seed in range(6)]
        distances = [np.sqrt(np.mean((a - b) ** 2)) for i, a in enumerate(images) for b in images[:i]]
        assert min(distances) > 8


@pytest.mark.parametrize(("classes", "side"), [(100, 32), (200, 64)])
def test_every_class_of_objects_is_drawn(classes: int, side: int) -> None:
    images = [draw_object(label, classes, side, np.random.default_rng(label)) for label in range(classes)]
    assert {image.shape for image in images} == {(side, side, 3)}
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name not in {"Young", "Straight_Hair", "No_Beard"}])
def test_an_attribute_shows_at_32_pixels(name: Any) -> None:
    """Flipping it changes the drawing; the three left out show only by what others draw."""
    without = {attribute: attribute in ("Young", "No_Beard") for attribute in ATTRIBUTES}
    changes = []
    for seed in range(6):
        faces = [draw_face(has, np.random.default_rng(seed)) for has in (without, {**without, name: True})]
        changes.append(np.abs(_small(faces[1]) - _small(faces[0])).max())
    assert np.median(changes) > 8


def _small(face: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(face).resize((32, 32), Image.Resampling.BILINEAR), float)


def test_attributes_do_not_contradict_each_other(tmp_path: Path) -> None:
    write_synthetic(find_dataset("celeba"), tmp_path, 150, 0, 0)
    lines = (tmp_path / "celeba" / "list_attr_celeba.txt").read_text().splitlines()[2:]
    table = np.array([line.split()[1:] for line in lines], int) == 1
    has = {name: table[:, column] for column, name in enumerate(ATTRIBUTES)}
    colours = sum(has[name].astype(int) for name in ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"))
    assert colours.max() == 1
    for name in ("Bangs", "Wavy_Hair", "Straight_Hair"):
        assert not (has["Bald"] & has[name]).any()
    for name in ("Goatee", "Mustache", "5_o_Clock_Shadow"):
        assert not (has["No_Beard"] & has[name]).any()
    assert 0.25 < has["Male"].mean() < 0.6
    assert 0.3 < has["Smiling"].mean() < 0.65
