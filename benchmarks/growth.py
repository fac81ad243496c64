"""How time and memory grow with the size of the study: images, width and number of outputs of a training, images of an
assessment and of the covariance, jobs of the plan. Each size is measured in a process of its own, without its start.
An exponent is the slope of a line through the logarithms: 1 means twice as much for twice the size, 0 no growth. Below
them stands what planning the scale paper takes as a whole.

    python benchmarks/growth.py [repeats]

Writes docs/performance/growth.png too. Depth is 10, batches hold 125 images.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from inputs import ROOT, made_up, vicious_training
from measuring import machine, report, run

FIGURE = ROOT / "docs" / "performance" / "growth.png"
DEPTH = 10
PLANNING_TARGET = "planning the scale paper takes less than 10 s"


@dataclass(frozen=True)
class Point:
    """What one size took.

    Attributes:
        size: of what grows.
        seconds: by the clock, without imports and reading.
        held: bytes at the peak beyond those that the process held before it began.
    """

    size: int
    seconds: float
    held: float


@dataclass(frozen=True)
class Quantity:
    """Something that grows.

    Attributes:
        sizes: those measured, geometric.
        work: which of :data:`WORKS`, in a process of its own.
        arguments: of the work, by size.
    """

    sizes: Sequence[int]
    work: str
    arguments: Callable[[int], Sequence[object]]


def _short(value: float) -> str:
    """A whole number from 100 on, three digits below."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def main(repeats: int = 1) -> None:
    where = machine()
    with TemporaryDirectory() as temporary:
        points = {name: _measure(one, repeats) for name, one in _quantities(Path(temporary)).items()}
        planning = _planning(Path(temporary), repeats)
    rows = []
    for name, found in points.items():
        seconds, held = (exponent(found, of) for of in ("seconds", "held"))
        cells = [", ".join(_short(getattr(one, of) / unit) for one in found) for of, unit in _UNITS]
        rows.append([name, cells[0], cells[1], f"{seconds:.2f}", cells[2], f"{held:.2f}"])
    rows += [[name, "", f"{seconds:.2f}", "", "", ""] for name, seconds in planning.items()]
    draw(points, FIGURE)
    head = ["what grows", "sizes", "seconds", "exponent of time", "MB held beside", "exponent of memory"]
    size = f"depth {DEPTH}, 125 images a batch, made-up grey images; median of {repeats}"
    report("growth", where, head, rows, threads=1, size=size, target=PLANNING_TARGET)


_UNITS = (("size", 1), ("seconds", 1), ("held", 1e6))


def _quantities(folder: Path) -> dict[str, Quantity]:
    """What grows, by a name that says where."""

    def data(images: int, *, test: int = 32, outputs: int = 10) -> Path:
        return made_up(folder / f"data-{images}-{test}-{outputs}", images, 32, test, outputs)

    model = folder / "model"
    learned = data(250)
    run(vicious_training(learned, model, DEPTH, 1))
    return {
        "training: images": Quantity((250, 500, 1000, 2000), "train", lambda n: (data(n), 1)),
        "training: width": Quantity((1, 2, 4, 8), "train", lambda n: (data(125), n)),
        "training: outputs": Quantity((10, 40, 160, 640), "train", lambda n: (data(250, outputs=n), 1)),
        "assessment: images": Quantity((250, 500, 1000, 2000), "assess", lambda n: (data(250, test=n), model)),
        "covariance: images": Quantity((2000, 4000, 8000, 16000), "covariance", lambda n: (data(n),)),
        "planning: datasets": Quantity((1, 2, 4, 6), "plan", lambda n: (n,)),
    }


def _measure(one: Quantity, repeats: int) -> list[Point]:
    """A point for each size; of planning the size is the number of jobs, which the process tells."""
    found = []
    for size in one.sizes:
        command = [sys.executable, __file__, one.work, *map(str, one.arguments(size))]
        told = [json.loads(run(command, OMP_NUM_THREADS="1").output.splitlines()[-1]) for _ in range(repeats)]
        seconds, held = (median(each[key] for each in told) for key in ("seconds", "held"))
        found.append(Point(told[0]["size"] or size, seconds, held))
    return found


def exponent(points: Sequence[Point], of: str) -> float:
    """The slope of a line through the logarithms of size and time or memory, by least squares."""
    sizes, values = (np.log([getattr(one, key) for one in points]) for key in ("size", of))
    return float(np.polyfit(sizes, values, 1)[0])


