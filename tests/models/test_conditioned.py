"""Attack models that are conditioned on what a frozen target model sends, and trained by a schedule of their own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models_by_hand import F, G
from prepared_by_hand import write_prepared
from torch.nn import functional

from vicious.data.batches import Held
from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.models.architecture import Model, model, needs_finished_target, parts_of
from vicious.models.checkpoint import failure, load_model, load_record
from vicious.models.decoders._principal import mean_image, principal_components
from vicious.models.decoders._standardised import Conditioned
from vicious.models.fitting import Pairs
from vicious.models.precision import forward
from vicious.models.schedule import Schedule
from vicious.steps.train_vicious import TrainVicious
from vicious.training import jobs, loop, losses, objectives

CPU = torch.device("cpu")
STUDY = Schedule(epochs=2, batch_images=16, learning_rate=0.002, seed=3, epoch_images=20, precision="float32")
CONDITIONED = model("attack", "conditioned", {"depth": 10, "width": 1, "epochs": 3, "batch_images": 20})
COMPONENTS = model("attack", "components", {"components": 12, "hidden": 32, "epochs": 4, "batch_images": 20})
BOTH = pytest.mark.parametrize("attack", [CONDITIONED, COMPONENTS], ids=["conditioned", "components"])


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)


def pairs(count: int = 40, probabilities: Any = None) -> Pairs:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(count, 5, generator=generator) + 2
    images = torch.randint(0, 256, (count, 1024), generator=generator, dtype=torch.uint8)
    read = {None: logits, "classes": logits.softmax(1), "attributes": logits.sigmoid()}[probabilities]
    return Pairs(read, images, probabilities)


def honest(data: PreparedDataset, folder: Path, schedule: Schedule = STUDY) -> Path:
    target = folder / "target.safetensors"
    jobs.train_honest(data, target, F, schedule, CPU, "")
    return target


def attacked(data: PreparedDataset, target: Path, out: Path, attack: Model, outputs: str = "logits") -> bytes:
    jobs.train_attack(data.folder, target, out, attack, outputs, STUDY, CPU, "")
    assert failure(out) is None
    return out.read_bytes()


@pytest.mark.parametrize("count", [40, 8])
def test_components_are_those_of_numpys_svd(count: int) -> None:
    train = pairs(count)
    pixels = train.images.double().numpy() / 255
    _, values, vectors = np.linalg.svd(pixels - pixels.mean(0), full_matrices=False)
    found, squares = principal_components(train, mean_image(train), 6)
    np.testing.assert_allclose(mean_image(train).numpy(), pixels.mean(0), atol=1e-12)
    np.testing.assert_allclose(squares.numpy(), values[:6] ** 2, rtol=1e-9)
    np.testing.assert_allclose(np.abs((found.numpy() * vectors[:6]).sum(1)), 1, atol=1e-9)


@pytest.mark.parametrize("probabilities", [None, "classes", "attributes"])
def test_what_is_read_is_standardised_and_of_probabilities_the_logarithm(probabilities: Any) -> None:
    train, inputs = pairs(probabilities=probabilities), Conditioned(5)
    inputs.condition(train)
    read = train.read.double().numpy()
    if probabilities is not None:
        expected = np.log(read) - (np.log1p(-read) if probabilities == "attributes" else 0)
    else:
        expected = read
    expected = (expected - expected.mean(0)) / expected.std(0)
    np.testing.assert_allclose(inputs(train.read).numpy(), expected, atol=1e-4)


def test_a_probability_of_0_or_1_and_a_constant_output_stay_finite() -> None:
    for probabilities in ("classes", "attributes"):
        inputs = Conditioned(3)
        read = torch.tensor([[0.0, 1.0, 0.5], [1.0, 1.0, 0.5]])
        inputs.condition(Pairs(read, torch.zeros(2, 1024, dtype=torch.uint8), probabilities))
        assert inputs(read).isfinite().all()
        assert torch.equal(inputs(read)[:, 1:], torch.zeros(2, 2))


def test_components_are_cut_to_pixels_where_they_are_used_and_not_where_they_are_trained() -> None:
    train = pairs()
    network: Any = COMPONENTS.build(1, 5)
    COMPONENTS.condition(network, train)
    read = 1000 * train.read
    raw, cut = network.train()(read), network.eval()(read)
    assert raw.min() < 0 < 1 < raw.max()
    assert torch.equal(cut, raw.clamp(0, 1))
    codes = network.layers(network.inputs(read)).detach().double().numpy()
    vectors, squares = principal_components(train, mean_image(train), 12)
    basis = vectors.numpy() * np.sqrt(squares.numpy() / len(train))[:, None]
    expected = mean_image(train).numpy() + codes @ basis
    np.testing.assert_allclose(raw.detach().flatten(1).numpy(), expected, rtol=1e-3, atol=1e-2)
    assert torch.equal(forward(network, read, "bfloat16"), cut), "it computes in float32 whatever the precision"


def test_with_fewer_images_than_components_the_rest_is_nothing() -> None:
    network: Any = COMPONENTS.build(1, 5)
    COMPONENTS.condition(network, pairs(4))
    assert (network.basis[4:].abs() < 1e-6).all()
    assert network(pairs().read).isfinite().all()


@BOTH
def test_its_own_schedule_takes_the_place_of_the_studys(
    prepared: PreparedDataset, tmp_path: Path, attack: Model
) -> None:
    own = attack.schedule(STUDY)
    settings: Any = attack.settings
    assert own == Schedule(settings.epochs, 20, 0.003, 3, None, "float32", "one_cycle", False, 0.0)
    assert G.schedule(STUDY) == STUDY
    attacked(prepared, honest(prepared, tmp_path), tmp_path / "attack.safetensors", attack)
    assert load_record(tmp_path / "attack.safetensors")["schedule"] == own.record()
    assert len((tmp_path / "attack.csv").read_text().splitlines()) == 1 + settings.epochs


@BOTH
@pytest.mark.parametrize("outputs", ["logits", "softmax", "noise0.2", "label"])
def test_the_saved_model_needs_nothing_beside_it(
    prepared: PreparedDataset, tmp_path: Path, attack: Model, outputs: str
) -> None:
    target = honest(prepared, tmp_path)
    attacked(prepared, target, tmp_path / "attack.safetensors", attack, outputs)
    network, found = load_model(tmp_path / "attack.safetensors", "attack")
    assert found.model == attack
    victim, _ = load_model(target, "target")
    objective = objectives.PostHoc(victim, network, outputs, False, STUDY, attack)
    seen = objective.pairs(Held(prepared, "train", CPU))
    assert seen.probabilities == ("classes" if outputs == "softmax" else None)
    inputs: Any = network[0] if attack is CONDITIONED else network.inputs
    values = inputs(seen.read).double()
    varying = values.std(0, unbiased=False) > 1e-3
    np.testing.assert_allclose(values.mean(0).numpy(), 0, atol=1e-3)
    np.testing.assert_allclose(values.std(0, unbiased=False)[varying].numpy(), 1, atol=1e-3)
    images = network(seen.read[:5])
    assert images.shape == (5, 1, 32, 32)
    assert 0 <= images.min() <= images.max() <= 1


@BOTH
@pytest.mark.parametrize("changes", [{}, {"average": 0.8}, {"augmented": True}], ids=str)
def test_resumed_it_ends_with_the_same_bytes(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: Model, changes: Any
) -> None:
    one, target = attack.changed(**changes), honest(prepared, tmp_path)
    expected, save = attacked(prepared, target, tmp_path / "whole.safetensors", one), loop._Run.save

    def killed(self: Any, path: Path) -> None:
        save(self, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop._Run, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        attacked(prepared, target, tmp_path / "again.safetensors", one)
    monkeypatch.setattr(loop._Run, "save", save)
    assert attacked(prepared, target, tmp_path / "again.safetensors", one) == expected


@BOTH
def test_the_target_model_sees_each_image_once(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: Model
) -> None:
    target, asked, ask = honest(prepared, tmp_path), [], objectives.PostHoc._asked

    def spied(self: Any, images: Any) -> Any:
        asked.append(len(images))
        return ask(self, images)

    monkeypatch.setattr(objectives.PostHoc, "_asked", spied)
    for epochs in (1, 3):
        asked.clear()
        attacked(prepared, target, tmp_path / f"{epochs}.safetensors", attack.changed(epochs=epochs))
        assert sum(asked) == prepared.info.n["train"] + prepared.info.n["validation"]


def test_components_are_trained_on_squared_errors(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def spied(images: Any, truth: Any) -> Any:
        found.append(functional.mse_loss(images, truth))
        return found[-1]

    monkeypatch.setitem(losses.OF_IMAGES, "mse", spied)
    attacked(prepared, honest(prepared, tmp_path), tmp_path / "attack.safetensors", COMPONENTS)
    assert len(found) == 4 * 3
    assert (COMPONENTS.loss, CONDITIONED.loss, G.loss) == ("mse", "reconstruction", "reconstruction")


def test_both_read_more_than_the_plain_attack_does(tmp_path: Path) -> None:
    data = load_prepared(write_prepared(tmp_path / "prepared", counts=(200, 40, 40)))
    target = honest(data, tmp_path, replace(STUDY, epochs=3, epoch_images=None))
    found = {}
    for one in (G, CONDITIONED, COMPONENTS.changed(epochs=12)):
        attacked(data, target, tmp_path / f"{one.name}.safetensors", one)
        rows = (tmp_path / f"{one.name}.csv").read_text().splitlines()
        place = rows[0].split(",").index("validation_mse")
        found[one.name] = min(float(row.split(",")[place]) for row in rows[1:])
    assert found["conditioned"] < 0.95 * found["mirror"]
    assert found["components"] < 0.95 * found["mirror"]


def test_a_target_model_is_trained_with_neither() -> None:
    size = {"depth": 10, "width": 1, "epochs": 1, "batch_images": 8, "learning_rate": 0.1, "seed": 0}
    step = {"data": "d", "out": "t.safetensors", "attack_out": "a.safetensors", "outputs": "logits"}
    for name in ("conditioned", "components", "linear_ridge"):
        assert needs_finished_target(name)
        with pytest.raises(ValueError, match="needs a finished target model"):
            TrainVicious.model_validate({**size, **step, "beta_c": 1.0, "beta_r": 1.0, "attack_model": name})
    assert not needs_finished_target("mirror")


def test_the_code_of_a_training_has_all_parts_of_the_models_file() -> None:
    assert parts_of("mirror") == ["build"]
    assert parts_of("kernel_ridge") == ["build", "fit", "BUDGET"]
    assert parts_of("conditioned") == ["build", "condition", "schedule"]
    assert parts_of("components") == ["build", "condition", "schedule", "LOSS"]
