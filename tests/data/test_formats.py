"""The official formats are read pixel for pixel, without running or unpacking anything, and damage is named."""

import gzip
import io
import pickle
import shutil
import struct
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vicious.data.datasets import find_dataset
from vicious.data.datasets.celeba import ATTRIBUTES
from vicious.data.formats.raw import RawDataset, RawSplit
from vicious.system.errors import DataError


def open_raw(dataset: str, root: Path) -> RawDataset:
    return find_dataset(dataset).read(root)


def open_unpacked(root: Path) -> RawDataset:
    read = find_dataset("celeba").read_unpacked
    assert read is not None
    return read(root)


def every(split: RawSplit) -> np.ndarray:
    return np.stack(list(split.images(np.arange(len(split)))))


# Against independent readers, on real files


@pytest.mark.parametrize(
    ("dataset", "folder", "loader"), [("mnist", "MNIST", "MNIST"), ("fashion_mnist", "FashionMNIST", "FashionMNIST")]
)
def test_idx_agrees_with_torchvision(real_data: Path, tmp_path: Path, dataset: str, folder: str, loader: str) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    shutil.copytree(real_data / folder, tmp_path / folder, copy_function=shutil.copyfile)
    for path in (tmp_path / folder).rglob(""):
        path.chmod(0o755)
    raw = open_raw(dataset, real_data)
    for split in ("train", "test"):
        theirs = getattr(datasets, loader)(tmp_path, train=split == "train", download=True)
        np.testing.assert_array_equal(every(raw.splits[split])[..., 0], theirs.data.numpy())
        np.testing.assert_array_equal(raw.splits[split].labels, theirs.targets.numpy())


