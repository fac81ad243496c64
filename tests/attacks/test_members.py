"""Membership inference on target models that were trained here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models_by_hand import F, G
from prepared_by_hand import tell_again, write_prepared
from scipy import stats

from vicious.attacks.members import draw_members, measure_membership, trained_on
from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.metrics.membership import FPRS
from vicious.models.checkpoint import load_model, load_record
from vicious.models.schedule import Schedule
from vicious.results.memberships import read_measured
from vicious.results.schema import TPR_COLUMNS, Membership
from vicious.system.errors import CheckpointError
from vicious.system.files import read_json
from vicious.training.jobs import train_honest, train_vicious

CPU = torch.device("cpu")
SCHEDULE = Schedule(1, 16, 0.002, 0)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)


def train(data: PreparedDataset, schedule: Schedule = SCHEDULE) -> Path:
    weights = Path("h/target.safetensors")
    train_honest(data, weights, F, schedule, CPU, "")
    return weights


def measure(data: PreparedDataset, weights: Path) -> Any:
    measure_membership(data.folder, weights, weights.with_name("membership.json"), device=CPU)
    return read_json(weights.with_name("membership.json"))


def test_it_is_the_loss_of_as_many_training_as_test_images(prepared: PreparedDataset) -> None:
    weights = train(prepared)
    found = measure(prepared, weights)
    assert (found["trained_on"], found["members"], found["non_members"]) == (48, 40, 40)
    target = load_model(weights, "target")[0]
    losses = []
    for split, chosen in (("train", draw_members(np.arange(48), 48, 40)), ("test", np.arange(40))):
        images = torch.from_numpy(np.array(prepared.images(split)[chosen])).float() / 255  # type: ignore[arg-type]
        labels = torch.from_numpy(prepared.labels(split)[chosen])  # type: ignore[arg-type]
        with torch.no_grad():
            logits = target(images).double()
        losses.append(-logits.log_softmax(1)[torch.arange(40), labels].numpy())
        kind = "members" if split == "train" else "non_members"
        assert found[f"loss_{kind}"] == pytest.approx(losses[-1].mean(), rel=1e-5)
        assert found[f"accuracy_{kind}"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())
    assert found["auc"] == pytest.approx(stats.mannwhitneyu(losses[1], losses[0]).statistic / 1600)
    assert found["auc_low"] <= found["auc"] <= found["auc_high"]
    assert len(TPR_COLUMNS) == len(FPRS)
    assert [found[name] for name in TPR_COLUMNS] == [None, None], "of 40 images 1% is less than one"


def test_it_names_the_model_and_is_the_same_twice(prepared: PreparedDataset) -> None:
    weights = Path("v/target.safetensors")
    train_vicious(prepared, weights, Path("v/joint.safetensors"), F, G, "logits", 1.0, 2.0, SCHEDULE, CPU, "")
    found = measure(prepared, weights)
    first = weights.with_name("membership.json").read_bytes()
    assert measure(prepared, weights) == found
    assert weights.with_name("membership.json").read_bytes() == first
    names = ("task", "role", "outputs", "beta_r", "seed", "status", "reason", "source")
    assert [found[name] for name in names] == ["mnist", "vicious", "logits", 2.0, 0, "ok", "", "synthetic"]
    record = load_record(weights)
    assert (found["weights"], found["data"]) == (record["weights"], prepared.info.fingerprint)
    assert found["target"] == {name: record[name] for name in ("architecture", "schedule")}
    (one,) = read_measured([weights.with_name("membership.json")])
    assert one.record.auc == found["auc"]


def test_attributes_have_the_mean_binary_cross_entropy(prepared_attributes: PreparedDataset) -> None:
    weights = train(prepared_attributes)
    found = measure(prepared_attributes, weights)
    target = load_model(weights, "target")[0]
    images = torch.from_numpy(np.array(prepared_attributes.images("test"))).float() / 255
    labels = torch.from_numpy(prepared_attributes.labels("test").astype(float))
    with torch.no_grad():
        p = target(images).double().sigmoid()
    losses = -(labels * p.log() + (1 - labels) * (1 - p).log()).mean(1)
    assert found["loss_non_members"] == pytest.approx(losses.mean().item(), rel=1e-5)
    assert found["accuracy_non_members"] == pytest.approx(((p >= 0.5) == (labels > 0)).double().mean().item())


def test_a_model_that_learned_its_images_by_heart_gives_them_away(tmp_path: Path) -> None:
    folder = write_prepared(tmp_path / "by heart", counts=(24, 24, 120))
    for split in ("train", "test"):  # labels that no image tells
        file = folder / f"{split}_labels.npy"
        np.save(file, np.random.default_rng(len(split)).permutation(np.load(file)))
    for kind in ("images", "labels"):  # so that the epoch is selected that knows the training images best
        np.save(folder / f"validation_{kind}.npy", np.load(folder / f"train_{kind}.npy"))
    data = load_prepared(tell_again(folder))
    found = measure(data, train(data, Schedule(40, 8, 0.005, 0, augmented=False)))
    assert (found["members"], found["non_members"]) == (24, 120), "all there are"
    assert found["auc"] > 0.8
    assert found["accuracy_members"] > found["accuracy_non_members"] + 0.3
    assert found["tpr_at_1fpr"] is not None
    assert found["tpr_at_01fpr"] is None


def test_of_a_training_that_draws_images_only_those_seen_are_members(prepared: PreparedDataset) -> None:
    schedule = Schedule(3, 8, 0.002, 4, epoch_images=10)
    weights = train(prepared, schedule)
    record = load_record(weights)
    seen = {int(one) for epoch in range(record["selected_epoch"]) for one in schedule.order(epoch, 48)}
    assert set(trained_on(record, 48).tolist()) == seen
    found = measure(prepared, weights)
    assert found["trained_on"] == found["members"] == len(seen) < 40


def test_members_are_drawn_once_and_alike_for_all_models() -> None:
    every, some = np.arange(50), np.arange(0, 50, 2)
    chosen = draw_members(every, 50, 20)
    assert len(set(chosen.tolist())) == 20
    assert np.array_equal(chosen, np.sort(chosen))
    assert np.array_equal(chosen, draw_members(every, 50, 20))
    assert {one for one in chosen.tolist() if one % 2 == 0} <= set(draw_members(some, 50, 20).tolist()) <= {*some}
    assert np.array_equal(draw_members(some, 50, 40), some), "fewer than are wanted: all"


def test_a_model_without_its_selected_epoch_is_refused(prepared: PreparedDataset) -> None:
    record = load_record(train(prepared))
    del record["selected_epoch"]
    with pytest.raises(CheckpointError, match="selected_epoch: train the model again"):
        trained_on(record, 48)


def test_a_failed_training_is_a_result_without_numbers(prepared: PreparedDataset) -> None:
    weights = train(prepared, Schedule(1, 16, 1e30, 0))
    found = measure(prepared, weights)
    assert found["status"] == "failed"
    assert "the loss is no longer finite" in found["reason"] or "validation score" in found["reason"]
    named = {"dataset", "task", "role", "outputs", "beta_r", "seed", "status", "reason", "source"}
    assert all(found[name] is None for name in Membership.model_fields if name not in named)
    (one,) = read_measured([weights.with_name("membership.json")])
    assert one.record.status == "failed"


def test_a_model_of_other_data_is_refused(prepared: PreparedDataset, tmp_path: Path) -> None:
    weights = train(prepared)
    other = load_prepared(write_prepared(tmp_path / "other", seed=1))
    with pytest.raises(CheckpointError, match="was trained on other data"):
        measure(other, weights)
    assert not weights.with_name("membership.json").exists()
