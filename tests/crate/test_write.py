"""Crates as they are written: in place, in a folder, as an archive."""

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from vicious import cli
from vicious.crate.write import METADATA, write
from vicious.study.config import Params
from vicious.system.errors import ConfigError, CrateError, ProvenanceError, StudyRunningError
from vicious.system.files import read_json
from vicious.workflow.unlock import LOCKS

LARGE = "results/smoke/models/mnist/honest/seed0/target.safetensors"
TABLE = "paper_figures/smoke/main_table.csv"
PROFILE = "workflow-run-crate-0.5"


def files(metadata: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    return (one for one in metadata["@graph"] if "File" in one["@type"])


def test_in_place_the_metadata_is_all_that_is_written(study: Params) -> None:
    before = set(Path().rglob("*"))
    assert write(study) == Path(METADATA)
    assert set(Path().rglob("*")) - before == {Path(METADATA)}


@pytest.mark.parametrize("out", ["", "another folder", "small.zip"])
def test_every_file_of_the_metadata_is_in_the_crate_as_it_says(study: Params, out: str, tmp_path: Path) -> None:
    written = write(study, Path(out))
    root = written.parent
    if written.suffix == ".zip":
        root = tmp_path / "unpacked"
        with zipfile.ZipFile(written) as archive:
            archive.extractall(root)
    metadata = read_json(root / METADATA)
    named = {unquote(one["@id"]): one for one in files(metadata)}
    for name, entity in named.items():
        content = (root / name).read_bytes()
        assert entity["contentSize"] == str(len(content))
        assert entity["sha256"] == hashlib.sha256(content).hexdigest()
    assert (LARGE in named) == (out == "")
    assert {TABLE, "results/smoke/summaries/main.csv", "results/smoke/report.html", "workflow/rules/steps.smk"} <= {
        *named
    }
    if out:
        assert {*named, METADATA} == {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}


def test_a_folder_with_files_is_refused_and_left_as_it_is(study: Params) -> None:
    write(study, Path("crate"))
    before = {file: file.read_bytes() for file in Path("crate").rglob("*") if file.is_file()}
    with pytest.raises(CrateError, match="crate holds files already: give a new folder"):
        write(study, Path("crate"))
    assert {file: file.read_bytes() for file in Path("crate").rglob("*") if file.is_file()} == before


def test_a_crate_is_not_written_while_results_are_made(study: Params) -> None:
    LOCKS.mkdir(parents=True)
    (LOCKS / "0.input.lock").write_text("", encoding="utf-8")
    with pytest.raises(StudyRunningError):
        write(study)
    assert not Path(METADATA).exists()


def test_the_same_results_give_the_same_bytes(build: Any) -> None:
    made: list[tuple[bytes, bytes]] = []
    for name in ("one", "another"):
        params = build(name)
        os.utime("Snakefile", (1, 1) if made else (2, 2))
        made.append((write(params).read_bytes(), write(params, Path("crate.zip")).read_bytes()))
    assert made[0] == made[1]


def test_what_is_not_in_the_crate_is_described_without_a_place(study: Params, entities: Any) -> None:
    sha = hashlib.sha256(Path(LARGE).read_bytes()).hexdigest()
    found = entities(read_json(write(study, Path("small"))))
    (left_out,) = [one for one in found.values() if one.get("name") == LARGE]
    assert (left_out["@type"], left_out["sha256"]) == ("CreativeWork", sha)
    assert left_out["@id"].startswith("#")
    (training,) = [one for name, one in found.items() if name.endswith("honest/seed0/train_honest.provenance.json")]
    assert {"@id": left_out["@id"]} in training["result"]


def test_what_a_clone_lacks_is_described_too(study: Params, entities: Any) -> None:
    shutil.rmtree("results/smoke/models")
    shutil.rmtree("data")
    found = entities(read_json(write(study)))
    assert [one["@type"] for one in found.values() if one.get("name") == LARGE] == ["CreativeWork"]
    assert "#job/results/smoke/summaries/main.provenance.json" in found
    assert not [name for name in found if name.startswith("#job/data")]


def test_results_that_were_altered_are_refused_and_nothing_is_written(study: Params) -> None:
    Path(TABLE).write_text("better numbers", encoding="utf-8")
    with pytest.raises(ProvenanceError, match=rf"{TABLE}.*vicious verify"):
        write(study)
    assert not Path(METADATA).exists()


def test_a_file_that_was_read_and_made_again_is_refused(study: Params) -> None:
    Path("data/prepared/smoke/mnist/dataset.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ProvenanceError, match=r"dataset\.json"):
        write(study)


def test_without_results_it_says_what_builds_them(study: Params) -> None:
    for name in ("results", "data", "paper_figures"):
        shutil.rmtree(name)
    with pytest.raises(ProvenanceError, match="snakemake --cores all --config scale=smoke"):
        write(study)


def test_a_record_that_cannot_be_read_is_named(study: Params) -> None:
    Path("paper_figures/smoke/main_table.json").write_text("{", encoding="utf-8")
    with pytest.raises(ProvenanceError, match=r"main_table\.json cannot be read"):
        write(study)


def test_a_record_with_a_strange_time_is_named(study: Params) -> None:
    path = Path("paper_figures/smoke/main_table.json")
    path.write_text(path.read_text(encoding="utf-8").replace("2026-01-01T", "yesterday "), encoding="utf-8")
    with pytest.raises(ProvenanceError, match=r"main_table\.json has 'yesterday"):
        write(study)


@pytest.mark.parametrize(("gone", "error"), [("Snakefile", CrateError), ("CITATION.cff", ConfigError)])
def test_outside_of_the_project_it_says_so(study: Params, gone: str, error: type[Exception]) -> None:
    Path(gone).unlink()
    with pytest.raises(error, match="project's root folder"):
        write(study)


def test_without_the_library_it_says_how_to_get_it(study: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rocrate.rocrate", None)
    with pytest.raises(CrateError, match="make env"):
        write(study)


def test_the_command_writes_it(study: Params, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--scale", "smoke", "--config", "datasets=[mnist]"]
    assert cli.main(["crate", *chosen, "--out", "crate.zip", "--agent", "Ada Example"]) == 0
    assert capsys.readouterr().out == "written to crate.zip\n"
    with zipfile.ZipFile("crate.zip") as archive:
        metadata = json.loads(archive.read(METADATA))
    assert [
        one["name"] for one in metadata["@graph"] if one["@type"] == "Person" and one["@id"].startswith("#agent")
    ] == ["Ada Example"]


@pytest.mark.parametrize("out", ["", "folder", "small.zip"])
def test_the_profiles_own_validator_finds_no_fault(study: Params, out: str) -> None:
    """The command `rocrate-validator` of the package roc-validator, which cannot share this environment: it needs an
    older rich. It looks up terms in its cache, which `rocrate-validator cache warm` fills once; ROCRATE_CACHE names
    another cache."""
    if shutil.which("rocrate-validator") is None:
        pytest.skip("rocrate-validator is not on the PATH: install roc-validator in an environment of its own")
    written = write(study, Path(out))
    place = written if written.suffix == ".zip" else written.parent
    options = ["--offline", "--profile-identifier", PROFILE, "--requirement-severity", "required", "--no-paging"]
    cache = [f"--cache-path={os.environ['ROCRATE_CACHE']}"] if "ROCRATE_CACHE" in os.environ else []
    command = ["rocrate-validator", "-y", "validate", *options, *cache, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "not available in the HTTP cache" in " ".join((done.stdout + done.stderr).split()):
        pytest.skip("the validator has not the terms of RO-Crate in its cache: run `rocrate-validator cache warm`")
    assert done.returncode == 0, done.stdout + done.stderr
