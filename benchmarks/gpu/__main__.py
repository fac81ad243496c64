"""What a GPU makes of this project, in a few minutes and with one command that needs no network and no Snakemake.

    python benchmarks/gpu --out FOLDER [--minutes 7] [--data FOLDER]

1. Rows (an image or its copy) a second of joint trainings of depth 28 in each mode: float32 and bfloat16, each step
   started anew or recorded and replayed; the share of the GPU's peak; several trainings at once.
2. The tests on a GPU, tests/test_cuda.py.
3. Real MNIST, where its files are (in FOLDER, as the official archives): the paper scale's main comparison of seed 0,
   by the plan's own steps, with records of provenance. Depth 28, 50,000 images, as many epochs as the time allows, at
   least 10. Where not all trainings fit, those that are named first in `WANTED` come first.

FOLDER gets rates.json, tests.log, and results.tar.gz: records, curves and assessments, and the weights of a few models.
What was measured before the time was over is kept whatever happens later.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "benchmarks")]

from vicious.system.runtime import limit_threads, use_device  # noqa: E402 (before torch loads)

limit_threads(4)

import torch  # noqa: E402
from measuring import machine  # noqa: E402
from rates import drawn, flops_of_a_row, rates  # noqa: E402

from vicious.data.prepared import PreparedDataset  # noqa: E402
from vicious.models.schedule import Schedule  # noqa: E402
from vicious.system.errors import ConfigError  # noqa: E402
from vicious.system.interrupt import Interrupted, listen  # noqa: E402
from vicious.system.settings import Precision  # noqa: E402

PEAKS = {"H100": (989, 67), "H200": (989, 67), "A100": (312, 19.5)}
"""Dense TFLOP/s of bfloat16 on tensor cores and of float32 outside them, by the makers' data sheets (SXM)."""
SIZES = ((28, 1), (28, 5))
TOGETHER = (2, 4)
"""Trainings at once on one GPU."""
WANTED = ("honest", "vicious", "posthoc", "autoencoder")
EPOCHS = range(10, 101)
LAST = 40
"""Seconds at the end for assessments and packing."""
MOST_WEIGHTS = 12e6
"""Bytes of weights that results.tar.gz holds."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="where results go")
    parser.add_argument("--minutes", type=float, default=7.0, help="in all")
    parser.add_argument("--data", type=Path, help="folder of MNIST/raw (default: ../shared/data or shared/data)")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="cpu: to try the command itself")
    parser.add_argument("--child", nargs=3, metavar=("WIDTH", "IMAGES", "EPOCHS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        width, images, epochs = map(int, given.child)
        return _child(width, images, epochs, given.device)
    end = time.monotonic() + 60 * given.minutes
    given.out = given.out.resolve()  # the study works in a folder of its own
    given.out.mkdir(parents=True, exist_ok=True)
    try:
        device = use_device(given.device, 4)
    except ConfigError as error:
        parser.error(f"{error}: --device cpu tries the command itself")
    found: dict[str, Any] = {"machine": machine(), "gpu": _name(device), "rates": [], "together": [], "failed": {}}
    small = device.type == "cpu"
    parts: dict[str, Callable[[], None]] = {
        "rates": lambda: _rates(found, given.out, device, small, end - 60 * given.minutes / 2),
        "together": lambda: None if small else _together(found, given.device, end),
        "tests": lambda: _tests(found, given.out, end),
        "study": lambda: _study(found, given, end, small),
    }
    for name, work in parts.items():
        try:
            work()
        except Exception as error:  # the rest is worth having
            traceback.print_exc()
            found["failed"][name] = f"{type(error).__name__}: {error}"
        _write(given.out / "rates.json", found)
        print(f"{name}: {end - time.monotonic():.0f} s left", flush=True)
    return bool(found["failed"])


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name() if device.type == "cuda" else "none"


def _write(path: Path, content: Any) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    temporary.replace(path)


def _modes(small: bool) -> Iterator[tuple[int, int, Precision, bool, int]]:
    """Depth, width, precision, whether steps are recorded, images of an epoch."""
    precisions: tuple[Precision, ...] = ("bfloat16", "float32")
    for depth, width in SIZES:
        for precision in precisions:
            for recorded in (False, True):  # what may fail comes last
                quick = recorded and precision == "bfloat16"
                yield (
                    (10, 1, precision, recorded, 50)
                    if small
                    else (
                        *(depth, width, precision, recorded),
                        (40_000 if width == 1 else 12_000) if quick else (10_000 if width == 1 else 4_000),
                    )
                )
        if small:
            return


def _rates(found: dict[str, Any], out: Path, device: torch.device, small: bool, end: float) -> None:
    """Each mode by itself: one that fails, or for which there is no time, leaves the others as they are."""
    with drawn("mnist", 100 if small else 2_000) as data:
        data = data if small else _repeated(data, 40_000)
        for depth, width, precision, recorded, images in _modes(small):
            mode = {"depth": depth, "width": width, "precision": precision, "recorded": recorded}
            name = " ".join(map(str, mode.values()))
            if time.monotonic() > end:
                found["failed"][f"rates {name}"] = "no time was left"
                continue
            try:
                row = mode | _rate(found["gpu"], data, mode, images, device, small)
            except Exception as error:
                traceback.print_exc()
                found["failed"][f"rates {name}"] = f"{type(error).__name__}: {error}"
            else:
                found["rates"].append(row)
                print(json.dumps(row), flush=True)
            _write(out / "rates.json", found)


def _rate(
    gpu: str, data: PreparedDataset, mode: dict[str, Any], images: int, device: torch.device, small: bool
) -> dict[str, Any]:
    """What one mode reaches."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    size, precision = (mode["depth"], mode["width"]), mode["precision"]
    schedule = Schedule(3, 25 if small else 125, 1e-3, 0, images, precision)
    one = rates(data, *size, schedule, device, mode["recorded"])
    speed = one.loop * flops_of_a_row(*size, 1, 10) / 1e12
    peak = next((pair for name, pair in PEAKS.items() if name in gpu), None)
    return {
        "bare": round(one.bare, 1),
        "loop": round(one.loop, 1),
        "tflops": round(speed, 3),
        "share_of_peak": None if peak is None else round(speed / peak[precision == "float32"], 4),
        "gpu_memory_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2) if device.type == "cuda" else None,
    }


