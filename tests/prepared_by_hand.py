"""A prepared dataset, written without the commands that make one."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from vicious.data.datasets import find_dataset
from vicious.system.files import digest


def write_prepared(
    folder: Path,
    *,
    classes: int = 4,
    channels: int = 1,
    multilabel: bool = False,
    counts: Any = (48, 16, 40),
    seed: int = 0,
    name: str | None = None,
) -> Path:
    """A small prepared dataset with one bright bar per class, so that it can be learned in a moment."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for split, n in zip(("train", "validation", "test"), counts, strict=True):
        shape = (n, classes) if multilabel else (n,)
        labels = generator.integers(2 if multilabel else classes, size=shape)
        images = generator.integers(0, 90, size=(n, channels, 32, 32))
        for image, label in zip(images, labels, strict=True):
            for place in np.flatnonzero(label) if multilabel else [label]:
                image[:, place * 8 : place * 8 + 8, 8:24] += generator.integers(80, 160)  # a flip keeps the class
        np.save(folder / f"{split}_images.npy", images.astype(np.uint8))
        np.save(folder / f"{split}_labels.npy", labels.astype(np.uint8 if multilabel else np.int64))
    train = np.load(folder / "train_images.npy") / 255
    info = {
        "name": name or ("celeba" if multilabel else "mnist"),
        "title": find_dataset(name).title if name else "CelebA" if multilabel else "MNIST",
        "channels": channels,
        "classes": classes,
        "multilabel": multilabel,
        "label_names": [],
        "n": dict(zip(("train", "validation", "test"), counts, strict=True)),
        "mean": train.mean((0, 2, 3)).tolist(),
        "std": train.std((0, 2, 3)).tolist(),
        "synthetic": True,
        "source": "synthetic",
        "split_seed": 0,
        "files": [],
        "arrays": {path.name: digest(path) for path in sorted(folder.glob("*.npy"))},
        "fingerprint": f"test-{seed}",
    }
    (folder / "dataset.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


def tell_again(folder: Path) -> Path:
    """Have dataset.json tell of the arrays as they are now, after a test changed them."""
    file = folder / "dataset.json"
    info = json.loads(file.read_text(encoding="utf-8"))
    info["arrays"] = {path.name: digest(path) for path in sorted(folder.glob("*.npy"))}
    file.write_text(json.dumps(info), encoding="utf-8")
    return folder
