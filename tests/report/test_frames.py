"""Summaries are read strictly, and never mixed."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from vicious.report import frames
from vicious.results.schema import COMPARISONS, DETECTION, SUMMARY, check_table, read_table
from vicious.system.errors import DataError, MixedResultsError


def test_a_missing_column_is_named(made_up: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    for column in ("risk95", "task", "k", "covariance_images"):
        made_up.summary().drop(columns=column).to_csv(path, index=False)
        with pytest.raises(DataError, match=f"{column} is missing"):
            read_table(SUMMARY, path)


@pytest.mark.parametrize("content", [None, "", "dataset,role\n"])
def test_an_unusable_file_is_a_data_error(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "summary.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=r"summary\.csv"):
        read_table(SUMMARY, path)


def test_a_number_that_is_none_is_a_data_error(made_up: ModuleType, tmp_path: Path) -> None:
    frame = made_up.summary().astype({"psnr": object})
    frame.loc[0, "psnr"] = "high"
    frame.to_csv(tmp_path / "summary.csv", index=False)
    with pytest.raises(DataError, match="column psnr"):
        read_table(SUMMARY, tmp_path / "summary.csv")


def test_an_unknown_status_is_a_data_error(made_up: ModuleType) -> None:
    frame = made_up.summary()
    frame.loc[0, "status"] = "fine"
    with pytest.raises(DataError, match="fine"):
        check_table(SUMMARY, frame)


def test_reading_keeps_every_value(made_up: ModuleType, tmp_path: Path) -> None:
    frame = made_up.summary(failed=(("mnist", "vicious", 1),))
    frame.to_csv(tmp_path / "summary.csv", index=False)
    read = read_table(SUMMARY, tmp_path / "summary.csv")
    np.testing.assert_array_equal(read["psnr"].to_numpy(), frame["psnr"].to_numpy())
    assert list(read["reason"]) == list(frame["reason"])


def test_a_repeated_model_is_refused(made_up: ModuleType) -> None:
    frame = made_up.summary()
    frame.loc[1, "seed"] = 0
    with pytest.raises(MixedResultsError, match="several results"):
        check_table(SUMMARY, frame)


def test_an_honest_seed_under_two_beta_r_is_refused(made_up: ModuleType) -> None:
    frame = made_up.summary()
    frame.loc[1, ["seed", "beta_r"]] = [0, 3.0]
    check_table(SUMMARY, frame)
    with pytest.raises(MixedResultsError, match="several results"):
        frames.groups(frame)


@pytest.mark.parametrize(("column", "value"), [("source", "synthetic"), ("n", 500), ("k", 5), ("dataset", "celeba")])
def test_a_mixed_task_is_refused(made_up: ModuleType, column: str, value: int | str) -> None:
    frame = made_up.summary()
    frame.loc[0, column] = value
    with pytest.raises(MixedResultsError, match=column):
        check_table(SUMMARY, frame)


def test_tasks_of_one_dataset_may_differ_in_images_but_not_in_source(made_up: ModuleType) -> None:
    frame = made_up.summary(("celeba-k5", "celeba"))
    of_one = frame["task"] == "celeba"
    frame.loc[of_one, "n"] = 500
    check_table(SUMMARY, frame)
    frame.loc[of_one, "source"] = "synthetic"
    with pytest.raises(MixedResultsError, match="dataset celeba mixes results with source"):
        check_table(SUMMARY, frame)


def test_reading_comparisons_keeps_every_value(made_up: ModuleType, tmp_path: Path) -> None:
    compared = made_up.comparisons(made_up.summary(("mnist",), autoencoder=("logits",)))
    compared.to_csv(tmp_path / "c.csv", index=False)
    read = read_table(COMPARISONS, tmp_path / "c.csv")
    np.testing.assert_array_equal(read["difference"].to_numpy(), compared["difference"].to_numpy())
    assert np.isnan(read.loc[(read["role"] == "autoencoder") & (read["measure"] == "accuracy"), "p"]).all()


@pytest.mark.parametrize(("column", "value"), [("role", "honest"), ("measure", "mse")])
def test_comparisons_of_something_else_are_refused(made_up: ModuleType, column: str, value: str) -> None:
    compared = made_up.comparisons(made_up.summary())
    compared.loc[0, column] = value
    with pytest.raises(DataError, match=f"column {column} holds {value}"):
        check_table(COMPARISONS, compared)


def test_repeated_comparisons_are_refused(made_up: ModuleType) -> None:
    compared = made_up.comparisons(made_up.summary())
    compared.loc[0, "measure"] = "ssim"
    with pytest.raises(MixedResultsError, match="several results"):
        check_table(COMPARISONS, compared)


def test_repeated_scores_are_refused(made_up: ModuleType) -> None:
    frame = made_up.detection()
    frame.loc[1, "draw"] = 0
    with pytest.raises(MixedResultsError):
        check_table(DETECTION, frame)


def test_other_attacks_only_is_a_data_error(made_up: ModuleType) -> None:
    frame = made_up.summary()
    frame["attack"] = "other"
    with pytest.raises(DataError, match="posthoc"):
        frames.groups(frame)


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.5], [3.0, 3.0], [0.1, np.nan, 0.4]])
def test_mean_and_sd_are_those_of_the_seeds_that_succeeded(values: Any) -> None:
    cell = frames.over_seeds(np.array(values), planned=len(values))
    good = [value for value in values if not np.isnan(value)]
    assert cell.mean == pytest.approx(np.mean(good))
    assert cell.sd == pytest.approx(np.std(good, ddof=1))
    assert (cell.ok, cell.total) == (len(good), len(values))


def test_a_single_seed_has_no_sd() -> None:
    cell = frames.over_seeds(np.array([2.0]), planned=1)
    assert cell.mean == 2.0
    assert np.isnan(cell.sd)


def test_groups_come_in_order(made_up: ModuleType) -> None:
    frame = made_up.summary((*made_up.ALL[::-1], "celeba-k20", "celeba-k5"), autoencoder=("logits",))
    found = frames.groups(frame.sample(frac=1, random_state=0))
    assert list(dict.fromkeys(group.task for group in found)) == [
        *made_up.ALL[:-1],
        "celeba-k5",
        "celeba-k20",
        "celeba",
    ]
    assert [group.role for group in found[:3]] == ["honest", "vicious", "autoencoder"]
    assert [group.k for group in found[-9::3]] == [5, 20, 40]
    assert all(list(group.rows["seed"]) == [0, 1, 2] for group in found)


def test_an_autoencoder_has_no_accuracy_and_none_failed(made_up: ModuleType) -> None:
    *_, group = frames.groups(made_up.summary(("mnist",), autoencoder=("logits",)))
    for column in ("accuracy", "risk_class_mean"):
        cell = group.over_seeds(column)
        assert (cell.ok, cell.total, cell.failed) == (0, 0, 0)
    assert group.over_seeds("psnr").ok == 3
    assert (group.failures(), frames.failed_seeds([group])) == ([], [])
    assert group.label == "MNIST, autoencoder (logits)"


def test_failures_alike_share_a_line(made_up: ModuleType) -> None:
    failed = (("mnist", "vicious", 1), ("cifar10", "honest", 0))
    found = frames.groups(made_up.summary(betas=(1.0, 3.0), failed=failed))
    assert frames.failed_seeds(found) == [
        "MNIST, vicious (logits, beta_R = 1, 3): 1 of 3 seeds",
        "CIFAR-10, honest (logits): 1 of 3 seeds",
    ]


@pytest.mark.parametrize(("ok", "words"), [(0, "no seed succeeded"), (1, "n = 1 seed"), (3, "over n = 3 seeds")])
def test_spread_counts_the_seeds_that_succeeded(made_up: ModuleType, ok: int, words: str) -> None:
    failed = tuple(("mnist", role, seed) for role in ("honest", "vicious") for seed in range(ok, 3))
    assert words in frames.spread(frames.groups(made_up.summary(("mnist",), failed=failed)))


def test_sources_and_titles_are_those_of_tasks(made_up: ModuleType) -> None:
    frame = made_up.summary(("celeba-k5", "cifar100-classes20", "mnist"), synthetic=("celeba",))
    source = frames.sources(frame)
    assert list(source.items()) == [
        ("mnist", "official"),
        ("cifar100-classes20", "official"),
        ("celeba-k5", "synthetic"),
    ]
    titles = [frames.marked_title(task, source[task]) for task in source]
    assert titles == ["MNIST", "CIFAR-100, 20 classes", "CelebA, 5 attributes (synthetic stand-in)"]


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        ("truncated 1.2e-07", "the published R"),
        ("truncated 1e-06", "R under truncated 1e-06, not the published one"),
        ("ridge 0.01", "R under ridge 0.01, not the published one"),
        ("ledoit_wolf", "R under Ledoit-Wolf, not the published one"),
    ],
)
def test_r_is_called_published_under_the_published_estimator_alone(
    made_up: ModuleType, estimator: str, words: str
) -> None:
    frame = made_up.summary(("mnist",), failed=(("mnist", "honest", 0),)).replace("truncated 1.2e-07", estimator)
    assert frames.risk_words(frame) == words
    told = "" if estimator == frames.PUBLISHED else f" R of other tables and figures: {words}."
    assert frames.risk_elsewhere(frame) == told
    assert frames.risk_words(frame.loc[frame["status"] == "failed"]) == "R"


def test_settings_name_what_was_used(made_up: ModuleType) -> None:
    text = frames.conditions(made_up.summary(("mnist", "celeba"), betas=(1.0, 3.0), synthetic=("celeba",)))
    for part in ("official (MNIST)", "synthetic stand-in (CelebA)", "19,962", "Seeds per model: 3", "beta_R = 1, 3"):
        assert part in text


def test_settings_of_tasks_name_their_dataset_once(made_up: ModuleType) -> None:
    text = frames.conditions(made_up.summary(("celeba-k5", "celeba"), autoencoder=("logits",), synthetic=("celeba",)))
    assert "Data: synthetic stand-in." in text
    assert "beta_R = 3." in text


def test_settings_explain_accuracies_and_risks_that_are_shown(made_up: ModuleType) -> None:
    frame = made_up.summary(("mnist", "celeba"), failed=(("mnist", "honest", 0),))
    frame.loc[frame["dataset"] == "celeba", "covariance_images"] = 3072
    accuracy = " Accuracy on CelebA: mean over attributes."
    risk = " CelebA: the covariance comes from no more images than there are pixels, so R means little."
    both = frames.conditions(frame, accuracy=True, risk=True)
    assert accuracy in both
    assert both.endswith(risk)
    assert frames.conditions(frame, risk=True) == both.replace(accuracy, "")
    assert frames.conditions(frame, accuracy=True) == both.replace(risk, "")
    assert "images than there are pixels" not in frames.conditions(frame.assign(covariance_images=3073), risk=True)
    # As it is in memory, where nothing succeeded.
    failed = frame.loc[frame["status"] == "failed"].astype({"pixels": object, "covariance_images": object})
    assert "images than there are pixels" not in frames.conditions(failed.replace({np.nan: None}), risk=True)


def test_settings_tell_which_seed_is_shown(made_up: ModuleType) -> None:
    frame = made_up.summary(("mnist", "cifar10"))
    frame = frame.loc[(frame["task"] != "cifar10") | (frame["seed"] == 2)]
    shown = frame.loc[frame["seed"] == frame.groupby("task")["seed"].transform("min")]
    told = frames.conditions(shown, all_seeds=frame)
    assert "Seed shown: 0, the first of 3 (MNIST); 2, the only one (CIFAR-10)." in told
    assert "Seeds per model" not in told