def _repeated(data: PreparedDataset, images: int) -> PreparedDataset:
    """The same dataset with its training images repeated up to so many: how fast they are does not depend on them."""
    import hashlib

    import numpy as np

    info = json.loads((data.folder / "dataset.json").read_text())
    for name in ("train_images.npy", "train_labels.npy"):
        array = np.load(data.folder / name)
        np.save(data.folder / name, np.resize(array, (images, *array.shape[1:])))
        info["arrays"][name] = hashlib.sha256((data.folder / name).read_bytes()).hexdigest()
    info["n"]["train"] = images
    (data.folder / "dataset.json").write_text(json.dumps(info))
    from vicious.data.prepared import load_prepared

    return load_prepared(data.folder)


def _together(found: dict[str, Any], device: str, end: float) -> None:
    """Several trainings of width 1 at once, each in a process of its own."""
    for count in TOGETHER:
        command = [sys.executable, str(Path(__file__).parent), "--out", ".", "--device", device]
        children = [
            subprocess.Popen([*command, "--child", "1", "20000", "4"], stdout=subprocess.PIPE, text=True)
            for _ in range(count)
        ]
        try:
            told = [child.communicate(timeout=max(1.0, (end - time.monotonic()) / 4))[0] for child in children]
        finally:
            for child in children:
                child.kill()
        each = [float(words.splitlines()[-1]) for words in told]
        row = {"trainings": count, "rows_per_second_each": each, "rows_per_second": sum(each)}
        found["together"].append(row)
        print(json.dumps(row), flush=True)


def _child(width: int, images: int, epochs: int, name: str) -> int:
    device = use_device(name, 4)
    with drawn("mnist", 1_000) as data:
        data = _repeated(data, images)
        print(rates(data, 28, width, Schedule(epochs, 125, 1e-3, 0, None, "bfloat16"), device).loop)
    return 0


def _tests(found: dict[str, Any], out: Path, end: float) -> None:
    """Run the tests of what runs on a GPU, as long as leaves half of the time that is left."""
    seconds = max(1.0, (end - time.monotonic()) / 2)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_cuda.py"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"}
    with (out / "tests.log").open("w") as log:
        try:
            done = subprocess.run(
                command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=environment, timeout=seconds, check=False
            )
            found["tests"] = f"exit code {done.returncode}"
            if done.returncode:
                found["failed"]["tests"] = found["tests"]
        except subprocess.TimeoutExpired:
            found["tests"] = f"not done after {seconds:.0f} s"
    print((out / "tests.log").read_text()[-1500:], flush=True)


