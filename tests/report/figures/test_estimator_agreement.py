"""Agreement of estimators with image quality."""

from typing import Any

import pandas as pd
import pytest
from legible import all_words
from report.made_up_study import AUTOENCODER, HONEST, NAMES, VICIOUS, texts

from vicious.report import estimators
from vicious.report.figures import estimator_agreement
from vicious.results.schema import AGREEMENT, SUMMARY, read_table


def test_draws_every_agreement_at_its_place(study: Any) -> None:
    case = study()
    agreed = pd.read_csv(case.agreement)
    drawn = case.figures[1]
    for ax, reference in zip(drawn.axes, ("psnr", "ssim"), strict=True):
        here = agreed.loc[agreed["reference"] == reference].pivot_table("agree", "estimator", "task")
        names = [text.get_text() for text in ax.get_xticklabels()]
        assert names == ["MNIST", "CIFAR-10"]
        shown = [text.get_text() for text in ax.texts]
        order = [name for name in estimators.settings(agreed)["estimator"] if name in here.index]
        assert shown == [f"{here.loc[name, task]:.2f}" for name in order for task in ("mnist", "cifar10")]
        assert len(ax.get_yticks()) == len(NAMES) + 1
    words = all_words(drawn)
    for part in (
        "eigenvalues > 1.2e-07 d (published)",
        "Ledoit-Wolf",
        "no whitening",
        "PSNR in place of R",
        "MNIST",
        "CIFAR-10",
    ):
        assert part in words


def test_has_a_panel_for_another_reference(study: Any) -> None:
    case = study(tasks=("mnist",))
    agreed = read_table(AGREEMENT, case.agreement)
    more = agreed.loc[agreed["reference"] == "psnr"].assign(reference="lpips")
    drawn = estimator_agreement.draw(pd.concat([agreed, more]), read_table(SUMMARY, case.summary))
    assert len(drawn.axes) == 3
    assert "LPIPS" in all_words(drawn)
    summary = read_table(SUMMARY, case.summary)
    assert "(left to right: PSNR, SSIM, LPIPS)" in str(estimator_agreement.text(pd.concat([agreed, more]), summary))
    assert "(left to right: PSNR, SSIM)" in str(estimator_agreement.text(agreed, summary))


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ((HONEST,), "0 pairs of 1 attack"),
        ((HONEST, VICIOUS), "1 pair of 2 attacks"),
        ((HONEST, VICIOUS, AUTOENCODER), "3 pairs of 3 attacks"),
    ],
)
def test_counts_pairs_of_attacks(study: Any, models: Any, told: str) -> None:
    assert (
        f"Attacks over all seeds: {told} (MNIST)."
        in texts(study(tasks=("mnist",), models=models, seeds=1))["estimator_agreement"]
    )
