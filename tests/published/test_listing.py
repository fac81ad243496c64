"""The list of published models, and the check of every hash."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzzing import mutants
from tiny_study import ADAPTIVE, HONEST, VICIOUS

from vicious import cli
from vicious.published.card import page, read_card, write_card
from vicious.published.listing import as_json, check, entries, table
from vicious.published.publish import publish
from vicious.study.config import Params
from vicious.system.errors import PublishedError
from vicious.system.files import digest, read_json, write_json

MODELS = Path("models/smoke")
NAMES = (HONEST, VICIOUS, ADAPTIVE)


@pytest.fixture
def published(params: Params) -> Params:
    """The tiny study, whose models are published."""
    publish(params)
    return params


def test_an_empty_or_missing_folder_is_a_line_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for make in (lambda: None, lambda: Path("models").mkdir(), lambda: Path("models/README.md").write_text("")):
        make()
        for words in ([], ["--check"]):
            assert cli.main(["models", *words]) == 0
            assert capsys.readouterr().out == (
                "no model is published here: `vicious publish-models` puts those of a finished study into the folder "
                "models\n"
            )
    assert cli.main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_every_model_is_a_row(published: Params, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--check"]) == 0
    head, *rows, total = capsys.readouterr().out.splitlines()
    assert " ".join(head.split()) == "name dataset role outputs beta_R seed accuracy best PSNR identified size path"
    assert [row.split()[-1] for row in rows] == [str(MODELS / name) for name in NAMES]
    assert [row.split()[2] for row in rows] == ["honest,", "vicious,", "adaptive,"]
    assert all("synthetic" in row for row in rows)
    assert total.startswith("3 models, 1.5")


def test_json_has_the_same_numbers_unrounded(published: Params, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--json"]) == 0
    found = {one["path"]: one for one in json.loads(capsys.readouterr().out)}
    for name in NAMES:
        one, best = found[str(MODELS / name)], read_json(f"results/smoke/assessments/{name}/risk-best-logits.json")
        assert (one["psnr"], one["identified"], one["accuracy"]) == (best["psnr"], best["top1"], best["accuracy"])
        assert one["bytes"] == sum(file.stat().st_size for file in (MODELS / name).iterdir())
        assert (one["source"], one["attack"], one["n"], one["seed"]) == ("synthetic", "best", 32, 0)


def test_the_list_waits_for_nothing_heavy(published: Params) -> None:
    for words in (["models"], ["models", "--json"], ["models", "--help"]):
        code = (
            f"import sys; from vicious import cli; cli.main({words!r}); "
            "print([name for name in ('torch', 'numpy', 'pandas', 'safetensors') if name in sys.modules])"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert out.splitlines()[-1] == "[]"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def better(file: Path) -> None:
    card = read_json(file)
    card["leaks"][0]["psnr"] = 1.0
    write_json(file, card)


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def to_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def forget(file: Path) -> None:
    """A card that names the file by another hash, and itself is sound."""
    card = read_card(file.parent)
    write_card(card.model_copy(update={"files": {**card.files, file.name: "0" * 64}}), file.parent)


CARD_DAMAGE: list[tuple[str, Callable[[Path], Any], str]] = [
    ("card.json", cut, "is damaged"),
    ("card.json", better, "was altered since it was written"),
    ("card.json", Path.unlink, "card.json is missing"),
    ("card.json", pipe, "it is a named pipe"),
    ("card.json", to_link, "it is a device"),
    (
        "card.json",
        lambda file: shutil.copy(MODELS / HONEST / "card.json", file),
        "is the card of models/smoke/mnist/honest",
    ),
]
DAMAGE: list[tuple[str, Callable[[Path], Any], str]] = [
    *CARD_DAMAGE,
    ("card.md", cut, "card.md is not what card.json says"),
    ("target.safetensors", flip, "target.safetensors is not what card.json says"),
    ("joint.safetensors", Path.unlink, "joint.safetensors is missing"),
    ("target.json", pipe, "target.json cannot be read"),
    ("target.csv", forget, "target.csv is not what card.json says"),
    ("train_vicious.provenance.json", cut, "train_vicious.provenance.json is not what card.json says"),
    ("more.txt", lambda file: file.write_text("x"), "more.txt is not named by card.json: delete it"),
]


@pytest.mark.parametrize(("name", "damage", "words"), DAMAGE, ids=[f"{name} {words[:24]}" for name, _, words in DAMAGE])
def test_what_is_damaged_is_named_with_what_to_do(
    published: Params, capsys: pytest.CaptureFixture[str], name: str, damage: Any, words: str
) -> None:
    damage(MODELS / VICIOUS / name)
    assert cli.main(["models"]) == 0
    listed = capsys.readouterr().out
    assert (words in listed) == ((name, damage, words) in CARD_DAMAGE)
    assert cli.main(["models", "--check"]) == 1
    told = capsys.readouterr().err
    assert words in told
    assert len(told.splitlines()) == 2, told
    assert "`git checkout -- models" in told or "delete it" in told
    assert "damaged" in json.loads(as_json(entries()))[1] if (name, damage, words) in CARD_DAMAGE else True


def test_models_that_do_not_belong_together_are_found_though_every_hash_is_right(published: Params) -> None:
    folder = MODELS / VICIOUS
    for name in ("joint.safetensors", "joint.json"):
        shutil.copy(MODELS / ADAPTIVE / name, folder / name)
    card = read_card(folder)
    write_card(card.model_copy(update={"files": {name: digest(folder / name) for name in card.files}}), folder)
    (problem,) = check(entries())
    assert "is of another target model" in problem
    write_card(card.model_copy(update={"beta_r": 2.0, "files": read_card(folder).files}), folder)
    assert "does not describe target.safetensors" in check(entries())[0]


def test_a_hash_of_a_file_elsewhere_is_not_taken(published: Params) -> None:
    card = read_card(MODELS / HONEST)
    write_card(
        card.model_copy(update={"files": {"../../../../../params.yaml": digest("params.yaml")}}), MODELS / HONEST
    )
    assert "params.yaml is not what card.json says" in "\n".join(check(entries()))


def test_nothing_in_a_card_forges_a_line_or_steers_the_terminal(
    published: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "honest\n3 models\x1b[2J\u202e"
    card = read_card(MODELS / HONEST)
    folder = (MODELS / HONEST).parent.with_name(evil)
    shutil.copytree(MODELS / HONEST, folder / "seed0")
    write_card(card.model_copy(update={"model": evil, "outputs": evil}), folder / "seed0")
    write_card(card.model_copy(update={"model": evil}), MODELS / HONEST)
    cli.main(["models"])
    cli.main(["models", "--check"])
    printed = capsys.readouterr()
    for line in (printed.out + printed.err).splitlines():
        assert line.isprintable(), line
    assert page(card)


def test_a_hidden_folder_and_a_readme_are_no_models(published: Params) -> None:
    shutil.copytree(MODELS / HONEST, (MODELS / HONEST).with_name(".seed1.01234567.part"))
    Path("models/README.md").write_text("words")
    assert [one.folder for one in entries()] == [MODELS / name for name in NAMES]
    assert check(entries()) == []


@pytest.mark.fuzz
def test_mutants_of_a_card_are_read_or_refused(published: Params) -> None:
    file = MODELS / VICIOUS / "card.json"
    sound = file.read_bytes()
    for mutant in mutants(sound, 300):
        file.write_bytes(mutant)
        found = entries()
        table(found)
        as_json(found)
        try:
            assert read_card(file.parent) == read_card(file.parent)
        except PublishedError:
            assert found[1].card is None
