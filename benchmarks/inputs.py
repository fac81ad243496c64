"""Images for benchmarks, which need no official file, and the commands that use them.

All is done by processes of their own: the peak of one counts from that of the process which starts it.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from measuring import run

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
CUTOFF = 2.0**-23
"""Of the risk: the precision of float32, which a pseudo-inverse in float32 uses."""


def precisions() -> tuple[str, ...]:
    """float32, and bfloat16 where this CPU has instructions for it; asked by a process of its own."""
    ask = "import torch; from vicious.models.precision import is_slow; print(is_slow('bfloat16', torch.device('cpu')))"
    return ("float32",) if run([sys.executable, "-c", ask]).output.strip() == "True" else ("float32", "bfloat16")


def drawn(folder: Path, images: int) -> Path:
    """Drawn MNIST, prepared: so many training images, a fifth of them for validation, half of them for the test."""
    counts = dict(zip(("train", "validation", "test"), (images, images // 5, images // 2), strict=True))
    source, data = folder / "source.json", folder / "data"
    fetched = {"dataset": "mnist", "source": "synthetic", "root": folder, "out": source}
    run([*_command("fetch", fetched), "--counts", *map(str, counts.values())])
    run(
        _command(
            "prepare",
            {"dataset": "mnist", "images": "synthetic", "source": source, "out": data, "split_seed": 0} | counts,
        )
    )
    return data


def made_up(folder: Path, train: int, validation: int, test: int, outputs: int = 10) -> Path:
    """Prepared images of bright bars, made in a moment by a process of its own."""
    if not folder.exists():
        run([sys.executable, __file__, folder, *map(str, (train, validation, test, outputs))])
    return folder


def vicious_training(
    data: Path, out: Path, depth: int, width: int, precision: str = "float32", epoch_images: int | None = None
) -> list[str]:
    """The command that trains a vicious pair for one epoch, of all or so many images, with the original's settings."""
    settings = {
        **{"data": data, "out": out / "target.safetensors", "attack_out": out / "joint.safetensors"},
        **{"outputs": "logits", "beta_c": 1.0, "beta_r": 3.0, "depth": depth, "width": width, "epochs": 1},
        **{"batch_images": 125, "learning_rate": 0.001, "seed": 0},
        **({} if precision == "float32" else {"precision": precision}),
        **({} if epoch_images is None else {"epoch_images": epoch_images}),
    }
    return _command("train-vicious", settings)


def assessment(data: Path, covariance: Path, models: Path) -> list[str]:
    """The command that assesses a vicious pair, and writes beside its weights."""
    settings = {
        **{"data": data, "covariance": covariance, "out": models},
        **{"target": models / "target.safetensors", "attack": models / "joint.safetensors", "outputs": "logits"},
        **{"gallery_images": 8, "estimator": "truncated", "cutoff": CUTOFF},
    }
    return _command("assess-risk", settings)


def _command(name: str, settings: Mapping[str, object]) -> list[str]:
    words = [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    return ["vicious", name, *words]


if __name__ == "__main__":
    sys.path.append(str(TESTS))
    from prepared_by_hand import write_prepared

    *counts, classes = map(int, sys.argv[2:])
    write_prepared(Path(sys.argv[1]), classes=classes, counts=counts)