def _planning(folder: Path, repeats: int) -> dict[str, float]:
    """Seconds of commands that plan the scale paper, and of what they cannot do without."""
    snakemake: list[str | Path] = [
        "snakemake",
        "-n",
        "--cores",
        "1",
        "--snakefile",
        ROOT / "Snakefile",
        "--directory",
        folder,
    ]
    commands: Mapping[str, Sequence[str | Path]] = {
        "`snakemake -n` at scale paper": [*snakemake, "--config", "scale=paper"],
        "loading Snakemake alone": [sys.executable, "-c", "import snakemake.cli"],
        "`vicious budget --scale paper`": ["vicious", "budget", "--scale", "paper", "--file", ROOT / "params.yaml"],
    }
    return {name: median(run(command).seconds for _ in range(repeats)) for name, command in commands.items()}


def draw(points: Mapping[str, Sequence[Point]], path: Path) -> None:
    """Time and memory against size, each over its smallest size, on logarithmic axes."""
    import pandas as pd
    import seaborn as sns
    from matplotlib.ticker import FuncFormatter, NullFormatter

    from vicious.report import style
    from vicious.system.files import atomic_path

    panels = (("seconds", "seconds", 1.0), ("held", "MB beside what the process held before", 1e6))
    with style.applied(), style.page(1, 2, 3.2) as (figure, axes):
        for ax, (of, label, unit) in zip(axes.flat, panels, strict=True):
            rows = [
                {
                    "size": one.size / found[0].size,
                    "value": getattr(one, of) / unit,
                    "what": f"{name} ({exponent(found, of):.2f})",
                }
                for name, found in points.items()
                for one in found
            ]
            look = {"markers": True, "dashes": False, "palette": "colorblind"}
            sns.lineplot(pd.DataFrame(rows), x="size", y="value", hue="what", style="what", ax=ax, **look)
            ax.set(xscale="log", yscale="log", xlabel="size, over the smallest one", ylabel=label)
            ax.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.legend(title="what grows (exponent)", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=230, metadata={"Software": None})


Work = Callable[[], object]
"""What is measured, ready to begin; it returns its size where the caller does not know it."""


def _train(data: str, width: str) -> Work:
    from vicious.data.prepared import load_prepared
    from vicious.models.architecture import model
    from vicious.models.schedule import Schedule
    from vicious.system.runtime import use_device
    from vicious.training.jobs import train_vicious

    settings = {"depth": DEPTH, "width": int(width)}
    target, attack = model("target", "wideresnet", settings), model("attack", "mirror", settings)
    out, schedule = Path(data) / f"width{width}", Schedule(epochs=1, batch_images=125, learning_rate=0.001, seed=0)
    device, images = use_device("cpu", 1), load_prepared(Path(data))
    weights = out / "target.safetensors", out / "joint.safetensors"
    return lambda: train_vicious(images, *weights, target, attack, "logits", 1.0, 3.0, schedule, device, "benchmark")


def _assess(data: str, model: str) -> Work:
    from vicious.attacks.assess import assess_risk
    from vicious.data.prepared import load_prepared
    from vicious.metrics.moments import fit
    from vicious.metrics.risk import save_covariance
    from vicious.system.runtime import use_device

    folder, weights = Path(data), Path(model)
    covariance, images = folder / "covariance.safetensors", load_prepared(folder)
    save_covariance(fit(images), covariance, images.info.fingerprint)
    files = (folder, covariance, weights / "target.safetensors", weights / "joint.safetensors", folder / "assessed")
    device = use_device("cpu", 1)
    return lambda: assess_risk(*files, estimator="truncated", cutoff=1.2e-7, gallery_images=8, device=device)


def _covariance(data: str) -> Work:
    from vicious.data.prepared import load_prepared
    from vicious.metrics.moments import fit

    images = load_prepared(Path(data))
    return lambda: fit(images)


def _plan(datasets: str) -> Work:
    from vicious.study.config import load_params
    from vicious.study.plan import Plan

    params = load_params(ROOT / "params.yaml")
    params = params.model_copy(update={"scale": "paper", "datasets": params.datasets[: int(datasets)]})
    return lambda: len(Plan(params).steps)


WORKS: Mapping[str, Callable[..., Work]] = {
    "train": _train,
    "assess": _assess,
    "covariance": _covariance,
    "plan": _plan,
}


def measure_here(name: str, *arguments: str) -> None:
    """Do a piece of work in this process, and print what it took, as JSON."""
    work = WORKS[name](*arguments)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, start = _status("VmRSS"), time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    held = max(_status("VmHWM") - before, 1e5)
    print(json.dumps({"seconds": seconds, "held": held, "size": result if isinstance(result, int) else None}))


def _status(key: str) -> int:
    """Bytes of this process that Linux states under a key."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in WORKS:
        measure_here(*sys.argv[1:])
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