@pytest.mark.parametrize(("dataset", "loader"), [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")])
def test_cifar_agrees_with_torchvision(real_data: Path, tmp_path: Path, dataset: str, loader: str) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    theirs_type = type(loader, (getattr(datasets, loader),), {"_check_integrity": lambda self: True})
    archive = next(real_data.glob(f"{dataset.replace('cifar', 'cifar-')}-python.tar.gz"))
    shutil.unpack_archive(archive, tmp_path)
    raw = open_raw(dataset, real_data)
    for split in ("train", "test"):
        theirs = theirs_type(tmp_path, train=split == "train")
        np.testing.assert_array_equal(every(raw.splits[split]), theirs.data)
        np.testing.assert_array_equal(raw.splits[split].labels, theirs.targets)
    assert list(raw.label_names) == theirs.classes


def test_tiny_imagenet_orders_classes_by_wnids_in_train_and_val(real_data: Path) -> None:
    """A folder loader gives the flat val folder one class, and so chance accuracy (pytorch-tiny-imagenet#4)."""
    raw = open_raw("tiny_imagenet", real_data)
    assert Counter(raw.splits["train"].labels.tolist()) == dict.fromkeys(range(200), 40)
    assert Counter(raw.splits["test"].labels.tolist()) == dict.fromkeys(range(200), 10)
    assert raw.label_names[:3] == ("Egyptian cat", "reel", "volleyball")
    # The mean images of a class are alike in train and val only if both use the same numbers.
    train, val = (every(raw.splits[split]).mean(axis=(1, 2)) for split in ("train", "test"))
    means = [
        np.stack([values[labels == label].mean(axis=0) for label in range(200)]).ravel()
        for values, labels in ((train, raw.splits["train"].labels), (val, raw.splits["test"].labels))
    ]
    assert np.corrcoef(means)[0, 1] > 0.6


# On small archives made by hand


def test_images_come_in_official_order_from_any_subset(cifar10: Any) -> None:
    train = open_raw("cifar10", cifar10.root).splits["train"]
    batches = [pickle.loads(cifar10.parts[f"cifar-10-batches-py/data_batch_{n}"]) for n in range(1, 6)]  # noqa: S301
    expected = np.concatenate([batch[b"data"] for batch in batches]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(every(train), expected)
    chosen = np.array([0, 3, 4, 13, 19])
    np.testing.assert_array_equal(np.stack(list(train.images(chosen))), expected[chosen])
    np.testing.assert_array_equal(train.labels, np.concatenate([batch[b"labels"] for batch in batches]))


@pytest.mark.parametrize("indices", [[1, 0], [0, 0], [-1], [20]])
def test_indices_must_ascend_within_the_split(cifar10: Any, indices: list[int]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        open_raw("cifar10", cifar10.root).splits["train"].images(np.array(indices))


def test_tiny_imagenet_order_grey_images_and_val_labels(tiny: Any) -> None:
    raw = open_raw("tiny_imagenet", tiny.root)
    train, val = raw.splits["train"], raw.splits["test"]
    assert train.labels.tolist() == [0] * 4 + [1] * 4 + [5] * 4
    assert val.labels.tolist() == [1, 0, 5, 1]
    images = every(train)
    assert images.shape == (12, 64, 64, 3)
    # numbers 0, 1, 2, 10 within a class, not 0, 1, 10, 2; number 2 is grey
    np.testing.assert_allclose(images[4:8, 0, 0, 1].astype(int), [0, 10, 40, 100], atol=4)
    np.testing.assert_array_equal(images[6, ..., 0], images[6, ..., 2])
    assert raw.label_names[:2] == ("n00000000", "newt")


def test_celeba_from_zip_and_from_folder(celeba: Any) -> None:
    folder = celeba.root / "celeba"
    (folder / "img_align_celeba").mkdir()
    for name, data in celeba.parts["images"].items():
        (folder / "img_align_celeba" / name).write_bytes(data)
    for raw in (open_raw("celeba", celeba.root), open_unpacked(celeba.root)):
        assert raw.label_names == ATTRIBUTES
        for number, split in enumerate(("train", "validation", "test")):
            chosen = [i for i, value in enumerate("0001020120") if value == str(number)]
            np.testing.assert_array_equal(raw.splits[split].labels, celeba.parts["labels"][chosen])
            assert raw.splits[split].labels.dtype == np.uint8
            found = every(raw.splits[split])
            assert found.shape == (len(chosen), 218, 178, 3)
            np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), [20 * (i + 1) for i in chosen], atol=1)


# What systems and editors leave, and subsets that were packed anew

LEFTOVERS = ("._{}", ".{}.swp", ".#{}", "#{}#", "{}~", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir/{}/thumb.jpg")


def leftovers(name: str) -> list[str]:
    return [one.format(name) for one in LEFTOVERS] + [f"._{name.partition('.')[0]}{Path(name).suffix}"]


def test_leftovers_in_celebas_zip_and_folder_are_no_images(celeba: Any) -> None:
    folder = celeba.root / "celeba"
    sound = dict(celeba.parts["images"])
    celeba.parts["images"] |= dict.fromkeys(leftovers("000001.jpg"), b"no image")
    celeba.pack()
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "a") as archive:
        archive.writestr("__MACOSX/img_align_celeba/._000001.jpg", b"no image")
    zipped = [every(split) for split in open_raw("celeba", celeba.root).splits.values()]
    (folder / "img_align_celeba.zip").unlink()
    for name, data in {**celeba.parts["images"], **sound}.items():
        path = folder / "img_align_celeba" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for found, expected in zip(open_unpacked(celeba.root).splits.values(), zipped, strict=True):
        np.testing.assert_array_equal(every(found), expected)
    assert sum(map(len, zipped)) == len(sound)


def test_leftovers_in_tiny_imagenet_are_no_images(tiny: Any) -> None:
    expected = {name: every(split) for name, split in open_raw("tiny_imagenet", tiny.root).splits.items()}
    train = "train/._n00000000/images/._n00000000_0.JPEG"
    for name in [train, *(f"val/images/{one}" for one in leftovers("val_0.JPEG"))]:
        tiny.parts[f"tiny-imagenet-200/{name}"] = tiny.parts[f"__MACOSX/tiny-imagenet-200/{name}"] = b"no image"
    tiny.pack()
    for name, split in open_raw("tiny_imagenet", tiny.root).splits.items():
        np.testing.assert_array_equal(every(split), expected[name])


def test_leftovers_in_cifars_archive_and_beside_idx_files_are_passed_over(cifar10: Any, mnist: Any) -> None:
    expected = every(open_raw("cifar10", cifar10.root).splits["train"])
    left = {f"cifar-10-batches-py/{one}": b"" for one in leftovers("data_batch_1")}
    sound = dict(cifar10.parts)
    cifar10.parts.clear()
    cifar10.parts.update(left | {"__MACOSX/cifar-10-batches-py/._data_batch_1": b""} | sound)
    cifar10.pack()
    np.testing.assert_array_equal(every(open_raw("cifar10", cifar10.root).splits["train"]), expected)
    (mnist.root / "MNIST/raw/._train-images-idx3-ubyte.gz").write_bytes(b"")
    assert len(open_raw("mnist", mnist.root).splits["train"]) == 30


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("keys", [str, str.encode])
def test_cifar_pickled_anew_with_any_protocol(cifar10: Any, protocol: int, keys: Any) -> None:
    expected = {name: every(split) for name, split in open_raw("cifar10", cifar10.root).splits.items()}
    turned = (np.ascontiguousarray, np.asfortranarray, lambda data: data[::-1][::-1])
    for number, (member, data) in enumerate(cifar10.parts.items()):
        content = {keys(key.decode()): value for key, value in pickle.loads(data).items()}  # noqa: S301
        if (pixels := content.get(keys("data"))) is not None:
            content |= {keys("data"): turned[number % 3](pixels), keys("batch_label"): b"", keys("filenames"): ["a"]}
        cifar10.parts[member] = pickle.dumps(content, protocol)
    cifar10.pack()
    for name, split in open_raw("cifar10", cifar10.root).splits.items():
        np.testing.assert_array_equal(every(split), expected[name])


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, np.dtype(">i8")])
def test_cifar_with_labels_that_numpy_held(cifar10: Any, protocol: int, kind: Any) -> None:
    expected = open_raw("cifar10", cifar10.root).splits["train"].labels
    turned: tuple[Callable[[Any], Any], ...] = (list, np.asarray)
    for number, (member, data) in enumerate(cifar10.parts.items()):
        content = pickle.loads(data)  # noqa: S301
        if (labels := content.get(b"labels")) is not None:
            content[b"labels"] = turned[number % 2](np.asarray(labels, kind))
        cifar10.parts[member] = pickle.dumps(content, protocol)
    cifar10.pack()
    np.testing.assert_array_equal(open_raw("cifar10", cifar10.root).splits["train"].labels, expected)


