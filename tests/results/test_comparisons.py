"""Paired comparisons with the post-hoc attack: the bootstrap against theory, the table against plain numpy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vicious.results.comparisons import COLUMNS, COMPARED, RESAMPLES, paired_bootstrap, write_comparisons
from vicious.system.errors import DataError, MetricError, MixedResultsError
from vicious.system.files import write_json

HONEST = ("honest", "posthoc", "logits", 0.0)
VICIOUS = ("vicious", "joint", "logits", 1.0)
AUTOENCODER = ("autoencoder", "joint", "logits", 1.0)
IMAGES = 200


@pytest.fixture
def written(tmp_path, assessment):
    """Writes assessments; ``written(model, seed, ...)`` returns the per-image frame, ``written.out()`` the comparisons."""
    return _Writer(tmp_path, assessment)


class _Writer:
    def __init__(self, folder, assessment):
        self.folder, self.assessment = folder, assessment
        self.files = []

    def __call__(self, model=VICIOUS, seed=0, task="mnist", shift=0.0, reason="", n=IMAGES, **changes):
        role, attack, outputs, beta_r = model
        record = self.assessment(task, model, seed, reason, n)
        rows = 0 if reason else n
        image = np.random.default_rng(1).normal(1, 0.5, (rows, 6))  # what all models find hard or easy alike
        own = np.random.default_rng([seed, len(role), len(outputs)]).normal(shift, 0.1, (rows, 6))
        frame = pd.DataFrame((image + own).astype(np.float32), columns=list(COMPARED))
        frame.insert(0, "image", np.arange(rows))
        if not reason:
            record |= {"n": rows, "risk_estimator": "truncated", "risk95_estimator": "share 0.95"}
        file = self.folder / f"{task} {role} {outputs} {beta_r:g}" / f"seed{seed}" / f"risk-{attack}.json"
        write_json(file, record | changes)
        frame.to_parquet(file.with_suffix(".parquet"))
        self.files.append(file)
        return frame

    def out(self):
        write_comparisons(self.files, self.folder / "comparisons.csv")
        return pd.read_csv(self.folder / "comparisons.csv")


def test_the_interval_has_the_standard_error_of_the_mean():
    values = np.random.default_rng(0).normal(0.1, 2, 1000)
    mean, low, high, p = paired_bootstrap([values], resamples=5000)
    assert mean == pytest.approx(values.mean())
    error = values.std(ddof=1) / np.sqrt(1000)
    assert low == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.1 * error)
    assert p == pytest.approx(2 * stats.norm.sf(abs(mean) / error), rel=0.2)


def test_intervals_cover_and_p_is_uniform_when_there_is_no_difference():
    generator = np.random.default_rng(1)
    # A skewed distribution with mean 0: a normal one would flatter any method.
    runs = [paired_bootstrap([generator.exponential(1, 200) - 1], resamples=1000, seed=run) for run in range(400)]
    covered = np.mean([low <= 0 <= high for _, low, high, _ in runs])
    assert 0.91 < covered < 0.98
    p = np.array([run[3] for run in runs])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.02 < (p < 0.05).mean() < 0.09


def test_seeds_that_share_the_hardness_of_images_do_not_narrow_the_interval():
    image = np.random.default_rng(2).normal(0, 1, 400)
    one = paired_bootstrap([image])
    three = paired_bootstrap([image, image, image])
    # Averaging three independent samples would make it 1.7 times narrower.
    assert three[2] - three[1] == pytest.approx(one[2] - one[1], rel=0.1)


def test_coverage_with_several_seeds():
    generator = np.random.default_rng(3)
    runs = []
    for run in range(200):
        image = generator.normal(0, 1, 150)
        seeds = [image + generator.normal(0, 0.03) + generator.normal(0, 0.3, 150) for _ in range(3)]
        runs.append(paired_bootstrap(seeds, resamples=1000, seed=run))
    assert 0.91 < np.mean([low <= 0 <= high for _, low, high, _ in runs]) <= 1
    assert np.mean([p < 0.05 for *_, p in runs]) < 0.09


def test_seeds_are_resampled_as_blocks():
    # No variation over images: all that is left is the seeds', whose resampled means are known exactly.
    mean, low, high, p = paired_bootstrap([np.full(50, 1.0), np.full(50, 3.0)])
    assert (mean, low, high) == pytest.approx((2, 1, 3))
    assert p == pytest.approx(2 / (RESAMPLES + 1))
    assert paired_bootstrap([np.full(50, -1.0), np.full(50, 3.0)])[3] == pytest.approx(0.5, abs=0.05)


def test_a_clear_difference_has_the_smallest_p_and_none_the_largest():
    values = np.random.default_rng(4).normal(1, 1, 500)
    for sign in (1, -1):
        mean, low, high, p = paired_bootstrap([sign * values])
        assert low < mean < high
        assert sign * low > 0 < sign * high
        assert p == pytest.approx(2 / (RESAMPLES + 1))
    assert paired_bootstrap([np.zeros(10)]) == (0, 0, 0, 1)


def test_seeds_may_differ_in_their_number_of_images():
    mean, low, high, _ = paired_bootstrap([np.full(50, 1.0), np.full(20, 3.0)])
    assert (mean, low, high) == pytest.approx((2, 1, 3))


def test_the_same_seed_gives_the_same_numbers():
    values = [np.random.default_rng(5).normal(0, 1, 300)]
    assert paired_bootstrap(values) == paired_bootstrap(values)
    assert paired_bootstrap(values) != paired_bootstrap(values, seed=1)


@pytest.mark.parametrize("bad", [[], [np.empty(0)], [np.array([1.0, np.nan])], [np.ones((3, 2))]])
def test_what_cannot_be_resampled_is_refused(bad):
    with pytest.raises(MetricError):
        paired_bootstrap(bad)
    with pytest.raises(MetricError, match="1,000"):
        paired_bootstrap([np.ones(3)], resamples=10)


def test_twenty_cells_have_a_row_for_each_attack_and_measure(written):
    for seed in range(2):
        written(HONEST, seed)
        for beta in range(1, 11):
            written(("vicious", "joint", "logits", float(beta)), seed)
    assert len(written.out()) == 10 * len(COMPARED)


def test_each_measure_is_the_paired_mean_over_images_and_seeds(written):
    honest, vicious = ([written(model, seed, shift=shift) for seed in range(3)] for model, shift in _SHIFTS)
    rows = written.out()
    assert tuple(rows.columns) == COLUMNS
    assert rows["measure"].tolist() == list(COMPARED)
    for row in rows.itertuples():
        seeds = [two[row.measure].astype(float) - one[row.measure] for one, two in zip(honest, vicious, strict=True)]
        expected = paired_bootstrap([seed.to_numpy() for seed in seeds])
        assert row.difference == pytest.approx(np.mean(seeds), rel=1e-6)
        assert (row.difference, row.low, row.high, row.p) == pytest.approx(expected, rel=1e-5)
        # Pairing takes out what both models find hard: unpaired, the error would be five times larger.
        assert row.high - row.low < 0.1
    assert set(rows["n_images"]) == {IMAGES}
    assert set(rows["seeds"]) == {3}
    assert set(rows["failed"]) == {0}
    assert rows["reason"].isna().all()


_SHIFTS = ((HONEST, 0.0), (VICIOUS, 0.2))


def test_each_attack_meets_the_honest_one_of_its_task_outputs_and_seed(written):
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
    assert psnr == pytest.approx([1, 1, 2, 2, 2, 3], abs=0.1)
    own = rows.loc[(rows["role"] == "autoencoder") & (rows["measure"] == "accuracy")]
    assert own[["difference", "low", "high", "p"]].isna().all(axis=None)
    assert set(own["seeds"]) == {1}


def test_a_failed_seed_on_either_side_is_left_out_and_counted(written):
    for seed in range(4):
        written(HONEST, seed, reason="loss is not finite" if seed == 1 else "")
        written(VICIOUS, seed, shift=1, reason="out of memory" if seed == 2 else "")
    rows = written.out()
    assert set(rows["seeds"]) == {2}
    assert set(rows["failed"]) == {2}
    assert set(rows["reason"]) == {"seed 1: honest: loss is not finite; seed 2: vicious: out of memory"}
    assert rows["difference"].to_numpy() == pytest.approx(np.ones(len(COMPARED)), abs=0.1)


def test_a_cell_without_any_pair_keeps_its_rows(written):
    written(HONEST, reason="loss is not finite")
    written(VICIOUS)
    written(("vicious", "joint", "softmax", 1.0))
    rows = written.out()
    assert len(rows) == 2 * len(COMPARED)
    assert rows[["difference", "low", "high", "p", "n_images"]].isna().all(axis=None)
    assert set(rows["seeds"]) == {0}
    assert rows["reason"].iloc[-1] == "seed 0: there is no post-hoc attack on the honest model"


def test_a_summary_with_honest_models_only_gives_a_header(written):
    written(HONEST)
    assert written.out().empty


def test_damage_is_told(written, tmp_path):
    written(HONEST)
    written(VICIOUS)
    parquet = written.files[1].with_suffix(".parquet")
    frame = pd.read_parquet(parquet)
    for bad, words in (
        (frame.iloc[1:], "199 test images"),
        (frame.drop(columns="ssim"), "ssim"),
        (frame.assign(psnr=np.nan), "psnr is not finite"),
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


def test_results_that_do_not_belong_together_are_refused(written):
    written(HONEST)
    written(VICIOUS, data="other")
    with pytest.raises(MixedResultsError, match="data"):
        written.out()


def test_the_same_files_give_the_same_bytes(written):
    written(HONEST)
    written(VICIOUS)
    written.out()
    first = (written.folder / "comparisons.csv").read_bytes()
    written.out()
    assert (written.folder / "comparisons.csv").read_bytes() == first
