"""MNIST: handwritten digits, 28x28, grey. Sizes and MD5 sums are those that torchvision's loader checks."""

from pathlib import Path
from typing import TYPE_CHECKING

from vicious.data.facts import Dataset, hosted

if TYPE_CHECKING:
    from vicious.data.formats.raw import RawDataset
    from vicious.data.synthetic.plan import Plan


def _read(root: Path) -> "RawDataset":
    from vicious.data.formats.idx import open_idx

    return open_idx(DATASET, root)


def _draw(plan: "Plan") -> list[Path]:
    from vicious.data.synthetic.digits import draw_digit
    from vicious.data.synthetic.idx import write_idx

    return write_idx(plan, draw_digit)


DATASET = Dataset(
    name="mnist",
    title="MNIST",
    order=10,
    height=28,
    width=28,
    channels=1,
    classes=10,
    multilabel=False,
    sizes=(50_000, 10_000, 10_000),
    files=hosted(
        "MNIST/raw",
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
        {
            "train-images-idx3-ubyte.gz": (9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            "train-labels-idx1-ubyte.gz": (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
            "t10k-images-idx3-ubyte.gz": (1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
            "t10k-labels-idx1-ubyte.gz": (4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
        },
    ),
    licence="none stated by its authors (Y. LeCun, C. Cortes, C. Burges)",
    homepage="http://yann.lecun.com/exdb/mnist/",
    mean=(0.1311,),
    std=(0.2895,),
    read=_read,
    draw=_draw,
)
