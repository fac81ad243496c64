"""CIFAR-10: objects, 32x32, RGB. Size and MD5 sum are those that torchvision's loader checks."""

from pathlib import Path
from typing import TYPE_CHECKING

from vicious.data.facts import Dataset, hosted

if TYPE_CHECKING:
    from vicious.data.formats.raw import RawDataset
    from vicious.data.synthetic.plan import Plan

_FOLDER, _BATCHES = "cifar-10-batches-py", 5


def _read(root: Path) -> "RawDataset":
    from vicious.data.formats.cifar import Layout, open_cifar

    train = tuple(f"data_batch_{number}" for number in range(1, _BATCHES + 1))
    layout = Layout(_FOLDER, train, ("test_batch",), "batches.meta", "labels", "label_names")
    return open_cifar(DATASET, root, layout)


def _draw(plan: "Plan") -> list[Path]:
    import numpy as np

    from vicious.data.synthetic.cifar import PIXELS, add_batch, add_meta, cifar_writer
    from vicious.data.synthetic.objects import object_name

    counts, path, start = plan.official_counts(), plan.path(0), 0
    with cifar_writer(path) as archive:
        names = [object_name(label, DATASET.classes) for label in range(DATASET.classes)]
        most = -(-counts["train"] // _BATCHES)
        member = f"{_FOLDER}/batches.meta"
        add_meta(archive, member, {"num_cases_per_batch": most, "label_names": names, "num_vis": PIXELS})
        labels = plan.labels("train", counts["train"])
        for number, part in enumerate(np.array_split(labels, _BATCHES), 1):
            head = {"batch_label": f"training batch {number} of {_BATCHES}", "labels": part.tolist()}
            add_batch(archive, f"{_FOLDER}/data_batch_{number}", head, plan, "train", part, start)
            start += len(part)
        labels = plan.labels("test", counts["test"])
        head = {"batch_label": "testing batch 1 of 1", "labels": labels.tolist()}
        add_batch(archive, f"{_FOLDER}/test_batch", head, plan, "test", labels)
    return [path]


DATASET = Dataset(
    name="cifar10",
    title="CIFAR-10",
    order=30,
    height=32,
    width=32,
    channels=3,
    classes=10,
    multilabel=False,
    sizes=(45_000, 5_000, 10_000),
    files=hosted(
        "",
        ("https://www.cs.toronto.edu/~kriz/",),
        {"cifar-10-python.tar.gz": (170_498_071, "c58f30108f718f92721af3b95e74349a")},
    ),
    licence="none stated by its authors (A. Krizhevsky, V. Nair, G. Hinton)",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    mean=(0.4915, 0.4822, 0.4467),
    std=(0.2471, 0.2437, 0.2617),
    read=_read,
    draw=_draw,
)