def _study(found: dict[str, Any], given: argparse.Namespace, end: float, small: bool) -> None:
    """The main comparison of real MNIST by the plan's steps, in this process."""
    places = [given.data, ROOT.parent / "shared" / "data", ROOT / "shared" / "data"]
    data = next((one.resolve() for one in places if one is not None and (one / "MNIST" / "raw").is_dir()), None)
    if data is None:
        found["study"] = "not done: MNIST/raw is in none of the folders"
        return
    work = given.out.resolve() / "study"
    work.mkdir(exist_ok=True)
    os.chdir(work)
    from vicious.provenance.run import run_step

    listen()
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
    steps = _steps(data, EPOCHS[0], small)
    for one in steps:
        if one.STAGE == "data":
            run_step(one, one.record())
    left = end - time.monotonic() - LAST
    epochs = _epochs(found, sum(one.STAGE == "models" for one in steps), left, small)
    found["epochs"] = epochs
    done: list[str] = []
    try:
        for one in sorted(_steps(data, epochs, small), key=_rank):
            if one.STAGE == "data" or not all(file.exists() for file in one.reads()):
                continue
            last = end - (LAST if one.STAGE == "models" else 5)
            if time.monotonic() < last and _done(lambda one=one: run_step(one, one.record()), last):  # type: ignore[misc]
                done.append(one.command())
    finally:
        found["study"] = {name: done.count(name) for name in dict.fromkeys(done)}
        _pack(given.out, work)


def _done(work: Callable[[], None], end: float) -> bool:
    """Whether work is done at a time; then it is ended as a job is, by a signal."""
    signal.setitimer(signal.ITIMER_REAL, end - time.monotonic())
    try:
        work()
    except Interrupted:
        print("stopped, since no time was left", flush=True)
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return True


def _steps(data: Path, epochs: int, small: bool) -> list[Any]:
    """The steps of MNIST's main comparison of seed 0, up to assessments."""
    from vicious.study.config import load_params
    from vicious.study.plan import Plan

    scale = "paper"
    own: dict[str, Any] = {"epochs": epochs, "seeds": [0], "precision": "bfloat16"}
    own |= {"attack_models": {"experiments": []}}  # the original's attacks alone: the time is for them
    if small:
        own |= {"train": 200, "validation": 50, "test": 1000, "depth": 10, "batch_images": 25, "epochs": 1}
        own |= {"outputs": ["logits"], "autoencoder": ["logits"], "beta_r": [1.0]}
    changes = [
        f"scale={scale}",
        "datasets=[mnist]",
        f"data={json.dumps({'root': str(data)})}",
        f"runtime={json.dumps({'threads': 4, 'device': 'cpu' if small else 'cuda'})}",
        f"scales={json.dumps({scale: own})}",
    ]
    plan = Plan(load_params(ROOT / "params.yaml", changes), ("main",))
    return [one.step for one in plan.steps if one.step.STAGE in ("data", "models", "assessments")]


def _rank(step: Any) -> tuple[int, int]:
    """Trainings before assessments, wanted ones first; a target model before its attacks."""
    stage = ("data", "models", "assessments").index(step.STAGE)
    name = str(step.writes()[0])
    return stage, next((number for number, word in enumerate(WANTED) if word in name), len(WANTED))


def _epochs(found: dict[str, Any], trainings: int, seconds: float, small: bool) -> int:
    """As many epochs as fit, by the measured rate; at least the fewest."""
    rows = [
        row["loop"] for row in found["rates"] if row["width"] == 1 and row["recorded"] and row["precision"] != "float32"
    ]
    if small or not rows:
        return EPOCHS[0]
    an_epoch = trainings * 2 * 50_000 / max(rows) * 1.15  # and validation
    return min(max(int(seconds / an_epoch), EPOCHS[0]), EPOCHS[-1])


def _pack(out: Path, work: Path) -> None:
    """Records, curves and assessments, and weights as long as they fit."""
    files = [path for path in sorted((work / "results").rglob("*")) if path.is_file()]
    weights = [path for path in files if path.suffix == ".safetensors"]
    held = 0
    with tarfile.open(out / "results.tar.gz", "w:gz") as archive:
        for path in [*(path for path in files if path not in weights), *sorted(weights, key=_wanted)]:
            if path in weights:
                held += path.stat().st_size
                if held > MOST_WEIGHTS:
                    continue
            archive.add(path, path.relative_to(work))


def _wanted(path: Path) -> int:
    return next((number for number, word in enumerate(WANTED) if word in str(path)), len(WANTED))


if __name__ == "__main__":
    sys.exit(main())
