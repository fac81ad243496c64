"""Each dataset is one file: facts that agree with torchvision's, found by name; and a seventh one from the outside
needs no more."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from torchvision import datasets as theirs

from vicious.data import datasets as package
from vicious.data.datasets import all_datasets, attribute_sets, dataset_names, find_dataset, official_names
from vicious.data.facts import Dataset
from vicious.system import registry
from vicious.system.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
ORDER = ("mnist", "fashion_mnist", "cifar10", "cifar100", "tiny_imagenet", "celeba")

KMNIST = '''
"""KMNIST: handwritten Japanese characters, 28x28, grey, in MNIST's format."""

from vicious.data.facts import Dataset, hosted


def _read(root):
    from vicious.data.formats.idx import open_idx

    return open_idx(DATASET, root)


def _draw(plan):
    from vicious.data.synthetic.digits import draw_digit
    from vicious.data.synthetic.idx import write_idx

    return write_idx(plan, lambda label, rng: draw_digit(label, rng)[::-1])


DATASET = Dataset(
    name="kmnist",
    title="KMNIST",
    order=25,
    height=28,
    width=28,
    channels=1,
    classes=10,
    multilabel=False,
    sizes=(50_000, 10_000, 10_000),
    files=hosted(
        "KMNIST/raw",
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        {
            "train-images-idx3-ubyte.gz": (18_165_135, "bdb82020997e1d708af4cf47b453dcf7"),
            "train-labels-idx1-ubyte.gz": (29_497, "e144d726b3acfaa3e44228e80efcd344"),
            "t10k-images-idx3-ubyte.gz": (3_041_136, "5c965bf0a639b31b8f53240b1b52f4d7"),
            "t10k-labels-idx1-ubyte.gz": (5_120, "7320c461ea6c1c855c0b718fb2a4b134"),
        },
    ),
    licence="CC BY-SA 4.0 (ROIS-DS Center for Open Data in the Humanities)",
    homepage="http://codh.rois.ac.jp/kmnist/",
    mean=(0.1918,),
    std=(0.3483,),
    read=_read,
    draw=_draw,
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)
'''


def test_they_come_in_the_order_of_tables() -> None:
    assert tuple(name for name in dataset_names() if name in ORDER) == ORDER
    places = [spec.order for spec in all_datasets()]
    assert places == sorted(set(places))


@pytest.mark.parametrize("spec", all_datasets(), ids=lambda spec: spec.name)
def test_facts_are_whole(spec: Dataset) -> None:
    assert spec.channels == len(spec.mean) == len(spec.std)
    assert len(spec.class_names) in (0, spec.classes)
    assert spec.multilabel == bool(spec.attribute_sets)
    for file in spec.files:
        assert re.fullmatch("[0-9a-f]{32}", file.md5)
        assert file.size > 0
        assert file.mirrors or spec.name not in ORDER, "a dataset of one's own may have no host"
        assert {file.name, file.path} <= set(official_names())
        assert not file.unpacked or file.listing in {other.path for other in spec.files}
    for columns in spec.attribute_sets.values():
        assert list(columns) == sorted(set(columns))
        assert set(columns) <= set(range(spec.classes))


def test_attribute_sets_grow_as_their_names_say() -> None:
    sets = find_dataset("celeba").attribute_sets
    assert {name: f"k{len(columns)}" for name, columns in sets.items()} == {name: name for name in sets}
    assert tuple(sets) == attribute_sets()


def test_checksums_and_names_are_those_of_torchvision() -> None:
    for name, loader in (("mnist", theirs.MNIST), ("fashion_mnist", theirs.FashionMNIST)):
        assert {file.name: file.md5 for file in find_dataset(name).files} == dict(loader.resources)
    assert find_dataset("fashion_mnist").class_names == tuple(theirs.FashionMNIST.classes)
    for name, loader in (("cifar10", theirs.CIFAR10), ("cifar100", theirs.CIFAR100)):
        (file,) = find_dataset(name).files
        assert (file.name, file.md5) == (loader.filename, loader.tgz_md5)
    listed = {name: md5 for _, md5, name in theirs.CelebA.file_list}
    assert all(listed[file.name] == file.md5 for file in find_dataset("celeba").files)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"vicious/data/datasets has no mnsit\.py; did you mean 'mnist'\? \(valid: "):
        find_dataset("mnsit")


def test_a_file_that_declares_another_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find", lambda package, name, *_: sys.modules[f"{package}.mnist"])
    with pytest.raises(ConfigError, match=r"copied\.py declares the name 'mnist'"):
        package.find_dataset.__wrapped__("copied")


def test_no_code_names_a_file_of_a_dataset() -> None:
    """All is found by name, so that a new dataset touches its own file alone and no training depends on another one."""
    source = ROOT / "src" / "vicious"
    inside = source / "data" / "datasets"
    named = re.compile(rf"data\.datasets(\.| import )({'|'.join(ORDER)})\b")
    found = [path for path in source.rglob("*.py") if path.parent != inside and named.search(path.read_text())]
    assert found == []


# A seventh, from the outside


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with one more file, and a configuration of it alone."""
    folder = tmp_path_factory.mktemp("a seventh dataset")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "src/vicious/data/datasets/kmnist.py").write_text(KMNIST, encoding="utf-8")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params.update(datasets=["mnist", "kmnist"])
    params["data"]["checksums"] = {"KMNIST/raw/t10k-labels-idx1-ubyte.gz": f"md5:{'0' * 32}"}
    params["scales"]["smoke"]["tradeoff"]["datasets"] = ["kmnist"]
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    return folder


def run(project: Path, *command: str, source: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(source or project / "src")}
    line = [sys.executable, "-m", "vicious", *command]
    return subprocess.run(line, cwd=project, env=environment, capture_output=True, text=True, check=False)


def test_the_seventh_is_fetched_prepared_and_has_a_covariance(project: Path) -> None:
    counts = ("--counts", "40", "10", "12")
    for command in (
        ("fetch", "--dataset", "kmnist", "--source", "synthetic", "--root", "raw", "--out", "source.json", *counts),
        (
            "prepare",
            "--dataset",
            "kmnist",
            "--images",
            "synthetic",
            "--source",
            "source.json",
            "--out",
            "prepared",
            "--split-seed",
            "0",
        ),
        ("fit-covariance", "--data", "prepared", "--out", "prepared/covariance.safetensors"),
    ):
        done = run(project, *command)
        assert done.returncode == 0, done.stderr
    assert len(list((project / "raw/KMNIST/raw").iterdir())) == 4
    facts = json.loads((project / "prepared/dataset.json").read_text())
    assert (facts["name"], facts["title"], facts["label_names"][1]) == ("kmnist", "KMNIST", "ki")
    for split, n in (("train", 41), ("validation", 9), ("test", 12)):  # the official share of 50 train images
        images, labels = (np.load(project / f"prepared/{split}_{kind}.npy") for kind in ("images", "labels"))
        assert (images.dtype, images.shape) == (np.uint8, (facts["n"][split], 1, 32, 32))
        assert abs(facts["n"][split] - n) <= 1
        assert set(labels.tolist()) <= set(range(10))
        assert images.std() > 20
    assert (project / "prepared/covariance.safetensors").stat().st_size > 8 * 1024**2


def test_the_seventh_is_missing_with_what_to_place_where(project: Path) -> None:
    done = run(project, "fetch", "--dataset", "kmnist", "--source", "official", "--root", "none", "--out", "none.json")
    assert done.returncode == 1
    assert (
        "KMNIST/raw/train-images-idx3-ubyte.gz  (18165135 bytes, md5 bdb82020997e1d708af4cf47b453dcf7)" in done.stderr
    )


def test_the_seventh_is_a_name_of_the_configuration(project: Path) -> None:
    done = run(project, "check-config", "params.yaml")
    assert done.returncode == 0, done.stderr
    schema = json.loads(run(project, "schema").stdout)
    after = dataset_names().index("fashion_mnist") + 1
    with_kmnist = [*dataset_names()[:after], "kmnist", *dataset_names()[after:]]
    assert schema["properties"]["datasets"]["items"]["enum"] == with_kmnist


def test_without_its_file_the_configuration_is_refused(project: Path) -> None:
    done = run(project, "check-config", "params.yaml", source=ROOT / "src")
    assert done.returncode == 1
    for key in ("datasets.1", "scales.smoke.tradeoff.datasets.0"):
        assert (
            f"{key}: 'kmnist' is not valid; did you mean 'mnist'? (valid: {', '.join(dataset_names())})" in done.stderr
        )
    assert (
        "data.checksums: 'KMNIST/raw/t10k-labels-idx1-ubyte.gz' is no official file; did you mean 'MNIST/"
        in done.stderr
    )
