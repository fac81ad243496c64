"""Agreement of R with image quality: by hand on tiny examples, against scipy, and with failures."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from assessments_by_hand import AUTOENCODER, HONEST, VICIOUS, Writer
from scipy import stats

from vicious.results.agreement import order_agreement, spearman, write_estimators
from vicious.results.schema import AGREEMENT, ESTIMATORS, ESTIMATORS_OF_ONE
from vicious.system.errors import DataError, MixedResultsError

SETTINGS = (("share 0.95", "share", 0.95), ("ridge 0.01", "ridge", 0.01), ("identity", "identity", np.nan))
NAMES = [name for name, *_ in SETTINGS]


@pytest.fixture
def written(tmp_path: Path, assessment: Any) -> "_Writer":
    """Writes assessments from columns of numbers; ``written.out()`` gives both tables."""
    return _Writer(tmp_path, assessment)


class _Writer(Writer):
    def __call__(
        self,
        columns: Any,
        model: Any = VICIOUS,
        seed: int = 0,
        task: str = "mnist",
        reason: str = "",
        settings: Any = SETTINGS,
        **changes: Any,
    ) -> pd.DataFrame:
        frame = pd.DataFrame(columns, dtype=np.float32)
        frame.insert(0, "image", np.arange(len(frame)))
        file = self.write(self.assessment(task, model, seed, reason), frame, **changes)
        rows = [] if reason else [_profile(frame, *setting) for setting in settings]
        table = pd.DataFrame(rows, columns=list(ESTIMATORS_OF_ONE.columns))
        table.to_csv(file.with_name(f"estimators-{model[1]}.csv"), index=False)
        return frame

    def out(self) -> tuple[Any, ...]:
        paths = self.folder / "estimators.csv", self.folder / "agreement.csv"
        write_estimators(self.files, *paths)
        return tuple(pd.read_csv(path) for path in paths)


def _profile(frame: Any, name: str, kind: Any, parameter: Any) -> dict[Any, Any]:
    told = {"estimator": name, "kind": kind, "parameter": parameter, "rank": 7, "pixels": 1024, "share": 0.96}
    return told | {"risk": frame[name].mean(), "risk_class_mean": 1.1, "risk_float32": 0.9, "error_outside": 0.2}


def _columns(psnr: Any, ssim: Any, *risks: Any) -> dict[Any, Any]:
    return {"psnr": psnr, "ssim": ssim, **dict(zip(NAMES, risks, strict=True))}


def test_a_hand_made_example_with_ties(written: Any) -> None:
    # image by image: PSNR says vicious is better, better, worse; SSIM better, a tie, better
    written(_columns([10, 20, 30], [0.1, 0.5, 0.3], [1, 1, 1], [1, 1, 1], [1, 1, 1]), HONEST)
    written(_columns([11, 21, 29], [0.2, 0.5, 0.4], [2, 2, 0.5], [2, 0.5, 2], [1, 1, 2]), VICIOUS)
    profile, table = written.out()
    assert tuple(profile.columns) == ESTIMATORS.columns
    assert tuple(table.columns) == AGREEMENT.columns
    found = table.set_index(["reference", "estimator"])
    assert found.loc["psnr", "agree"].tolist() == pytest.approx([1, 1 / 3, (0.5 + 0.5 + 0) / 3])
    # the last in place of R: PSNR itself, held against SSIM
    by_psnr = (1 + 0.5 + 0) / 3
    assert found.loc["ssim", "agree"].tolist() == pytest.approx([(1 + 0.5 + 0) / 3, (1 + 0.5 + 1) / 3, 2 / 3, by_psnr])
    assert found.loc["ssim"].index[-1] == "psnr"
    expected = np.mean(
        [stats.spearmanr(*pair).statistic for pair in (([10, 20, 30], [1, 5, 3]), ([11, 21, 29], [2, 5, 4]))]
    )
    assert found.loc[("ssim", "psnr"), "spearman"] == pytest.approx(expected)
    # means over images: PSNR 20 and 61/3, SSIM 0.3 and 11/30; R above 1 for the vicious model under every estimator
    assert found["agree_models"].tolist() == [1.0] * 7
    assert set(found["pairs"]) == {1}
    assert set(found["models"]) == {2}
    assert set(found["n_images"]) == {3}
    # R of the honest model does not vary, so only the vicious one has a rank correlation: R (2, 2, 0.5), PSNR (11, 21,
    # 29)
    expected = stats.spearmanr([2, 2, 0.5], [11, 21, 29]).statistic
    assert found.loc[("psnr", "share 0.95"), "spearman"] == pytest.approx(expected)


def test_the_agreement_is_of_the_originals_attacks_alone(written: Any) -> None:
    generator = np.random.default_rng(1)
    for model in (HONEST, VICIOUS):
        written(_random(generator), model)
    _, alone = written.out()
    for role, _, *rest in (HONEST, VICIOUS):
        for attack in ("posthoc-other", "best"):
            written(_random(generator), (role, attack, *rest))
    profile, beside = written.out()
    pd.testing.assert_frame_equal(alone, beside)
    assert set(profile["attack"]) == {"posthoc", "joint", "posthoc-other", "best"}


def test_a_higher_risk_of_the_better_reconstruction_is_agreement() -> None:
    quality = np.array([[1.0, 2.0], [3.0, 4.0]])
    values = np.stack([quality, -quality, np.ones((2, 2))], axis=2)
    assert order_agreement(values, quality).tolist() == [1.0, 0.0, 0.5]
    assert np.isnan(order_agreement(values[:1], quality[:1])).all()


def test_shares_are_over_images_pairs_and_seeds_and_rank_correlations_are_scipys(written: Any) -> None:
    generator = np.random.default_rng(0)
    models = (HONEST, VICIOUS, AUTOENCODER, ("vicious", "joint", "softmax", 3.0))
    frames = {
        (model, seed): written(_random(generator), model, seed)
        for model in models
        for seed in range(3)
        if (model, seed) != (AUTOENCODER, 2)
    }
    written({name: [] for name in _NAMES}, AUTOENCODER, 2, reason="loss is not finite")
    profile, table = written.out()
    for row in table.itertuples():
        scores, means, ranks = [], [], []
        for seed in range(3):
            here = [frame for (_, own), frame in frames.items() if own == seed]
            for index, one in enumerate(here):
                ranks.append(stats.spearmanr(one[row.estimator], one[row.reference]).statistic)
                for two in here[:index]:
                    for left, right in zip(
                        zip(one[row.estimator], one[row.reference], strict=True),
                        zip(two[row.estimator], two[row.reference], strict=True),
                        strict=True,
                    ):
                        scores.append(_score(left, right))
                    means.append(
                        _score(
                            (one[row.estimator].astype(float).mean(), one[row.reference].astype(float).mean()),
                            (two[row.estimator].astype(float).mean(), two[row.reference].astype(float).mean()),
                        )
                    )
        assert row.agree == pytest.approx(np.mean(scores), rel=1e-6)
        assert row.agree_models == pytest.approx(np.mean(means), rel=1e-6)
        assert row.spearman == pytest.approx(np.mean(ranks), rel=1e-6)
        assert (row.pairs, row.models) == (6 + 6 + 3, 11)
    assert len(table) == len(NAMES) * 2 + 1, "and PSNR in place of R, held against SSIM"
    failed = profile.loc[profile["status"] == "failed"]
    assert failed[["role", "seed", "reason"]].to_numpy().tolist() == [["autoencoder", 2, "loss is not finite"]]
    assert failed[["estimator", "rank", "risk", "error_outside"]].isna().all(axis=None)
    assert len(profile) == 11 * len(NAMES) + 1


def _random(generator: Any) -> dict[Any, Any]:
    """Correlated columns of few values, so that there are ties."""
    matrix = generator.integers(0, 6, (40, 5)) @ (np.eye(5) + 0.5 * np.ones((5, 5)))
    return dict(zip(_NAMES, 0.02 * matrix.T + 0.1, strict=True))


_NAMES = ["psnr", "ssim", *NAMES]


def _score(one: Any, two: Any) -> float:
    risk, quality = np.sign(one[0] - two[0]), np.sign(one[1] - two[1])
    return 0.5 if not risk or not quality else float(risk == quality)


def test_spearman_is_scipys_with_ties_and_without_variation() -> None:
    generator = np.random.default_rng(1)
    values, reference = generator.integers(0, 9, (50, 3)).astype(float), generator.integers(0, 9, 50).astype(float)
    values[:, 2] = 4
    expected = [stats.spearmanr(values[:, index], reference).statistic for index in range(2)]
    assert spearman(values, reference)[:2] == pytest.approx(expected)
    assert np.isnan(spearman(values, reference)[2])


def test_another_reference_is_used_where_every_attack_has_it(written: Any) -> None:
    base = _columns([10, 20, 30], [0.1, 0.5, 0.3], *[[1, 1, 1]] * 3)
    better = _columns([11, 21, 31], [0.2, 0.6, 0.4], *[[2, 2, 2]] * 3)
    written(base | {"lpips": [0.5, 0.5, 0.5]}, HONEST)
    written(better | {"lpips": [0.4, 0.4, 0.6]}, VICIOUS)
    written(base | {"lpips": [0.5, 0.5, 0.5]}, HONEST, task="cifar10")
    written(better, VICIOUS, task="cifar10")
    _, table = written.out()
    found = table.set_index(["task", "reference", "estimator"])["agree"]
    # LPIPS is a distance: smaller is better.
    assert found["mnist", "lpips", "identity"] == pytest.approx(2 / 3)
    assert sorted(set(found["cifar10"].index.get_level_values(0))) == ["psnr", "ssim"]


def test_one_model_alone_has_no_pairs_but_a_rank_correlation(written: Any) -> None:
    written(_columns([10, 20, 30], [0.1, 0.5, 0.3], [1, 2, 3], [3, 2, 1], [1, 1, 2]), HONEST)
    written({name: [] for name in _NAMES}, VICIOUS, reason="loss is not finite")
    _, table = written.out()
    found = table.loc[table["reference"] == "psnr"].set_index("estimator")
    assert found[["agree", "agree_models"]].isna().all(axis=None)
    assert found["spearman"].tolist() == pytest.approx([1, -1, np.sqrt(3) / 2])
    assert set(found["pairs"]) == {0}


def test_a_task_where_all_failed_keeps_a_row_for_each_reference(written: Any) -> None:
    written({name: [] for name in _NAMES}, HONEST, reason="a")
    written({name: [] for name in _NAMES}, VICIOUS, reason="b")
    profile, table = written.out()
    assert profile["reason"].tolist() == ["a", "b"]
    assert table["reference"].tolist() == ["psnr", "ssim"]
    assert table[["estimator", "agree", "spearman"]].isna().all(axis=None)
    assert set(table["models"]) == {0}


def test_damage_is_told(written: Any) -> None:
    columns = _columns([10, 20, 30], [0.1, 0.5, 0.3], *[[1, 2, 3]] * 3)
    written(columns, HONEST)
    written(columns, VICIOUS)
    parquet = written.files[1].with_suffix(".parquet")
    profile = written.files[1].with_name("estimators-joint.csv")
    frame, rows = pd.read_parquet(parquet), pd.read_csv(profile)
    frame.drop(columns="identity").to_parquet(parquet)
    with pytest.raises(DataError, match="identity"):
        written.out()
    frame.assign(image=[2, 1, 0]).to_parquet(parquet)
    with pytest.raises(DataError, match="different test images"):
        written.out()
    frame.to_parquet(parquet)
    for bad, error, words in (
        (rows.drop(columns="share"), DataError, "share is missing.*again"),
        (rows.iloc[:0], DataError, "no rows"),
        (rows.iloc[:2], MixedResultsError, "different estimators"),
    ):
        bad.to_csv(profile, index=False)
        with pytest.raises(error, match=words):
            written.out()
    profile.unlink()
    with pytest.raises(DataError, match=r"estimators-joint\.csv"):
        written.out()


def test_the_same_files_give_the_same_bytes(written: Any) -> None:
    columns = _columns([10, 20, 30], [0.1, 0.5, 0.3], *[[1, 2, 3]] * 3)
    written(columns, HONEST)
    written(columns, VICIOUS)
    written.out()
    paths = [written.folder / "estimators.csv", written.folder / "agreement.csv"]
    first = [path.read_bytes() for path in paths]
    written.out()
    assert [path.read_bytes() for path in paths] == first
