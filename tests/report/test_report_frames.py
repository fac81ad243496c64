"""Summaries are read strictly, and never mixed."""

import numpy as np
import pytest

from vicious.errors import DataError, MixedResultsError
from vicious.report import frames


def test_a_missing_column_is_named(made_up, tmp_path):
    path = tmp_path / "summary.csv"
    made_up.summary().drop(columns="risk95").to_csv(path, index=False)
    with pytest.raises(DataError, match="risk95 is missing"):
        frames.read_summary(path)


@pytest.mark.parametrize("content", [None, "", "dataset,role\n"])
def test_an_unusable_file_is_a_data_error(tmp_path, content):
    path = tmp_path / "summary.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=r"summary\.csv"):
        frames.read_summary(path)


def test_a_number_that_is_none_is_a_data_error(made_up, tmp_path):
    frame = made_up.summary().astype({"psnr": object})
    frame.loc[0, "psnr"] = "high"
    frame.to_csv(tmp_path / "summary.csv", index=False)
    with pytest.raises(DataError, match="column psnr"):
        frames.read_summary(tmp_path / "summary.csv")


def test_an_unknown_status_is_a_data_error(made_up):
    frame = made_up.summary()
    frame.loc[0, "status"] = "fine"
    with pytest.raises(DataError, match="fine"):
        frames.check_summary(frame)


def test_reading_keeps_every_value(made_up, tmp_path):
    frame = made_up.summary(failed=(("mnist", "vicious", 1),))
    frame.to_csv(tmp_path / "summary.csv", index=False)
    read = frames.read_summary(tmp_path / "summary.csv")
    np.testing.assert_array_equal(read["psnr"].to_numpy(), frame["psnr"].to_numpy())
    assert list(read["reason"]) == list(frame["reason"])


def test_a_repeated_model_is_refused(made_up):
    frame = made_up.summary()
    frame.loc[1, "seed"] = 0
    with pytest.raises(MixedResultsError, match="several results"):
        frames.check_summary(frame)


def test_an_honest_seed_under_two_beta_r_is_refused(made_up):
    frame = made_up.summary()
    frame.loc[1, ["seed", "beta_r"]] = [0, 3.0]
    frames.check_summary(frame)
    with pytest.raises(MixedResultsError, match="several results"):
        frames.groups(frame)


@pytest.mark.parametrize(("column", "value"), [("source", "synthetic"), ("n", 500)])
def test_a_mixed_dataset_is_refused(made_up, column, value):
    frame = made_up.summary()
    frame.loc[0, column] = value
    with pytest.raises(MixedResultsError, match=column):
        frames.check_summary(frame)


def test_repeated_scores_are_refused(made_up):
    frame = made_up.detection()
    frame.loc[1, "draw"] = 0
    with pytest.raises(MixedResultsError):
        frames.check_detection(frame)


def test_other_attacks_only_is_a_data_error(made_up):
    frame = made_up.summary()
    frame["attack"] = "other"
    with pytest.raises(DataError, match="posthoc"):
        frames.groups(frame)


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.5], [3.0, 3.0], [0.1, np.nan, 0.4]])
def test_mean_and_sd_are_those_of_the_seeds_that_succeeded(values):
    cell = frames.cell(np.array(values), planned=len(values))
    good = [value for value in values if not np.isnan(value)]
    assert cell.mean == pytest.approx(np.mean(good))
    assert cell.sd == pytest.approx(np.std(good, ddof=1))
    assert (cell.ok, cell.total) == (len(good), len(values))


def test_a_single_seed_has_no_sd():
    cell = frames.cell(np.array([2.0]), planned=1)
    assert cell.mean == 2.0
    assert np.isnan(cell.sd)


def test_groups_come_in_catalogue_order(made_up):
    found = frames.groups(made_up.summary(made_up.ALL[::-1]))
    assert list(dict.fromkeys(group.dataset for group in found)) == list(made_up.ALL)


def test_seeds_without_a_row_are_failures(made_up):
    (honest, vicious) = frames.groups(made_up.summary(("mnist",), seeds=2), expected_seeds=3)
    assert honest.cell("psnr").failed == vicious.cell("psnr").failed == 1
    assert "no result for 1 of 3 seeds" in honest.failures()[0]


def test_a_vicious_group_without_honest_models_still_has_a_row(made_up):
    frame = made_up.summary(("mnist",))
    (pair,) = frames.pairs(frames.groups(frame.loc[frame["role"] == "vicious"]))
    assert pair.honest.cell("psnr").total == 0
    assert pair.vicious.cell("psnr").total == 3


def test_settings_name_what_was_used(made_up):
    text = frames.settings(made_up.summary(("mnist", "celeba"), betas=(1.0, 3.0), synthetic=("celeba",)))
    for part in ("official (MNIST)", "synthetic stand-in (CelebA)", "19,962", "Seeds per model: 3", "beta_R = 1, 3"):
        assert part in text
