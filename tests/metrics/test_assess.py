"""Assessment of an attack: per image, whole test set, baselines, summary."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from vicious.errors import CheckpointError, MixedResultsError
from vicious.files import read_json
from vicious.metrics.assess import assess_risk, predicted_label_images
from vicious.metrics.moments import fit
from vicious.metrics.risk import save_covariance
from vicious.metrics.summary import COLUMNS, collect, interval, write_summary
from vicious.training.jobs import train_attack, train_honest, train_vicious
from vicious.training.loop import Schedule

CPU = torch.device("cpu")


@pytest.fixture
def study(prepared, tmp_path, monkeypatch):
    """A vicious model with its joint attack, an honest one with a post-hoc attack, and the covariance."""
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    schedule = Schedule(1, 16, 0.002, 0)
    folder = prepared.folder
    train_vicious(
        prepared,
        tmp_path / "v/target.safetensors",
        tmp_path / "v/joint.safetensors",
        10,
        1,
        "logits",
        1.0,
        1.0,
        schedule,
        CPU,
    )
    train_honest(prepared, tmp_path / "h/target.safetensors", 10, 1, schedule, CPU)
    train_attack(
        folder, tmp_path / "h/target.safetensors", tmp_path / "h/posthoc.safetensors", 10, 1, "logits", schedule, CPU
    )
    save_covariance(fit(prepared), tmp_path / "covariance.safetensors")
    return tmp_path


def assess(study, prepared, side="v", attack="joint", **changes):
    settings = {"estimator": "truncated", "cutoff": 1.2e-7, "share": 0.95, "gallery_images": 3, "device": CPU} | changes
    assess_risk(
        prepared.folder,
        study / "covariance.safetensors",
        study / side / "target.safetensors",
        study / side / f"{attack}.safetensors",
        study / side / "risk.parquet",
        study / side / "risk.json",
        study / side / "gallery.npz",
        **settings,
    )
    return read_json(study / side / "risk.json"), pd.read_parquet(study / side / "risk.parquet")


def test_every_test_image_is_measured_and_averaged(study, prepared):
    summary, frame = assess(study, prepared)
    assert summary["n"] == len(frame) == prepared.info.n["test"]
    for name in ("accuracy", "mse", "psnr", "ssim", "risk", "risk95"):
        assert summary[name] == pytest.approx(frame[name].mean())
    assert (summary["role"], summary["attack"], summary["outputs"]) == ("vicious", "joint", "logits")
    assert summary["covariance_singular"] is True
    assert summary["risk_rank"] < 64


def test_batches_do_not_matter(study, prepared, monkeypatch):
    whole, frame = assess(study, prepared)
    monkeypatch.setattr("vicious.metrics.assess.EVALUATION_BATCH", 7)
    parts, frame7 = assess(study, prepared)
    for name in frame:
        assert frame7[name].to_numpy() == pytest.approx(frame[name].to_numpy(), rel=1e-3, abs=1e-5)
    assert parts["n"] == whole["n"]


def test_the_gallery_holds_images_as_bytes_without_pickle(study, prepared):
    assess(study, prepared)
    with np.load(study / "v/gallery.npz", allow_pickle=False) as gallery:
        assert gallery["originals"].tolist() == prepared.images("test")[:3].tolist()
        assert gallery["reconstructions"].shape == (3, 1, 32, 32)
        assert gallery["reconstructions"].dtype == np.uint8


def test_the_same_assessment_gives_the_same_bytes(study, prepared):
    assess(study, prepared)
    first = [(study / "v" / name).read_bytes() for name in ("risk.parquet", "risk.json", "gallery.npz")]
    assess(study, prepared)
    assert [(study / "v" / name).read_bytes() for name in ("risk.parquet", "risk.json", "gallery.npz")] == first


def test_label_baseline_is_the_mean_image_of_the_predicted_class(prepared):
    images = np.concatenate([prepared.images(split) for split in ("train", "validation")]).reshape(64, -1) / 255
    labels = np.concatenate([prepared.labels(split) for split in ("train", "validation")])
    guess = predicted_label_images(torch.eye(4)[[2, 0]], fit(prepared), multilabel=False)
    assert guess[0] == pytest.approx(images[labels == 2].mean(0))
    assert guess[1] == pytest.approx(images[labels == 0].mean(0))


def test_attributes_have_a_label_baseline(prepared_attributes):
    guess = predicted_label_images(torch.tensor([[1.0, -1.0, 1.0, -1.0]]), fit(prepared_attributes), multilabel=True)
    assert guess.shape == (1, 3072)
    assert (guess >= 0).all()
    assert (guess <= 1).all()


def test_models_of_another_dataset_are_refused(study, prepared_attributes):
    with pytest.raises(CheckpointError, match="was trained on MNIST"):
        assess(study, prepared_attributes)


def test_an_attack_on_another_target_model_is_refused(study, prepared):
    (study / "v/posthoc.safetensors").write_bytes((study / "h/posthoc.safetensors").read_bytes())
    (study / "v/posthoc.json").write_bytes((study / "h/posthoc.json").read_bytes())
    with pytest.raises(CheckpointError, match="another target model"):
        assess(study, prepared, "v", "posthoc")


def test_summary_has_a_row_per_model_and_attack(study, prepared):
    assess(study, prepared)
    assess(study, prepared, "h", "posthoc")
    write_summary([study / "v/risk.json", study / "h/risk.json"], study / "summary.csv")
    frame = pd.read_csv(study / "summary.csv")
    assert tuple(frame.columns) == COLUMNS
    assert frame[["role", "attack"]].to_numpy().tolist() == [["honest", "posthoc"], ["vicious", "joint"]]
    assert frame["status"].tolist() == ["ok", "ok"]
    assert frame["beta_r"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("data",), "other", "data"),
        (("risk_estimator",), "ridge 1", "estimator"),
        (("target", "schedule", "epochs"), 99, "schedule"),
        (("target", "architecture", "width"), 5, "width"),
    ],
)
def test_results_of_different_settings_are_not_mixed(study, prepared, path, value, words):
    assess(study, prepared)
    record, _ = assess(study, prepared, "h", "posthoc")
    place = record
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    (study / "h/risk.json").write_text(json.dumps(record))
    with pytest.raises(MixedResultsError, match=words):
        collect([study / "v/risk.json", study / "h/risk.json"])


def test_one_cell_twice_is_refused(study, prepared):
    assess(study, prepared)
    with pytest.raises(MixedResultsError, match="two results"):
        collect([study / "v/risk.json", study / "v/risk.json"])


def test_bootstrap_interval_covers_the_standard_error():
    values = np.random.default_rng(0).normal(3, 2, 1000)
    low, high = interval(values)
    assert (high - low) / 2 == pytest.approx(1.96 * 2 / np.sqrt(1000), rel=0.15)
    assert low < values.mean() < high
    assert interval(values) == (low, high)
    assert interval(np.ones(5)) == (1.0, 1.0)
