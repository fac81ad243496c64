"""Discarding: what a build would not make goes, with its record; the rest stays as it is."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from records_by_hand import note, note_step, put

from vicious.provenance.discard import discard
from vicious.provenance.origin import MADE
from vicious.study.config import Params
from vicious.study.plan import Plan
from vicious.system.errors import StudyRunningError
from vicious.system.files import read_json, write_json
from vicious.workflow.unlock import LOCKS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path("results/smoke")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smoke: Params) -> Path:
    """Every model of the smoke study of one dataset, and a summary of them; Snakemake has records."""
    folder = tmp_path / "a project"
    put(folder / MADE / "a record of it", "{}")
    monkeypatch.chdir(folder)
    shutil.copy(ROOT / "params.yaml", folder)
    for made, step in models(smoke).items():
        note_step(step, [], [put(made, "weights")])
    return folder


def models(smoke: Params) -> dict[Any, Any]:
    """The training of each target model, by its weights."""
    steps: list[Any] = [one.step for rule in ("train_honest", "train_vicious") for one in Plan(smoke).rules[rule]]
    return {str(step.out): step for step in steps}


def there() -> set[Any]:
    return {path.as_posix() for path in RESULTS.rglob("*") if path.is_file()}


HONEST = "results/smoke/models/mnist/honest/seed0/target.safetensors"
RECORD = "results/smoke/models/mnist/honest/seed0/train_honest.provenance.json"
SUMMARY = "results/smoke/summaries/main.csv"


def test_what_is_asked_for_stays(project: Path, smoke: Params) -> None:
    before = there()
    assert len(before) > 10
    assert discard([RESULTS], smoke) == []
    assert there() == before


def test_another_setting_discards_the_models_that_it_concerns_alone(project: Path, smoke: Params) -> None:
    before = there()
    one = next(made for made in models(smoke) if "vicious-logits-beta1/" in made)
    record = note_step(models(smoke)[one], [], [one], {"learning_rate": 0.5})
    (gone,) = discard([RESULTS], smoke)
    assert gone.record.as_posix() == record
    assert "learning_rate 0.5, params.yaml asks for 0.001" in gone.reason
    assert before - there() == {one, record}


def test_what_is_no_longer_asked_for_stays(project: Path, smoke: Params) -> None:
    made = "results/smoke/models/mnist/honest/seed7/target.safetensors"
    put(made, "days of a GPU")
    note(RECORD.replace("seed0", "seed7"), "train-honest", [], [made], {"out": made})
    assert discard([RESULTS], smoke) == []
    assert Path(made).exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"code": {"commit": None, "dirty": None, "hash": "0" * 16}}, "made by other code"),
        ({"code": {"commit": None, "dirty": None}}, "made by other code"),
        ({"outputs": {HONEST: "0" * 64}}, "was altered or deleted"),
        ({"inputs": {"params.yaml": "0" * 64}}, "is not what it was made from"),
        ({"inputs": {"gone.json": "0" * 64}}, "is not what it was made from"),
    ],
)
def test_other_code_or_files_discard_a_model(project: Path, smoke: Params, change: Any, reason: str) -> None:
    write_json(RECORD, read_json(RECORD) | change)
    before = there()
    (gone,) = discard([RESULTS], smoke)
    assert reason in gone.reason
    assert before - there() == {RECORD, HONEST} if "outputs" not in change else {RECORD}


def test_a_damaged_record_goes_and_its_step_is_made_again(project: Path, smoke: Params) -> None:
    put(RECORD, "{")
    assert [one.record.as_posix() for one in discard([RESULTS], smoke)] == [RECORD, HONEST]
    assert not Path(RECORD).exists()
    assert not Path(HONEST).exists(), "Snakemake would not make it again for want of a record alone"


def test_a_result_without_a_record_goes(project: Path, smoke: Params) -> None:
    Path(RECORD).unlink()
    (gone,) = discard([RESULTS / "models"], smoke)
    assert gone.record == Path(HONEST)
    assert not Path(HONEST).exists()


def test_a_kill_while_deleting_leaves_no_result_without_its_record(
    project: Path, smoke: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(HONEST, "other weights")
    deleted = []
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: deleted.append(path.as_posix()))
    discard([RESULTS], smoke)
    assert deleted == [HONEST, RECORD]


def test_nothing_outside_of_the_given_folders_is_deleted(project: Path, smoke: Params, tmp_path: Path) -> None:
    own = tmp_path / "my own.txt"
    own.write_text("mine")
    note_step(models(smoke)[HONEST], [], [HONEST, "params.yaml", str(own)], {"seed": 1})
    assert len(discard([RESULTS / "models"], smoke)) == 1
    assert own.exists()
    assert Path("params.yaml").exists()
    assert not Path(HONEST).exists()


def test_a_record_cannot_have_a_file_of_the_users_deleted(project: Path, smoke: Params, tmp_path: Path) -> None:
    own, arrays = put(tmp_path / "my own.json", "mine"), put("data/prepared/smoke/mnist/dataset.json", "{}")
    (prepare,) = Plan(smoke).rules["prepare"]
    note_step(prepare.step, [], [arrays, own], {"source": own, "train": 1})
    assert len(discard([Path("data/prepared/smoke/mnist")], smoke)) == 1
    assert Path(own).exists()
    assert not Path(arrays).exists()


def test_prepared_data_that_are_discarded_are_fetched_again(project: Path, smoke: Params) -> None:
    source = put("data/source/smoke/mnist/source.json", "{}")
    arrays = put("data/prepared/smoke/mnist/dataset.json", "{}")
    (prepare,) = Plan(smoke).rules["prepare"]
    note_step(prepare.step, [source], [arrays], {"train": 1})
    (gone,) = discard([Path("data/prepared/smoke/mnist")], smoke)
    assert "train 1, params.yaml asks for 96" in gone.reason
    assert not Path(source).exists()
    assert not Path(arrays).exists()


def test_folders_that_are_not_there_hold_nothing(project: Path, smoke: Params) -> None:
    assert discard([Path("results/paper/models/mnist")], smoke) == []


def test_without_snakemakes_records_all_is_looked_at_and_times_are_put_in_order(project: Path, smoke: Params) -> None:
    shutil.rmtree(".snakemake")
    table = put("results/smoke/summaries/main_comparisons.csv", "2")
    summary, compare = (Plan(smoke).rules[rule][0].step for rule in ("summarize", "compare"))
    note_step(summary, [HONEST], [put(SUMMARY, "1")])
    note_step(compare, [SUMMARY], [table])
    for name, time in ((SUMMARY, 100), (table, 50), (HONEST, 200)):
        os.utime(name, (time, time))
    gone = next(made for made in models(smoke) if made != HONEST)
    note_step(models(smoke)[gone], [], [gone], {"seed": 1})
    assert len(discard([Path("data/prepared/smoke/mnist")], smoke)) == 1
    assert not Path(gone).exists()
    times = [Path(name).stat().st_mtime for name in (HONEST, SUMMARY, table)]
    assert times == sorted(times)


@pytest.mark.parametrize("coarse", [10**9, 100])
def test_times_are_put_in_order_where_a_file_system_keeps_coarse_ones(
    project: Path, smoke: Params, monkeypatch: pytest.MonkeyPatch, coarse: int
) -> None:
    shutil.rmtree(".snakemake")
    step = Plan(smoke).rules["summarize"][0].step
    note_step(step, [HONEST], [put(SUMMARY, "1")])
    os.utime(SUMMARY, (100, 100))
    os.utime(HONEST, ns=(200 * 10**9 + 123_456_789,) * 2)
    utime = os.utime
    monkeypatch.setattr(os, "utime", lambda file, ns: utime(file, ns=(ns[0] // coarse * coarse,) * 2))
    discard([RESULTS], smoke)
    assert Path(SUMMARY).stat().st_mtime_ns >= Path(HONEST).stat().st_mtime_ns


def test_with_snakemakes_records_times_stay(project: Path, smoke: Params) -> None:
    old = Path(HONEST).stat().st_mtime_ns - 10**12
    os.utime(HONEST, ns=(old, old))
    discard([RESULTS], smoke)
    assert Path(HONEST).stat().st_mtime_ns == old


def test_nothing_is_deleted_under_a_running_snakemake(project: Path, smoke: Params) -> None:
    put(RECORD, "{")
    put(str(LOCKS / "0.input.lock"), "")
    with pytest.raises(StudyRunningError, match="vicious unlock"):
        discard([RESULTS], smoke)
    assert Path(RECORD).exists()


def test_an_empty_folder_of_snakemakes_records_is_none(project: Path, smoke: Params) -> None:
    """`snakemake -n` makes one, as in a clone whose results were pulled."""
    shutil.rmtree(MADE)
    MADE.mkdir()
    note_step(Plan(smoke).rules["summarize"][0].step, [HONEST], [put(SUMMARY, "1")])
    os.utime(SUMMARY, (100, 100))
    discard([Path("data/prepared/smoke/mnist")], smoke)
    assert Path(SUMMARY).stat().st_mtime >= Path(HONEST).stat().st_mtime