@pytest.mark.parametrize("arguments", [(np.dtype(object), b"12345678"), (np.dtype("V8"), b"12345678"), ("i8", b"1")])
def test_pickle_cannot_ask_for_a_number_of_another_kind(cifar10: Any, arguments: Any) -> None:
    scalar = np.int64(1).__reduce__()[0]
    cifar10.parts[BATCH] = pickle.dumps({b"labels": [_Call(scalar, *arguments)]}, protocol=2)
    cifar10.pack()
    with pytest.raises(DataError, match="array of an unusual kind"):
        open_raw("cifar10", cifar10.root)


def test_cifar_with_read_only_and_transposed_arrays_of_protocol_5(cifar10: Any) -> None:
    pixels = np.arange(4 * 3072, dtype=np.uint32).astype(np.uint8).reshape(4, 3072)
    fixed = pixels.copy()
    fixed.flags.writeable = False
    cube = np.ascontiguousarray(pixels.reshape(4, 3, 1024).transpose(1, 0, 2)).transpose(1, 0, 2)
    cifar10.parts[BATCH] = pickle.dumps({"data": fixed, "labels": [0] * 4, "cube": cube}, 5)
    cifar10.pack()
    found = every(open_raw("cifar10", cifar10.root).splits["train"])[8:12]
    np.testing.assert_array_equal(found.transpose(0, 3, 1, 2).reshape(4, 3072), pixels)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_cifar_archive_packed_in_another_way(cifar10: Any, mode: Any) -> None:
    expected = every(open_raw("cifar10", cifar10.root).splits["train"])
    with tarfile.open(cifar10.root / "cifar-10-python.tar.gz", mode) as tar:
        for name, data in cifar10.parts.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    np.testing.assert_array_equal(every(open_raw("cifar10", cifar10.root).splits["train"]), expected)


