"""Fashion-MNIST: garments, 28x28, grey, in MNIST's format. Sizes and MD5 sums are those that torchvision checks."""

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
    from vicious.data.synthetic.garments import draw_garment
    from vicious.data.synthetic.idx import write_idx

    return write_idx(plan, draw_garment)


DATASET = Dataset(
    name="fashion_mnist",
    title="Fashion-MNIST",
    order=20,
    height=28,
    width=28,
    channels=1,
    classes=10,
    multilabel=False,
    sizes=(50_000, 10_000, 10_000),
    files=hosted(
        "FashionMNIST/raw",
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        {
            "train-images-idx3-ubyte.gz": (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            "train-labels-idx1-ubyte.gz": (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            "t10k-images-idx3-ubyte.gz": (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            "t10k-labels-idx1-ubyte.gz": (5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        },
    ),
    licence="MIT (Zalando SE)",
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    mean=(0.2856,),
    std=(0.3385,),
    read=_read,
    draw=_draw,
    class_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
)
