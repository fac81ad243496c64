"""Other recipes for honest models: each changes one thing, and is recorded."""

from pathlib import Path
from typing import Any

import pytest
import torch
from models_by_hand import F
from torch import Tensor

from vicious.data.prepared import PreparedDataset
from vicious.models.checkpoint import load_model, load_record
from vicious.models.schedule import Schedule
from vicious.system.registry import names
from vicious.training import jobs, loop
from vicious.training.augment import augment
from vicious.training.losses import classification_loss
from vicious.training.recipe import PACKAGE, STANDARD, find_recipe

CPU = torch.device("cpu")
SCHEDULE = Schedule(1, 16, 0.002, 0)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(data: Any, folder: Path, recipe: Any = None, schedule: Any = SCHEDULE) -> Any:
    jobs.train_honest(data, folder / "target.safetensors", F, schedule, CPU, "", recipe=recipe)
    return load_record(folder / "target.safetensors"), (folder / "target.safetensors").read_bytes()


def test_every_recipe_changes_something() -> None:
    recipes = [find_recipe(name) for name in (None, *names(PACKAGE))]
    assert len(set(recipes)) == len(recipes)


@pytest.mark.parametrize("recipe", names(PACKAGE))
def test_every_recipe_trains_another_model_and_is_recorded(
    prepared: PreparedDataset, tmp_path: Path, recipe: Any
) -> None:
    standard, weights = train(prepared, tmp_path / "standard")
    record, other = train(prepared, tmp_path / recipe, recipe)
    assert (standard["recipe"], record["recipe"]) == (None, recipe)
    assert other != weights
    how = find_recipe(recipe)
    assert record["schedule"]["epochs"] == how.longer
    _, architecture = load_model(tmp_path / recipe / "target.safetensors", "target")
    assert architecture.model.settings.model_dump() == {"depth": 10 + how.deeper, "width": how.wider}


def test_attributes_can_be_smoothed(prepared_attributes: PreparedDataset, tmp_path: Path) -> None:
    record, _ = train(prepared_attributes, tmp_path, "smoothed")
    assert record["recipe"] == "smoothed"


def test_plain_training_sees_each_image_once(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def spy(images: Tensor, *rest: Any) -> Tensor:
        seen.append(len(images))
        return augment(images, *rest)

    monkeypatch.setattr(loop, "augment", spy)
    train(prepared, tmp_path / "plain", "plain")
    assert not seen
    train(prepared, tmp_path / "standard")
    assert sum(seen) == len(prepared.labels("train"))


def test_smoothed_losses_agree_with_plain_computations() -> None:
    logits, labels = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.1, 0.2]]), torch.tensor([0, 2])
    target = 0.9 * torch.eye(3)[labels] + 0.1 / 3
    expected = -(target * logits.log_softmax(1)).sum(1).mean()
    assert classification_loss(logits, labels, None, 0.1).item() == pytest.approx(expected.item())
    bits = torch.tensor([[1, 0, 1], [0, 0, 1]])
    target = bits * 0.9 + 0.05
    expected = -(target * logits.sigmoid().log() + (1 - target) * (-logits).sigmoid().log()).mean()
    assert classification_loss(logits, bits, None, 0.1).item() == pytest.approx(expected.item(), rel=1e-6)


def test_no_decay_and_no_smoothing_are_the_studys_own_training() -> None:
    assert STANDARD.schedule(SCHEDULE) == SCHEDULE
    assert STANDARD.target(F) == F