def test_real_cifar_pickled_anew(real_data: Path, tmp_path: Path) -> None:
    raw = open_raw("cifar100", real_data)
    with (
        tarfile.open(real_data / "cifar-100-python.tar.gz") as old,
        tarfile.open(tmp_path / "cifar-100-python.tar.gz", "w:gz") as new,
    ):
        for entry in old:
            file = old.extractfile(entry)
            if file is not None and entry.name.endswith(("train", "test", "meta")):
                data = pickle.dumps(pickle.loads(file.read(), encoding="latin1"), 5)  # noqa: S301
                entry.size = len(data)
                new.addfile(entry, io.BytesIO(data))
    for name, split in open_raw("cifar100", tmp_path).splits.items():
        np.testing.assert_array_equal(every(split), every(raw.splits[name]))
        np.testing.assert_array_equal(split.labels, raw.splits[name].labels)


@pytest.mark.parametrize(("dataset", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_unpacked_idx_bytes_under_a_packed_name_are_read(mnist: Any, dataset: str, folder: str) -> None:
    raw = mnist.root / folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name, data in mnist.parts.items():
        (raw / name).write_bytes(data)
    train = open_raw(dataset, mnist.root).splits["train"]
    assert every(train).tobytes() == mnist.parts["train-images-idx3-ubyte.gz"][16:]
    assert train.labels.tobytes() == mnist.parts["train-labels-idx1-ubyte.gz"][8:]


# Damage


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("mnist", "MNIST/raw/train-labels-idx1-ubyte.gz"),
        ("cifar10", "cifar-10-python.tar.gz"),
        ("tiny_imagenet", "tiny-imagenet-200.zip"),
        ("celeba", "celeba/list_attr_celeba.txt"),
    ],
)
def test_missing_file_is_named(tmp_path: Path, dataset: str, name: str) -> None:
    with pytest.raises(DataError, match=f"{name} is missing: fetch"):
        open_raw(dataset, tmp_path)


def _cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_gzip(mnist: Any, share: float) -> None:
    path = mnist.root / "MNIST/raw/t10k-images-idx3-ubyte.gz"
    _cut(path, share)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz: it .*fetch it again"):
        open_raw("mnist", mnist.root)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_truncated_tar(cifar10: Any, share: float) -> None:
    _cut(cifar10.root / "cifar-10-python.tar.gz", share)
    with pytest.raises(DataError, match=r"cifar-10-python.tar.gz: .*fetch it again"):
        open_raw("cifar10", cifar10.root)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_truncated_zip(tiny: Any, celeba: Any, share: float) -> None:
    for root, dataset, path in (
        (tiny.root, "tiny_imagenet", "tiny-imagenet-200.zip"),
        (celeba.root, "celeba", "celeba/img_align_celeba.zip"),
    ):
        _cut(root / path, share)
        with pytest.raises(DataError, match=f"{path}: it cannot be read"):
            open_raw(dataset, root)


