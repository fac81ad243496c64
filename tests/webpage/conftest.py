"""A made-up study with all that the report page shows."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from records_by_hand import note
from report import made_up as made_up_module
from report.made_up_assessments import OTHER, assessment, record

from vicious.models.architecture import ORIGINAL
from vicious.results.schema import BEST, COMPARISONS
from vicious.results.summaries import write_summary
from vicious.study import grid, paths
from vicious.study.config import Params, load_params
from vicious.study.plan import assessments

ROOT = Path(__file__).resolve().parents[2]
TABLE = """**Table 1.** A caption with <b>tags</b>.

| Dataset | Model | PSNR (dB) | Seeds |
| --- | --- | ---: | ---: |
| MNIST | honest | 15.00 ± 0.01 | 2 |
|  | vicious | 1,016.36 ± 0.12 | 2 |
|  | predicted class mean | 13.94 | 2 |
|  | other | – | 2 |
| CIFAR-10 | honest | failed (2 of 2 seeds) | 2 |
|  | vicious | not run | 2 |
| any |  | 9.50 |  |

- A note.
"""


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """The demo with MNIST and CIFAR-10, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return load_params(Path("params.yaml"), ["datasets=[mnist,cifar10]"])


@pytest.fixture
def study(params: Params) -> Params:
    """A configuration of which these are built: the main experiment's assessments, of which the vicious models of
    CIFAR-10 failed, its summary and comparisons, its first table and figure."""
    files = write_assessments(params)
    write_summary(files, paths.summary("demo", "main"))
    made_up: ModuleType = made_up_module
    compared = made_up.with_best(made_up.summary(("mnist", "cifar10"), 2, (1.0,))).assign(recipe="", hidden="")
    COMPARISONS.write(made_up.comparisons(compared), paths.summaries("demo") / "main_comparisons.csv")
    folder = paths.figures("demo")
    folder.mkdir(parents=True)
    (folder / "main_table.md").write_text(TABLE, encoding="utf-8")
    (folder / "gallery.md").write_text("**Figure 1.** Digits.\n", encoding="utf-8")
    Image.fromarray(np.full((40, 80, 3), 200, np.uint8)).save(folder / "gallery.png")
    note(folder / "main_table.json", "main_table", [paths.summary("demo", "main")], [folder / "main_table.md"])
    note(folder / "gallery.json", "gallery", [], [folder / "gallery.png"])
    return params


def write_assessments(params: Params) -> list[Path]:
    """Those of the main experiment."""
    cells = grid.cells(params, "main")
    for file, cell in zip(assessments(params, cells), cells, strict=True):
        task, model, attack = cell.task.dataset, cell.model, cell.attack
        bad = model.role == "vicious" and task == "cifar10"
        made = record(task, model.role, attack.outputs, model.beta_r, cell.seed, (task,), bad)
        own = attack.kind == "posthoc" and attack.model != ORIGINAL["attack"]
        name = f"posthoc-{attack.model}" if own else attack.kind
        choices = {} if bad or attack.kind != BEST else {"psnr": OTHER, "risk95": OTHER}
        made |= {"attack": name, "choices": choices}
        assessment(file.parent, file.stem.removeprefix("risk-"), made, 0 if bad else 4)
    return assessments(params, cells)
