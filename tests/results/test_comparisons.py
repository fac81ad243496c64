"""Paired comparisons with the post-hoc attack: the table against plain numpy."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from assessments_by_hand import AUTOENCODER, HONEST, VICIOUS, Writer

from vicious.metrics.paired import paired_means, seeds_to_show
from vicious.results.comparisons import write_comparisons
from vicious.results.schema import COMPARED, COMPARISONS
from vicious.system.errors import DataError, MixedResultsError

IMAGES = 200


@pytest.fixture
def written(tmp_path: Path, assessment: Any) -> "_Writer":
    """Writes assessments; ``written(model, seed, ...)`` returns the per-image frame, ``written.out()`` the comparisons.

    ``shift`` is added to all measures, ten times smaller.
    """
    return _Writer(tmp_path, assessment)


class _Writer(Writer):
    def __call__(
        self,
        model: Any = VICIOUS,
        seed: int = 0,
        task: str = "mnist",
        shift: float = 0.0,
        reason: str = "",
        n: Any = IMAGES,
        **changes: Any,
    ) -> pd.DataFrame:
        role, _, outputs, _ = model
        rows = 0 if reason else n
        image = np.random.default_rng(1).normal(
            1, 0.5, (rows, len(COMPARED))
        )  # what all models find hard or easy alike
        own = np.random.default_rng([seed, len(role), len(outputs)]).normal(shift, 0.1, image.shape)
        frame = pd.DataFrame((0.1 * (2 + image + own)).astype(np.float32), columns=list(COMPARED))
        frame.insert(0, "image", np.arange(rows))
        self.write(self.assessment(task, model, seed, reason, n), frame, **changes)
        return frame

    def out(self) -> pd.DataFrame:
        write_comparisons(self.files, self.folder / "comparisons.csv")
        return pd.read_csv(self.folder / "comparisons.csv")


def test_twenty_cells_have_a_row_for_each_attack_and_measure(written: Any) -> None:
    for seed in range(2):
        written(HONEST, seed)
        for beta in range(1, 11):
            written(("vicious", "joint", "logits", float(beta)), seed)
    assert len(written.out()) == 10 * len(COMPARED)


def test_each_measure_is_the_paired_mean_over_images_and_seeds(written: Any) -> None:
    honest, vicious = ([written(model, seed, shift=shift) for seed in range(3)] for model, shift in _SHIFTS)
    rows = written.out()
    assert tuple(rows.columns) == COMPARISONS.columns
    assert rows["measure"].tolist() == list(COMPARED)
    for row in rows.itertuples():
        seeds = [two[row.measure].astype(float) - one[row.measure] for one, two in zip(honest, vicious, strict=True)]
        (expected,) = paired_means([seed.to_numpy()[:, None] for seed in seeds])
        assert row.difference == pytest.approx(np.mean(seeds), rel=1e-6)
        assert (row.difference, row.low, row.high, row.p) == pytest.approx(expected, rel=1e-5)
        # Pairing takes out what both models find hard: unpaired, the error would be five times larger.
        assert row.high - row.low < 0.01
    assert set(rows["n_images"]) == {IMAGES}
    assert set(rows["seeds"]) == {3}
    assert set(rows["failed"]) == {0}
    assert rows["reason"].isna().all()


_SHIFTS = ((HONEST, 0.0), (VICIOUS, 0.2))


def test_each_attack_meets_the_honest_one_of_its_task_outputs_and_seed(written: Any) -> None:
    softmax = ("honest", "posthoc", "softmax", 0.0), ("vicious", "joint", "softmax", 3.0)
    for task, shift in (("mnist", 1.0), ("cifar10", 2.0)):
        for model in (HONEST, softmax[0]):
            written(model, task=task)
        for model in (softmax[1], VICIOUS, AUTOENCODER):
            written(model, task=task, shift=shift + (model is softmax[1]))
    rows = written.out()
    cells = rows.drop_duplicates(["task", "outputs", "role", "beta_r"])
    assert cells[["task", "role", "outputs", "beta_r"]].to_numpy().tolist() == [
        [task, *rest]
        for task in ("mnist", "cifar10")
        for rest in (("autoencoder", "logits", 1.0), ("vicious", "logits", 1.0), ("vicious", "softmax", 3.0))
    ]
    psnr = rows.loc[rows["measure"] == "psnr", "difference"].to_numpy()
    assert psnr == pytest.approx([0.1, 0.1, 0.2, 0.2, 0.2, 0.3], abs=0.01)
    own = rows.loc[(rows["role"] == "autoencoder") & (rows["measure"] == "accuracy")]
    assert own[["difference", "low", "high", "p"]].isna().all(axis=None)
    assert set(own["seeds"]) == {1}


def test_a_failed_seed_on_either_side_is_left_out_and_counted(written: Any) -> None:
    for seed in range(4):
        written(HONEST, seed, reason="loss is not finite" if seed == 1 else "")
        written(VICIOUS, seed, shift=1, reason="out of memory" if seed == 2 else "")
    rows = written.out()
    assert set(rows["seeds"]) == {2}
    assert set(rows["failed"]) == {2}
    assert set(rows["reason"]) == {"seed 1: honest: loss is not finite; seed 2: vicious: out of memory"}
    assert rows["difference"].to_numpy() == pytest.approx(np.full(len(COMPARED), 0.1), abs=0.01)


def test_seeds_that_would_show_a_gain_are_those_of_the_metric(written: Any) -> None:
    pairs = [(written(HONEST, seed), written(VICIOUS, seed, shift=0.01 * seed)) for seed in range(3)]
    row = written.out().query("measure == 'psnr'").iloc[0]
    differences = [(two[["psnr"]] - one[["psnr"]]).to_numpy().astype(np.float64) for one, two in pairs]
    assert row["seeds_needed"] == seeds_to_show(differences, 0.2)[0]
    assert written.out().query("measure != 'psnr'")["seeds_needed"].isna().all()


def test_a_cell_without_any_pair_keeps_its_rows(written: Any) -> None:
    written(HONEST, reason="loss is not finite")
    written(VICIOUS)
    written(("vicious", "joint", "softmax", 1.0))
    rows = written.out()
    assert len(rows) == 2 * len(COMPARED)
    assert rows[["difference", "low", "high", "p", "n_images"]].isna().all(axis=None)
    assert set(rows["seeds"]) == {0}
    assert rows["reason"].iloc[-1] == "seed 0: there is no such attack on the honest model"


def test_servers_that_trained_for_other_outputs_are_no_seeds_of_one(written: Any) -> None:
    """As in the experiment on mitigations: two vicious servers are read at the same outputs."""
    best = {"attack": "best", "rivals": ["posthoc"], "failed_rivals": []}
    written(("honest", "best", "softmax", 0.0), **best)
    written(("vicious", "best", "softmax", 1.0), shift=0.2, trained_for="softmax", **best)
    first = written.files.pop()
    moved = first.parents[1].rename(written.folder / "trained for softmax")
    written.files.append(moved / "seed0" / first.name)
    written(("vicious", "best", "softmax", 1.0), shift=0.4, trained_for="logits", **best)
    rows = written.out().query("measure == 'psnr'").set_index("trained_for")
    assert rows["seeds"].to_dict() == {"logits": 1, "softmax": 1}
    assert rows.loc["logits", "difference"] > rows.loc["softmax", "difference"]


def test_a_summary_with_honest_models_only_gives_a_header(written: Any) -> None:
    written(HONEST)
    assert written.out().empty


def test_damage_is_told(written: Any, tmp_path: Path) -> None:
    written(HONEST)
    written(VICIOUS)
    parquet = written.files[1].with_suffix(".parquet")
    frame = pd.read_parquet(parquet)
    for bad, words in (
        (frame.iloc[1:], "199 test images"),
        (frame.drop(columns="ssim"), "ssim"),
        (
            frame.drop(columns="top1"),
            r"cannot read .*top1.* of .*risk-joint\.parquet .*: delete it and run `snakemake`",
        ),
        (frame.assign(psnr=np.nan), "psnr is not finite"),
        (frame.assign(accuracy=1.1), "column accuracy holds 1.1; expected a number from 0 to 1: delete it"),
        (frame.assign(image=frame["image"] + 1), "different test images"),
    ):
        bad.to_parquet(parquet)
        with pytest.raises(DataError, match=words):
            written.out()
    parquet.write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"risk-joint\.parquet"):
        written.out()
    with pytest.raises(DataError, match=r"none\.json"):
        write_comparisons([tmp_path / "none.json"], tmp_path / "out.csv")
    with pytest.raises(DataError, match="no results"):
        write_comparisons([], tmp_path / "out.csv")


def test_results_that_do_not_belong_together_are_refused(written: Any) -> None:
    written(HONEST)
    written(VICIOUS, data="other")
    with pytest.raises(MixedResultsError, match="data"):
        written.out()


def test_the_same_files_give_the_same_bytes(written: Any) -> None:
    written(HONEST)
    written(VICIOUS)
    written.out()
    first = (written.folder / "comparisons.csv").read_bytes()
    written.out()
    assert (written.folder / "comparisons.csv").read_bytes() == first
