"""Results from elsewhere: Snakemake must not take them as made where they are not what is asked for."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from records_by_hand import note_step, put

from vicious.provenance.discard import discard
from vicious.provenance.origin import INCOMPLETE, MADE, check_origin, made_here
from vicious.study.config import Params
from vicious.study.plan import Plan
from vicious.system.errors import ProvenanceError
from vicious.system.files import write_json

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path("results/smoke/models/mnist/honest/seed0/train_honest.provenance.json")
WEIGHTS = RECORD.with_name("target.safetensors")
SUMMARY = Path("results/smoke/summaries/main.provenance.json")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smoke: Params) -> Path:
    """A model with its record, and something made from it; Snakemake knows neither."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    steps = Plan(smoke).by_record
    note_step(steps[str(RECORD)].step, [], [put(WEIGHTS, "result")])
    note_step(steps[str(SUMMARY)].step, [WEIGHTS], [put(SUMMARY.with_name("main.csv"), "result")])
    return tmp_path


def change(**settings: Any) -> None:
    content = json.loads(RECORD.read_text(encoding="utf-8"))
    write_json(RECORD, {**content, "settings": {**content["settings"], **settings}})


def snakemake_made(file: Path, folder: Any = MADE) -> None:
    """Snakemake's record of a file, by Snakemake itself."""
    from snakemake.persistence.file import FilePersistence

    persistence = FilePersistence.__new__(FilePersistence)
    persistence._max_len = os.pathconf(".", "PC_NAME_MAX")
    path = Path(persistence._record_path(str(folder), str(file)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"endtime": file.stat().st_mtime}), encoding="utf-8")


@pytest.mark.parametrize("name", ["a.json", f"{'folder/' * 60}a.json"])
def test_snakemakes_record_is_found_and_tells_by_the_files_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}", encoding="utf-8")
    MADE.mkdir(parents=True)
    assert not made_here(file)
    snakemake_made(file)
    assert made_here(file)
    os.utime(file, (1, 1))
    assert not made_here(file), "another file took its place"
    snakemake_made(file, INCOMPLETE)
    assert made_here(file), "it is made again in any case"


def test_what_is_asked_for_may_come_from_elsewhere(project: Path, smoke: Params) -> None:
    check_origin(smoke)


def test_other_settings_are_refused_where_snakemake_cannot_see_them(project: Path, smoke: Params) -> None:
    change(learning_rate=0.5)
    with pytest.raises(
        ProvenanceError, match=r"learning_rate 0.5, params.yaml asks for .*\n.*vicious discard results/smoke"
    ):
        check_origin(smoke)
    snakemake_made(RECORD)
    check_origin(smoke)


def test_a_summary_built_in_part_is_refused(project: Path, smoke: Params) -> None:
    wider = smoke.model_copy(update={"datasets": ["mnist", "celeba"]})
    with pytest.raises(ProvenanceError, match=r"main.provenance.json: built in part: of the \d+ results"):
        check_origin(wider)
    assert [one.record for one in discard([Path("results/smoke/summaries")], wider)] == [SUMMARY]


def test_results_that_are_not_asked_for_do_not_matter(project: Path, smoke: Params) -> None:
    change(learning_rate=0.5)
    RECORD.parent.rename(RECORD.parent.with_name("seed7"))
    check_origin(smoke)


def test_discarding_as_told_leaves_nothing_to_refuse_and_nothing_that_was_made_from_it(
    project: Path, smoke: Params
) -> None:
    change(learning_rate=0.5)
    assert [one.record for one in discard([Path("results/smoke")], smoke)] == [RECORD, SUMMARY]
    assert not WEIGHTS.exists()
    check_origin(smoke)


@pytest.mark.parametrize("known", [False, True])
def test_a_stage_discards_what_snakemake_would_mistake_outside_of_its_own_folders_too(
    project: Path, smoke: Params, known: bool
) -> None:
    change(learning_rate=0.5)
    (MADE / "of another").mkdir(parents=True)
    if known:
        snakemake_made(RECORD)
    discard([Path("data/prepared/smoke/mnist")], smoke)
    assert WEIGHTS.exists() == known, "of its own Snakemake sees that it changed"
