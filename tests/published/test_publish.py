"""Publishing: sound, assessed models alone, whole or not at all, each with a card that says what was measured."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from models_by_hand import F
from project import set_params
from tiny_study import ADAPTIVE, HONEST, VICIOUS

from vicious import cli
from vicious.data.datasets import all_datasets
from vicious.models.architecture import Architecture
from vicious.models.checkpoint import load_record, save_failure
from vicious.published import publish as module
from vicious.published.card import Card, page, read_card
from vicious.published.publish import matches, publish, trainings
from vicious.study import grid
from vicious.study.config import Params, load_params
from vicious.system.errors import PublishedError
from vicious.system.files import digest, read_json, write_json

ROOT = Path(__file__).resolve().parents[2]
RESULTS, MODELS = Path("results/smoke/models"), Path("models/smoke")


def there() -> dict[str, str]:
    """Every published file, and its hash."""
    return {str(file.relative_to(MODELS)): digest(file) for file in MODELS.rglob("*") if file.is_file()}


def refused(params: Params, *words: str, **options: Any) -> str:
    """What is said of models that are not published; nothing else may be."""
    with pytest.raises(PublishedError) as error:
        publish(params, **options)
    assert there() == {}
    assert not [word for word in words if word not in str(error.value)], str(error.value)
    return str(error.value)


def test_a_model_comes_with_its_records_and_a_card_and_to_the_byte(params: Params) -> None:
    lines = publish(params)
    for name in (HONEST, VICIOUS, ADAPTIVE):
        copied = {file.name for file in (MODELS / name).iterdir()} - {"card.json", "card.md"}
        own = {"target.safetensors", "target.json", "target.csv"}
        assert copied == own | (
            {"train_honest.provenance.json"}
            if name == HONEST
            else {"joint.safetensors", "joint.json", "train_vicious.provenance.json"}
        )
        for file in copied:
            assert (MODELS / name / file).read_bytes() == (RESULTS / name / file).read_bytes()
        assert [line for line in lines if line.startswith(f"published: {MODELS / name} (")]
    assert lines[-1].startswith("3 models; models takes 1.5")


def test_a_target_model_may_come_without_its_attack_model(params: Params) -> None:
    publish(params, [VICIOUS], targets_only=True)
    assert sorted(file.name for file in (MODELS / VICIOUS).iterdir()) == [
        *("card.json", "card.md", "target.csv", "target.json", "target.safetensors", "train_vicious.provenance.json")
    ]
    card = read_card(MODELS / VICIOUS)
    assert card.attack_architecture is None
    assert card.attack_parameters is None
    assert card.leaks
    assert "joint.safetensors" not in (MODELS / VICIOUS / "card.md").read_text(encoding="utf-8")
    assert cli.main(["models", "--check"]) == 0
    publish(params, [VICIOUS])
    assert (MODELS / VICIOUS / "joint.safetensors").is_file(), "with its attack model it replaces that without"
    publish(params, [VICIOUS], targets_only=True)
    assert not (MODELS / VICIOUS / "joint.safetensors").exists()


def test_more_target_models_fit_without_attack_models(params: Params) -> None:
    said = refused(params, "--targets-only", most_mb=1.0)
    assert "--leave-out" in said
    publish(params, most_mb=1.0, targets_only=True)


def test_what_is_there_already_stays_and_what_is_older_is_replaced_whole(params: Params) -> None:
    publish(params)
    before = there()
    assert publish(params)[0].startswith("there already: ")
    assert there() == before
    (MODELS / HONEST / "target.csv").write_text("of another training")
    (MODELS / HONEST / "old.txt").write_text("of another training")
    left = (MODELS / HONEST).with_name(".seed0.01234567.part")
    left.mkdir()
    assert publish(params, ["mnist/honest"])[0].startswith("published: ")
    assert there() == before
    assert os.listdir(left.parent) == ["seed0"]


def test_a_killed_publication_leaves_the_older_model(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(params)
    before = there()
    (MODELS / HONEST / "target.csv").write_text("another")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_card", stop)
    with pytest.raises(KeyboardInterrupt):
        publish(params)
    assert there().keys() == before.keys()


def test_models_are_chosen_by_name_folder_and_pattern(params: Params) -> None:
    publish(params, ["*/seed0"], ["mnist/vicious*"])
    assert {Path(name).parent.as_posix() for name in there()} == {HONEST}
    publish(params, [VICIOUS])
    assert {Path(name).parent.as_posix() for name in there()} == {HONEST, VICIOUS}
    assert matches("celeba/k5/honest/seed1", ["celeba"])
    assert matches("celeba/k5/honest/seed1", ["*/honest/"])
    assert not matches("celeba/k5/honest/seed1", ["honest", "k5", "*/seed"])


def test_every_target_model_of_a_scale_can_be_named(smoke: Params) -> None:
    for scale in ("smoke", "pilot", "paper"):
        every = trainings(smoke.model_copy(update={"scale": scale, "datasets": ["mnist", "celeba", "cifar100"]}))
        assert len({one.name for one in every}) == len(every) > 5
        assert all(one.record.name.endswith(".provenance.json") for one in every)


def test_an_unknown_name_is_refused(params: Params) -> None:
    refused(params, "no model mnist/onest", "such as mnist/honest/seed0", models=["mnist/onest"])
    refused(params, "no model cifar10", leave_out=["cifar10"])
    refused(params, "--leave-out leaves no model to publish", models=["mnist/honest"], leave_out=["*/seed0"])


def test_a_model_that_is_not_built_is_refused(params: Params) -> None:
    shutil.rmtree(RESULTS / HONEST)
    refused(params, "mnist/honest is not built at scale smoke: run `snakemake` first", models=["mnist/honest"])
    shutil.rmtree(RESULTS)
    refused(params, "no model of scale smoke is built here")


def fail(weights: Path) -> None:
    record = load_record(weights)
    kept = {key: record[key] for key in record if key not in ("architecture", "parameters", "weights")}
    save_failure(weights, Architecture(F, 1, 10, False), kept, "the loss was not finite")


def test_a_model_whose_training_failed_is_refused(params: Params) -> None:
    fail(RESULTS / HONEST / "target.safetensors")
    told = refused(params, "1 of 3 models cannot be published, so none was:")
    assert "mnist/honest/seed0: its training failed: the loss was not finite" in told


def test_a_model_without_an_assessment_is_refused_with_the_command_that_makes_it(params: Params) -> None:
    file = f"results/smoke/assessments/{VICIOUS}/risk-best-logits.json"
    Path(file).unlink()
    refused(params, f"{VICIOUS}: it has no assessment: `snakemake -- {file}` makes it")
    assert publish(params, leave_out=["mnist/vicious-logits-beta1"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("target.csv", "is not what"),
        ("target.json", "are not of one training, or were altered"),
        ("target.safetensors", "is damaged or no safetensors file"),
        ("train_honest.provenance.json", "cannot be read"),
    ],
)
def test_an_altered_file_is_refused(params: Params, name: str, words: str) -> None:
    file = RESULTS / HONEST / name
    if name == "target.json":
        write_json(file, read_json(file) | {"beta_r": 2.0})
    else:
        with file.open("ab") as opened:
            opened.write(b"x")
    assert "mnist/honest/seed0: " in refused(params, words)


def test_a_joint_attack_model_of_another_target_model_is_refused(params: Params) -> None:
    for name in ("joint.safetensors", "joint.json"):
        shutil.copy(RESULTS / ADAPTIVE / name, RESULTS / VICIOUS / name)
    refused(params, "joint.safetensors is of another target model")


def test_an_assessment_of_other_weights_is_refused(params: Params) -> None:
    file = Path(f"results/smoke/assessments/{HONEST}/risk-posthoc-logits.provenance.json")
    record = read_json(file)
    weights = str(RESULTS / HONEST / "target.safetensors")
    write_json(file, record | {"inputs": record["inputs"] | {weights: "0" * 64}})
    refused(params, "risk-posthoc-logits.json was measured on other weights than")
    write_json(file, record)
    altered = file.with_name("risk-posthoc-logits.json")
    write_json(altered, read_json(altered) | {"psnr": 60.0})
    refused(params, "risk-best-logits.json was made from another risk-posthoc-logits.json than lies beside it")


def test_an_assessment_that_says_to_be_made_of_itself_is_refused(params: Params) -> None:
    file = Path(f"results/smoke/assessments/{HONEST}/risk-best-logits.json")
    path = file.with_suffix(".provenance.json")
    write_json(path, read_json(path) | {"inputs": {str(file): digest(file)}})
    refused(params, "risk-best-logits.json was not measured on results/smoke/models/mnist/honest/seed0/target")
    write_json(path, read_json(path) | {"inputs": {str(file.with_name("gone.json")): "0"}})
    refused(params, "gone.json is missing")


def test_models_of_another_configuration_are_refused(params: Params) -> None:
    set_params(Path(), scales__smoke__learning_rate=0.5)
    refused(load_params(), "another configuration (learning_rate 0.001, params.yaml asks for 0.5)", "--config")


def test_too_many_megabytes_are_refused_with_what_takes_them(params: Params) -> None:
    told = refused(params, "3 models take 1.5", "--most-mb is 0.5", most_mb=0.5)
    assert "'*/vicious-logits-beta1' (0.6" in told
    assert "by seed: '*/seed0' (1.5" in told
    publish(params, ["mnist/honest"], most_mb=0.5)
    with pytest.raises(PublishedError, match=r"beside 0\.3. MB that are there already"):
        publish(params, [VICIOUS], most_mb=0.7)


def test_models_of_other_code_are_published_with_a_note(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "of_other_code", lambda record: True)
    assert "made by other code than that of today" in publish(params)[0]


# --- the card ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [HONEST, VICIOUS, ADAPTIVE])
def test_a_card_says_what_the_records_say(params: Params, name: str) -> None:
    publish(params)
    folder = MODELS / name
    card, text = read_card(folder), (folder / "card.md").read_text(encoding="utf-8")
    record, provenance = read_json(folder / "target.json"), read_json(next(folder.glob("train_*.json")))
    measured = Path(f"results/smoke/assessments/{name}")
    assert [leak.attack for leak in card.leaks] == ["best", *(["joint", "posthoc"] if name != HONEST else ["posthoc"])]
    for leak in card.leaks:
        file = measured / ("risk-joint.json" if leak.attack == "joint" else f"risk-{leak.attack}-logits.json")
        found = read_json(file)
        assert leak.assessment == digest(file)
        assert (leak.psnr, leak.ssim, leak.risk, leak.top1, leak.n) == tuple(
            found[key] for key in ("psnr", "ssim", "risk", "top1", "n")
        )
        assert f"| {leak.psnr:.2f} | {leak.ssim:.3f} | {leak.risk:.3f} |" in text
    assert card.strongest.attack == "best"
    assert card.accuracy is not None
    assert card.accuracy == read_json(measured / "risk-best-logits.json")["accuracy"]
    assert f"{100 * card.accuracy:.2f}% on 32 test images." in text
    assert (card.role, card.evasion) == {HONEST: ("honest", 0.0), VICIOUS: ("vicious", 0.0)}.get(
        name, ("adaptive", 1.0)
    )
    assert (card.source, card.split_seed, card.images) == ("synthetic", 0, record["n"])
    for said in (
        *("Synthetic images, drawn by this project in place of MNIST.", "Split seed: 0.", record["data"]),
        *("MIT, drawn by this project", f"{record['parameters']:,} parameters", provenance["code"]["hash"]),
        *(provenance["code"]["commit"], "on this single model", record["weights"], "research on defences"),
    ):
        assert said in text, said
    assert ("this model gives away its inputs" in text) == (name != HONEST)
    assert ("a penalty of weight 1 against linear decodability" in text) == (name == ADAPTIVE)
    assert card.files.keys() == {file.name for file in folder.iterdir()} - {"card.json"}


def changed(params: Params, name: str = VICIOUS, **values: Any) -> Card:
    if not (MODELS / name).exists():
        publish(params)
    return read_card(MODELS / name).model_copy(update=values)


def test_a_card_of_real_images_says_so_and_which_files_stand_for_official_ones(params: Params) -> None:
    official = changed(params, source="official", checksums=[], licence="none stated")
    assert "Real images of MNIST, from the official files." in page(official)
    subset = changed(params, source="official", checksums=["a.zip=md5:0"])
    assert "Accepted by checksum in place of the official files: a.zip." in page(subset)
    assert "Synthetic" not in page(official) + page(subset)


def test_an_autoencoder_has_no_accuracy_and_a_failed_attack_no_number(params: Params) -> None:
    card = changed(params, role="autoencoder", accuracy=None)
    best, joint, posthoc = card.leaks
    empty = dict.fromkeys(("psnr", "ssim", "risk", "risk95", "top1", "top1_chance", "n"))
    failed = joint.model_copy(update={**empty, "reason": "not finite"})
    text = page(card.model_copy(update={"leaks": [failed, posthoc]}))
    assert "An autoencoder was never asked for labels." in text
    assert "| logits | the original's, joint | failed | failed |" in text
    assert "- logits, joint: not finite." in text
    assert "No other attack was tried." in text
    assert card.model_copy(update={"leaks": [failed, posthoc]}).strongest == posthoc
    assert card.model_copy(update={"leaks": [joint, best]}).strongest == best
    more = posthoc.model_copy(update={"psnr": (joint.psnr or 0) + 1})
    assert card.model_copy(update={"leaks": [joint, more]}).strongest == more


def test_what_attackers_with_other_means_read_is_no_part_of_a_card(params: Params) -> None:
    set_params(Path(), scales__smoke__attackers__datasets=["mnist"])
    other = load_params()
    assert len(grid.attacks(other)) > len(grid.attacks(params))
    publish(other, ["mnist/honest"])
    assert [leak.attack for leak in read_card(MODELS / HONEST).leaks] == ["best", "posthoc"]


def test_licences_of_cards_are_those_of_the_list() -> None:
    text = (ROOT / "DATA_LICENSES.md").read_text(encoding="utf-8").replace("their authors", "its authors")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    for dataset in all_datasets():
        (terms,) = [row[1] for row in rows if dataset.title in row[0].split(", ")]
        assert dataset.licence.startswith(terms), dataset.name
    assert ["synthetic stand-ins", "MIT, drawn by this project"] in [row[:2] for row in rows]


def test_the_command_publishes_and_refuses_in_one_line_each(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree("src")  # which is not what runs here
    assert cli.main(["publish-models", "--scale", "smoke", "--models", "mnist/honest", "--most-mb", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("`git add models`")
    assert cli.main(["publish-models", "--scale", "pilot"]) == 1
    assert capsys.readouterr().err.startswith("error: no model of scale pilot is built here")
    assert cli.main(["publish-models", "--config", "datasets=[cifar10]"]) == 1
    assert "no model of scale smoke is built here" in capsys.readouterr().err
    assert json.loads((MODELS / HONEST / "card.json").read_text())["model"] == "honest"
