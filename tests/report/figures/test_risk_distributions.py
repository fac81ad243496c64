"""Distributions of R over images."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from placed import place
from report.made_up_study import VICIOUS

from vicious.report import style
from vicious.report.figures import risk_distributions
from vicious.results.assessments import read_assessments
from vicious.results.schema import SUMMARY, read_table


def test_logarithmic_axes_have_few_round_numbers_with_the_mean_image_among_them() -> None:
    for low, high in ((0.93, 1.02), (0.75, 1.4), (0.6, 1.6), (0.3, 4.0), (0.05, 60.0), (1e-3, 1e3)):
        ticks = risk_distributions.log_ticks(low, high)
        assert 2 <= len(ticks) <= 8
        assert 1 in ticks
        assert low <= ticks[0] < ticks[-1] <= high


def test_each_half_is_a_violin_of_its_role_and_axes_end_at_quantiles(study: Any) -> None:
    case = study(tasks=("mnist",))
    drawn = case.figures[2]
    rows = risk_distributions.load_rows(read_assessments(case.files), read_table(SUMMARY, case.summary))
    for ax, measure in zip(drawn.axes, risk_distributions.MEASURES, strict=True):
        colours = [tuple(part.get_facecolor()[0]) for part in ax.collections]
        assert colours == [to_rgba(style.COLOURS[role]) for role in risk_distributions.ROLES]
        honest, vicious = (part.get_paths()[0].vertices[:, 1] for part in ax.collections)
        assert honest.max() <= 0 <= vicious.min(), "on an axis that points downwards"
        quantiles = [np.quantile(rows[0].values[role, measure], [0.005, 0.995]) for role in risk_distributions.ROLES]
        low, high = ax.get_xlim()
        assert low < min(1, *(ends[0] for ends in quantiles)) < low * 1.1
        assert high / 1.1 < max(1, *(ends[1] for ends in quantiles)) < high


def test_pools_the_seeds_and_counts_images_below_the_mean_image(study: Any, tmp_path: Path) -> None:
    case = study(tasks=("mnist",), failed=[("mnist", VICIOUS, 0)])
    risk_distributions.write(case.files, place(risk_distributions, tmp_path / "out"))
    parts = {
        role: pd.concat(pd.read_parquet(file.with_suffix(".parquet")) for file in case.files if role in str(file))
        for role in ("honest", "vicious")
    }
    shares = " and ".join(f"{100 * (frame['risk'] < 1).mean():.0f}%" for frame in parts.values())
    assert f"MNIST {shares}" in (tmp_path / "out/risk_distributions.md").read_text(encoding="utf-8")
    found = read_assessments(case.files)
    rows = risk_distributions.load_rows(found, read_table(SUMMARY, case.summary))
    assert len(rows[0].values["vicious", "risk95"]) == len(parts["vicious"]) == 2 * 260
    assert np.median(rows[0].values["honest", "risk"]) == pytest.approx(parts["honest"]["risk"].median())
