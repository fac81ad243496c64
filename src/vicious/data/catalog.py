"""The one table of datasets: what they are, where their official files live, and how to know them.

Sizes and MD5 sums are those of the official distributions, as torchvision's loaders check them (Tiny ImageNet: as
Stanford's CS231n serves it). Paths are torchvision's layout below one root folder, so that a folder filled by
torchvision can be used as it is.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class OfficialFile:
    """One file of an official distribution.

    Attributes:
        path: where it lies below the data root.
        size: bytes.
        md5: hexadecimal MD5 of the official bytes.
        mirrors: addresses, tried in order.
    """

    path: str
    size: int
    md5: str
    mirrors: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Dataset:
    """One benchmark.

    Attributes:
        name: key used in params.yaml, paths and commands.
        title: name for tables and figures.
        channels: 1 (grey) or 3 (RGB).
        classes: number of classes; of binary attributes where ``multilabel``.
        multilabel: labels are 0/1 vectors over attributes instead of one class.
        sizes: official numbers of train (validation cut off), validation and test images.
        files: the official files that are read.
        licence: terms, in a line.
        homepage: where the dataset is described.
        mean, std: channel statistics of the 32x32 train images in [0, 1], to check a loader.
        class_names: for readers, where the files hold none.
    """

    name: str
    title: str
    channels: int
    classes: int
    multilabel: bool
    sizes: tuple[int, int, int]
    files: tuple[OfficialFile, ...]
    licence: str
    homepage: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...] = ()


def _idx_files(folder: str, hosts: tuple[str, ...], table: dict[str, tuple[int, str]]) -> tuple[OfficialFile, ...]:
    return tuple(
        OfficialFile(f"{folder}/raw/{name}", size, md5, tuple(host + name for host in hosts))
        for name, (size, md5) in table.items()
    )


def _drive(file_id: str) -> tuple[str, ...]:
    return (f"https://drive.usercontent.google.com/download?id={file_id}&export=download&confirm=t",)


_MNIST = Dataset(
    name="mnist",
    title="MNIST",
    channels=1,
    classes=10,
    multilabel=False,
    sizes=(50_000, 10_000, 10_000),
    files=_idx_files(
        "MNIST",
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
)

_FASHION_MNIST = Dataset(
    name="fashion_mnist",
    title="Fashion-MNIST",
    channels=1,
    classes=10,
    multilabel=False,
    sizes=(50_000, 10_000, 10_000),
    files=_idx_files(
        "FashionMNIST",
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
    class_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
)

_CIFAR10 = Dataset(
    name="cifar10",
    title="CIFAR-10",
    channels=3,
    classes=10,
    multilabel=False,
    sizes=(45_000, 5_000, 10_000),
    files=(
        OfficialFile(
            "cifar-10-python.tar.gz",
            170_498_071,
            "c58f30108f718f92721af3b95e74349a",
            ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
        ),
    ),
    licence="none stated by its authors (A. Krizhevsky, V. Nair, G. Hinton)",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    mean=(0.4915, 0.4822, 0.4467),
    std=(0.2471, 0.2437, 0.2617),
)

_CIFAR100 = Dataset(
    name="cifar100",
    title="CIFAR-100",
    channels=3,
    classes=100,
    multilabel=False,
    sizes=(45_000, 5_000, 10_000),
    files=(
        OfficialFile(
            "cifar-100-python.tar.gz",
            169_001_437,
            "eb9058c3a382ffc7106e4002c42a8d85",
            ("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
        ),
    ),
    licence="none stated by its authors (A. Krizhevsky, V. Nair, G. Hinton)",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    mean=(0.5069, 0.4866, 0.4409),
    std=(0.2674, 0.2565, 0.2763),
)

_TINY_IMAGENET = Dataset(
    name="tiny_imagenet",
    title="Tiny ImageNet",
    channels=3,
    classes=200,
    multilabel=False,
    sizes=(90_000, 10_000, 10_000),
    files=(
        OfficialFile(
            "tiny-imagenet-200.zip",
            248_100_043,
            "90528d7ca1a48142e341f4ef8d21d0de",
            ("http://cs231n.stanford.edu/tiny-imagenet-200.zip",),
        ),
    ),
    licence="ImageNet's terms: non-commercial research and education",
    homepage="http://cs231n.stanford.edu/",
    mean=(0.4805, 0.4484, 0.3978),
    std=(0.2541, 0.2456, 0.2604),
)

_CELEBA = Dataset(
    name="celeba",
    title="CelebA",
    channels=3,
    classes=40,
    multilabel=True,
    sizes=(162_770, 19_867, 19_962),
    files=(
        OfficialFile(
            "celeba/img_align_celeba.zip",
            1_443_490_838,
            "00d2c5bc6d35e252742224ab0c1e8fcb",
            _drive("0B7EVK8r0v71pZjFTYXZWM3FlRnM"),
        ),
        OfficialFile(
            "celeba/list_attr_celeba.txt",
            26_721_026,
            "75e246fa4810816ffd6ee81facbd244c",
            _drive("0B7EVK8r0v71pblRyaVFSWGxPY0U"),
        ),
        OfficialFile(
            "celeba/list_eval_partition.txt",
            2_836_386,
            "d32c9cbf5e040fd4025c592c306e6668",
            _drive("0B7EVK8r0v71pY0NSMzRuSXJEVkk"),
        ),
    ),
    licence="non-commercial research only (Multimedia Laboratory, The Chinese University of Hong Kong)",
    homepage="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    mean=(0.5063, 0.4258, 0.3832),
    std=(0.2969, 0.2768, 0.2767),
)

CATALOG: dict[str, Dataset] = {
    dataset.name: dataset for dataset in (_MNIST, _FASHION_MNIST, _CIFAR10, _CIFAR100, _TINY_IMAGENET, _CELEBA)
}

CELEBA_ATTRIBUTES: tuple[str, ...] = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
"""The 40 attributes, in the order of list_attr_celeba.txt."""
