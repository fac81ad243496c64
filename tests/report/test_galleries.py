"""Galleries are read strictly."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from vicious.report import galleries
from vicious.results.assessments import read_assessments
from vicious.system.errors import DataError


def test_a_gallery_without_its_extremes_is_a_data_error(made_up: ModuleType, tmp_path: Path) -> None:
    made_up.gallery(tmp_path / "old.npz", 1, 0.1)
    assert galleries.load_gallery(tmp_path / "old.npz") is not None
    with pytest.raises(DataError, match=r"old\.npz.*run the same command again"):
        galleries.load_extremes(tmp_path / "old.npz")


def test_extremes_that_do_not_fit_their_numbers_are_a_data_error(assessed: Any) -> None:
    path = read_assessments(assessed())[0].gallery
    with np.load(path) as arrays:
        parts = dict(arrays)
    np.savez(path, **parts | {"highest_risk95": np.ones(2)})
    with pytest.raises(DataError, match="a number for each of 4 images"):
        galleries.load_extremes(path)


def test_a_damaged_summary_is_a_data_error_with_its_name(assessed: Any) -> None:
    files = assessed()
    files[0].write_text('{"status": "ok"}')
    with pytest.raises(DataError, match=r"risk-posthoc-logits\.json"):
        galleries.read_galleries(files)
    with pytest.raises(DataError, match=r"risk-joint\.json"):
        galleries.read_galleries([files[1].with_name("none") / "risk-joint.json"])
