"""Assessment of an attack: per image, whole test set, baselines, summary."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from models_by_hand import F, G
from prepared_by_hand import write_prepared
from sklearn.metrics import balanced_accuracy_score

from vicious.attacks.assess import assess_risk, guess_by_label
from vicious.data.batches import Held
from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.metrics import measures
from vicious.metrics.answers import calibration_error
from vicious.metrics.moments import fit
from vicious.metrics.risk import Covariance, label_images, save_covariance
from vicious.models.checkpoint import load_model
from vicious.models.schedule import Schedule
from vicious.results.assessments import read_assessments
from vicious.results.schema import (
    BASELINE,
    COLUMNS,
    ESTIMATORS_OF_ONE,
    IN_SUMMARY,
    INTERVALS,
    PER_IMAGE,
    PLACES,
    RENAMED,
    SUMMARY,
)
from vicious.results.summaries import write_summary
from vicious.system.errors import CheckpointError, DataError, MixedResultsError
from vicious.system.files import read_json
from vicious.training.jobs import train_attack, train_honest, train_vicious

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vicious model with its joint attack, an honest one with a post-hoc attack, and the covariance, of
    ``prepared``."""
    place = tmp_path_factory.mktemp("models")
    prepared = load_prepared(write_prepared(tmp_path_factory.mktemp("data") / "prepared"))
    schedule = Schedule(1, 16, 0.002, 0)
    vicious, honest = place / "v/target.safetensors", place / "h/target.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        torch.set_num_threads(1)
        train_vicious(prepared, vicious, place / "v/joint.safetensors", F, G, "logits", 1.0, 1.0, schedule, CPU, "")
        train_honest(prepared, honest, F, schedule, CPU, "")
        train_attack(prepared.folder, honest, place / "h/posthoc.safetensors", G, "logits", schedule, CPU, "")
    save_covariance(fit(prepared), place / "covariance.safetensors", prepared.info.fingerprint)
    return place


