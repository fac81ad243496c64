"""The adaptive server: its penalty against a plain regression, and what training with it does."""

import csv
import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from vicious.training import jobs, loop
from vicious.training.evasion import SIDE, Decodability
from vicious.training.loop import Schedule

CPU = torch.device("cpu")
K = 4


def batch(n, code, seed):
    """Labels, logits that tell the label and, times ``code``, a hidden factor; images that show both."""
    generator = np.random.default_rng(seed)
    labels, factor = generator.integers(K, size=n), generator.normal(size=(n, K))
    shared = np.random.default_rng(7).normal(size=(2 * K, 32 * 32))
    images = 0.5 + 0.1 * (np.hstack([np.eye(K)[labels], factor]) @ shared)
    logits = 5 * np.eye(K)[labels] + code * factor + 0.1 * generator.normal(size=(n, K))
    return (
        torch.from_numpy(logits).float(),
        torch.from_numpy(labels),
        torch.from_numpy(images).float().reshape(n, 1, 32, 32),
    )


def shares(code, batches=60, n=64):
    decodability = Decodability()
    return [decodability(*batch(n, code, seed)).item() for seed in range(batches)]


def test_it_is_what_a_regression_on_earlier_batches_explains_of_a_new_one():
    found = shares(0.3)
    earlier, (logits, labels, images) = [batch(64, 0.3, seed) for seed in range(59)], batch(64, 0.3, 59)

    def features(logits, labels, known):
        one_hot = np.eye(K)[labels.numpy()]
        return one_hot if known else np.hstack([one_hot, logits.numpy()])

    def pixels(images):
        return torch.nn.functional.adaptive_avg_pool2d(images, SIDE).flatten(1).numpy()

    errors = []
    for known in (True, False):
        x = np.concatenate([features(one, two, known) for one, two, _ in earlier])
        model = LinearRegression().fit(x, np.concatenate([pixels(three) for *_, three in earlier]))
        errors.append(((model.predict(features(logits, labels, known)) - pixels(images)) ** 2).sum())
    assert found[0] == 0
    assert found[-1] == pytest.approx(1 - errors[1] / errors[0], abs=0.02)
    assert found[-1] > 0.5


def test_outputs_that_tell_only_the_label_are_not_penalised():
    assert np.mean(shares(0.0)[20:]) < 0.01


def test_its_gradient_moves_the_code_away():
    decodability = Decodability()
    for seed in range(40):
        decodability(*batch(64, 0.3, seed))
    logits, labels, images = batch(64, 0.3, 99)
    before = decodability(logits.requires_grad_(), labels, images)
    before.backward()
    again = Decodability()
    for seed in range(40):
        again(*batch(64, 0.3, seed))
    after = again((logits - 5 * logits.grad).detach(), labels, images)
    assert after < before


def test_attributes_are_labels_too():
    logits, _, images = batch(64, 0.3, 0)
    decodability, bits = Decodability(), (logits > 2).long()
    for _ in range(2):
        share = decodability(logits, bits, images)
    assert 0 <= share.item() <= 1


def _train(data, out, evasion, epochs=3):
    schedule = Schedule(epochs, 16, 0.002, 0)
    weights = [out / "target.safetensors", out / "joint.safetensors"]
    jobs.train_vicious(data, *weights, 10, 1, "logits", 1.0, 1.0, schedule, CPU, evasion=evasion)
    with weights[0].with_suffix(".csv").open() as file:
        return json.loads(weights[0].with_suffix(".json").read_text()), list(csv.DictReader(file)), weights[0]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)


def test_the_record_tells_the_penalty_and_the_last_epoch_is_selected(prepared, tmp_path):
    record, curve, _ = _train(prepared, tmp_path / "a", 0.5)
    assert record["evasion"] == 0.5
    assert record["selected_epoch"] == 3
    assert all(0 <= float(row["train_decodability"]) <= 1 for row in curve)
    total, parts = (
        [float(row["train_loss"]) for row in curve],
        [float(row["train_classification"]) + float(row["train_reconstruction"]) for row in curve],
    )
    penalties = [float(row["train_decodability"]) * weight for row, weight in zip(curve, (0, 0.25, 0.5), strict=True)]
    np.testing.assert_allclose(total, np.add(parts, penalties), atol=1e-5)  # the weight grows to its full size


def test_without_a_penalty_nothing_changes(prepared, tmp_path):
    record, curve, _ = _train(prepared, tmp_path / "a", 0.0)
    assert record["evasion"] == 0
    assert "train_decodability" not in curve[0]


def test_a_penalised_training_that_is_resumed_ends_alike(prepared, tmp_path, monkeypatch):
    expected = _train(prepared, tmp_path / "whole", 0.5)[2].read_bytes()
    save, saved = loop._Run.save, []

    def killed(self, path):
        save(self, path)
        saved.append(path)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop._Run, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        _train(prepared, tmp_path / "again", 0.5)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert _train(prepared, tmp_path / "again", 0.5)[2].read_bytes() == expected
