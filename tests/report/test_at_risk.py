"""Settings of tables by class and by attribute."""

import numpy as np
import pandas as pd

from vicious.report import at_risk


def test_settings_tell_tasks_apart() -> None:
    table = pd.DataFrame(
        {
            **{"task": ["mnist", "celeba"], "source": ["official", "synthetic"], "outputs": ["logits", "logits"]},
            **{"beta_r": [1.0, np.nan], "honest_seeds": [2, 1], "honest_failed": [1, 0]},
        }
    )
    told = at_risk.conditions(table, ("honest",), {"mnist": 10_000, "celeba": 0})
    assert told == (
        "Data: official (MNIST); synthetic stand-in (CelebA). Test images: 10,000. "
        "Seeds per model: 3 (MNIST); 1 (CelebA). Outputs: logits. "
        "Weight of the reconstruction loss in vicious training: beta_R = 1."
    )
