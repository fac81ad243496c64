"""The profile of R."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from legible import all_words
from report.made_up_study import ALL, AUTOENCODER, HONEST, STRONGER, VICIOUS, texts

from vicious.report import frames, style
from vicious.report.estimators import profiles, read_estimators
from vicious.report.figures import risk_profile
from vicious.results.schema import SUMMARY, read_table


@pytest.mark.parametrize("published", [0.95, 0.957, 0.99, 0.9999, 1.0])
def test_keeps_the_names_of_the_headline_figures_apart(study: Any, published: float) -> None:
    case = study(tasks=ALL, seeds=1, synthetic=ALL, models=(HONEST, VICIOUS, STRONGER, AUTOENCODER))
    rows = read_estimators(case.estimators)
    rows.loc[rows["estimator"] == frames.PUBLISHED, "share"] = published
    drawn = risk_profile.draw(rows, read_table(SUMMARY, case.summary))
    drawn.draw_without_rendering()
    named = [ax for ax in drawn.axes if ax.texts]
    assert len(named) == len(drawn.axes) / 2, "the names stand above the larger panels alone"
    for ax in named:
        boxes = [text.get_window_extent() for text in ax.texts]
        assert len(boxes) == 2
        assert not boxes[0].overlaps(boxes[1])
        assert all(drawn.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))


def test_draws_means_over_seeds_against_the_share(study: Any) -> None:
    assert [risk_profile.position(share) for share in (0.9, 0.99, 0.999)] == pytest.approx([1, 2, 3])
    assert risk_profile.position(0.9999) < risk_profile.position(0.99999) < risk_profile.position(1.0)
    case = study(tasks=("mnist",), failed=[("mnist", VICIOUS, 0)])
    rows = pd.read_csv(case.estimators)
    ax = case.figures[0].axes[0]
    for role in ("honest", "vicious", "autoencoder"):
        line = next(line for line in ax.lines if line.get_color() == style.COLOURS[role] and len(line.get_xdata()) > 2)
        same = rows.loc[(rows["role"] == role) & (rows["kind"] == "share")]
        expected = same.groupby("parameter")["risk"].mean()
        assert line.get_ydata() == pytest.approx(expected.to_numpy())
        assert line.get_xdata()[[4, 7]] == pytest.approx([1, 2])
    assert "published" in all_words(ax.get_figure())


@pytest.mark.parametrize("model", [HONEST, VICIOUS, AUTOENCODER])
def test_names_what_there_is(study: Any, model: Any) -> None:
    case = study(tasks=("mnist",), models=(model,), seeds=1)
    drawn = risk_profile.draw(read_estimators(case.estimators), read_table(SUMMARY, case.summary))
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    expected = {
        HONEST: ["honest, post-hoc", "predicted class mean"],
        VICIOUS: ["vicious"],
        AUTOENCODER: ["autoencoder"],
    }
    assert labels == [*expected[model], f"mean image ({style.RISK} = 1)"]


def test_says_which_shares_its_axis_cannot_tell_apart(study: Any) -> None:
    told = texts(study(tasks=("mnist",), seeds=1))["risk_profile"]
    assert "all shares between 99.996% and 100% are drawn at one place" in told
    assert (
        risk_profile.position(0.99995)
        < risk_profile.position(0.99997)
        == risk_profile.position(0.999999)
        < risk_profile.position(1.0)
    )


def test_tells_beta_r_apart(study: Any) -> None:
    words = all_words(study(tasks=("mnist",), models=(HONEST, VICIOUS, STRONGER)).figures[0])
    assert r"vicious, $\beta_R$ = 3" in words
    assert "autoencoder" not in words


def test_compares_each_model_with_the_honest_one_of_the_same_seed(study: Any) -> None:
    case = study(models=(HONEST, VICIOUS, AUTOENCODER), failed=[("mnist", HONEST, 0)])
    rows, summary = read_estimators(case.estimators), read_table(SUMMARY, case.summary)
    found = {profile.group.role: profile for profile in profiles(rows, summary) if profile.group.task == "mnist"}
    of = rows.loc[(rows["task"] == "mnist") & (rows["estimator"] == "share 0.95")].set_index(["role", "seed"])["risk"]
    expected = [of["vicious", seed] / of["honest", seed] for seed in (1, 2)]
    ratios = risk_profile.ratios(found["vicious"], found["honest"], "share 0.95")
    assert list(ratios.values()) == pytest.approx(expected)
    panel = next(ax for ax in case.figures[0].axes if "honest" in ax.get_ylabel())
    drawn = next(line for line in panel.lines if line.get_color() == style.COLOURS["vicious"])
    at = int(np.argmin(np.abs(drawn.get_xdata() - risk_profile.position(0.95))))
    assert drawn.get_ydata()[at] == pytest.approx(np.mean(expected))
