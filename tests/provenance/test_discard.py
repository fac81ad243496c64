"""Discarding: what a build would not make goes, with its record; the rest stays as it is."""

import os
import shutil
from pathlib import Path

import pytest
from records_by_hand import note, put

from vicious.provenance.asked import asked
from vicious.provenance.discard import discard
from vicious.provenance.origin import MADE
from vicious.study import grid, paths
from vicious.system.errors import StudyRunningError
from vicious.system.files import read_json, write_json
from vicious.workflow.unlock import LOCKS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path("results/smoke")


@pytest.fixture
def project(tmp_path, monkeypatch, smoke) -> Path:
    """Every model of the smoke study of one dataset, and a summary of them; Snakemake has records."""
    folder = tmp_path / "a project"
    put(folder / MADE / "a record of it", "{}")
    monkeypatch.chdir(folder)
    shutil.copy(ROOT / "params.yaml", folder)
    for made, settings in models(smoke).items():
        put(made, "weights")
        role = "honest" if "/honest" in made else "vicious"
        note(record_of(made), f"train-{role}", [], [made], {**settings, "out": made})
    return folder


def models(smoke):
    """What is asked of each target model, by its weights."""
    wanted = {
        str(paths.model_folder("smoke", one.task, one.model, one.seed) / "target.safetensors")
        for one in grid.trainings(smoke)
    }
    return {made: settings for made, settings in asked(smoke).items() if made in wanted}


def record_of(made):
    return str(Path(made).with_name("train.provenance.json"))


def there():
    return {path.as_posix() for path in RESULTS.rglob("*") if path.is_file()}


HONEST = "results/smoke/models/mnist/honest/seed0/target.safetensors"


def test_what_is_asked_for_stays(project, smoke):
    before = there()
    assert len(before) > 10
    assert discard([RESULTS], smoke) == []
    assert there() == before


def test_another_setting_discards_the_models_that_it_concerns_alone(project, smoke):
    before, wanted = there(), models(smoke)
    one = next(made for made, settings in wanted.items() if settings.get("beta_r") == 1.0 and "evasion" not in made)
    note(record_of(one), "train-vicious", [], [one], {**wanted[one], "out": one, "learning_rate": 0.5})
    (gone,) = discard([RESULTS], smoke)
    assert gone.record.as_posix() == record_of(one)
    assert "learning_rate 0.5, params.yaml asks for 0.001" in gone.reason
    assert before - there() == {one, record_of(one)}


def test_what_is_no_longer_asked_for_stays(project, smoke):
    made = "results/smoke/models/mnist/honest/seed7/target.safetensors"
    put(made, "days of a GPU")
    note(record_of(made), "train-honest", [], [made], {"out": made})
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
def test_other_code_or_files_discard_a_model(project, smoke, change, reason):
    settings = {**models(smoke)[HONEST], "out": HONEST}
    note(record_of(HONEST), "train-honest", [], [HONEST], settings)
    write_json(record_of(HONEST), read_json(record_of(HONEST)) | change)
    before = there()
    (gone,) = discard([RESULTS], smoke)
    assert reason in gone.reason
    assert before - there() == {record_of(HONEST), HONEST} if "outputs" not in change else {record_of(HONEST)}


def test_a_damaged_record_goes_and_its_step_is_made_again(project, smoke):
    put(record_of(HONEST), "{")
    assert [one.record.as_posix() for one in discard([RESULTS], smoke)] == [record_of(HONEST), HONEST]
    assert not Path(record_of(HONEST)).exists()
    assert not Path(HONEST).exists(), "Snakemake would not make it again for want of a record alone"


def test_a_result_without_a_record_goes(project, smoke):
    Path(record_of(HONEST)).unlink()
    (gone,) = discard([RESULTS / "models"], smoke)
    assert gone.record == Path(HONEST)
    assert not Path(HONEST).exists()


def test_a_kill_while_deleting_leaves_no_result_without_its_record(project, smoke, monkeypatch):
    put(HONEST, "other weights")
    deleted = []
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: deleted.append(path.as_posix()))
    discard([RESULTS], smoke)
    assert deleted == [HONEST, record_of(HONEST)]


