"""Discarding: what a build would not make goes, with its record; the rest stays as it is."""

import os
import shutil
from pathlib import Path

import pytest

from vicious import paths, study
from vicious.asked import asked
from vicious.config import Params, load_params
from vicious.discard import discard
from vicious.errors import StudyRunningError
from vicious.files import digest, write_json
from vicious.origin import MADE
from vicious.provenance import code_of
from vicious.unlock import LOCKS

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path("results/smoke")


@pytest.fixture
def params() -> Params:
    return load_params(ROOT / "params.yaml").model_copy(update={"scale": "smoke", "datasets": ["mnist"]})


@pytest.fixture
def project(tmp_path, monkeypatch, params) -> Path:
    """Every model of the smoke study of one dataset, and a summary of them; Snakemake has records."""
    folder = tmp_path / "a project"
    put(folder / MADE / "a record of it", "{}")
    monkeypatch.chdir(folder)
    shutil.copy(ROOT / "params.yaml", folder)
    for made, settings in models(params).items():
        put(made, "weights")
        role = "honest" if "/honest" in made else "vicious"
        note(record_of(made), f"train-{role}", {}, [made], {**settings, "out": made})
    return folder


def models(params):
    """What is asked of each target model, by its weights."""
    wanted = {
        str(paths.model_folder("smoke", one.task, one.model, one.seed) / "target.safetensors")
        for one in study.trainings(params)
    }
    return {made: settings for made, settings in asked(params).items() if made in wanted}


def record_of(made):
    return str(Path(made).with_name("train.provenance.json"))


def put(name, text):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")


def note(path, command, inputs, outputs, settings, changes=None):
    record = {
        "command": command,
        "settings": settings,
        "inputs": {name: digest(name) for name in inputs},
        "outputs": {name: digest(name) for name in outputs},
        "code": {"commit": None, "dirty": None, "hash": code_of(command)},
        "finished": "2026-01-01T00:00:00+00:00",
    }
    write_json(path, record | (changes or {}))


def there():
    return {path.as_posix() for path in RESULTS.rglob("*") if path.is_file()}


HONEST = "results/smoke/models/mnist/honest/seed0/target.safetensors"


def test_what_is_asked_for_stays(project, params):
    before = there()
    assert len(before) > 10
    assert discard([RESULTS], params) == []
    assert there() == before


def test_another_setting_discards_the_models_that_it_concerns_alone(project, params):
    before, wanted = there(), models(params)
    one = next(made for made, settings in wanted.items() if settings.get("beta_r") == 1.0 and "evasion" not in made)
    note(record_of(one), "train-vicious", {}, [one], {**wanted[one], "out": one, "learning_rate": 0.5})
    (gone,) = discard([RESULTS], params)
    assert gone.record.as_posix() == record_of(one)
    assert "learning_rate 0.5, params.yaml asks for 0.001" in gone.reason
    assert before - there() == {one, record_of(one)}


def test_what_is_no_longer_asked_for_stays(project, params):
    made = "results/smoke/models/mnist/honest/seed7/target.safetensors"
    put(made, "days of a GPU")
    note(record_of(made), "train-honest", {}, [made], {"out": made})
    assert discard([RESULTS], params) == []
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
def test_other_code_or_files_discard_a_model(project, params, change, reason):
    settings = {**models(params)[HONEST], "out": HONEST}
    note(record_of(HONEST), "train-honest", {}, [HONEST], settings, change)
    before = there()
    (gone,) = discard([RESULTS], params)
    assert reason in gone.reason
    assert before - there() == {record_of(HONEST), HONEST} if "outputs" not in change else {record_of(HONEST)}


def test_a_damaged_record_goes_and_its_step_is_made_again(project, params):
    put(record_of(HONEST), "{")
    assert [one.record.as_posix() for one in discard([RESULTS], params)] == [record_of(HONEST), HONEST]
    assert not Path(record_of(HONEST)).exists()
    assert not Path(HONEST).exists(), "Snakemake would not make it again for want of a record alone"


