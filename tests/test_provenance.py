"""Code hashes and provenance records."""

import shutil
import subprocess
from pathlib import Path

import pytest

from vicious import provenance
from vicious.files import read_json
from vicious.provenance import code_hash, code_version, write_provenance


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A copy of the package's source that may be edited."""
    copy = tmp_path / "vicious"
    shutil.copytree(provenance._SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "_SOURCE", copy)
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
        ("metrics/image.py", "vicious.metrics.assess"),
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
        ("config.py", "vicious.training.jobs"),
        ("__init__.py", "vicious.training.jobs"),
        ("data/catalog.py", "vicious.training.jobs"),
        ("errors.py", "vicious.training.jobs"),
        ("progress.py", "vicious.training.jobs"),
        ("cli.py", "vicious.metrics.assess"),
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
    (tmp_path / "paper_figures").mkdir()
    files = [tmp_path / "src/code.py", tmp_path / "paper_figures/table.md"]
    for file in files:
        file.write_text("1")
    for command in ("init -q", "add -A", "-c user.name=a -c user.email=a@b.invalid commit -qm x"):
        subprocess.run(["git", "-C", tmp_path, *command.split()], check=True)
    monkeypatch.setattr(provenance, "_SOURCE", tmp_path / "src")
    assert code_version()["dirty"] is False
    files[1].write_text("2")
    assert code_version()["dirty"] is False
    files[0].write_text("2")
    assert code_version()["dirty"] is True
    assert len(code_version()["commit"]) == 40