@pytest.fixture
def study(models: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of these that a test may change."""
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    shutil.copytree(models, tmp_path, dirs_exist_ok=True)
    return tmp_path


def assess(study: Any, prepared: PreparedDataset, side: str = "v", attack: str = "joint", **changes: Any) -> Any:
    settings: dict[str, Any] = {
        "estimator": "truncated",
        "cutoff": 1.2e-7,
        "gallery_images": 3,
        "device": CPU,
    } | changes
    assess_risk(
        prepared.folder,
        study / "covariance.safetensors",
        study / side / "target.safetensors",
        study / side / f"{attack}.safetensors",
        study / side,
        **settings,
    )
    return read_json(study / side / f"risk-{attack}.json"), pd.read_parquet(study / side / f"risk-{attack}.parquet")


def test_every_test_image_is_measured_and_averaged(study: Any, prepared: PreparedDataset) -> None:
    summary, frame = assess(study, prepared)
    assert summary["n"] == len(frame) == prepared.info.n["test"]
    for name in ("accuracy", "mse", "psnr", "ssim", "risk", "risk95"):
        assert summary[name] == pytest.approx(frame[name].mean())
    assert (summary["role"], summary["attack"], summary["outputs"]) == ("vicious", "joint", "logits")
    assert summary["covariance_singular"] is True
    assert summary["risk_rank"] < 64
    known, single = {name for name in COLUMNS if name in frame}, {np.dtype(np.float32)}
    assert set(frame[[*measures.names(), "accuracy"]].dtypes) == single
    assert set(frame[[name for name in frame if name not in known]].dtypes) == single, "estimators are no headline"


def brute_force(study: Any, prepared: PreparedDataset) -> Any:
    """Rank of each original among all test images, and among those of its predicted class, by whole distances."""
    target = load_model(study / "v/target.safetensors", "target")[0]
    attack = load_model(study / "v/joint.safetensors", "attack")[0]
    ((images, *_),) = Held(prepared, "test", CPU).batches(1000)
    with torch.no_grad():
        logits = target(images)
        x, y = (batch.contiguous().flatten(1).double().numpy() for batch in (images, attack(logits)))
    squared = ((y[:, None] - x[None]) ** 2).sum(2)
    own, predicted = squared.diagonal()[:, None], logits.argmax(1).numpy()
    alike = predicted[:, None] == predicted
    places = (squared < own - 1e-9) + 0.5 * (abs(squared - own) <= 1e-9)
    return places.sum(1) + 0.5, (places * alike).sum(1) + 0.5, alike.sum(1)


def test_originals_are_sought_among_all_images_and_among_those_with_the_same_answer(
    study: Any, prepared: PreparedDataset
) -> None:
    summary, frame = assess(study, prepared)
    rank, rank_alike, alike = brute_force(study, prepared)
    n = summary["n"]
    assert frame["original_rank"].tolist() == pytest.approx(rank.tolist())
    assert frame["original_rank_same_answer"].tolist() == pytest.approx(rank_alike.tolist())
    assert frame["same_answer"].tolist() == alike.tolist()
    for end, places in (("", rank), ("_same_answer", rank_alike)):
        assert summary[f"median_rank{end}"] == pytest.approx(np.median(places))
        candidates = alike if end else np.full(n, n)
        assert summary[f"median_rank{end}_share"] == pytest.approx(np.median(places / candidates))
        for k in (1, 10):
            assert summary[f"top{k}{end}"] == pytest.approx(frame[f"top{k}{end}"].mean())
            assert summary[f"top{k}{end}_chance"] == pytest.approx(np.minimum(k / candidates, 1).mean())
    assert frame["top1"].sum() >= (rank == 1).sum()
    assert (frame["top1"] <= frame["top1_same_answer"]).all()


def test_a_label_alone_identifies_no_more_than_one_image_of_each_class(study: Any, prepared: PreparedDataset) -> None:
    summary, frame = assess(study, prepared)
    assert frame["top1_class_mean"].groupby(frame["predicted"]).sum().max() <= 1
    assert 0 <= summary["top1_class_mean"] <= frame["predicted"].nunique() / len(frame)


def test_the_summary_has_the_tail_and_an_interval_of_each_statistic(study: Any, prepared: PreparedDataset) -> None:
    summary, frame = assess(study, prepared)
    assert summary["psnr_p99"] == pytest.approx(np.percentile(frame["psnr"], 99))
    assert summary["psnr_worst1"] == pytest.approx(frame["psnr"].nlargest(-(-len(frame) // 100)).mean())
    assert set(SUMMARY.columns) - set(RENAMED) - {"chosen"} <= set(summary)
    for name in INTERVALS:
        assert summary[f"{name}_low"] <= summary[name] <= summary[f"{name}_high"]


def test_every_estimator_stands_beside_the_headline(study: Any, prepared: PreparedDataset) -> None:
    summary, frame = assess(study, prepared)
    profile = pd.read_csv(study / "v/estimators-joint.csv")
    assert tuple(profile.columns) == ESTIMATORS_OF_ONE.columns
    by_name = profile.set_index("estimator")
    assert by_name.loc["truncated 1.2e-07", "risk"] == pytest.approx(summary["risk"], rel=1e-6)
    assert by_name.loc["share 0.95", "risk"] == pytest.approx(summary["risk95"], rel=1e-6)
    assert by_name.loc["share 0.95", "rank"] == summary["risk95_rank"]
    for name, row in by_name.iterrows():
        assert frame[name].mean() == pytest.approx(row["risk"], rel=1e-4)
    # plain distances: the share of the error outside is 0, and R is the ratio of root mean squared errors
    covariance = fit(prepared)
    x = prepared.images("test").reshape(summary["n"], -1) / 255
    ratio = np.sqrt(((x - covariance.mean) ** 2).mean(1) / frame["mse"])
    assert frame["identity"].to_numpy() == pytest.approx(ratio.to_numpy(), rel=1e-4)
    assert by_name.loc["identity", "error_outside"] == 0
    assert by_name.loc["identity", "risk_float32"] == pytest.approx(by_name.loc["identity", "risk"], rel=1e-3)
    outside = profile.loc[profile["kind"] == "share", "error_outside"].to_numpy()
    assert (np.diff(outside) <= 1e-12).all(), "keeping more leaves less outside"


def test_the_gallery_holds_the_images_at_most_and_least_risk(study: Any, prepared: PreparedDataset) -> None:
    _, frame = assess(study, prepared)
    with np.load(study / "v/gallery-joint.npz", allow_pickle=False) as gallery:
        for end, expected in (("highest", frame.nlargest(3, "risk95")), ("lowest", frame.nsmallest(3, "risk95"))):
            assert gallery[f"{end}_risk95"] == pytest.approx(expected["risk95"].to_numpy())
            chosen = prepared.images("test")[gallery[f"{end}_image"]]
            assert np.array_equal(gallery[f"{end}_originals"], chosen)
            error = (gallery[f"{end}_reconstructions"] / 255.0 - chosen / 255.0) ** 2
            assert error.mean((1, 2, 3)) == pytest.approx(expected["mse"].to_numpy(), rel=0.05)


@pytest.fixture(scope="module")
def of_attributes(tmp_path_factory: pytest.TempPathFactory) -> Covariance:
    """The covariance of ``prepared_attributes``."""
    return fit(load_prepared(write_prepared(tmp_path_factory.mktemp("data") / "a", channels=3, multilabel=True)))


def test_attributes_are_judged_one_by_one(
    prepared_attributes: PreparedDataset, of_attributes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train_honest(prepared_attributes, tmp_path / "h/target.safetensors", F, Schedule(1, 16, 0.002, 0), CPU, "")
    train_attack(
        prepared_attributes.folder, tmp_path / "h/target.safetensors", tmp_path / "h/posthoc.safetensors", G,
        "logits", Schedule(1, 16, 0.002, 0), CPU, "",
    )  # fmt: skip
    save_covariance(of_attributes, tmp_path / "covariance.safetensors", prepared_attributes.info.fingerprint)
    summary, frame = assess(tmp_path, prepared_attributes, "h", "posthoc")
    assert len(summary["attributes"]) == 4
    assert frame["same_answer"].between(1, len(frame)).all()
    assert (frame["original_rank_same_answer"] <= frame["same_answer"]).all()
    assert np.mean([row["accuracy"] for row in summary["attributes"]]) == pytest.approx(summary["accuracy"])
    labels = prepared_attributes.labels("test")
    target, _ = load_model(tmp_path / "h/target.safetensors", "target")
    with torch.no_grad():
        ((images, *_),) = Held(prepared_attributes, "test", CPU).batches(1000)
        answers = target(images).numpy() >= 0
    expected = [balanced_accuracy_score(labels[:, k], answers[:, k]) for k in range(4)]
    assert [row["balanced"] for row in summary["attributes"]] == pytest.approx(expected)
    share = labels.mean(0)
    assert [row["majority"] for row in summary["attributes"]] == pytest.approx(np.maximum(share, 1 - share).tolist())


def test_a_failed_training_is_a_failed_row_and_not_an_image(study: Any, prepared: PreparedDataset) -> None:
    train_honest(prepared, study / "f/target.safetensors", F, Schedule(1, 16, 1e30, 1), CPU, "")
    train_attack(
        prepared.folder, study / "f/target.safetensors", study / "f/posthoc.safetensors", G, "logits",
        Schedule(1, 16, 0.002, 1), CPU, "",
    )  # fmt: skip
    summary, frame = assess(study, prepared, "f", "posthoc")
    assert summary["status"] == "failed"
    assert "learning_rate" in summary["reason"]
    assert len(frame) == 0
    assert {*PER_IMAGE, *PLACES, *BASELINE} <= set(frame)
    with np.load(study / "f/gallery-posthoc.npz", allow_pickle=False) as gallery:
        assert {len(gallery[name]) for name in gallery.files} == {0}
    summary["target"]["schedule"]["learning_rate"] = 0.002  # a learning rate that fails now and then
    (study / "f/risk-posthoc.json").write_text(json.dumps(summary))
    assess(study, prepared)
    write_summary([study / "v/risk-joint.json", study / "f/risk-posthoc.json"], study / "summary.csv")
    rows = pd.read_csv(study / "summary.csv").set_index("role")
    assert rows.loc["honest", "status"] == "failed"
    assert rows.loc["honest", ["n", "psnr", "risk", "accuracy", "top1", "median_rank", "psnr_p99"]].isna().all()
    assert rows.loc["vicious", list(IN_SUMMARY)].notna().all()


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory, models: Any) -> Path:
    """The models of another seed, and what belongs to other data of the same shape."""
    place = tmp_path_factory.mktemp("others")
    prepared = load_prepared(write_prepared(tmp_path_factory.mktemp("data") / "prepared"))
    other = load_prepared(write_prepared(tmp_path_factory.mktemp("data") / "other", seed=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        train_vicious(
            prepared, place / "v/target.safetensors", place / "v/joint.safetensors", F, G, "logits", 1.0, 1.0,
            Schedule(1, 16, 0.002, 1), CPU, "",
        )  # fmt: skip
    save_covariance(fit(other), place / "covariance.safetensors", other.info.fingerprint)
    return place


MIXED = {
    "the covariance of other data": ("covariance.safetensors", "covariance.safetensors", "of other data"),
    "the joint attack of another seed": ("v/joint.*", "v", "another target model"),
    "the target model of another seed": ("v/target.*", "v", "another target model"),
    "the weights of another seed": ("v/target.safetensors", "v", "not of one training"),
    "the record of another seed": ("v/target.json", "v", "not of one training"),
    "the attack's weights of another seed": ("v/joint.safetensors", "v", "not of one training"),
    "the attack's record of another seed": ("v/joint.json", "v", "not of one training"),
}


@pytest.mark.parametrize("kind", MIXED)
def test_files_of_two_trainings_or_datasets_are_not_taken_together(
    study: Any, others: Path, prepared: PreparedDataset, kind: str
) -> None:
    pattern, place, message = MIXED[kind]
    for file in others.glob(pattern):
        shutil.copy(file, study / place)
    with pytest.raises((CheckpointError, DataError), match=message):
        assess(study, prepared)


def test_an_honest_model_is_not_read_by_a_joint_attack(study: Any, prepared: PreparedDataset) -> None:
    for name in ("joint.safetensors", "joint.json"):
        shutil.copy(study / "v" / name, study / "h" / name)
    with pytest.raises(CheckpointError, match="another target model"):
        assess(study, prepared, "h", "joint")


@pytest.mark.parametrize(
    "change",
    [{"role": "honest"}, {"beta_r": 9.0}, {"schedule": {"seed": 7}}, {"failure": "another"}, {"n": {"test": 1}}],
)
def test_an_altered_record_is_noticed(study: Any, prepared: PreparedDataset, change: dict[str, Any]) -> None:
    record = read_json(study / "v/target.json")
    ((key, value),) = change.items()
    altered = {**record[key], **value} if isinstance(value, dict) else value
    (study / "v/target.json").write_text(json.dumps({**record, key: altered}))
    with pytest.raises(CheckpointError, match=r"target.safetensors and target.json are not of one training"):
        assess(study, prepared)


def test_a_crash_between_record_and_weights_is_noticed(
    study: Any, others: Path, prepared: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a full disk leaves them: the new record beside the weights that were there before."""
    from vicious.models import checkpoint

    monkeypatch.setattr(checkpoint, "write_bytes", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train_honest(prepared, study / "h/target.safetensors", F, Schedule(1, 16, 0.002, 5), CPU, "")
    with pytest.raises(CheckpointError, match="not of one training"):
        assess(study, prepared, "h", "posthoc")


def test_batches_do_not_matter(study: Any, prepared: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, frame = assess(study, prepared)
    monkeypatch.setattr("vicious.attacks.assess.EVALUATION_BATCH", 7)
    parts, frame7 = assess(study, prepared)
    for name in frame:
        assert frame7[name].to_numpy() == pytest.approx(frame[name].to_numpy(), rel=1e-3, abs=1e-5)
    assert parts["n"] == whole["n"]


def test_the_gallery_holds_images_as_bytes_without_pickle(study: Any, prepared: PreparedDataset) -> None:
    assess(study, prepared)
    with np.load(study / "v/gallery-joint.npz", allow_pickle=False) as gallery:
        assert gallery["originals"].tolist() == prepared.images("test")[:3].tolist()
        assert gallery["reconstructions"].shape == (3, 1, 32, 32)
        assert gallery["reconstructions"].dtype == np.uint8


def test_the_same_assessment_gives_the_same_bytes(study: Any, prepared: PreparedDataset) -> None:
    assess(study, prepared)
    names = ("risk-joint.parquet", "risk-joint.json", "estimators-joint.csv", "gallery-joint.npz")
    first = [(study / "v" / name).read_bytes() for name in names]
    assess(study, prepared)
    assert [(study / "v" / name).read_bytes() for name in names] == first


def test_label_baseline_is_the_mean_image_of_the_predicted_class(prepared: PreparedDataset) -> None:
    images = np.concatenate([prepared.images(split) for split in ("train", "validation")]).reshape(64, -1) / 255
    labels = np.concatenate([prepared.labels(split) for split in ("train", "validation")])
    guess = guess_by_label(torch.eye(4)[[2, 0]], label_images(fit(prepared), None, False), multilabel=False)
    assert guess[0] == pytest.approx(images[labels == 2].mean(0))
    assert guess[1] == pytest.approx(images[labels == 0].mean(0))


def test_a_task_of_merged_classes_is_trained_attacked_and_assessed(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    schedule, task = Schedule(1, 16, 0.002, 0), prepared.merge(2)
    target, attack = tmp_path / "m/target.safetensors", tmp_path / "m/posthoc.safetensors"
    train_honest(task, target, F, schedule, CPU, "")
    train_attack(prepared.folder, target, attack, G, "logits", schedule, CPU, "")
    save_covariance(fit(prepared), tmp_path / "covariance.safetensors", prepared.info.fingerprint)
    summary, _ = assess(tmp_path, prepared, "m", "posthoc")
    assert (summary["status"], summary["k"], summary["task"]) == ("ok", 2, f"{prepared.info.name}-merged2")
    network = load_model(target, "target")[0]
    ((images, labels, *_),) = Held(task, "test", CPU).batches(1000)
    with torch.no_grad():
        predicted = network(images).argmax(1).numpy()
    assert set(np.unique(labels)) <= {0, 1}
    seen = [np.concatenate([one(split) for split in ("train", "validation")]) for one in (task.images, task.labels)]
    rows, groups = seen[0].reshape(len(seen[0]), -1) / 255, seen[1]
    means = np.stack([rows[groups == group].mean(0) for group in range(2)])
    errors = ((prepared.images("test").reshape(len(predicted), -1) / 255 - means[predicted]) ** 2).mean(1)
    assert summary["psnr_class_mean"] == pytest.approx((-10 * np.log10(errors)).mean(), rel=1e-4)


def test_attributes_have_a_label_baseline(of_attributes: Any) -> None:
    images = label_images(of_attributes, None, True)
    guess = guess_by_label(torch.tensor([[1.0, -1.0, 1.0, -1.0]]), images, multilabel=True)
    assert guess.shape == (1, 3072)
    assert (guess >= 0).all()
    assert (guess <= 1).all()


def test_models_of_another_dataset_are_refused(study: Any, prepared_attributes: PreparedDataset) -> None:
    with pytest.raises(CheckpointError, match="was trained on mnist"):
        assess(study, prepared_attributes)


def test_an_attack_on_another_target_model_is_refused(study: Any, prepared: PreparedDataset) -> None:
    (study / "v/posthoc.safetensors").write_bytes((study / "h/posthoc.safetensors").read_bytes())
    (study / "v/posthoc.json").write_bytes((study / "h/posthoc.json").read_bytes())
    with pytest.raises(CheckpointError, match="another target model"):
        assess(study, prepared, "v", "posthoc")


def test_summary_has_a_row_per_model_and_attack(study: Any, prepared: PreparedDataset) -> None:
    assess(study, prepared)
    assess(study, prepared, "h", "posthoc")
    write_summary([study / "v/risk-joint.json", study / "h/risk-posthoc.json"], study / "summary.csv")
    frame = pd.read_csv(study / "summary.csv")
    assert tuple(frame.columns) == SUMMARY.columns
    assert frame[["role", "attack"]].to_numpy().tolist() == [["honest", "posthoc"], ["vicious", "joint"]]
    assert frame["status"].tolist() == ["ok", "ok"]
    assert frame["beta_r"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("data",), "other", "data"),
        (("risk_estimator",), "ridge 1", "estimator"),
        (("target", "schedule", "epochs"), 99, "schedule"),
        (("attacker", "schedule", "batch_images"), 99, "attack schedule"),
        (("target", "schedule", "rate"), "one_cycle", "schedule"),
        (("target", "schedule", "average"), 0.9, "schedule"),
        (("target", "architecture", "width"), 5, "width"),
    ],
)
def test_results_of_different_settings_are_not_mixed(
    study: Any, prepared: PreparedDataset, path: Any, value: int | str, words: str
) -> None:
    assess(study, prepared)
    record, _ = assess(study, prepared, "h", "posthoc")
    place = record
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    (study / "h/risk-posthoc.json").write_text(json.dumps(record))
    with pytest.raises(MixedResultsError, match=words):
        read_assessments([study / "v/risk-joint.json", study / "h/risk-posthoc.json"])


def test_an_attack_model_may_have_a_schedule_of_its_own(study: Any, prepared: PreparedDataset) -> None:
    assess(study, prepared)
    record, _ = assess(study, prepared, "h", "posthoc")
    record["attack"] = "posthoc-conditioned"
    record["attacker"]["schedule"]["epochs"] = 99
    (study / "h/risk-posthoc.json").write_text(json.dumps(record))
    assert len(read_assessments([study / "v/risk-joint.json", study / "h/risk-posthoc.json"])) == 2


def test_a_failed_cell_hides_no_difference_between_the_others(study: Any, prepared: PreparedDataset) -> None:
    record, _ = assess(study, prepared)
    files = [study / f"v/risk-{name}.json" for name in ("failed", "one", "two")]
    changes: tuple[dict[str, str], ...] = ({"status": "failed"}, {}, {"risk_estimator": "ridge 1"})
    for seed, (file, change) in enumerate(zip(files, changes, strict=True)):
        file.write_text(json.dumps(record | {"seed": seed} | change))
    read_assessments(files[:2])
    with pytest.raises(MixedResultsError, match="risk_estimator"):
        read_assessments(files)


def test_vicious_models_of_different_beta_c_are_not_mixed(study: Any, prepared: PreparedDataset) -> None:
    record, _ = assess(study, prepared)
    files = [study / "v/risk-joint.json", study / "v/risk-other.json"]
    files[1].write_text(json.dumps(record | {"seed": 1, "beta_c": 9.0}))
    with pytest.raises(MixedResultsError, match="beta_c of vicious"):
        read_assessments(files)


def test_one_cell_twice_is_refused(study: Any, prepared: PreparedDataset) -> None:
    assess(study, prepared)
    with pytest.raises(MixedResultsError, match="two results"):
        read_assessments([study / "v/risk-joint.json", study / "v/risk-joint.json"])


def test_answers_are_measured_as_they_are_sent(study: Any, prepared: PreparedDataset) -> None:
    target = study / "h/target.safetensors"
    schedule = Schedule(1, 16, 0.002, 0)
    for outputs in ("label", "noise0.9"):
        train_attack(prepared.folder, target, study / f"h/posthoc-{outputs}.safetensors", G, outputs, schedule, CPU, "")
    told, _ = assess(study, prepared, "h", "posthoc")
    label, frame = assess(study, prepared, "h", "posthoc-label")
    noisy, noisy_frame = assess(study, prepared, "h", "posthoc-noise0.9")
    assert label["outputs"] == "label"
    assert label["accuracy"] == told["accuracy"]
    assert label["calibration_error"] == pytest.approx(1 - label["accuracy"], abs=1e-6), "labels are told as certain"
    assert frame["mse"].nunique() > 1
    model = load_model(target, "target")[0]
    images = torch.from_numpy(np.asarray(prepared.images("test")) / 255).float()
    labels = torch.from_numpy(np.asarray(prepared.labels("test")))
    with torch.no_grad():
        probabilities = model(images).softmax(1)
    assert told["calibration_error"] == pytest.approx(calibration_error(probabilities, labels), abs=1e-6)
    assert noisy["accuracy"] < 0.9
    pd.testing.assert_frame_equal(assess(study, prepared, "h", "posthoc-noise0.9")[1], noisy_frame)


def test_a_gallery_shows_what_was_measured_noise_and_all(study: Any, prepared: PreparedDataset) -> None:
    target = study / "h/target.safetensors"
    attack = study / "h/posthoc-noise0.5.safetensors"
    train_attack(prepared.folder, target, attack, G, "noise0.5", Schedule(1, 16, 0.002, 0), CPU, "")
    _, frame = assess(study, prepared, "h", "posthoc-noise0.5", gallery_images=40)
    shown = np.load(study / "h/gallery-posthoc-noise0.5.npz", allow_pickle=False)
    error = ((shown["originals"] / 255.0 - shown["reconstructions"] / 255.0) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(error, frame["mse"], atol=2e-4)