def test_flipped_bits_in_a_zip_member_are_noticed(tiny: Any) -> None:
    path = tiny.root / "tiny-imagenet-200.zip"
    data = bytearray(path.read_bytes())
    member = next(name for name in tiny.parts if name.endswith("val_2.JPEG"))
    place = data.index(tiny.parts[member]) + 300
    data[place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"val_2.JPEG"):
        every(open_raw("tiny_imagenet", tiny.root).splits["test"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: struct.pack(">I", 2050) + data[4:], "starts with 2050"),
        (lambda data: data + b"\0", "more than 23520"),
        (lambda data: data[:-5], "promises 30 x 28 x 28 = 23520 bytes, but 23515 follow"),
        (
            lambda data: data[:4] + struct.pack(">I", 2**32 - 1) + data[8:],
            "promises 4294967295 images, the official file has 60000",
        ),
        (lambda data: data[:9], "too short"),
        (lambda data: struct.pack(">4I", 2051, 29, 28, 28) + data[16 : 16 + 29 * 784], "30 labels, but .* 29 images"),
    ],
)
def test_idx_header_and_payload_must_agree(mnist: Any, change: Any, message: str) -> None:
    mnist.parts["train-images-idx3-ubyte.gz"] = change(mnist.parts["train-images-idx3-ubyte.gz"])
    mnist.pack()
    with pytest.raises(DataError, match=message):
        open_raw("mnist", mnist.root)


def test_idx_label_out_of_range(mnist: Any) -> None:
    data = bytearray(mnist.parts["train-labels-idx1-ubyte.gz"])
    data[8 + 3] = 10
    mnist.parts["train-labels-idx1-ubyte.gz"] = bytes(data)
    mnist.pack()
    with pytest.raises(DataError, match=r"train-labels.*label 10 of image 3 is outside 0 to 9"):
        open_raw("mnist", mnist.root)


def test_file_that_is_not_gzip(mnist: Any) -> None:
    (mnist.root / "MNIST/raw/train-labels-idx1-ubyte.gz").write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte.gz: it cannot be read"):
        open_raw("mnist", mnist.root)


BATCH = "cifar-10-batches-py/data_batch_3"
DATA = np.zeros((4, 3072), dtype=np.uint8)


@pytest.mark.parametrize("member", [BATCH, "cifar-10-batches-py/batches.meta", "cifar-10-batches-py/test_batch"])
def test_missing_tar_member_is_named(cifar10: Any, member: str) -> None:
    cifar10.parts[f"../{member}"] = cifar10.parts.pop(member)
    cifar10.pack()
    with pytest.raises(DataError, match=f"the member {member} is missing"):
        open_raw("cifar10", cifar10.root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": DATA, "labels": [0, 1, 2]}, "3 labels but 4 images"),
        ({"data": DATA, "labels": [0, 1, 2, 10]}, "label 10 of image 3 is outside 0 to 9"),
        ({"data": DATA, "labels": [0, 1, 2, -1]}, "label -1 of image 3"),
        ({"data": DATA, "labels": [0, 1, 2, 2**70]}, "label outside"),
        ({"data": DATA, "labels": [0, 1, 2, "3"]}, "no list `labels`"),
        ({"data": DATA}, "no list `labels`"),
        ({"data": DATA[:, 1:], "labels": [0] * 4}, "no array `data`"),
        ({"data": DATA.astype(float), "labels": [0] * 4}, "unusual kind"),
        ([1, 2], "not hold a dictionary"),
    ],
)
def test_cifar_batch_of_the_wrong_make(cifar10: Any, content: Any, message: str) -> None:
    cifar10.parts[BATCH] = pickle.dumps(content, protocol=2)
    cifar10.pack()
    with pytest.raises(DataError, match=message):
        open_raw("cifar10", cifar10.root)


def test_cifar_batch_that_is_half_a_pickle(cifar10: Any) -> None:
    cifar10.parts[BATCH] = cifar10.parts[BATCH][:5000]
    cifar10.pack()
    with pytest.raises(DataError, match="data_batch_3 is not a whole pickle"):
        open_raw("cifar10", cifar10.root)


