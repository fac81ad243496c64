"""CIFAR-100: objects of 100 kinds, 32x32, RGB. Size and MD5 sum are those that torchvision's loader checks."""

from pathlib import Path
from typing import TYPE_CHECKING

from vicious.data.facts import Dataset, hosted

if TYPE_CHECKING:
    from vicious.data.formats.raw import RawDataset
    from vicious.data.synthetic.plan import Plan

_FOLDER = "cifar-100-python"


def _read(root: Path) -> "RawDataset":
    from vicious.data.formats.cifar import Layout, open_cifar

    layout = Layout(_FOLDER, ("train",), ("test",), "meta", "fine_labels", "fine_label_names")
    return open_cifar(DATASET, root, layout)


def _draw(plan: "Plan") -> list[Path]:
    from vicious.data.synthetic.cifar import add_batch, add_meta, cifar_writer
    from vicious.data.synthetic.objects import object_name, shape_names

    path = plan.path(0)
    with cifar_writer(path) as archive:
        shapes = shape_names()
        fine = [object_name(label, DATASET.classes) for label in range(DATASET.classes)]
        add_meta(archive, f"{_FOLDER}/meta", {"fine_label_names": fine, "coarse_label_names": shapes})
        titles = {"train": "training batch 1 of 1", "test": "testing batch 1 of 1"}
        for split, count in plan.official_counts().items():
            labels = plan.labels(split, count)
            coarse = (labels % len(shapes)).tolist()
            head = {"batch_label": titles[split], "fine_labels": labels.tolist(), "coarse_labels": coarse}
            add_batch(archive, f"{_FOLDER}/{split}", head, plan, split, labels)
    return [path]


DATASET = Dataset(
    name="cifar100",
    title="CIFAR-100",
    order=40,
    height=32,
    width=32,
    channels=3,
    classes=100,
    multilabel=False,
    sizes=(45_000, 5_000, 10_000),
    files=hosted(
        "",
        ("https://www.cs.toronto.edu/~kriz/",),
        {"cifar-100-python.tar.gz": (169_001_437, "eb9058c3a382ffc7106e4002c42a8d85")},
    ),
    licence="none stated by its authors (A. Krizhevsky, V. Nair, G. Hinton)",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    mean=(0.5069, 0.4866, 0.4409),
    std=(0.2674, 0.2565, 0.2763),
    read=_read,
    draw=_draw,
)
