"""Write docs/performance.md from what the benchmarks measured.

python benchmarks/page.py
"""

import ast
import json
from pathlib import Path
from textwrap import fill
from typing import Any

from measuring import MEASURED, table

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
SECTIONS = {
    "training": "Training: precision, and what the loop adds",
    "original": "The original's structure against this project",
    "memory": "Memory of a training",
    "risk": "Risk",
    "estimators": "Estimators of the risk",
    "auditing": "An audit",
    "prepare": "Preparing images",
    "overhead": "What of the demo is neither training nor assessing",
    "stages": "Every stage of a build",
    "growth": "Growth",
}
"""Benchmarks in the page's order, with their headings."""
INTRODUCTION = """# Performance

`make bench` measures all of this on the machine it runs on, in about 15 minutes on 2 cores, and writes this page.
Each benchmark is a script in [benchmarks/](../benchmarks); the plain baseline that it compares with stands in the same
file. What is compared runs in turn in the same run. Figures are medians, but for an audit, which runs once. Machines
are shared and noisy, so ratios count, not seconds. No test checks a time.
"""
NO_GPU = """No GPU was at hand, so there are no figures of this version. `python benchmarks/gpu --out FOLDER` takes them
in 7 minutes: rows a second and the share of the GPU's peak in each mode, the tests on a GPU, and real MNIST's main
comparison at the paper's depth. The path is tested on the CPU as far as it goes: replayed steps train the same model as
plain ones (tests/training/test_stepping.py), and the whole command runs (tests/test_benchmarks.py). An earlier version,
which started each step anew in float32, reached 31 TFLOP/s at width 5 and 1.7 at width 1 on an H100; `vicious budget`
plans with these.
"""


OPEN = """## What is not measured yet

- The effect of bfloat16 on accuracy, PSNR, SSIM and detection over seeds.
- Everything on a GPU. So `vicious budget` still plans with the rates of steps that are started anew, in float32.
- Preparing full archives of Tiny ImageNet and CelebA.
- How much of the demo is neither training nor assessing. Of a training's start, 2 seconds are PyTorch's import and
  nearly 2 more torchvision's.
"""


def main() -> None:
    parts = [INTRODUCTION]
    for name, heading in SECTIONS.items():
        file = MEASURED / f"{name}.json"
        if file.is_file():
            parts.append(f"## {heading}\n\n{_text(name)}\n\n{_section(json.loads(file.read_text()), name)}")
    gpu = MEASURED / "gpu.json"
    parts.append(f"## On a GPU\n\n{_gpu(json.loads(gpu.read_text())) if gpu.is_file() else NO_GPU}")
    PAGE.write_text("\n".join([*parts, OPEN]))
    print(f"written to {PAGE}")


def _text(name: str) -> str:
    """The first paragraph of a benchmark's docstring."""
    return (ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text())) or "").partition("\n\n")[0]


def _section(found: dict[str, Any], name: str) -> str:
    facts, where = dict(found["facts"]), found["machine"]
    threads, target, note = (facts.pop(key, "") for key in ("threads", "target", "note"))
    lines = [table(found["head"], found["rows"]), ""]
    lines += [f"Target: {target}.", ""] if target else []
    lines += [f"{note}", ""] if note else []
    words = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in facts.items())
    lines += [fill(words.capitalize() + ".", 120), ""] if facts else []
    if (PAGE.parent / "performance" / f"{name}.png").is_file():
        lines += [f"![{SECTIONS[name]}](performance/{name}.png)", ""]
    told = (
        f"[benchmarks/{name}.py](../benchmarks/{name}.py), {where['date']}, commit {where['commit']}: {where['cpu']}, "
        f"{where['cores']} cores, {where['memory_gb']} GB, threads {threads or 1}, load before {where['load_before']}, "
        f"PyTorch {where['torch']}."
    )
    lines.append(fill(told, 120, break_long_words=False, break_on_hyphens=False) + "\n")
    return "\n".join(lines)


def _gpu(found: dict[str, Any]) -> str:
    rows = [
        [
            f"{row['depth']}, {row['width']}",
            row["precision"],
            "replayed" if row["recorded"] else "started anew",
            f"{row['bare']:,.0f}",
            f"{row['loop']:,.0f}",
            f"{row['tflops']:.1f}",
            "–" if row["share_of_peak"] is None else f"{row['share_of_peak']:.1%}",
        ]
        for row in found["rates"]
    ]
    head = ("depth, width", "precision", "steps", "bare rows/s", "loop rows/s", "TFLOP/s", "of the peak")
    lines = [table(head, rows), ""]
    if found["together"]:
        several = [[row["trainings"], f"{row['rows_per_second']:,.0f}"] for row in found["together"]]
        lines += [table(("trainings of width 1 at once", "rows/s in all"), several), ""]
    where = found["machine"]
    lines.append(f"{found['gpu']}, {where['date']}, commit {where['commit']}, PyTorch {where['torch']}.\n")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
