"""The same jobs on a GPU: the same bits each time, in one go or resumed, and nearly what the CPU finds. Skipped without
one."""

import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from models_by_hand import F, G
from safetensors.torch import load

from vicious.attacks.assess import assess_risk
from vicious.attacks.members import measure_membership
from vicious.data.prepared import PreparedDataset
from vicious.defense.evaluation.evaluate import evaluate_defense
from vicious.metrics.moments import fit
from vicious.metrics.risk import save_covariance
from vicious.models.checkpoint import failure
from vicious.models.schedule import Schedule
from vicious.system.files import read_json
from vicious.system.interrupt import Interrupted
from vicious.system.registry import names
from vicious.system.runtime import limit_threads, use_device
from vicious.training import augment, jobs, loop

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
SCHEDULE = Schedule(epochs=2, batch_images=16, learning_rate=0.002, seed=0)
OUTPUTS = ("logits", "softmax", "probabilities", "temperature4", "top2", "round2", "noise0.1")


@pytest.fixture
def cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """The device as jobs set it up, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    limit_threads(1)
    return use_device("cuda", 1)


def train(data: Any, out: Path, device: Any, outputs: str = "logits", **options: Any) -> list[Any]:
    """A vicious pair below ``out``; its files' bytes."""
    files = out / "target.safetensors", out / "joint.safetensors"
    jobs.train_vicious(data, *files, F, G, outputs, 1.0, 1.0, SCHEDULE, device, "", **options)
    assert [failure(file) for file in files] == [None, None]
    return [file.read_bytes() for file in files]


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_training_gives_the_same_bits_again(prepared: PreparedDataset, tmp_path: Path, cuda: Any, outputs: Any) -> None:
    assert train(prepared, tmp_path / "a", cuda, outputs) == train(prepared, tmp_path / "b", cuda, outputs)


@pytest.mark.parametrize("evades", names("vicious.training.penalties"))
@pytest.mark.parametrize("kind", ["classes", "attributes"])
def test_a_penalty_gives_the_same_bits_again(
    prepared: PreparedDataset, prepared_attributes: PreparedDataset, tmp_path: Path, cuda: Any, evades: Any, kind: str
) -> None:
    data = prepared if kind == "classes" else prepared_attributes
    first = train(data, tmp_path / "a", cuda, evasion=0.5, evades=evades)
    assert train(data, tmp_path / "b", cuda, evasion=0.5, evades=evades) == first


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("outputs", ["logits", "noise0.1"])
def test_a_resumed_training_ends_like_an_uninterrupted_one(
    prepared: PreparedDataset,
    tmp_path: Path,
    cuda: Any,
    monkeypatch: pytest.MonkeyPatch,
    outputs: str,
    precision: Any,
) -> None:
    """With a batch of 20 the last one of an epoch is smaller, and is not recorded."""
    schedule = Schedule(epochs=2, batch_images=20, learning_rate=0.002, seed=0, precision=precision)
    monkeypatch.setattr(sys.modules[__name__], "SCHEDULE", schedule)
    expected, save = train(prepared, tmp_path / "whole", cuda, outputs), loop._Run.save

    def killed(self: Any, path: Path) -> None:
        save(self, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop._Run, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tmp_path / "resumed", cuda, outputs)
    monkeypatch.setattr(loop._Run, "save", save)
    assert train(prepared, tmp_path / "resumed", cuda, outputs) == expected