class _Call:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (open, ("{}", "w")),
        (exec, ("open({!r}, 'w')",)),
        (np.fromfile, ("{}",)),
        (np.load, ("{}", None, True)),
        (getattr, (np, "ndarray")),
        (__import__("_codecs").encode, ("{}", "rot13")),
        (np.memmap, ("{}", "uint8", "w+", 0, 4)),
        (bytes, (2**40,)),
        (bytearray, (2**40,)),
    ],
)
def test_malicious_pickle_is_refused_and_not_run(cifar10: Any, tmp_path: Path, function: Any, arguments: Any) -> None:
    trace = tmp_path / "trace"
    filled = tuple(part.format(str(trace)) if isinstance(part, str) else part for part in arguments)
    content: Any = _Call(function, *(part for part in filled if part is not np))
    cifar10.parts[BATCH] = pickle.dumps({b"data": content, b"labels": [0]}, protocol=2)
    cifar10.pack()
    with pytest.raises(DataError, match=r"data_batch_3: the pickle asks for .*refused"):
        open_raw("cifar10", cifar10.root)
    assert not trace.exists()


def test_pickle_cannot_ask_for_a_huge_array(cifar10: Any) -> None:
    reconstruct = np.zeros(1).__reduce__()[0]
    cifar10.parts[BATCH] = pickle.dumps({b"data": _Call(reconstruct, np.ndarray, (2**40,), b"b")}, protocol=2)
    cifar10.pack()
    with pytest.raises(DataError, match="unusual kind"):
        open_raw("cifar10", cifar10.root)


def test_pickle_of_protocol_5_cannot_ask_for_objects_or_more_than_its_bytes(cifar10: Any) -> None:
    load = np.zeros(1).__reduce_ex__(5)[0]
    for arguments, message in (
        ((b"12345678", np.dtype(object), (1,), "C"), "unusual kind"),
        (("12345678", np.dtype("u1"), (8,), "C"), "unusual kind"),
        ((b"12345678", np.dtype("u1"), (2**40,), "C"), "does not fit its 8 bytes"),
    ):
        cifar10.parts[BATCH] = pickle.dumps({b"data": _Call(load, *arguments)}, protocol=5)
        cifar10.pack()
        with pytest.raises(DataError, match=message):
            open_raw("cifar10", cifar10.root)


TOP = "tiny-imagenet-200"


@pytest.mark.parametrize("member", [f"{TOP}/wnids.txt", f"{TOP}/val/val_annotations.txt"])
def test_missing_zip_member_is_named(tiny: Any, member: str) -> None:
    del tiny.parts[member]
    tiny.pack()
    with pytest.raises(DataError, match=f"the member {member} is missing"):
        open_raw("tiny_imagenet", tiny.root)


