"""Code hashes and provenance records."""

import shutil
import subprocess
from pathlib import Path

import pytest

from vicious import cli
from vicious.provenance import record
from vicious.provenance.record import code_hash, code_version, write_provenance
from vicious.system.files import read_json


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A copy of the package's source that may be edited."""
    copy = tmp_path / "vicious"
    shutil.copytree(record._SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(record, "_SOURCE", copy)
    code_hash.cache_clear()
    yield copy
    code_hash.cache_clear()


def edited_hash(source, file, module):
    before = code_hash(module)
    (source / file).write_text((source / file).read_text() + "\n# edited\n")
    code_hash.cache_clear()
    return before, code_hash(module)


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("training/augment.py", "vicious.training.jobs"),
        ("models/target.py", "vicious.training.jobs"),
        ("metrics/image.py", "vicious.attacks.assess"),
        ("data/formats/idx.py", "vicious.data.prepare"),
        ("report/style.py", "vicious.report.figure2"),
    ],
)
def test_editing_what_a_command_uses_changes_its_hash(source, file, module):
    before, after = edited_hash(source, file, module)
    assert before != after


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("report/style.py", "vicious.training.jobs"),
        ("training/augment.py", "vicious.data.prepare"),
        ("study/config.py", "vicious.training.jobs"),
        ("__init__.py", "vicious.training.jobs"),
        ("data/catalog.py", "vicious.training.jobs"),
        ("system/errors.py", "vicious.training.jobs"),
        ("system/progress.py", "vicious.training.jobs"),
        ("system/interrupt.py", "vicious.training.jobs"),
        ("cli.py", "vicious.attacks.assess"),
    ],
)
def test_editing_what_it_does_not_use_changes_nothing(source, file, module):
    before, after = edited_hash(source, file, module)
    assert before == after


def test_touching_changes_nothing(source):
    before = code_hash("vicious.training.jobs")
    (source / "training/jobs.py").touch()
    code_hash.cache_clear()
    assert code_hash("vicious.training.jobs") == before


def test_a_record_names_inputs_outputs_code_libraries_and_hardware(tmp_path):
    (tmp_path / "in.txt").write_text("x")
    (tmp_path / "out.txt").write_text("y")
    written = [tmp_path / "out.txt", tmp_path / "removed again.txt"]
    write_provenance(tmp_path / "p.json", "table1", {"a": 1}, [tmp_path / "in.txt"], written, 1.5)
    record = read_json(tmp_path / "p.json")
    assert record["inputs"][(tmp_path / "in.txt").as_posix()].startswith("2d711642b726b044")
    assert {Path(name).name: value[:16] for name, value in record["outputs"].items()} == {"out.txt": "a1fce4363854ff88"}
    assert record["code"]["package"]
    assert record["libraries"]["torch"]
    assert record["hardware"]["cores"] >= 1
    assert record["seconds"] == 1.5
    assert Path(tmp_path / "p.json").read_text().endswith("}\n")


def test_code_is_dirty_by_its_source_and_not_by_its_products(tmp_path, monkeypatch):
    (tmp_path / "src").mkdir()
    (tmp_path / "docs/pilot").mkdir(parents=True)
    files = [tmp_path / name for name in ("src/code.py", "docs/pilot/table.md", "dvc.lock")]
    for file in files:
        file.write_text("1")
    for command in ("init -q", "add -A", "-c user.name=a -c user.email=a@b.invalid commit -qm x"):
        subprocess.run(["git", "-C", tmp_path, *command.split()], check=True)
    monkeypatch.setattr(record, "_SOURCE", tmp_path / "src")
    assert code_version()["dirty"] is False
    for product in files[1:]:
        product.write_text("2")
    assert code_version()["dirty"] is False
    files[0].write_text("2")
    assert code_version()["dirty"] is True
    assert len(code_version()["commit"]) == 40


def inputs_of(command: str) -> set[str]:
    """The names of the files that a command line would record as read."""
    return {file.as_posix() for file in cli._input_files(cli._parser().parse_args(command.split()))}


ARRAYS = {f"d/{split}_{kind}.npy" for split in ("train", "validation", "test") for kind in ("images", "labels")}
TRAINING = "--depth 10 --width 1 --epochs 1 --batch-images 2 --learning-rate 0.1 --seed 0 --out o"


@pytest.mark.parametrize(
    ("command", "read"),
    [
        ("fit-covariance --data d --out o", {"d/dataset.json", *ARRAYS}),
        (f"train-honest --data d {TRAINING}", {"d/dataset.json", *ARRAYS}),
        (
            f"train-attack --data d --target m/target.safetensors --outputs logits {TRAINING}",
            {"d/dataset.json", *ARRAYS, "m/target.safetensors", "m/target.json"},
        ),
        (
            "assess-risk --data d --covariance c.safetensors --target m/target.safetensors --attack m/posthoc-noise0.1.safetensors "
            "--out o --gallery-images 1 --estimator ridge --cutoff 0",
            {"d/dataset.json", *ARRAYS, "c.safetensors", "m/target.safetensors", "m/target.json"}
            | {"m/posthoc-noise0.1.safetensors", "m/posthoc-noise0.1.json"},
        ),
        ("summarize a/risk-joint.json b/risk-joint.json --out o", {"a/risk-joint.json", "b/risk-joint.json"}),
        ("compare a/risk-joint.json --out o", {"a/risk-joint.json", "a/risk-joint.parquet"}),
        ("per-class a/risk-joint.json --classes c --attributes d", {"a/risk-joint.json", "a/risk-joint.parquet"}),
        (
            "agree a/risk-posthoc-noise0.1.json --estimators e --agreement g",
            {f"a/{name}" for name in ("risk-posthoc-noise0.1.json", "risk-posthoc-noise0.1.parquet", "estimators-posthoc-noise0.1.csv")},
        ),
        (
            "figure12 --assessments a/risk-joint.json --out o",
            {"a/risk-joint.json", "a/risk-joint.parquet", "a/gallery-joint.npz"},
        ),
        ("figure11 --curves m/target.csv --out o", {"m/target.csv", "m/target.json"}),
        ("table2 --summary s.csv --comparisons c.csv --out o", {"s.csv", "c.csv"}),
    ],
)  # fmt: skip
def test_what_lies_beside_an_input_and_is_read_is_an_input_too(command, read):
    assert inputs_of(command) == read
