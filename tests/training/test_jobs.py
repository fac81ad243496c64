"""Training jobs: the same bits each time, in one go or resumed; honest, vicious and post-hoc."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models_by_hand import F, G
from prepared_by_hand import tell_again, write_prepared
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from vicious.data.batches import Batch, Held
from vicious.data.prepared import PreparedDataset, load_prepared
from vicious.models.architecture import model
from vicious.models.checkpoint import check_fits, failure, load_model, load_record, load_task
from vicious.models.means import Means
from vicious.models.schedule import Schedule, complete
from vicious.steps.train_attack import TrainAttack
from vicious.steps.train_vicious import TrainVicious
from vicious.system.errors import CheckpointError, DataError
from vicious.training import jobs, loop, objectives
from vicious.training.losses import reconstruction_loss

CPU = torch.device("cpu")
SCHEDULE = Schedule(epochs=3, batch_images=16, learning_rate=0.002, seed=0)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)


def vicious(data: Any, out: Path, schedule: Any = SCHEDULE) -> list[Any]:
    jobs.train_vicious(
        data, out / "target.safetensors", out / "joint.safetensors", F, G, "logits", 1.0, 1.0, schedule, CPU, ""
    )
    return [
        (out / name).read_bytes() for name in ("target.safetensors", "joint.safetensors", "target.csv", "joint.json")
    ]


def test_the_same_command_gives_the_same_bytes_whatever_ran_before(prepared: PreparedDataset, tmp_path: Path) -> None:
    first = vicious(prepared, tmp_path / "a")
    torch.rand(3)  # nothing depends on global state
    np.random.default_rng().random()
    assert vicious(prepared, tmp_path / "b") == first
    other = vicious(prepared, tmp_path / "c", Schedule(3, 16, 0.002, seed=1))
    assert other[0] != first[0]


def test_an_epoch_takes_as_many_images_as_asked_for_others_each_time(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Any] = []

    class Spied(Held):
        def batches(self, size: int, order: Any = None) -> Iterator[Batch]:
            if order is not None:
                seen.append(order)
            return super().batches(size, order)

    monkeypatch.setattr(loop, "Held", Spied)
    vicious(prepared, tmp_path / "a", Schedule(3, 16, 0.002, 0, epoch_images=20))
    assert "60/60 images" in capsys.readouterr().err
    assert [len(set(order)) for order in seen] == [20, 20, 20]
    assert len(set(np.concatenate(seen))) > 20
    assert json.loads((tmp_path / "a" / "target.json").read_text())["schedule"]["epoch_images"] == 20
    whole = vicious(prepared, tmp_path / "b", Schedule(3, 16, 0.002, 0, epoch_images=1000))
    assert whole[2] == vicious(prepared, tmp_path / "c")[2]
    for name in ("target", "joint"):
        one, other = (load_file(tmp_path / folder / f"{name}.safetensors") for folder in ("b", "c"))
        assert all(torch.equal(value, other[key]) for key, value in one.items())
    assert all(set(order) == set(range(48)) for order in seen[3:])
    assert all(np.array_equal(few, all_[:20]) for few, all_ in zip(seen[:3], seen[3:6], strict=True))


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_resumed_run_ends_like_an_uninterrupted_one(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    expected = vicious(prepared, tmp_path / "whole")
    train_epoch = loop._train_epoch
    trained = []

    def killed(run: Any, data: Any, number: Any, *rest: Any) -> dict[str, float]:
        trained.append(number)
        if number == epoch and len(trained) == epoch + 1:
            raise KeyboardInterrupt
        return train_epoch(run, data, number, *rest)

    monkeypatch.setattr(loop, "_train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        vicious(prepared, tmp_path / "resumed")
    assert not (tmp_path / "resumed").exists()
    assert vicious(prepared, tmp_path / "resumed") == expected
    assert trained == [*range(epoch + 1), *range(epoch, 3)]
    assert not list(jobs.RESUME_FOLDER.iterdir()), "the resume state goes once the results are safe"


def flipped(place: Any) -> Callable[..., Any]:
    """Bytes with one bit the other way round, at that share of their length."""

    def flip(content: Any) -> Any:
        where = int(place * len(content))
        return content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :]

    return flip


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:1000], id="cut off"),
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content.replace(b"adam/target/0/", b"adam/target/9/"), id="another name"),
        pytest.param(lambda content: content.replace(b'"images":"0"', b'"images":"8"'), id="another place"),
        *(pytest.param(flipped(place), id=f"a bit at {place}") for place in (0.001, 0.01, 0.02, 0.3, 0.6, 0.999)),
    ],
)
def test_a_damaged_resume_state_costs_time_and_not_the_result(
    prepared: PreparedDataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = vicious(prepared, tmp_path / "whole")
    monkeypatch.setattr(jobs, "save_model", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        vicious(prepared, tmp_path / "again")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    (state,) = jobs.RESUME_FOLDER.iterdir()
    whole = state.read_bytes()
    state.write_bytes(damage(whole))
    assert state.read_bytes() != whole
    assert vicious(prepared, tmp_path / "again") == expected
    assert "is damaged" in caplog.text


@pytest.fixture
def interrupted(prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The resume states of two trainings, of the seeds 0 and 1, that were interrupted."""
    monkeypatch.setattr(jobs, "save_model", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    states: list[Path] = []
    for seed in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            vicious(prepared, tmp_path / f"{seed}", Schedule(3, 16, 0.002, seed))
        states += [state for state in jobs.RESUME_FOLDER.iterdir() if state not in states]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    return states


def test_a_training_does_not_go_on_where_another_stopped(
    prepared: PreparedDataset, tmp_path: Path, interrupted: list[Path]
) -> None:
    first, second = interrupted
    before = first.read_bytes()
    shutil.copy(second, first)
    with pytest.raises(CheckpointError, match=r"no resume state of this training \(it is of another training\): put"):
        vicious(prepared, tmp_path / "0", Schedule(3, 16, 0.002, 0))
    assert first.read_bytes() == second.read_bytes(), "what may be of use is not deleted"
    first.write_bytes(before)
    found = vicious(prepared, tmp_path / "0", Schedule(3, 16, 0.002, 0))
    assert found == vicious(prepared, tmp_path / "whole", Schedule(3, 16, 0.002, 0))


FORGED: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "no job": lambda facts, _: facts.pop("job"),
    "no curve": lambda facts, _: facts.pop("curve"),
    "a curve of words": lambda facts, _: facts.update(curve=[{"loss": "low"}]),
    "a curve that is none": lambda facts, _: facts.update(curve=[3]),
    "more epochs than there are": lambda facts, _: facts.update(curve=facts["curve"] * 2),
    "a curve of empty rows": lambda facts, _: facts.update(curve=[{}] * len(facts["curve"])),
    "a curve that is a dictionary": lambda facts, _: facts.update(curve={}),
    "a curve that is text": lambda facts, _: facts.update(curve=""),
    "epochs out of order": lambda facts, _: facts.update(curve=facts["curve"][::-1]),
    "more images than an epoch has": lambda facts, _: facts.update(images=10**12),
    "an augmentation of another size": lambda _, tensors: tensors.update(
        {"place/augmentation": torch.zeros(3, dtype=torch.uint8)}
    ),
    "images of no number": lambda facts, _: facts.update(images="all"),
    "fewer images than none": lambda facts, _: facts.update(images=-1),
    "sums that are none": lambda facts, _: facts.update(sums=[1]),
    "no augmentation": lambda _, tensors: tensors.pop("place/augmentation"),
    "a weight less": lambda _, tensors: tensors.pop(next(key for key in tensors if key.startswith("now/"))),
    "a moment less": lambda _, tensors: tensors.pop(next(key for key in tensors if key.startswith("adam/"))),
    "weights of another type": lambda _, tensors: tensors.update(
        {key: value.half() for key, value in tensors.items() if key.startswith("best/")}
    ),
    "weights of another shape": lambda _, tensors: tensors.update(
        {key: torch.zeros(1) for key in tensors if key.startswith("now/")}
    ),
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_resume_state_is_an_error(
    prepared: PreparedDataset, tmp_path: Path, interrupted: list[Path], kind: str
) -> None:
    """With the checksum right: whoever made it knew the format."""
    with safe_open(interrupted[0], framework="pt") as file:
        facts = {key: json.loads(value) for key, value in file.metadata().items() if key != "sha256"}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    FORGED[kind](facts, tensors)
    texts = {key: json.dumps(value) for key, value in facts.items()}
    save_file(tensors, interrupted[0], metadata={**texts, "sha256": loop._digest(tensors, texts)})
    with pytest.raises(CheckpointError, match="is no resume state of this training"):
        vicious(prepared, tmp_path / "0", Schedule(3, 16, 0.002, 0))
    assert not (tmp_path / "0").exists()


def test_honest_then_posthoc(prepared: PreparedDataset, tmp_path: Path) -> None:
    target, attack = tmp_path / "target.safetensors", tmp_path / "posthoc.safetensors"
    jobs.train_honest(prepared, target, F, Schedule(6, 8, 0.003, 0), CPU, "")
    before = target.read_bytes()
    jobs.train_attack(prepared.folder, target, attack, G, "softmax", SCHEDULE, CPU, "")
    assert target.read_bytes() == before, "the target model stays frozen"
    record = json.loads(attack.with_suffix(".json").read_text())
    assert record["architecture"]["reads"] == "softmax"
    with target.with_suffix(".csv").open() as file:
        curve = list(csv.DictReader(file))
    assert [row["epoch"] for row in curve] == ["1", "2", "3", "4", "5", "6"]
    assert max(float(row["validation_accuracy"]) for row in curve) > 0.6  # chance is 0.25
    best = min(curve, key=lambda row: float(row["selection"]))
    assert json.loads(target.with_suffix(".json").read_text())["selected_epoch"] == int(best["epoch"])


def test_attributes_train_too(prepared_attributes: PreparedDataset, tmp_path: Path) -> None:
    assert len(vicious(prepared_attributes, tmp_path / "a", Schedule(1, 16, 0.002, 0))) == 4


def test_a_model_of_another_dataset_is_refused(
    prepared: PreparedDataset, prepared_attributes: PreparedDataset, tmp_path: Path
) -> None:
    target = tmp_path / "target.safetensors"
    jobs.train_honest(prepared, target, F, Schedule(1, 16, 0.002, 0), CPU, "")
    with pytest.raises(CheckpointError, match=r"was trained on mnist, but .* holds CelebA"):
        jobs.train_attack(
            prepared_attributes.folder, target, tmp_path / "a.safetensors", G, "logits", SCHEDULE, CPU, ""
        )


def test_a_model_of_other_data_of_the_same_shape_is_refused(prepared: PreparedDataset, tmp_path: Path) -> None:
    target = tmp_path / "target.safetensors"
    jobs.train_honest(prepared, target, F, Schedule(1, 16, 0.002, 0), CPU, "")
    info = json.loads((prepared.folder / "dataset.json").read_text())
    (prepared.folder / "dataset.json").write_text(json.dumps(info | {"fingerprint": "another"}))
    with pytest.raises(CheckpointError, match="trained on other data"):
        jobs.train_attack(prepared.folder, target, tmp_path / "a.safetensors", G, "logits", SCHEDULE, CPU, "")


def test_a_loss_that_is_not_finite_leaves_a_failed_model(prepared: PreparedDataset, tmp_path: Path) -> None:
    vicious(prepared, tmp_path / "a", Schedule(3, 16, 1e30, 0))
    for name in ("target", "joint"):
        weights = tmp_path / "a" / f"{name}.safetensors"
        assert "learning_rate" in str(failure(weights))
        with pytest.raises(CheckpointError, match=r"training of this model failed: .*learning_rate"):
            load_model(weights, "target")
    assert (tmp_path / "a/target.csv").read_text().splitlines()[0].startswith("epoch")
    assert not list(jobs.RESUME_FOLDER.glob("*")), "nothing is left to resume"


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of\nmemory"), MemoryError()])
def test_too_little_memory_leaves_a_failed_model(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    def fails(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(loop, "_train_epoch", fails)
    vicious(prepared, tmp_path / "a")
    told = failure(tmp_path / "a/target.safetensors")
    assert told == ("MemoryError" if isinstance(error, MemoryError) else "RuntimeError: CUDA out of memory")


def test_an_attack_on_a_failed_target_model_fails_too(prepared: PreparedDataset, tmp_path: Path) -> None:
    target, attack = tmp_path / "target.safetensors", tmp_path / "posthoc.safetensors"
    jobs.train_honest(prepared, target, F, Schedule(2, 16, 1e30, 0), CPU, "")
    jobs.train_attack(prepared.folder, target, attack, G, "logits", SCHEDULE, CPU, "")
    assert "its target model failed" in str(failure(attack))
    assert attack.with_suffix(".csv").is_file()


def test_an_autoencoder_ignores_the_labels(prepared: PreparedDataset, tmp_path: Path) -> None:
    def train(folder: Path) -> dict[str, torch.Tensor]:
        jobs.train_vicious(
            load_prepared(folder), tmp_path / folder.name / "target.safetensors",
            tmp_path / folder.name / "joint.safetensors", F, G, "logits", 0.0, 1.0, SCHEDULE, CPU, "",
        )  # fmt: skip
        return load_file(tmp_path / folder.name / "joint.safetensors")

    other = tmp_path / "other"
    shutil.copytree(prepared.folder, other)
    labels = np.load(other / "train_labels.npy")
    np.save(other / "train_labels.npy", labels[::-1].copy())
    tell_again(other)
    shutil.copytree(prepared.folder, tmp_path / "same")
    torch.testing.assert_close(train(other), train(tmp_path / "same"), rtol=0, atol=0)
    record = json.loads((tmp_path / "same/target.json").read_text())
    assert (record["role"], record["beta_c"]) == ("autoencoder", 0.0)


@pytest.mark.parametrize(("classes", "as_many_as"), [(2, 2), (3, 2)])
def test_a_task_of_some_classes_trains_attacks_and_is_told(
    prepared: PreparedDataset, tmp_path: Path, classes: int, as_many_as: int
) -> None:
    target, attack = tmp_path / "target.safetensors", tmp_path / "posthoc.safetensors"
    task = prepared.restrict(classes=classes, as_many_as=as_many_as)
    jobs.train_honest(task, target, F, Schedule(1, 8, 0.002, 0), CPU, "", as_many_as)
    jobs.train_attack(prepared.folder, target, attack, G, "logits", Schedule(1, 8, 0.002, 0), CPU, "")
    for weights in (target, attack):
        record = json.loads(weights.with_suffix(".json").read_text())
        assert (record["task"], record["architecture"]["outputs"]) == (f"mnist-classes{classes}", classes)
    data = load_task(prepared.folder, target)
    assert data.info.n == task.info.n
    with pytest.raises(CheckpointError, match=r"trained on other data|outputs"):
        check_fits(target, load_model(target, "target")[1], prepared)


def test_the_global_generator_is_left_alone(prepared: PreparedDataset, tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    vicious(prepared, tmp_path / "a", Schedule(1, 16, 0.002, 0))
    assert torch.equal(torch.rand(2), expected)


def test_a_batch_is_each_image_and_one_augmented_copy(
    prepared: PreparedDataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []

    def spy(reconstruction: Any, images: Any) -> torch.Tensor:
        seen.append(images.detach().clone())
        return reconstruction_loss(reconstruction, images)

    monkeypatch.setattr(objectives, "reconstruction_loss", spy)
    vicious(prepared, tmp_path / "a", Schedule(1, 20, 0.002, 0))
    assert [len(images) for images in seen] == [40, 40, 16]
    originals = torch.cat([images[: len(images) // 2] for images in seen])
    expected = torch.from_numpy(np.array(prepared.images("train"))).float() / 255
    assert sorted(originals.flatten(1).sum(1).tolist()) == pytest.approx(sorted(expected.flatten(1).sum(1).tolist()))


def test_without_augmentation_a_batch_is_its_images(
    prepared: PreparedDataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []

    def spy(reconstruction: Any, images: Any) -> torch.Tensor:
        seen.append(len(images))
        return reconstruction_loss(reconstruction, images)

    monkeypatch.setattr(objectives, "reconstruction_loss", spy)
    monkeypatch.setattr(loop, "augment", lambda *_: pytest.fail("nothing is augmented"))
    vicious(prepared, tmp_path / "a", Schedule(1, 20, 0.002, 0, augmented=False))
    assert seen == [20, 20, 8]


def test_averages_are_judged_and_saved_in_place_of_weights(prepared: PreparedDataset, tmp_path: Path) -> None:
    """With a decay of nearly 1 they are the plain mean over steps: of one step, its weights."""

    def trained(batch: int, average: float) -> tuple[Any, Any]:
        out = tmp_path / f"{batch} {average}"
        curve = vicious(prepared, out, Schedule(1, batch, 0.002, 0, average=average))[2]
        return load_file(out / "joint.safetensors"), next(csv.DictReader(curve.decode().splitlines()))

    (plain, curve), (same, again) = trained(48, 0.0), trained(48, 0.99)
    assert curve == again
    assert all(torch.equal(value, same[key]) for key, value in plain.items())
    (last, first), (mean, second) = trained(16, 0.0), trained(16, 0.99)
    assert first["train_loss"] == second["train_loss"]
    assert first["validation_mse"] != second["validation_mse"]
    assert not torch.equal(last["linear.weight"], mean["linear.weight"])


def test_a_record_names_what_of_a_schedule_older_ones_had_no_choice_of(
    prepared: PreparedDataset, tmp_path: Path
) -> None:
    changed: dict[str, Any] = {"rate": "one_cycle", "augmented": False, "average": 0.5}
    for changes in ({}, changed):
        schedule = Schedule(1, 16, 0.002, 0, **changes)
        vicious(prepared, tmp_path / "a", schedule)
        record = load_record(tmp_path / "a/target.safetensors")["schedule"]
        assert {key: record[key] for key in changed.keys() & record} == changes
        assert Schedule(**complete(record)) == schedule


@pytest.mark.parametrize("role", ["posthoc", "joint"])
def test_an_attack_on_noisy_outputs_is_the_same_in_one_go_or_resumed(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    frozen = tmp_path / "frozen.safetensors"
    jobs.train_honest(prepared, frozen, F, Schedule(1, 16, 0.002, 0), CPU, "")

    def attack(out: Path) -> bytes:
        if role == "joint":
            target = out.with_name("target.safetensors")
            jobs.train_vicious(prepared, target, out, F, G, "noise0.2", 1.0, 1.0, SCHEDULE, CPU, "")
        else:
            jobs.train_attack(prepared.folder, frozen, out, G, "noise0.2", SCHEDULE, CPU, "")
        return out.read_bytes()

    expected, save = attack(tmp_path / "attack.safetensors"), loop._Run.save

    def killed(self: Any, path: Path) -> None:
        save(self, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop._Run, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        attack(tmp_path / "again" / "attack.safetensors")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert attack(tmp_path / "again" / "attack.safetensors") == expected
    record = json.loads((tmp_path / "attack.json").read_text())
    assert record["architecture"]["reads"] == record["outputs"] == "noise0.2"


@pytest.mark.parametrize("role", ["posthoc", "joint"])
def test_another_attack_model_takes_the_place_of_the_studys(
    prepared: PreparedDataset, tmp_path: Path, role: str
) -> None:
    attack, other = tmp_path / "attack.safetensors", model("attack", "upsampling", {"features": 8})
    target = tmp_path / "target.safetensors"
    if role == "joint":
        jobs.train_vicious(prepared, target, attack, F, other, "softmax", 1.0, 1.0, SCHEDULE, CPU, "")
    else:
        jobs.train_honest(prepared, target, F, Schedule(1, 16, 0.002, 0), CPU, "")
        jobs.train_attack(prepared.folder, target, attack, other, "softmax", SCHEDULE, CPU, "")
    record = json.loads(attack.with_suffix(".json").read_text())
    assert record["architecture"]["model"] == "upsampling"
    assert record["architecture"]["features"] == 8
    network, architecture = load_model(attack, "attack")
    check_fits(attack, architecture, prepared)
    assert network(torch.rand(2, 4)).shape == (2, 1, 32, 32)


def test_an_interrupted_training_is_not_resumed_by_other_code(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "save_model", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    for code in ("one", "other", "one"):
        with pytest.raises(KeyboardInterrupt):
            jobs.train_honest(prepared, tmp_path / "target.safetensors", F, Schedule(1, 16, 0.002, 0), CPU, code)
    assert len(list(jobs.RESUME_FOLDER.iterdir())) == 2


@pytest.mark.parametrize("outputs", ["logits", "noise0.1", "label"])
def test_an_attack_in_closed_form_is_a_model_like_others(
    prepared: PreparedDataset, tmp_path: Path, outputs: str
) -> None:
    target, attack = tmp_path / "target.safetensors", tmp_path / "attack.safetensors"
    jobs.train_honest(prepared, target, F, Schedule(1, 16, 0.002, 0), CPU, "")
    kernel = model("attack", "kernel_ridge", {"landmarks": 20, "kernel_components": 30})
    for _ in range(2):
        jobs.train_attack(prepared.folder, target, attack, kernel, outputs, SCHEDULE, CPU, "")
        network, architecture = load_model(attack, "attack")
        assert architecture.model == kernel
        weights = load_file(attack)
    assert all(torch.equal(weights[key], value) for key, value in network.state_dict().items()), "the same again"
    (head, row) = attack.with_suffix(".csv").read_text().splitlines()
    curve = dict(zip(head.split(","), map(float, row.split(",")), strict=True))
    assert curve.keys() == {"epoch", "validation_ssim", "validation_mse", "selection"}
    labels = torch.from_numpy(prepared.images("validation") / 255)
    assert curve["validation_mse"] < (labels - labels.mean(0)).square().mean() * 1.5
    assert load_record(attack)["selected_epoch"] == 1


def test_a_fit_that_fails_is_recorded(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, attack = tmp_path / "target.safetensors", tmp_path / "attack.safetensors"
    jobs.train_honest(prepared, target, F, Schedule(1, 16, 0.002, 0), CPU, "")

    def fails(*arguments: Any) -> None:
        raise RuntimeError("not enough memory: you tried\nto allocate")

    monkeypatch.setattr("vicious.models.decoders._ridge.fit_linear", fails)
    linear = model("attack", "linear_ridge", {})
    jobs.train_attack(prepared.folder, target, attack, linear, "logits", SCHEDULE, CPU, "")
    assert failure(attack) == "RuntimeError: not enough memory: you tried to allocate"
    assert attack.with_suffix(".csv").read_text() == "epoch\n"


def test_no_target_model_is_trained_with_an_attack_in_closed_form() -> None:
    settings = {"data": "d", "out": "a", "attack_out": "b", "outputs": "logits", "beta_c": 1.0, "beta_r": 1.0}
    size = {"depth": 10, "width": 1, "epochs": 1, "batch_images": 8, "learning_rate": 0.1, "seed": 0}
    with pytest.raises(ValidationError, match="linear_ridge needs a finished target model"):
        TrainVicious.model_validate({**settings, **size, "attack_model": "linear_ridge"})


@pytest.mark.parametrize("batch", [16, 47, 20])
@pytest.mark.parametrize("outputs", ["logits", "noise0.2"])
def test_a_target_model_that_is_asked_once_answers_the_same(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, outputs: str
) -> None:
    """The last batch of 47 has a single image."""
    target = tmp_path / "target.safetensors"
    jobs.train_honest(prepared, target, F, Schedule(1, 16, 0.002, 0), CPU, "")
    found, asked, ask = [], [], objectives.PostHoc._asked

    def counted(self: Any, rows: torch.Tensor) -> torch.Tensor:
        asked.append(len(rows))
        return ask(self, rows)

    monkeypatch.setattr(objectives.PostHoc, "_asked", counted)
    for name in ("once", "each time"):
        if name == "each time":
            monkeypatch.setattr(objectives.PostHoc, "open", lambda *_: None)
        out, before = tmp_path / name / "attack.safetensors", sum(asked)
        jobs.train_attack(prepared.folder, target, out, G, outputs, Schedule(2, batch, 0.002, 0), CPU, "")
        found.append((out.read_bytes(), out.with_suffix(".csv").read_bytes(), sum(asked) - before))
    assert found[0][:2] == found[1][:2]
    assert found[0][2] < found[1][2]


def test_what_comes_once_is_asked_for_when_it_comes(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target.safetensors"
    jobs.train_honest(prepared, target, F, Schedule(1, 16, 0.002, 0), CPU, "")
    monkeypatch.setattr(objectives.PostHoc, "_all_answers", None)
    schedule = Schedule(2, 16, 0.002, 0, epoch_images=24)
    jobs.train_attack(prepared.folder, target, tmp_path / "attack.safetensors", G, "logits", schedule, CPU, "")
    assert failure(tmp_path / "attack.safetensors") is None


def test_an_attacker_with_fewer_images_sees_no_others(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, attack = tmp_path / "target.safetensors", tmp_path / "attack.safetensors"
    jobs.train_honest(prepared, target, F, SCHEDULE, CPU, "")
    seen: list[torch.Tensor] = []
    loss = objectives.PostHoc.loss

    def spied(self: Any, rows: torch.Tensor, labels: torch.Tensor, index: torch.Tensor) -> Any:
        seen.append(rows[: len(index)])
        return loss(self, rows, labels, index)

    monkeypatch.setattr(objectives.PostHoc, "loss", spied)
    jobs.train_attack(prepared.folder, target, attack, G, "logits", SCHEDULE, CPU, "", Means(images=12))
    images = torch.cat(seen).mul(255).round().to(torch.uint8).flatten(1).unique(dim=0)
    fewer = torch.from_numpy(np.array(prepared.fewer(12).images("train"))).flatten(1).unique(dim=0)
    assert images.equal(fewer)
    record = load_record(attack)
    assert (record["means"], record["images"]["n"]["train"]) == ("images12", 12)
    assert record["images"]["n"]["validation"] == 4, "of 16, as 12 of 48"
    assert record["schedule"]["epochs"] == 4 * SCHEDULE.epochs, "as many steps"
    assert record["n"] == prepared.info.n, "of the target model's data"
    check_fits(attack, load_model(attack, "attack")[1], prepared)


def test_an_attacker_with_images_of_another_dataset_never_sees_the_users(
    prepared: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, other = tmp_path / "target.safetensors", tmp_path / "other"
    jobs.train_honest(prepared, target, F, SCHEDULE, CPU, "")
    write_prepared(other, name="fashion_mnist", channels=1, seed=7)
    shown = load_prepared(other)
    asked: list[torch.Tensor] = []
    answer = objectives.PostHoc._asked

    def spied(self: Any, images: torch.Tensor) -> torch.Tensor:
        asked.append(images)
        return answer(self, images)

    monkeypatch.setattr(objectives.PostHoc, "_asked", spied)
    means = Means(of="fashion_mnist")
    for decoder in (G, model("attack", "linear_ridge", {})):
        asked.clear()
        attack = tmp_path / f"{decoder.name}.safetensors"
        jobs.train_attack(prepared.folder, target, attack, decoder, "logits", SCHEDULE, CPU, "", means, other)
        found = {bytes(row) for row in torch.cat(asked).mul(255).round().to(torch.uint8).flatten(1).numpy()}
        theirs, users = (
            {
                bytes(image)
                for split in ("train", "validation")
                for image in np.array(data.images(split)).reshape(-1, 1024)
            }
            for data in (shown, prepared)
        )
        assert theirs <= found
        assert not users & found
        assert load_record(attack)["images"] == {"data": shown.info.fingerprint, "n": shown.info.n}


def test_a_larger_budget_is_as_many_epochs_or_landmarks_more(prepared: PreparedDataset, tmp_path: Path) -> None:
    target = tmp_path / "target.safetensors"
    jobs.train_honest(prepared, target, F, SCHEDULE, CPU, "")

    def trained(decoder: Any, name: str, budget: int = 1) -> dict[str, Any]:
        out = tmp_path / f"{name}.safetensors"
        jobs.train_attack(prepared.folder, target, out, decoder, "logits", SCHEDULE, CPU, "", Means(budget))
        return load_record(out)

    assert trained(G, "a", budget=2)["schedule"]["epochs"] == 2 * SCHEDULE.epochs
    own = model("attack", "components", {"epochs": 2, "components": 8, "hidden": 8, "batch_images": 8})
    record = trained(own, "b", budget=3)
    assert (record["schedule"]["epochs"], record["architecture"]["epochs"]) == (6, 2)
    kernel = model("attack", "kernel_ridge", {"landmarks": 5, "kernel_components": 8})
    assert trained(kernel, "c", budget=2)["architecture"]["landmarks"] == 10
    assert "means" not in trained(kernel, "d")


def test_an_attackers_images_must_be_what_they_are_said_to_be(prepared: PreparedDataset, tmp_path: Path) -> None:
    target, other, out = tmp_path / "target.safetensors", tmp_path / "other", tmp_path / "attack.safetensors"
    jobs.train_honest(prepared, target, F, SCHEDULE, CPU, "")
    write_prepared(other, name="cifar10", channels=3)

    def attack(means: Means, folder: Path | None) -> None:
        jobs.train_attack(prepared.folder, target, out, G, "logits", SCHEDULE, CPU, "", means, folder)

    with pytest.raises(DataError, match="go together"):
        attack(Means(of="cifar10"), None)
    with pytest.raises(DataError, match="go together"):
        attack(Means(), other)
    with pytest.raises(DataError, match="expected the dataset fashion_mnist"):
        attack(Means(of="fashion_mnist"), other)
    with pytest.raises(DataError, match="images of 3 channels"):
        attack(Means(of="cifar10"), other)
    with pytest.raises(DataError, match="are of mnist, as the target model's are: leave them out"):
        attack(Means(of="mnist"), prepared.folder)
    assert not out.exists()


def test_what_is_exact_has_no_budget() -> None:
    settings = {"data": "d", "out": "a", "target": "t", "outputs": "logits", "attack_model": "linear_ridge", "seed": 0}
    size = {"depth": 10, "width": 1, "epochs": 1, "batch_images": 2, "learning_rate": 0.1}
    TrainAttack.model_validate({**settings, **size})
    with pytest.raises(ValidationError, match="linear_ridge is exact and has none"):
        TrainAttack.model_validate({**settings, **size, "budget": 3})