def test_nothing_outside_of_the_given_folders_is_deleted(project, smoke, tmp_path):
    own = tmp_path / "my own.txt"
    own.write_text("mine")
    note(record_of(HONEST), "train-honest", [], [HONEST, "params.yaml", str(own)], {"out": HONEST, "seed": 1})
    assert len(discard([RESULTS / "models"], smoke)) == 1
    assert own.exists()
    assert Path("params.yaml").exists()
    assert not Path(HONEST).exists()


def test_a_record_cannot_have_a_file_of_the_users_deleted(project, smoke, tmp_path):
    own, arrays = tmp_path / "my own.json", "data/prepared/smoke/mnist/dataset.json"
    put(own, "mine")
    put(arrays, "{}")
    settings = {"source": str(own), "out": "data/prepared/smoke/mnist", "train": 1}
    note("data/prepared/smoke/mnist/prepare.provenance.json", "prepare", [], [arrays, str(own)], settings)
    assert len(discard([Path("data/prepared/smoke/mnist")], smoke)) == 1
    assert own.exists()
    assert not Path(arrays).exists()


def test_prepared_data_that_are_discarded_are_fetched_again(project, smoke):
    source, arrays = "data/source/smoke/mnist/source.json", "data/prepared/smoke/mnist/dataset.json"
    put(source, "{}")
    put(arrays, "{}")
    settings = {"source": source, "out": "data/prepared/smoke/mnist", "train": 1}
    note("data/prepared/smoke/mnist/prepare.provenance.json", "prepare", [source], [arrays], settings)
    (gone,) = discard([Path("data/prepared/smoke/mnist")], smoke)
    assert "train 1, params.yaml asks for 96" in gone.reason
    assert not Path(source).exists()
    assert not Path(arrays).exists()


def test_folders_that_are_not_there_hold_nothing(project, smoke):
    assert discard([Path("results/paper/models/mnist")], smoke) == []


def test_without_snakemakes_records_all_is_looked_at_and_times_are_put_in_order(project, smoke):
    shutil.rmtree(".snakemake")
    summary, table = "results/smoke/summaries/x.csv", "results/smoke/summaries/y.csv"
    put(summary, "1")
    put(table, "2")
    note("results/smoke/summaries/b.provenance.json", "summarize", [HONEST], [summary], {})
    note("results/smoke/summaries/a.provenance.json", "table1", [summary], [table], {})
    for name, time in ((summary, 100), (table, 50), (HONEST, 200)):
        os.utime(name, (time, time))
    gone = next(made for made in models(smoke) if made != HONEST)
    note(record_of(gone), "train-vicious", [], [gone], {**models(smoke)[gone], "out": gone, "seed": 1})
    assert len(discard([Path("data/prepared/smoke/mnist")], smoke)) == 1
    assert not Path(gone).exists()
    times = [Path(name).stat().st_mtime for name in (HONEST, summary, table)]
    assert times == sorted(times)


def test_with_snakemakes_records_times_stay(project, smoke):
    old = Path(HONEST).stat().st_mtime_ns - 10**12
    os.utime(HONEST, ns=(old, old))
    discard([RESULTS], smoke)
    assert Path(HONEST).stat().st_mtime_ns == old


def test_nothing_is_deleted_under_a_running_snakemake(project, smoke):
    put(record_of(HONEST), "{")
    put(str(LOCKS / "0.input.lock"), "")
    with pytest.raises(StudyRunningError, match="vicious unlock"):
        discard([RESULTS], smoke)
    assert Path(record_of(HONEST)).exists()


def test_an_empty_folder_of_snakemakes_records_is_none(project, smoke):
    """`snakemake -n` makes one, as in a clone whose results were pulled."""
    shutil.rmtree(MADE)
    MADE.mkdir()
    summary = "results/smoke/summaries/x.csv"
    put(summary, "1")
    note("results/smoke/summaries/b.provenance.json", "summarize", [HONEST], [summary], {})
    os.utime(summary, (100, 100))
    discard([Path("data/prepared/smoke/mnist")], smoke)
    assert Path(summary).stat().st_mtime >= Path(HONEST).stat().st_mtime