def test_tiny_imagenet_inconsistencies(tiny: Any) -> None:
    annotations, val = f"{TOP}/val/val_annotations.txt", f"{TOP}/val/images/val_1.JPEG"
    sound = dict(tiny.parts)
    for change, message in (
        ({annotations: b"val_0.JPEG\tn99999999\t0\n"}, "class 'n99999999', which is not in wnids"),
        ({annotations: sound[annotations].splitlines(keepends=True)[0]}, r"4 val images but 1 labels.*val_1\.JPEG"),
        ({annotations: sound[annotations] * 2}, "4 val images but 8 labels"),
        ({annotations: b"val_9.JPEG\tn00000037\t0\n"}, r"val_9\.JPEG, which is missing"),
        ({f"{TOP}/wnids.txt": b"n00000000\n"}, "names 1 classes on 1 lines, expected 200"),
        ({f"{TOP}/train/n777/images/n777_0.JPEG": b""}, "n777_0.JPEG is not in wnids.txt"),
        ({val: b"not a JPEG"}, "the image .*val_1.JPEG cannot be decoded"),
        ({val: sound[val][: len(sound[val]) // 2]}, "the image .*val_1.JPEG cannot be decoded"),
        ({val: b""}, "the image .*val_1.JPEG cannot be decoded"),
    ):
        tiny.parts.clear()
        tiny.parts.update(sound | change)
        tiny.pack()
        with pytest.raises(DataError, match=message):
            every(open_raw("tiny_imagenet", tiny.root).splits["test"])


@pytest.mark.parametrize("name", ["list_attr_celeba.txt", "list_eval_partition.txt", "img_align_celeba.zip"])
def test_missing_celeba_file_is_named(celeba: Any, name: str) -> None:
    (celeba.root / "celeba" / name).unlink()
    with pytest.raises(DataError, match=f"{name} is missing"):
        open_raw("celeba", celeba.root)


def test_celeba_inconsistencies(celeba: Any) -> None:
    attributes, partition = celeba.parts["list_attr_celeba.txt"], celeba.parts["list_eval_partition.txt"]
    images = celeba.parts["images"]
    fewer = {name: data for name, data in images.items() if name != "000007.jpg"}
    for change, message in (
        ({"list_attr_celeba.txt": [attributes[0], attributes[1].replace("Male", "Tall"), *attributes[2:]]}, "40 attri"),
        ({"list_attr_celeba.txt": ["11", *attributes[1:]]}, "promises 11 images, 10 follow"),
        ({"list_attr_celeba.txt": attributes[:-1]}, "promises 10 images, 9 follow"),
        ({"list_attr_celeba.txt": [*attributes[:-1], attributes[-2]]}, "lists an image twice"),
        ({"list_attr_celeba.txt": [*attributes[:-1], attributes[-1] + " 1"]}, "000010.jpg is not 40 values"),
        ({"list_attr_celeba.txt": [*attributes[:-1], attributes[-1].replace("-1", "2")]}, "000010.jpg is not 40"),
        ({"list_eval_partition.txt": partition[:-1]}, "has 9 entries"),
        ({"list_eval_partition.txt": [*partition[:-1], "000010.jpg 3"]}, "000010.jpg is not a name and 0, 1 or 2"),
        ({"list_eval_partition.txt": [*partition[:-1], "000011.jpg 0"]}, "000010.jpg, an image of list_attr"),
        ({"images": fewer}, "000007.jpg, which the lists name, is missing"),
        ({"images": images | {"000099.jpg": b""}}, "11 images but 10 entries in the lists; 000099.jpg"),
        ({"images": images | {"000001.jpg": b"broken"}}, "the image 000001.jpg cannot be decoded"),
    ):
        sound = dict(celeba.parts)
        celeba.parts.update(change)
        celeba.pack()
        with pytest.raises(DataError, match=message):
            every(open_raw("celeba", celeba.root).splits["train"])
        celeba.parts.update(sound)


def test_celeba_lists_cannot_lead_out_of_the_folder(celeba: Any, tmp_path: Path) -> None:
    folder = celeba.root / "celeba"
    (folder / "img_align_celeba.zip").unlink()
    (folder / "img_align_celeba").mkdir()
    (folder / "secret.jpg").write_bytes(next(iter(celeba.parts["images"].values())))
    row = celeba.parts["list_attr_celeba.txt"][2].split()[1:]
    (folder / "list_attr_celeba.txt").write_text(f"1\n{' '.join(ATTRIBUTES)}\n../secret.jpg {' '.join(row)}\n")
    (folder / "list_eval_partition.txt").write_text("../secret.jpg 0\n")
    with pytest.raises(DataError, match=r"\.\./secret\.jpg, which the lists name, is missing"):
        open_unpacked(celeba.root)


def test_reading_writes_nothing(mnist: Any, cifar10: Any, tiny: Any) -> None:
    roots = {"mnist": mnist.root, "cifar10": cifar10.root, "tiny_imagenet": tiny.root}
    before = {path for root in roots.values() for path in root.rglob("*")}
    for dataset, root in roots.items():
        every(open_raw(dataset, root).splits["test"])
    assert {path for root in roots.values() for path in root.rglob("*")} == before


def test_gzip_with_trailing_rubbish_is_refused(mnist: Any) -> None:
    path = mnist.root / "MNIST/raw/t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(mnist.parts[path.name]) + b"rubbish")
    with pytest.raises(DataError, match="t10k-labels"):
        open_raw("mnist", mnist.root)
