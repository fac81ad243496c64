"""The documents name what is there."""

from pathlib import Path

from vicious.report.products import PRODUCTS
from vicious.study import grid

ROOT = Path(__file__).resolve().parents[1]


def test_every_table_figure_and_experiment_is_documented():
    text = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    for name, product in PRODUCTS.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        assert line.endswith(f"| `{product.experiment}` |"), name
    for experiment in grid.EXPERIMENTS:
        assert f"| `{experiment}` |" in text
