"""`vicious audit` as its user meets it: files in, a verdict, a page and numbers out."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audited import evidence
from graphs_by_hand import linear_graph

from vicious import cli
from vicious.auditing.record import SCHEMA

GIVEN = evidence(60, 3.0)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    np.save(tmp_path / "images.npy", (GIVEN.images * 255).round().astype(np.uint8))
    return tmp_path / "images.npy"


def stored(folder: Path, logits: Any) -> Path:
    np.save(folder / "outputs.npy", logits)
    return folder / "outputs.npy"


def audit(*words: object) -> int:
    return cli.main(["audit", *map(str, words)])


def test_evidence_in_stored_outputs_ends_with_2_and_is_written(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = stored(tmp_path, GIVEN.logits)
    assert audit("--stored", outputs, images, "--out", tmp_path / "found") == 2
    first = capsys.readouterr().out
    assert first.startswith(
        "evidence: The outputs give away more of the images than those of honest students: of their variation at least "
    )
    found = json.loads((tmp_path / "found/audit.json").read_text())
    assert (found["schema"], found["verdict"]["answer"]) == (SCHEMA, "evidence")
    assert found["given"]["images"] == 60
    assert {one["family"] for one in found["students"]} == {"convolutional", "perceptron"}
    beside = {one["name"]: one for one in found["shipped_networks"]["numbers"]}
    assert found["shipped_networks"]["images"] == 50
    assert beside["leak"]["value"] == found["leak"]["value"]
    assert beside["above_students"]["value"] == min(one["excess"] for one in found["students"])
    page = (tmp_path / "found/audit.html").read_text()
    assert "data:image/png;base64," in page
    assert "Beside networks of known training" in page

    assert audit("--stored", outputs, images, "--out", tmp_path / "again") == 2
    assert (tmp_path / "again/audit.json").read_bytes() == (tmp_path / "found/audit.json").read_bytes()

    labels = tmp_path / "labels.npy"
    np.save(labels, GIVEN.labels)
    words = ("--labels", labels, "--reference", tmp_path / "found", "--out", tmp_path / "placed")
    assert audit("--stored", outputs, images, *words) == 2
    placed = json.loads((tmp_path / "placed/audit.json").read_text())
    assert next(one for one in placed["placed"] if one["name"] == "leak")["references"] == [found["leak"]["value"]]
    by_name = {one["detector"]: one["score"] for one in placed["detectors"]}
    assert by_name["calibration"] is not None


def test_a_model_that_tells_the_label_alone_ends_with_0(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("--stored", stored(tmp_path, 9 * np.eye(4)[GIVEN.labels]), images) == 0
    assert capsys.readouterr().out.startswith("no evidence: ")


def test_a_model_is_asked_about_a_folder_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    for row, image in enumerate(GIVEN.images):
        Image.fromarray((image[0] * 255).round().astype(np.uint8)).save(folder / f"{row:03}.png")
    linear_graph(tmp_path / "model.onnx", ("n", 1, 16, 16), outputs=4)
    assert audit(tmp_path / "model.onnx", folder, "--outputs", "logits", "--out", tmp_path / "out") in (0, 2)
    assert "[0, 1] is assumed" in capsys.readouterr().out
    found = json.loads((tmp_path / "out/audit.json").read_text())
    assert next(one for one in found["detectors"] if one["detector"] == "own_decoder")["score"] is not None
    assert found["title"] == "model.onnx"


def test_few_images_and_one_class_have_a_defined_answer(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    constant = np.tile([9.0, 0, 0, 0], (60, 1))
    assert audit("--stored", stored(tmp_path, constant), images) == 0
    assert "undecided: No verdict: the model predicts the same label for all images." in capsys.readouterr().out
    np.save(images, np.full((60, 16, 16), 128, np.uint8))
    assert audit("--stored", stored(tmp_path, GIVEN.logits), images) == 0
    assert "undecided: No verdict: images of the same predicted label are all alike." in capsys.readouterr().out
    np.save(images, np.zeros((1, 16, 16), np.uint8))
    assert audit("--stored", stored(tmp_path, GIVEN.logits[:1]), images) == 1
    assert "1 images are too few" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["only-a-model.onnx"], "give a model and images"),
        (["images.npy", "more", "--stored", "outputs.npy"], "give the images alone"),
        (["images.npy", "--stored", "outputs.npy", "--reference", "nowhere"], "holds no audit.json"),
        (["images.npy", "--stored", "missing.npy"], "missing"),
        (["missing", "--stored", "outputs.npy"], "missing"),
        (["images.npy", "--stored", "outputs.npy", "--shape", "2", "8", "8"], "1 or 3 channels"),
        (["images.npy", "--stored", "outputs.npy", "--seed", "-1"], "a seed is 0 or more"),
        (["images.npy", "--stored", "outputs.npy", "--out", "images.npy"], "--out takes a folder"),
        (["--no-such-option"], "error"),
        (["images.npy", "--stored", "outputs.npy", "--images", "many"], "error"),
    ],
)
def test_what_is_wrong_ends_with_1_and_a_word_what_to_do(
    words: list[str], said: str, images: Path, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never with 2, which means evidence."""
    stored(tmp_path, GIVEN.logits)
    monkeypatch.chdir(images.parent)
    assert audit(*words) == 1
    assert said in capsys.readouterr().err


def test_a_damaged_reference_is_an_error(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = stored(tmp_path, GIVEN.logits)
    (tmp_path / "old").mkdir()
    for content, said in (("{", "is damaged"), ('{"schema": 99}', "no audit of schema")):
        (tmp_path / "old/audit.json").write_text(content)
        assert audit("--stored", outputs, images, "--reference", tmp_path / "old") == 1
        assert said in capsys.readouterr().err


def test_help_is_instant_and_imports_nothing_heavy() -> None:
    import subprocess

    code = "import sys; from vicious import cli; cli.main(['audit', '--help']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--stored" in done.stdout
    assert done.stdout.endswith("False\n")
