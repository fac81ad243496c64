"""A study that starts from published models: those that a build would make are taken, and no other."""

import shutil
from pathlib import Path

import pytest
from project import counts, run, set_params, snakemake
from tiny_study import ADAPTIVE, HONEST, VICIOUS

from vicious.published.back import put_back
from vicious.published.publish import publish
from vicious.study.config import Params, load_params
from vicious.study.plan import Plan
from vicious.system.errors import PublishedError
from vicious.system.files import digest

MODELS, RESULTS = Path("models/smoke"), Path("results/smoke/models")
NAMES = (HONEST, VICIOUS, ADAPTIVE)


@pytest.fixture
def published(params: Params) -> Params:
    """A clone: published models, prepared data, no results."""
    publish(params)
    shutil.rmtree("results")
    return params


def there() -> set[str]:
    return {file.relative_to(RESULTS).as_posix() for file in RESULTS.rglob("*") if file.is_file()}


def test_models_come_back_with_their_records_and_without_cards(published: Params) -> None:
    lines = put_back(published)
    assert lines == [*(f"put back {MODELS / name}" for name in NAMES), "3 of 3 published models put back"]
    due = {
        file
        for one in Plan(published).steps
        if one.step.rule() in ("train_honest", "train_vicious")
        for file in one.outputs
    }
    assert {str(RESULTS / name) for name in there()} == due
    for name in there():
        assert digest(RESULTS / name) == digest(MODELS / name)


def test_a_model_that_is_there_stays(published: Params) -> None:
    put_back(published)
    (RESULTS / HONEST / "target.csv").write_text("mine")
    for name in ("target.safetensors", "target.json"):
        (RESULTS / HONEST / name).unlink()
    lines = put_back(published)
    assert lines[0] == f"left {MODELS / HONEST}: {RESULTS / HONEST} holds a model already"
    assert lines[-1] == "0 of 3 published models put back"
    assert (RESULTS / HONEST / "target.csv").read_text() == "mine"


def test_a_target_model_without_its_attack_model_is_not_taken(params: Params) -> None:
    publish(params, [VICIOUS], targets_only=True)
    shutil.rmtree("results")
    lines = put_back(params)
    assert lines[0].startswith(f"left {MODELS / VICIOUS}: the attack model that was trained with it is not published")
    assert not Path("results").exists()


def test_other_settings_are_not_taken(published: Params) -> None:
    set_params(Path(), scales__smoke__learning_rate=0.5)
    lines = put_back(load_params())
    assert "learning_rate 0.001, params.yaml asks for 0.5" in lines[0]
    assert there() == set()


def test_other_code_is_not_taken(published: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vicious.provenance.origin.code_of", lambda step: "another")
    assert put_back(published)[0] == f"left {MODELS / HONEST}: made by other code"
    assert there() == set()


def test_other_or_missing_data_are_named_with_what_to_do(published: Params) -> None:
    labels = Path("data/prepared/smoke/mnist/test_labels.npy")
    labels.write_bytes(labels.read_bytes() + b"x")
    assert put_back(published)[0] == f"left {MODELS / HONEST}: {labels} is not what it was made from"
    shutil.rmtree("data/prepared")
    assert "is missing: `snakemake --cores 1 -- data_mnist` makes it" in put_back(published)[0]
    assert there() == set()


@pytest.mark.parametrize("name", ["target.safetensors", "target.json", "train_honest.provenance.json", "card.json"])
def test_an_altered_model_is_left_and_the_others_are_taken(published: Params, name: str) -> None:
    file = MODELS / HONEST / name
    file.write_bytes(file.read_bytes()[:-2])
    lines = put_back(published)
    assert lines[0].startswith(f"left {MODELS / HONEST}: ")
    assert str(file) in lines[0]
    assert lines[-1] == "2 of 3 published models put back"
    assert not (RESULTS / HONEST).exists()


def test_a_scale_of_which_nothing_is_published_is_refused(published: Params) -> None:
    with pytest.raises(PublishedError, match="scale pilot lies in models: `vicious models` lists"):
        put_back(published.model_copy(update={"scale": "pilot"}))


@pytest.mark.slow
def test_snakemake_trains_no_model_that_was_put_back(study: Path) -> None:
    """Through the commands, and with Snakemake's own records of models that were deleted."""
    assert run(study, "vicious", "publish-models").returncode == 0
    restored = run(study, "vicious", "restore")
    assert restored.returncode == 0, restored.stderr
    shutil.rmtree("results")
    plan = counts(snakemake(study, "-n", "--cores", "1"))
    assert (plan["train_honest"], plan["train_vicious"]) == (1, 2)
    done = run(study, "vicious", "restore", "--models")
    assert done.returncode == 0, done.stderr
    assert "3 of 3 published models put back" in done.stdout
    plan = counts(snakemake(study, "-n", "--cores", "1"))
    assert "train_honest" not in plan
    assert "train_vicious" not in plan
    assert plan["train_attack"] == 6
    attack = f"results/smoke/models/{HONEST}/posthoc-logits.safetensors"
    built = snakemake(study, "--cores", "1", "--", attack)
    assert built.returncode == 0, built.stderr[-2000:]
    assert counts(built) == {"train_attack": 1, "total": 1}
