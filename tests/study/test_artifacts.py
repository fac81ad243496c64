"""Tables and figures are found by their names, and planned without being imported."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vicious.report import figures
from vicious.study import artifacts
from vicious.study.config import Params
from vicious.study.plan import Plan
from vicious.system import registry
from vicious.system.errors import ConfigError

FIGURE = '''"""Something new.

More about it.
"""

from pathlib import Path

from matplotlib.figure import Figure

from vicious.report.style import write_figure
from vicious.report.text import Text
from vicious.study.artifacts import Destination

EXPERIMENT = "tradeoff"


def write(summary: Path, out: Destination) -> tuple[Path, ...]:
    return write_figure(out, Figure(), Text(f"Drawn from {summary.name}."))
'''


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Adds a figure in place of those that there are; its file is forgotten afterwards."""
    folder = tmp_path / "more"
    folder.mkdir()
    package = figures.__name__
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(folder)])

    def forget() -> None:
        registry.names.cache_clear()
        artifacts.known.cache_clear()
        artifacts.artifact_step.cache_clear()
        sys.modules.pop(f"{package}.my_figure", None)

    def add(text: str) -> None:
        (folder / "my_figure.py").write_text(text)
        forget()

    yield add
    forget()


def test_every_number_is_that_of_a_file() -> None:
    known = artifacts.known()
    assert artifacts.NUMBERS.keys() == known.keys()
    tables, figures = len(artifacts.TABLES), len(artifacts.FIGURES)
    expected = [
        *(f"table{number + 1}" for number in range(tables)),
        *(f"figure{number + 1}" for number in range(figures)),
    ]
    assert [one.alias for one in known.values()] == expected
    assert known["tradeoff_table"].label == "Table 2"
    assert [one.name for one in known.values() if one.each_task] == ["attack_galleries"]


def test_declarations_are_read_from_the_file() -> None:
    one = artifacts.known()["estimators_table"]
    assert (one.kind, one.experiment, one.inputs) == ("table", "main", ("estimators", "agreement", "summary"))
    assert one.title == "What the choice of the covariance's estimator makes of R"
    assert one.module == "vicious.report.tables.estimators_table"


def test_planning_imports_no_library_of_arrays_or_plots() -> None:
    unwanted = {"pandas", "numpy", "matplotlib", "seaborn", "torch"}
    code = (
        "import sys; from vicious.study import artifacts; artifacts.known(); "
        f"sys.exit(' '.join(set(sys.modules) & {unwanted}) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_new_figure_works_by_its_name_alone(added: Any, smoke: Params, tmp_path: Path) -> None:
    added(FIGURE)
    one = artifacts.known()["my_figure"]
    assert (one.title, one.alias, one.label) == ("Something new", None, "My figure")
    (planned,) = Plan(smoke).rules["my_figure"]
    assert list(map(str, planned.step.reads())) == ["results/smoke/summaries/tradeoff.csv"]
    assert list(map(str, planned.step.writes())) == [
        f"paper_figures/smoke/my_figure{end}" for end in (".pdf", ".png", ".md")
    ]
    step: Any = artifacts.artifact_step("my_figure")
    step(summary="some.csv", out=tmp_path / "out").run(None)
    text = (tmp_path / "out/my_figure.md").read_text(encoding="utf-8")
    assert text == "**My figure.** Drawn from some.csv.\n"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (FIGURE.partition("from pathlib")[0], ""),
        ('"tradeoff"', '"everything"'),
        ("summary: Path", "other: Path"),
        ("def write", "def draw"),
    ],
)
def test_a_wrong_declaration_is_named(added: Any, wrong: Any, right: str) -> None:
    added(FIGURE.replace(wrong, right, 1))
    with pytest.raises(ConfigError, match=r"my_figure\.py: an artifact needs"):
        artifacts.known()
