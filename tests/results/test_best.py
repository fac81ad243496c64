"""The best of several attacks: chosen on validation images for each measure, judged on test images."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from assessments_by_hand import Writer

from vicious.report.frames import groups
from vicious.results.assessments import read_assessments
from vicious.results.best import write_best
from vicious.results.comparisons import compare
from vicious.results.schema import CHOOSING, COMPARED, INTERVALS, MEDIANS, follows
from vicious.results.summaries import collect
from vicious.system.errors import DataError, MixedResultsError

IMAGES = 50
OF_IMAGES = ("image", "label", "predicted", "mse", *COMPARED, "psnr_class_mean")


@pytest.fixture
def attacks(tmp_path: Path, assessment: Any) -> "_Attacks":
    """Writes an attack on one target model: ``attacks(name, psnr=(on validation, on test))``."""
    return _Attacks(tmp_path, assessment)


class _Attacks(Writer):
    def __call__(
        self, attack: str, role: str = "vicious", seed: int = 0, reason: str = "", **means: tuple[float, float]
    ) -> pd.DataFrame:
        model = (role, attack, "logits", 0.0 if role == "honest" else 1.0)
        ranks = dict.fromkeys(MEDIANS, (1.0, 1.0))
        values = {name: means.get(name) or ranks.get(name, (0.5, 0.5)) for name in {*CHOOSING, *COMPARED, *INTERVALS}}
        spread = np.random.default_rng(len(attack)).normal(0, 0.01, 0 if reason else IMAGES)
        frame = pd.DataFrame(
            {name: test + spread - (spread.mean() if len(spread) else 0) for name, (_, test) in values.items()}
        )
        frame = frame.assign(image=np.arange(len(frame)), label=1, predicted=1, psnr_class_mean=10.0)
        frame = frame.astype({"image": np.int64, "label": np.int64, "predicted": np.int64})
        record = self.assessment("mnist", model, seed, reason, IMAGES)
        if not reason:
            record |= {name: test for name, (_, test) in values.items()}
            record |= {f"{name}_{end}": values[name][1] for name in INTERVALS for end in ("low", "high")}
            record |= {"validation": {name: values[name][0] for name in CHOOSING}, "psnr_class_mean": 10.0}
        file = self.write(record, frame[list(OF_IMAGES)])
        file.with_name(f"estimators-{attack}.csv").write_text(f"of {attack}\n")
        file.with_name(f"gallery-{attack}.npz").write_bytes(attack.encode())
        return frame

    def best(self, **which: Any) -> tuple[dict[str, Any], pd.DataFrame, Path]:
        files = [file for file in self.files if all(f"{value}" in str(file) for value in which.values())]
        out = files[0].with_name("risk-best-logits.json")
        write_best(files, out)
        return json.loads(out.read_text()), pd.read_parquet(out.with_suffix(".parquet")), out


def test_each_measure_has_the_attack_that_reads_the_most_from_validation_images(attacks: Any) -> None:
    sharp = attacks("joint", psnr=(18.0, 17.0), mse=(0.02, 0.021), ssim=(0.3, 0.3), risk95=(1.0, 1.1))
    alike = attacks("posthoc-other", psnr=(17.0, 19.0), mse=(0.03, 0.01), ssim=(0.6, 0.5), risk95=(1.4, 1.2))
    record, frame, _ = attacks.best()
    choices = {"mse": "joint", "psnr": "joint", "ssim": "posthoc-other", "risk95": "posthoc-other"}
    assert choices.items() <= record["choices"].items()
    assert (record["attack"], record["status"], record["n"]) == ("best", "ok", IMAGES)
    assert record["psnr"] == 17.0, "that the other reads more from test images has no say"
    assert (record["ssim"], record["risk95_high"], record["mse"]) == (0.5, 1.2, 0.021)
    for name, source in (("psnr", sharp), ("mse", sharp), ("ssim", alike), ("risk95", alike)):
        np.testing.assert_array_equal(frame[name], source[name])
    assert list(frame) == list(OF_IMAGES)
    assert frame["label"].dtype == np.int64
    assert record["rivals"] == ["joint", "posthoc-other"]


def test_of_several_as_good_the_one_with_the_smaller_error_is_taken_then_the_first(attacks: Any) -> None:
    attacks("joint", top1=(0.0, 0.0))
    attacks("posthoc", top1=(0.0, 0.1))
    record, _, out = attacks.best()
    assert set(record["choices"].values()) == {"joint"}
    attacks("posthoc-other", top1=(0.0, 0.2), mse=(0.4, 0.4))
    write_best(attacks.files, out)
    assert json.loads(out.read_text())["choices"]["top1"] == "posthoc-other"


def test_files_beside_are_those_of_the_attack_that_the_risk_and_the_psnr_chose(attacks: Any) -> None:
    attacks("joint", psnr=(18.0, 17.0))
    attacks("posthoc", risk=(1.2, 1.1))
    _, _, out = attacks.best()
    assert out.with_name("estimators-best-logits.csv").read_text() == "of posthoc\n"
    assert out.with_name("gallery-best-logits.npz").read_bytes() == b"joint"


def test_an_attack_that_failed_is_passed_over_and_all_that_failed_are_a_failure(attacks: Any) -> None:
    attacks("joint", reason="the loss is nan")
    attacks("posthoc")
    record, frame, out = attacks.best()
    assert set(record["choices"].values()) == {"posthoc"}
    assert (record["status"], len(frame)) == ("ok", IMAGES)
    assert record["failed_rivals"] == ["joint"]
    assert record["reason"] == "the best without what failed (joint: the loss is nan)"
    attacks("posthoc", reason="no memory")
    write_best(attacks.files[:1] + attacks.files[2:], out)
    record = json.loads(out.read_text())
    assert record["status"] == "failed"
    assert record["reason"] == "every attack failed (joint: the loss is nan; posthoc: no memory)"
    assert len(pd.read_parquet(out.with_suffix(".parquet"))) == 0
    assert collect(read_assessments([out]))["status"].tolist() == ["failed"]


def test_the_best_is_summarised_and_compared_with_the_best(attacks: Any) -> None:
    for seed in (0, 1):
        attacks("posthoc", "honest", seed, psnr=(14.0, 14.0))
        attacks("posthoc-other", "honest", seed, psnr=(15.0, 15.0))
        attacks("joint", "vicious", seed, psnr=(16.0, 16.0))
        attacks("posthoc-other", "vicious", seed, psnr=(18.0, 18.0))
    best = [attacks.best(role=role, seed=f"seed{seed}")[2] for role in ("honest", "vicious") for seed in (0, 1)]
    found = read_assessments([*attacks.files, *best])
    frame = collect(found)
    chosen = frame.loc[frame["attack"] == "best", "chosen"]
    assert all("psnr: posthoc-other" in words for words in chosen)
    assert (frame.loc[frame["attack"] != "best", "chosen"] == "").all()
    rows = compare(found).query("measure == 'psnr'").set_index("attack")
    assert rows.loc["joint", "difference"] == pytest.approx(2.0, abs=1e-6)
    assert rows.loc["best", "difference"] == pytest.approx(3.0, abs=1e-6)
    assert rows["seeds"].tolist() == [2, 2]


def test_the_best_of_fewer_attacks_is_named_and_not_compared(attacks: Any) -> None:
    for seed, reason in ((0, ""), (1, "the loss is nan")):
        attacks("posthoc", "honest", seed)
        attacks("posthoc-other", "honest", seed, reason=reason, psnr=(15.0, 15.0))
        attacks("joint", "vicious", seed, reason="no memory" if seed == 0 else "")
        attacks("posthoc-other", "vicious", seed, psnr=(18.0, 18.0))
    best = [attacks.best(role=role, seed=f"seed{seed}")[2] for role in ("honest", "vicious") for seed in (0, 1)]
    found = read_assessments([*attacks.files, *best])
    (row,) = compare(found).query("attack == 'best' and measure == 'psnr'").to_dict("records")
    assert (row["seeds"], row["failed"]) == (1, 1), "that honest models lack the joint attack is no difference"
    assert row["reason"] == "seed 1: not the best of the same attacks, since one failed: posthoc-other"
    (honest,) = groups(_complete(collect(found)), {"honest": "best"})
    (line,) = honest.failures()
    assert line.endswith("seed 1: the best without what failed (posthoc-other: the loss is nan)")


def _complete(frame: pd.DataFrame) -> pd.DataFrame:
    """With a number wherever one is missing: no cell lacks a measure."""
    for name in frame:
        if frame[name].isna().any():
            frame[name] = pd.to_numeric(frame[name], errors="coerce").fillna(1.0)
    return frame


def test_attacks_on_other_models_are_refused(attacks: Any) -> None:
    attacks("posthoc", seed=0)
    attacks("posthoc", seed=1)
    with pytest.raises(MixedResultsError, match="seed"):
        attacks.best()


def test_without_validation_images_nothing_is_chosen(attacks: Any) -> None:
    attacks("joint")
    attacks("posthoc")
    record = json.loads(attacks.files[1].read_text())
    del record["validation"]["ssim"]
    attacks.files[1].write_text(json.dumps(record))
    with pytest.raises(DataError, match="lacks ssim of validation images"):
        attacks.best()


def test_a_column_that_one_attack_lacks_is_named(attacks: Any) -> None:
    attacks("joint", ssim=(0.6, 0.6))
    attacks("posthoc", psnr=(20.0, 20.0))
    parquet = attacks.files[0].with_suffix(".parquet")
    pd.read_parquet(parquet).drop(columns="ssim").to_parquet(parquet)
    with pytest.raises(DataError, match="lacks ssim"):
        attacks.best()


def test_columns_follow_the_measure_that_they_belong_to() -> None:
    owners = {"psnr_low": "psnr", "n_perfect": "mse", "risk95_rank": "risk95", "risk_rank": "risk", "identity": "risk"}
    owners |= {"top10": "top1", "original_rank": "top1", "median_rank_low": "top1", "psnr_p99": "psnr", "top1": "top1"}
    assert {name: follows(name) for name in owners} == owners