def test_recorded_steps_train_nearly_what_plain_ones_do(
    prepared: PreparedDataset, tmp_path: Path, cuda: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = train(prepared, tmp_path / "recorded", cuda)
    monkeypatch.setattr(loop, "cuda_graph", None)
    plain = train(prepared, tmp_path / "plain", cuda)
    for one, other in zip(recorded, plain, strict=True):
        ours, theirs = load(one), load(other)
        for name, value in ours.items():
            torch.testing.assert_close(value, theirs[name], rtol=1e-3, atol=1e-3)


def test_an_epoch_waits_for_nothing(
    prepared: PreparedDataset, tmp_path: Path, cuda: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the second epoch on: in the first one libraries load, and the step is recorded. Sums are asked for at its
    end."""
    train_epoch = loop._train_epoch

    def watched(run: Any, held: Any, epoch: int, progress: Any) -> Any:
        sums = run.sums
        if epoch > 0:
            torch.cuda.set_sync_debug_mode("error")
            monkeypatch.setattr(run, "sums", lambda: allowed(sums))
        return train_epoch(run, held, epoch, progress)

    def allowed(sums: Any) -> Any:
        torch.cuda.set_sync_debug_mode("default")
        return sums()

    monkeypatch.setattr(loop, "_train_epoch", watched)
    # torchvision makes the kernel that sharpens anew for each batch, and waits for it
    others = [change for change in augment.AUGMENTATIONS if change is not augment.sharpen]
    monkeypatch.setattr(augment, "AUGMENTATIONS", others)
    try:
        train(prepared, tmp_path, cuda)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("outputs", ["logits", "noise0.1"])
def test_a_posthoc_attack_gives_the_same_bits_again(
    prepared: PreparedDataset, tmp_path: Path, cuda: Any, outputs: str
) -> None:
    target, found = tmp_path / "target.safetensors", []
    jobs.train_honest(prepared, target, F, SCHEDULE, cuda, "")
    for name in ("a", "b"):
        out = tmp_path / f"{name}.safetensors"
        jobs.train_attack(prepared.folder, target, out, G, outputs, SCHEDULE, cuda, "")
        assert failure(out) is None
        found.append(out.read_bytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["classes", "attributes"])
def test_a_training_interrupted_within_an_epoch_ends_like_an_uninterrupted_one(
    prepared: PreparedDataset,
    prepared_attributes: PreparedDataset,
    tmp_path: Path,
    cuda: Any,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    data, options = prepared if kind == "classes" else prepared_attributes, {"evasion": 0.5, "evades": "both"}
    expected = train(data, tmp_path / "whole", cuda, "noise0.1", **options)
    steps = iter(range(10))

    def interrupted() -> None:
        if next(steps) in (1, 5):  # both within an epoch of three batches and its validation
            raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr(loop, "check", interrupted)
    for _ in range(2):
        with pytest.raises(Interrupted):
            train(data, tmp_path / "resumed", cuda, "noise0.1", **options)
    assert train(data, tmp_path / "resumed", cuda, "noise0.1", **options) == expected


@pytest.mark.parametrize("outputs", [*OUTPUTS, "label"])
def test_an_assessment_finds_what_the_cpu_finds(
    prepared: PreparedDataset, tmp_path: Path, cuda: Any, outputs: Any
) -> None:
    target = tmp_path / "target.safetensors"
    jobs.train_honest(prepared, target, F, SCHEDULE, cuda, "")
    jobs.train_attack(prepared.folder, target, tmp_path / "posthoc.safetensors", G, outputs, SCHEDULE, cuda, "")
    save_covariance(fit(prepared), tmp_path / "covariance.safetensors", prepared.info.fingerprint)
    found = []
    for device in (cuda, torch.device("cpu")):
        out = tmp_path / device.type
        weights = (tmp_path / "covariance.safetensors", target, tmp_path / "posthoc.safetensors")
        settings: dict[str, Any] = {"estimator": "truncated", "cutoff": 1.2e-7, "gallery_images": 3, "device": device}
        assess_risk(prepared.folder, *weights, out, **settings)
        found.append(read_json(out / "risk-posthoc.json"))
    for name in ("accuracy", "psnr", "ssim", "risk", "risk95", "calibration_error"):
        assert found[0][name] == pytest.approx(found[1][name], rel=2e-3, abs=1e-3)


@pytest.mark.parametrize("kind", ["classes", "attributes"])
def test_membership_inference_finds_what_the_cpu_finds(
    prepared: PreparedDataset, prepared_attributes: PreparedDataset, tmp_path: Path, cuda: Any, kind: str
) -> None:
    data = prepared if kind == "classes" else prepared_attributes
    train(data, tmp_path, cuda)
    found = []
    for name, device in (("a", cuda), ("b", cuda), ("cpu", torch.device("cpu"))):
        measure_membership(data.folder, tmp_path / "target.safetensors", tmp_path / f"{name}.json", device=device)
        found.append(read_json(tmp_path / f"{name}.json"))
    assert found[0] == found[1]
    for measure in ("auc", "advantage", "loss_members", "loss_non_members", "accuracy_members"):
        assert found[0][measure] == pytest.approx(found[2][measure], rel=2e-3, abs=5e-3)


@pytest.mark.parametrize("hidden", [None, "shuffled", "folded", "shifted"])
@pytest.mark.parametrize("kind", ["classes", "attributes"])
def test_detectors_find_what_they_find_on_the_cpu(
    prepared: PreparedDataset, prepared_attributes: PreparedDataset, tmp_path: Path, cuda: Any, hidden: Any, kind: str
) -> None:
    data = prepared if kind == "classes" else prepared_attributes
    train(data, tmp_path, cuda)
    scores = []
    for name, device in (("a", cuda), ("b", cuda), ("cpu", torch.device("cpu"))):
        settings = {
            "detectors": list(names("vicious.defense.detectors")),
            "user_images": [20],
            "draws": 2,
            "device": device,
            "hidden": hidden,
        }
        evaluate_defense(data.folder, tmp_path / "target.safetensors", tmp_path / f"{name}.csv", **settings)
        scores.append(pd.read_csv(tmp_path / f"{name}.csv", keep_default_na=False))
    pd.testing.assert_frame_equal(scores[0], scores[1])
    assert (scores[0]["status"] == scores[2]["status"]).all()
    quick = ~scores[0]["detector"].isin(["own_decoder", "finetuning"])  # those train, and rounding grows
    ours, theirs = (frame.loc[quick & (frame["status"] == "ok"), "score"].astype(float) for frame in scores[::2])
    assert len(ours) > 0
    np.testing.assert_allclose(ours, theirs, rtol=0.05, atol=0.01)
