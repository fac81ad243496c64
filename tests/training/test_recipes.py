"""Other recipes for honest models: each changes one thing, and is recorded."""

from typing import get_args

import pytest
import torch

from vicious.models.checkpoint import load_model, load_record
from vicious.study.config import RecipeName
from vicious.training import jobs, loop
from vicious.training.loop import Schedule
from vicious.training.losses import classification_loss
from vicious.training.recipes import RECIPES, STANDARD

CPU = torch.device("cpu")
SCHEDULE = Schedule(1, 16, 0.002, 0)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def train(data, folder, recipe=None, schedule=SCHEDULE):
    jobs.train_honest(data, folder / "target.safetensors", 10, 1, schedule, CPU, recipe=recipe)
    return load_record(folder / "target.safetensors"), (folder / "target.safetensors").read_bytes()


def test_the_configuration_names_every_recipe():
    assert get_args(RecipeName) == tuple(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_trains_another_model_and_is_recorded(prepared, tmp_path, recipe):
    standard, weights = train(prepared, tmp_path / "standard")
    record, other = train(prepared, tmp_path / recipe, recipe)
    assert (standard["recipe"], record["recipe"]) == (None, recipe)
    assert other != weights
    how = RECIPES[recipe]
    assert record["schedule"]["epochs"] == how.longer
    _, architecture = load_model(tmp_path / recipe / "target.safetensors", "target")
    assert (architecture.depth, architecture.width) == (10 + how.deeper, how.wider)


def test_attributes_can_be_smoothed(prepared_attributes, tmp_path):
    record, _ = train(prepared_attributes, tmp_path, "smoothed")
    assert record["recipe"] == "smoothed"


def test_plain_training_sees_each_image_once(prepared, tmp_path, monkeypatch):
    seen = []
    original = loop.augment
    monkeypatch.setattr(loop, "augment", lambda *arguments: seen.append(len(arguments[0])) or original(*arguments))
    train(prepared, tmp_path / "plain", "plain")
    assert not seen
    train(prepared, tmp_path / "standard")
    assert sum(seen) == len(prepared.labels("train"))


def test_smoothed_losses_agree_with_plain_computations():
    logits, labels = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.1, 0.2]]), torch.tensor([0, 2])
    target = 0.9 * torch.eye(3)[labels] + 0.1 / 3
    expected = -(target * logits.log_softmax(1)).sum(1).mean()
    assert classification_loss(logits, labels, None, 0.1).item() == pytest.approx(expected.item())
    bits = torch.tensor([[1, 0, 1], [0, 0, 1]])
    target = bits * 0.9 + 0.05
    expected = -(target * logits.sigmoid().log() + (1 - target) * (-logits).sigmoid().log()).mean()
    assert classification_loss(logits, bits, None, 0.1).item() == pytest.approx(expected.item(), rel=1e-6)


def test_no_decay_and_no_smoothing_are_the_studys_own_training():
    assert STANDARD.schedule(SCHEDULE) == SCHEDULE
    assert (STANDARD.depth(28), STANDARD.width(5)) == (28, 5)
