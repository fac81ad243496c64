"""Prepared arrays: right pixels, right split, right statistics, flat memory, and nothing half-written."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from prepared_by_hand import tell_again, write_prepared

from vicious.data.datasets import find_dataset
from vicious.data.datasets.celeba import ATTRIBUTE_SETS
from vicious.data.prepare import prepare, resize
from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.data.splits import SPLITS, Split
from vicious.data.tasks import Task
from vicious.metrics.moments import moments
from vicious.system.errors import DataError, StorageError


def run(dataset: str, root: Path, out: Path, **changes: Any) -> PreparedDataset:
    settings: dict[str, Any] = {"train": None, "validation": None, "test": None, "split_seed": 7, "source": "official"}
    prepare(find_dataset(dataset), root, out, **settings | changes)
    return load_prepared(out)


@pytest.fixture(scope="session")
def real_mnist(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return run("mnist", real_data, tmp_path_factory.mktemp("mnist"), test=100)


@pytest.fixture(scope="session")
def real_fashion(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedDataset:
    return run("fashion_mnist", real_data, tmp_path_factory.mktemp("fashion"), test=100)


# Real data


@pytest.mark.parametrize(("fixture", "name"), [("real_mnist", "mnist"), ("real_fashion", "fashion_mnist")])
def test_published_channel_statistics(request: pytest.FixtureRequest, fixture: str, name: str) -> None:
    info = request.getfixturevalue(fixture).info
    assert (info.n["train"], info.n["validation"]) == (50_000, 10_000)
    np.testing.assert_allclose(info.mean, find_dataset(name).mean, atol=1e-3)
    np.testing.assert_allclose(info.std, find_dataset(name).std, atol=1e-3)


def test_garments_have_the_names_of_torchvision(real_fashion: PreparedDataset) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    assert list(real_fashion.info.label_names) == datasets.FashionMNIST.classes


def test_tiny_imagenet_sample_is_near_the_published_statistics(real_data: Path, tmp_path: Path) -> None:
    info = run("tiny_imagenet", real_data, tmp_path, test=1).info
    # 7,200 of 90,000 images: the mean of a sample is uncertain by about 0.002
    np.testing.assert_allclose(info.mean, find_dataset("tiny_imagenet").mean, atol=5e-3)
    np.testing.assert_allclose(info.std, find_dataset("tiny_imagenet").std, atol=2e-3)


def test_statistics_are_those_of_the_stored_train_images(real_mnist: PreparedDataset) -> None:
    pixels = real_mnist.images("train")[:, 0].astype(np.float64) / 255
    np.testing.assert_allclose(real_mnist.info.mean, [pixels.mean()], rtol=1e-12)
    np.testing.assert_allclose(real_mnist.info.std, [pixels.std()], rtol=1e-10)


def test_split_of_mnist_uses_every_image_once_in_official_order(real_mnist: PreparedDataset, real_data: Path) -> None:
    raw = find_dataset("mnist").read(real_data).splits
    counts = [np.bincount(real_mnist.labels(split), minlength=10) for split in ("train", "validation")]
    np.testing.assert_array_equal(sum(counts), np.bincount(raw["train"].labels))


def test_moments_of_mnist_agree_with_numpy(real_data: Path, tmp_path: Path) -> None:
    data = run("mnist", real_data, tmp_path, train=2500, validation=700, test=10)
    mean, covariance, n = moments(load_prepared(tmp_path))
    pixels = np.concatenate([data.images(split).reshape(-1, 1024) for split in ("train", "validation")]) / 255
    assert n == 3200
    assert mean.dtype == covariance.dtype == np.float64
    np.testing.assert_allclose(mean, pixels.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(covariance, np.cov(pixels.T), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(covariance, covariance.T)


# Small data


def test_arrays_and_json(cifar10: Any, tmp_path: Path) -> None:
    data = run("cifar10", cifar10.root, tmp_path / "out", files=[{"path": "x", "md5": "y"}])
    info = data.info
    assert info.n == {"train": 18, "validation": 2, "test": 4}
    assert (info.name, info.channels, info.classes, info.multilabel) == ("cifar10", 3, 10, False)
    assert (info.synthetic, info.source, info.split_seed) == (False, "official", 7)
    assert info.files == ({"path": "x", "md5": "y"},)
    assert info.label_names[3] == "class3"
    for split in SPLITS:
        images = data.images(split)
        assert isinstance(images, np.memmap)
        assert not images.flags.writeable
        assert (images.dtype, images.shape) == (np.uint8, (info.n[split], 3, 32, 32))
        assert data.labels(split).dtype == np.int64
        assert data.labels(split).shape == (info.n[split],)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "dataset.json",
        *(f"{split}_{kind}.npy" for split in sorted(SPLITS) for kind in ("images", "labels")),
    ]


def test_pixels_of_cifar_are_untouched_and_the_split_is_a_partition(cifar10: Any, tmp_path: Path) -> None:
    data = run("cifar10", cifar10.root, tmp_path)
    part = find_dataset("cifar10").read(cifar10.root).splits["train"]
    official = [image.tobytes() for image in part.images(np.arange(20))]
    places: dict[Split, list[int]] = {
        split: [official.index(image.transpose(1, 2, 0).tobytes()) for image in data.images(split)]
        for split in SPLITS[:2]
    }
    assert sorted(places["train"] + places["validation"]) == list(range(20))
    for split, indices in places.items():
        assert indices == sorted(indices)
        np.testing.assert_array_equal(data.labels(split), part.labels[indices])


def test_caps_nest_and_leave_other_splits_alone(cifar10: Any, tmp_path: Path) -> None:
    def stored(name: str, **caps: int | None) -> dict[str, list[bytes]]:
        data = run("cifar10", cifar10.root, tmp_path / name, **caps)
        return {split: [image.tobytes() for image in data.images(split)] for split in SPLITS}

    full, small = stored("full"), stored("small", train=5, test=2)
    smaller, larger = stored("smaller", train=3), stored("larger", train=10_000, validation=10_000, test=10_000)
    assert [len(small[split]) for split in SPLITS] == [5, 2, 2]
    assert set(smaller["train"]) < set(small["train"]) < set(full["train"])
    assert small["validation"] == full["validation"]
    assert smaller["test"] == full["test"]
    assert larger == full
    assert small["test"] == [image for image in full["test"] if image in small["test"]]


def test_seed_moves_the_split_and_repeats_it(cifar10: Any, tmp_path: Path) -> None:
    first, again, other = (
        run("cifar10", cifar10.root, tmp_path / name, split_seed=seed)
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    assert first.info == again.info
    for path in first.folder.iterdir():
        assert path.read_bytes() == (again.folder / path.name).read_bytes()
    assert first.info.fingerprint != other.info.fingerprint
    assert not np.array_equal(first.images("validation"), other.images("validation"))


def test_fingerprint_follows_the_source_and_the_pixels(cifar10: Any, tmp_path: Path) -> None:
    official = run("cifar10", cifar10.root, tmp_path / "a").info
    synthetic = run("cifar10", cifar10.root, tmp_path / "b", source="synthetic").info
    assert synthetic.synthetic
    fewer = run("cifar10", cifar10.root, tmp_path / "c", train=17).info
    assert len({official.fingerprint, synthetic.fingerprint, fewer.fingerprint}) == 3


@pytest.mark.parametrize("attributes", ["k1", "k7", "k40"])
def test_celeba_keeps_its_split_and_the_chosen_attributes(celeba: Any, tmp_path: Path, attributes: str) -> None:
    whole = run("celeba", celeba.root, tmp_path)
    assert (whole.task, whole.info.classes, whole.info.multilabel) == ("celeba", 40, True)
    data = whole.restrict(attributes=attributes)
    columns = ATTRIBUTE_SETS[attributes]
    assert data.info.n == {"train": 6, "validation": 2, "test": 2}
    assert (data.info.classes, data.info.multilabel, data.task) == (len(columns), True, f"celeba-{attributes}")
    assert data.info.label_names[-1] == {"k1": "Smiling", "k7": "Young", "k40": "Young"}[attributes]
    for number, split in enumerate(SPLITS):
        chosen = [i for i, value in enumerate("0001020120") if value == str(number)]
        assert data.labels(split).dtype == np.uint8
        np.testing.assert_array_equal(data.labels(split), celeba.parts["labels"][np.ix_(chosen, columns)])
        found = data.images(split).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(found, [20 * (i + 1) for i in chosen], atol=1)


def test_resize_enlarges_plainly_and_shrinks_without_aliasing() -> None:
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 200
    assert resize(stripes).shape == (32, 32, 3)
    np.testing.assert_allclose(resize(stripes)[:, 2:-2], 100, atol=1)  # nearest would give 0 or 200
    grey = np.full((28, 28, 1), 77, dtype=np.uint8)
    np.testing.assert_array_equal(resize(grey), np.full((32, 32, 1), 77))


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3), (218, 178, 3), (20, 50, 1)])
def test_resize_is_the_bilinear_filter_of_pillow(shape: tuple[int, int, int], rng: np.random.Generator) -> None:
    """To the byte. A tensor in place of an image would differ by one step at 218x178."""
    for _ in range(20):
        image = rng.integers(0, 256, shape, dtype=np.uint8)
        plain = Image.fromarray(image[..., 0] if shape[2] == 1 else image)
        expected = np.asarray(plain.resize((32, 32), Image.Resampling.BILINEAR)).reshape(32, 32, shape[2])
        np.testing.assert_array_equal(resize(image), expected)


def test_moments_do_not_cancel(cifar10: Any, tmp_path: Path) -> None:
    data = run("cifar10", cifar10.root, tmp_path)
    mean, covariance, n = moments(load_prepared(tmp_path))
    pixels = np.concatenate([data.images("train"), data.images("validation")]).reshape(20, -1) / 255
    assert n == 20
    np.testing.assert_allclose(mean, pixels.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(pixels.T), rtol=1e-9, atol=1e-14)
    # A pixel that never changes has no variance at all, not a rounding error.
    constant = tmp_path / "train_images.npy"
    images = np.load(constant)
    images[:, 0, 0, 0] = np.load(tmp_path / "validation_images.npy")[0, 0, 0, 0]
    np.save(constant, images)
    validation = np.load(tmp_path / "validation_images.npy")
    validation[:, 0, 0, 0] = validation[0, 0, 0, 0]
    np.save(tmp_path / "validation_images.npy", validation)
    assert abs(moments(load_prepared(tell_again(tmp_path)))[1][0]).max() < 1e-30


def test_memory_stays_flat(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vicious.data.prepare._CHUNK", 100)
    caps = {"validation": 10, "test": 10}
    run("mnist", real_data, tmp_path / "warm", train=10, **caps)
    tracemalloc.start()
    run("mnist", real_data, tmp_path / "more", train=4000, **caps)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4e6  # the 4,000 images take 4 MB, the file they come from 47 MB, a chunk 0.1 MB


# Faults


def test_empty_split_is_an_error(cifar10: Any, tmp_path: Path) -> None:
    for split in SPLITS:
        with pytest.raises(DataError, match=f"the {split} split has no image .*the cap is 0"):
            run("cifar10", cifar10.root, tmp_path, **{split: 0})


def test_celeba_without_validation_images_is_an_error(celeba: Any, tmp_path: Path) -> None:
    lines = celeba.parts["list_eval_partition.txt"]
    celeba.parts["list_eval_partition.txt"] = [line.replace(" 1", " 0") for line in lines]
    celeba.pack()
    with pytest.raises(DataError, match="the validation split has no image"):
        run("celeba", celeba.root, tmp_path)


def test_some_classes_keep_the_number_of_images_and_lie_within_more(prepared: PreparedDataset) -> None:
    tasks = {count: prepared.restrict(classes=count, as_many_as=2) for count in (2, 3, 4)}
    for split in SPLITS:
        labels = prepared.labels(split)
        used = {count: task.outputs_used or () for count, task in tasks.items()}
        fewest = np.isin(labels, used[2])
        for count, task in tasks.items():
            assert task.info.classes == count == len(used[count])
            assert task.info.n[split] == fewest.sum() == len(task.labels(split)) == len(task.images(split))
            # every image still has its own label, renumbered
            chosen = task.chosen[split]
            np.testing.assert_array_equal(task.images(split), prepared.images(split)[chosen])
            np.testing.assert_array_equal(np.array(task.outputs_used)[task.labels(split)], labels[chosen])
    assert set(used[2]) < set(used[3]) < set(used[4])


@pytest.mark.parametrize("groups", [2, 3, 4])
def test_merged_classes_are_of_all_images_in_groups_of_one_size(prepared: PreparedDataset, groups: int) -> None:
    merged = prepared.of_task(Task(prepared.info.name, merged=groups))
    assert merged.info.classes == groups
    assert merged.info.n == prepared.info.n
    sizes = np.bincount(np.array(merged.groups), minlength=groups)
    assert sizes.sum() == prepared.info.classes
    assert sizes.max() - sizes.min() <= 1
    for split in SPLITS:
        np.testing.assert_array_equal(merged.images(split), prepared.images(split))
        pairs = set(zip(prepared.labels(split).tolist(), merged.labels(split).tolist(), strict=True))
        assert pairs <= set(enumerate(merged.groups or ()))
        assert merged.labels(split).dtype == np.int64


def test_fewer_groups_are_unions_of_more(prepared: PreparedDataset) -> None:
    two, four = (prepared.merge(groups).labels("train") for groups in (2, 4))
    assert len(set(zip(two.tolist(), four.tolist(), strict=True))) == 4


def test_merged_classes_are_named_by_what_they_hold(cifar10: Any, tmp_path: Path) -> None:
    whole = run("cifar10", cifar10.root, tmp_path)
    merged = whole.merge(5)
    assert merged.task == "cifar10-merged5"
    assert merged.info.title == "CIFAR-10, 5 groups of classes"
    assert sorted(name for both in merged.info.label_names for name in both.split(" or ")) == sorted(
        whole.info.label_names
    )
    few = merged.fewer(4)
    assert len(few.labels("train")) == 4
    assert few.labels("train").max() < 5


def test_merging_what_is_no_whole_dataset_of_classes_is_refused(
    prepared: PreparedDataset, prepared_attributes: PreparedDataset
) -> None:
    for data in (prepared.restrict(classes=3), prepared.merge(2), prepared_attributes):
        with pytest.raises(DataError, match=r"cannot be merged to .*-merged2: use all classes"):
            data.merge(2)
    with pytest.raises(DataError, match="cannot be restricted"):
        prepared.merge(2).restrict(classes=2)
    for given in (Task("mnist", classes=3, merged=2), Task("mnist", attributes="k5", merged=2)):
        with pytest.raises(DataError, match="classes are merged of all images"):
            prepared.of_task(given)
    with pytest.raises(DataError, match="classes are merged of all images"):
        prepared.of_task(Task("mnist", merged=2), 3)
    for groups in (1, 5):
        with pytest.raises(DataError, match=f"has 4 classes: cannot merge them into {groups} groups"):
            prepared.merge(groups)


def test_a_label_that_no_class_has_is_refused_when_merged(prepared: PreparedDataset) -> None:
    path = prepared.folder / "train_labels.npy"
    labels = np.load(path)
    labels[0] = 4
    np.save(path, labels)
    tell_again(prepared.folder)
    with pytest.raises(DataError, match="labels outside 0 to 3"):
        load_prepared(prepared.folder).merge(2).labels("train")


@pytest.mark.parametrize("name", ["train_labels.npy", "train_images.npy"])
def test_some_classes_of_a_damaged_dataset_are_refused_like_the_whole(prepared: PreparedDataset, name: str) -> None:
    task = prepared.restrict(classes=3, as_many_as=2)
    array = np.load(prepared.folder / name)
    np.save(prepared.folder / name, array[:-1])
    for data in (prepared, task):
        with pytest.raises(DataError, match=rf"{name} holds .*dataset\.json says"):
            data.labels("train") if "labels" in name else data.images("train")


def test_attributes_of_damaged_labels_are_refused_like_all(celeba: Any, tmp_path: Path) -> None:
    whole = run("celeba", celeba.root, tmp_path)
    labels = np.load(whole.folder / "train_labels.npy")
    for damaged in (labels[:-1], labels[:, :3]):
        np.save(whole.folder / "train_labels.npy", damaged)
        with pytest.raises(DataError, match=r"train_labels\.npy holds .*dataset\.json says"):
            whole.restrict(attributes="k5").labels("train")


@pytest.mark.parametrize("multilabel", [False, True])
def test_fewer_training_images_are_a_part_of_more(tmp_path: Path, multilabel: bool) -> None:
    whole = load_prepared(write_prepared(tmp_path, multilabel=multilabel, channels=3))
    few, more = whole.fewer(5), whole.fewer(20)
    for data, count in ((few, 5), (more, 20), (more.fewer(5), 5)):
        images, labels = data.images("train"), data.labels("train")
        assert len(images) == len(labels) == data.info.n["train"] == count
        for image, label in zip(images, labels, strict=True):
            (place,) = np.flatnonzero((whole.images("train") == image).all(axis=(1, 2, 3)))
            assert np.array_equal(label, whole.labels("train")[place])
    assert {image.tobytes() for image in few.images("train")} < {image.tobytes() for image in more.images("train")}
    assert np.array_equal(few.images("test"), whole.images("test"))
    counts = [len(data.images("validation")) for data in (few, more, whole)]
    assert counts == [data.info.n["validation"] for data in (few, more, whole)] == [2, 7, 16]
    for image, label in zip(few.images("validation"), few.labels("validation"), strict=True):
        (place,) = np.flatnonzero((whole.images("validation") == image).all(axis=(1, 2, 3)))
        assert np.array_equal(label, whole.labels("validation")[place])
    assert whole.fewer(48) is whole.fewer(1000) is whole


def test_fewer_images_of_some_classes_keep_their_labels(tmp_path: Path) -> None:
    task = load_prepared(write_prepared(tmp_path)).restrict(classes=2)
    few = task.fewer(4)
    images, all_images = few.images("train"), task.images("train")
    places = [int(np.flatnonzero((all_images == image).all(axis=(1, 2, 3)))[0]) for image in images]
    assert places == sorted(places)
    assert np.array_equal(few.labels("train"), task.labels("train")[places])
    assert few.info.classes == 2


@pytest.mark.parametrize(
    ("restriction", "message"),
    [
        ({"attributes": "k5"}, "cannot be restricted to cifar10-k5"),
        ({"classes": 11}, "has 10 classes: cannot use 11"),
        ({"classes": 4, "as_many_as": 5}, "cannot use 4, with the images of 5"),
        ({"classes": 4}, "no validation image of 4 classes"),
    ],
)
def test_impossible_restrictions_are_refused(cifar10: Any, tmp_path: Path, restriction: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        run("cifar10", cifar10.root, tmp_path).restrict(**restriction)


def test_undecodable_image_leaves_no_prepared_dataset(tiny: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("tiny_imagenet", tiny.root, out)
    before = {path.name: path.read_bytes() for path in out.glob("t*.npy")}
    member = next(name for name in tiny.parts if name.endswith("n00000185_10.JPEG"))
    tiny.parts[member] = tiny.parts[member][:200]
    tiny.pack()
    with pytest.raises(DataError, match=f"the image {member} cannot be decoded"):
        run("tiny_imagenet", tiny.root, out)
    assert not (out / "dataset.json").exists()
    assert {path.name: path.read_bytes() for path in out.glob("t*.npy")} == before
    assert not list(out.glob(".*"))
    with pytest.raises(DataError, match=r"dataset\.json is missing.*run the prepare step again"):
        load_prepared(out)


def test_full_disk(cifar10: Any, full_disk: Path) -> None:
    with pytest.raises(StorageError, match="the disk is full"):
        run("cifar10", cifar10.root, full_disk / "out")
    names = {path.name for path in (full_disk / "out").iterdir()}
    assert names <= {"train_images.npy", "train_labels.npy"}  # whole, if they are there at all
    for name in names:
        assert len(np.load(full_disk / "out" / name)) == 18


def test_damaged_arrays_are_named(cifar10: Any, tmp_path: Path) -> None:
    path = tmp_path / "train_images.npy"
    data = run("cifar10", cifar10.root, tmp_path)
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:50], b"", b"\x93NUMPY rubbish"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"train_images\.npy is damaged .*run the prepare step again"):
            data.images("train")
    np.save(path, np.zeros((18, 3, 32, 31), dtype=np.uint8))
    with pytest.raises(DataError, match=r"holds uint8 \(18, 3, 32, 31\)"):
        data.images("train")
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="is damaged"):
        data.images("train")
    path.unlink()
    with pytest.raises(DataError, match=r"train_images\.npy is missing"):
        data.images("train")
    np.save(tmp_path / "test_labels.npy", np.array([0, 1, 2, 10]))
    with pytest.raises(DataError, match=r"test_labels\.npy holds other images or labels than dataset\.json"):
        data.labels("test")
    with pytest.raises(DataError, match=r"test_labels\.npy has labels outside 0 to 9"):
        load_prepared(tell_again(tmp_path)).labels("test")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"n": 3}'])
def test_damaged_json_is_named(cifar10: Any, tmp_path: Path, content: str) -> None:
    run("cifar10", cifar10.root, tmp_path)
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(DataError, match=r"dataset\.json .*run the prepare step again"):
        load_prepared(tmp_path)


def test_json_is_standard(cifar10: Any, tmp_path: Path) -> None:
    run("cifar10", cifar10.root, tmp_path)
    json.loads((tmp_path / "dataset.json").read_text(), parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("vicious.data.datasets", ["numpy", "torch", "torchvision", "PIL", "requests"]),
        ("vicious.data.prepared", ["torch", "torchvision", "PIL", "requests"]),
        ("vicious.data.prepare", ["torch", "torchvision", "PIL", "requests"]),
        ("vicious.data.fetch", ["numpy", "torch", "PIL", "requests"]),
    ],
)
def test_imports_stay_light(module: str, unwanted: list[str]) -> None:
    code = (
        f"import sys, {module}; from vicious.data.datasets import all_datasets; all_datasets(); "
        f"print(*[name for name in {unwanted} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
