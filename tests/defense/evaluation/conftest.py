"""Made-up scores of detectors."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest


@pytest.fixture
def scores() -> Callable[..., pd.DataFrame]:
    """Makes scores of one detector: honest and vicious models by their mean score, in some draws."""

    def make(honest: Any, vicious: Any, draws: int = 3) -> pd.DataFrame:
        rows = [
            {
                "dataset": "mnist", "role": role, "outputs": "logits" if beta else "", "beta_r": beta, "recipe": "",
                "evades": "", "evasion": 0.0, "hidden": "", "task": "mnist", "seed": seed, "detector": "d",
                "n_user": 50, "draw": draw, "score": value + 0.01 * (draw - 1), "status": "ok", "reason": "",
            }
            for role, beta, values in (("honest", 0.0, honest), ("vicious", 1.0, vicious))
            for seed, value in enumerate(values)
            for draw in range(draws)
        ]  # fmt: skip
        return pd.DataFrame(rows)

    return make