def test_a_result_without_a_record_goes(project, params):
    Path(record_of(HONEST)).unlink()
    (gone,) = discard([RESULTS / "models"], params)
    assert gone.record == Path(HONEST)
    assert not Path(HONEST).exists()


def test_a_kill_while_deleting_leaves_no_result_without_its_record(project, params, monkeypatch):
    put(HONEST, "other weights")
    deleted = []
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: deleted.append(path.as_posix()))
    discard([RESULTS], params)
    assert deleted == [HONEST, record_of(HONEST)]


def test_nothing_outside_of_the_given_folders_is_deleted(project, params, tmp_path):
    own = tmp_path / "my own.txt"
    own.write_text("mine")
    note(record_of(HONEST), "train-honest", {}, [HONEST, "params.yaml", str(own)], {"out": HONEST, "seed": 1})
    assert len(discard([RESULTS / "models"], params)) == 1
    assert own.exists()
    assert Path("params.yaml").exists()
    assert not Path(HONEST).exists()


def test_prepared_data_that_are_discarded_are_fetched_again(project, params):
    source, arrays = "data/source/smoke/mnist/source.json", "data/prepared/smoke/mnist/dataset.json"
    put(source, "{}")
    put(arrays, "{}")
    settings = {"source": source, "out": "data/prepared/smoke/mnist", "train": 1}
    note("data/prepared/smoke/mnist/prepare.provenance.json", "prepare", [source], [arrays], settings)
    (gone,) = discard([Path("data/prepared/smoke/mnist")], params)
    assert "train 1, params.yaml asks for 96" in gone.reason
    assert not Path(source).exists()
    assert not Path(arrays).exists()


def test_folders_that_are_not_there_hold_nothing(project, params):
    assert discard([Path("results/paper/models/mnist")], params) == []


def test_without_snakemakes_records_all_is_looked_at_and_times_are_put_in_order(project, params):
    shutil.rmtree(".snakemake")
    summary, table = "results/smoke/summaries/x.csv", "results/smoke/summaries/y.csv"
    put(summary, "1")
    put(table, "2")
    note("results/smoke/summaries/b.provenance.json", "summarize", [HONEST], [summary], {})
    note("results/smoke/summaries/a.provenance.json", "table1", [summary], [table], {})
    for name, time in ((summary, 100), (table, 50), (HONEST, 200)):
        os.utime(name, (time, time))
    gone = next(made for made in models(params) if made != HONEST)
    note(record_of(gone), "train-vicious", {}, [gone], {**models(params)[gone], "out": gone, "seed": 1})
    assert len(discard([Path("data/prepared/smoke/mnist")], params)) == 1
    assert not Path(gone).exists()
    times = [Path(name).stat().st_mtime for name in (HONEST, summary, table)]
    assert times == sorted(times)


def test_with_snakemakes_records_times_stay(project, params):
    old = Path(HONEST).stat().st_mtime_ns - 10**12
    os.utime(HONEST, ns=(old, old))
    discard([RESULTS], params)
    assert Path(HONEST).stat().st_mtime_ns == old


def test_nothing_is_deleted_under_a_running_snakemake(project, params):
    put(record_of(HONEST), "{")
    put(str(LOCKS / "0.input.lock"), "")
    with pytest.raises(StudyRunningError, match="vicious unlock"):
        discard([RESULTS], params)
    assert Path(record_of(HONEST)).exists()


def test_an_empty_folder_of_snakemakes_records_is_none(project, params):
    """`snakemake -n` makes one, as in a clone whose results were pulled."""
    shutil.rmtree(MADE)
    MADE.mkdir()
    summary = "results/smoke/summaries/x.csv"
    put(summary, "1")
    note("results/smoke/summaries/b.provenance.json", "summarize", [HONEST], [summary], {})
    os.utime(summary, (100, 100))
    discard([Path("data/prepared/smoke/mnist")], params)
    assert Path(summary).stat().st_mtime >= Path(HONEST).stat().st_mtime
