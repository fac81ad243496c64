"""Verifying results: a record against the files, record against record, and both against params.yaml."""

import base64
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from records_by_hand import note, note_step, put

from vicious import cli
from vicious.provenance.origin import INCOMPLETE
from vicious.provenance.record import write_provenance
from vicious.provenance.verify import KINDS, Finding, Report, verify
from vicious.steps import Identity, Step
from vicious.study import grid, paths
from vicious.study.artifacts import known
from vicious.study.config import Params, check_params, load_params
from vicious.study.plan import Plan
from vicious.system.errors import ProvenanceError
from vicious.system.files import read_json, write_json

ROOT = Path(__file__).resolve().parents[2]
MODEL = "results/smoke/models/mnist/vicious-logits-beta1/seed0"
TRAINING = f"{MODEL}/train_vicious.provenance.json"
ASSESSED = "results/smoke/assessments/mnist/vicious-logits-beta1/seed0"
ASSESSMENT = f"{ASSESSED}/risk-joint.json"
SUMMARY, TABLE = "results/smoke/summaries/main.csv", "paper_figures/smoke/main_table.md"
RECORDS = (
    f"{ASSESSED}/risk-joint.provenance.json",
    "results/smoke/summaries/main.provenance.json",
    "paper_figures/smoke/main_table.json",
)
"""Of the assessment, the summary and the table."""


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(ROOT / "params.yaml").model_copy(update={"scale": "smoke"})


@pytest.fixture(scope="module")
def planned(params: Params) -> Callable[..., Step]:
    """The step of the smoke study whose record stands at a path."""
    steps = Plan(params).by_record
    return lambda record: steps[str(record)].step


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project in a folder with a space, which is the current folder."""
    folder = tmp_path / "a project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    shutil.copy(ROOT / "params.yaml", folder)
    return folder


@pytest.fixture
def chain(project: Path, planned: Any) -> None:
    """A summary made of an assessment, a table made of the summary; all have records."""
    files = [put(ASSESSMENT, "{}"), put(SUMMARY, "1"), put(TABLE, "one")]
    for record, read, written in zip(RECORDS, ([], files[:1], files[1:2]), files, strict=True):
        note_step(planned(record), read, [written])


def found(report: Report) -> list[tuple[str, str]]:
    """Kind and file of each finding."""
    return named(report.findings)


def noted(report: Report) -> list[tuple[str, str]]:
    """Kind and file of each sound result that is not as the configuration asks; there is no damage."""
    assert report.findings == []
    report.raise_if_unsound()
    return named(report.noted)


def named(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.kind, finding.what.split(",")[0].split(" is not")[0].split(":")[0]) for finding in findings]


PLACES = [Path("results/smoke"), Path("paper_figures/smoke")]


def test_sound_results_are_counted(chain: None, params: Params) -> None:
    report = verify(PLACES, params)
    assert (report.findings, report.records, report.files) == ([], 3, 3)
    assert str(report).endswith("3 records, 3 files verified")
    report.raise_if_unsound()


def test_the_report_page_is_no_result_and_has_no_record(chain: None, params: Params) -> None:
    put("results/smoke/report.html", "<html>")
    report = verify(PLACES, params)
    assert (report.findings, report.records) == ([], 3)
    put("results/smoke/report.html.csv", "1")
    assert found(verify(PLACES, params)) == [("without a record", "results/smoke/report.html.csv")]


@pytest.mark.parametrize("place", [RECORDS[2], "paper_figures/smoke"])
def test_one_table_leads_back_to_all_that_it_was_made_from(chain: None, params: Params, place: Any) -> None:
    put(ASSESSMENT, "{ }")
    report = verify([Path(place)], params)
    assert report.records == 3
    assert found(report) == [("altered", ASSESSMENT)]


def test_a_record_that_wrote_nothing_that_was_read_is_not_followed(chain: None, params: Params, planned: Any) -> None:
    other = put("results/smoke/summaries/tradeoff.csv", "1")
    note_step(planned("results/smoke/summaries/tradeoff.provenance.json"), [], [other])
    Path(other).unlink()
    assert verify([Path("paper_figures/smoke")], params).findings == []
    assert found(verify(PLACES, params)) == [("missing", other)]


@pytest.mark.parametrize("name", [TABLE, SUMMARY])
@pytest.mark.parametrize("kind", ["missing", "altered"])
def test_a_file_that_is_gone_or_altered_is_reported_once(chain: None, params: Params, kind: str, name: Any) -> None:
    put(name, "altered") if kind == "altered" else Path(name).unlink()
    report = verify(PLACES, params)
    assert found(report) == [(kind, name)]
    assert "summarize (results" in str(report) or "main_table (paper_figures" in str(report)


def test_of_what_is_here_alone_the_files_behind_it_may_be_missing(chain: None, params: Params) -> None:
    shutil.rmtree("results/smoke/assessments")
    (gone,) = verify(PLACES, params).findings
    assert (gone.kind, gone.what.split(",")[0]) == ("missing", ASSESSMENT)
    report = verify(PLACES, params, here=True)
    assert (report.findings, report.noted, report.records, report.files) == ([], [], 2, 2)
    assert "1 files that these results were made from are not here: unverified" in report.notes
    Path(SUMMARY).write_text("2")
    assert found(verify(PLACES, params, here=True))[0] == ("altered", SUMMARY)
    Path(SUMMARY).unlink()
    assert found(verify(PLACES, params, here=True)) == [("missing", SUMMARY)], "its own record is here"


def test_a_file_made_again_after_it_was_read_is_reported(chain: None, params: Params, planned: Any) -> None:
    note_step(planned(RECORDS[1]), [], [put(SUMMARY, "2")])
    report = verify(PLACES, params)
    assert found(report) == [("altered since", SUMMARY)]
    assert report.findings[0].what.endswith("is not what main_table (paper_figures/smoke/main_table.json) read")


def test_an_input_without_a_record_is_compared_with_the_file(project: Path, params: Params, planned: Any) -> None:
    data = put("data/facts.json", "1")
    records = sorted(
        note_step(planned(f"results/smoke/models/{dataset}/honest/seed0/train_honest.provenance.json"), [data])
        for dataset in ("mnist", "cifar10", "celeba")
    )
    assert verify(PLACES[:1], params).findings == []
    put(data, "2")
    report = verify(PLACES[:1], params)
    assert found(report) == [("altered since", data)]
    assert f"train-honest ({records[0]} and 2 more) read" in str(report)
    Path(data).unlink()
    assert found(verify(PLACES[:1], params)) == [("missing", data)]


def test_of_two_that_wrote_a_file_the_last_counts(project: Path, params: Params, planned: Any) -> None:
    file = put("results/smoke/summaries/z.csv", "old")
    note_step(planned("results/smoke/summaries/tradeoff.provenance.json"), [], [file])
    put(file, "new")
    note_step(planned(RECORDS[1]), [], [file], finished="2026-01-02T00:00:00+00:00")
    assert verify(PLACES[:1], params).findings == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000, b'{"command": 1}', b'{"command": "a", "settings": []}'],
)
def test_a_damaged_record_is_reported_and_the_others_are_verified(chain: None, params: Params, content: Any) -> None:
    damaged = Path("results/smoke/summaries/other.provenance.json")
    damaged.write_bytes(content)
    report = verify(PLACES, params)
    assert found(report) == [("unreadable", damaged.as_posix())]
    assert report.records == 3
    assert "\n" not in report.findings[0].what


def test_a_folder_or_a_pipe_in_place_of_a_record_is_reported(chain: None, params: Params) -> None:
    Path("results/smoke/folder.provenance.json").mkdir()
    os.mkfifo("results/smoke/pipe.provenance.json")
    report = verify(PLACES, params)
    assert found(report) == [("unreadable", f"results/smoke/{name}.provenance.json") for name in ("folder", "pipe")]


def reads_too(record: str, name: str, sha: str = "0") -> None:
    """Have a record name one more input."""
    content = read_json(record)
    write_json(record, content | {"inputs": content["inputs"] | {name: sha}})


@pytest.mark.parametrize("name", ["a" * 5000, f"{'a' * 5000}/b.csv", "/etc/passwd/b", "../" * 100 + "b"])
def test_names_that_no_file_can_have_are_missing(chain: None, params: Params, name: Any) -> None:
    reads_too(RECORDS[2], name)
    (finding,) = verify(PLACES, params).findings
    assert finding.kind == "missing"


def test_a_finding_is_one_line_of_plain_characters(chain: None, params: Params) -> None:
    reads_too(RECORDS[2], "a\nmissing: é\x1b[31m")
    first, *_, last = str(verify(PLACES, params)).splitlines()
    assert first.startswith("missing: a\\nmissing: é\\x1b[31m, read by")
    assert last == "3 records, 3 files verified"


def test_a_file_has_one_name_however_it_is_written(chain: None, params: Params, project: Path) -> None:
    record = read_json(RECORDS[2])
    ((name, sha),) = record["inputs"].items()
    for other in (f"./{name}", f"results/../{name}", str(project / name)):
        write_json(RECORDS[2], record | {"inputs": {other: sha}})
        for places in (PLACES, [project / place for place in PLACES]):
            report = verify(places, params)
            assert (report.findings, report.records, report.files) == ([], 3, 3)


# --- files without a record -----------------------------------------------------------------------------------------


def test_a_file_whose_record_is_gone_is_reported(chain: None, params: Params) -> None:
    Path(RECORDS[1]).unlink()
    for places in (PLACES, [Path(RECORDS[2])]):
        report = verify(places, params)
        assert found(report) == [("without a record", SUMMARY)]
        assert report.findings[0].what.endswith(f", read by main_table ({RECORDS[2]})")


@pytest.mark.parametrize(
    ("source", "copy"),
    [
        (ASSESSED, f"{ASSESSED.removesuffix('/vicious-logits-beta1/seed0')}/another/seed0"),
        ("results/smoke", "results/demo"),
        ("paper_figures/smoke", "paper_figures/elsewhere"),
    ],
)
def test_results_copied_to_another_place_are_reported(chain: None, params: Params, source: Any, copy: str) -> None:
    shutil.copytree(source, copy)
    report = verify([Path(copy)], params)
    copied = [path.as_posix() for path in sorted(Path(copy).rglob("*")) if path.suffix in (".csv", ".md")]
    copied += [f"{copy}/risk-joint.json"] if "another" in copy else []
    reported = [file for kind, file in found(report) if kind == "without a record"]
    assert set(copied) <= set(reported)
    assert all(file.startswith(f"{copy}/") for file in reported)


def test_a_folder_that_is_a_link_is_another_name_of_the_same_results(chain: None, params: Params) -> None:
    Path("a link").symlink_to("results/smoke")
    assert verify([Path("a link")], params).findings == []


def test_what_has_no_record_by_design_is_not_reported(chain: None, params: Params) -> None:
    put("results/smoke/complete/main.txt", "1 cells, none failed")
    put("results/smoke/summaries/.gitignore", "/main.csv")
    put("results/notes.txt", "by hand")
    assert verify([Path("results"), Path("paper_figures"), Path()], params).findings == []


def test_beside_a_record_of_old_or_a_damaged_one_no_file_is_blamed(chain: None, params: Params) -> None:
    table = read_json(RECORDS[2])
    del table["outputs"]
    write_json(RECORDS[2], table)
    assert verify(PLACES, params).findings == []
    put(RECORDS[2], "{")
    assert found(verify(PLACES, params)) == [("unreadable", RECORDS[2])]


def test_findings_are_grouped_and_sorted(chain: None, params: Params, planned: Any) -> None:
    for name in ("tradeoff", "defense"):
        file = put(f"results/smoke/summaries/{name}.csv", "1")
        note_step(planned(f"results/smoke/summaries/{name}.provenance.json"), [], [file])
        Path(file).unlink()
    put(TABLE, "altered")
    put("results/smoke/c.provenance.json", "")
    report = verify(PLACES, params)
    assert [kind for kind, _ in found(report)] == ["missing", "missing", "altered", "unreadable"]
    assert [Path(file).stem for _, file in found(report)][:2] == ["defense", "tradeoff"]
    with pytest.raises(ProvenanceError, match=r"2 missing, 1 altered, 1 unreadable.*run `snakemake` again"):
        report.raise_if_unsound()


# --- configuration --------------------------------------------------------------------------------------------------


def trained(planned: Any, record: str = TRAINING, path: str | None = None, **changes: Any) -> str:
    """The record of a training, with some settings changed; in its place, or elsewhere."""
    step = planned(record)
    note(path or record, step.command(), settings={**step.settings(), **changes})
    return path or record


@pytest.mark.parametrize("scale", ["smoke", "demo", "pilot", "paper"])
def test_every_training_attack_and_verdict_of_a_scale_is_expected(params: Params, scale: str) -> None:
    params = params.model_copy(update={"scale": scale})
    steps = [one.step for one in Plan(params).by_record.values() if one.step.STAGE in ("data", "models", "assessments")]
    attacks = grid.attacks(params)
    trainings = len(grid.trainings(params)) + sum(cell.attack.kind == "posthoc" for cell in attacks)
    weights = {step.writes()[0] for step in steps if step.writes()[0].suffix == ".safetensors"}
    assert len(weights) == len(params.datasets) + trainings, "and covariances"
    judged = len(grid.judged(params)) + len(grid.sought(params))
    assert len(steps) == 3 * len(params.datasets) + trainings + len(attacks) + judged
    files = [file for step in steps for file in step.writes()]
    assert all(file.is_relative_to(paths.results(scale)) or file.is_relative_to("data") for file in files)


def test_a_training_as_params_ask_is_sound(project: Path, params: Params, planned: Any) -> None:
    trained(planned)
    assert verify(PLACES[:1], params).findings == []


OF_CONFIGURATION, OF_PLACE = "another configuration", "another step"


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        *(("epochs", 8, OF_CONFIGURATION), ("depth", 16, OF_CONFIGURATION), ("width", 2, OF_CONFIGURATION)),
        *(("batch_images", 5, OF_CONFIGURATION), ("learning_rate", 0.1, OF_CONFIGURATION)),
        *(("beta_c", 0.5, OF_CONFIGURATION), ("threads", 2, OF_CONFIGURATION), ("device", "cuda", OF_CONFIGURATION)),
        *(("attack_settings", ["width=8"], OF_CONFIGURATION), ("attack_model", "upsampling", OF_PLACE)),
        *(("outputs", "softmax", OF_PLACE), ("beta_r", 2.0, OF_PLACE), ("evasion", 1.0, OF_PLACE)),
        *(("seed", 3, OF_PLACE), ("classes", 10, OF_PLACE)),
    ],
)
def test_a_setting_that_params_do_not_ask_for_is_damage_only_where_no_configuration_asks_for_it_in_this_place(
    project: Path, params: Params, planned: Any, name: Any, value: Any, kind: str
) -> None:
    trained(planned, **{name: value})
    report = verify(PLACES[:1], params, Path("mine.yaml"))
    (finding,) = [*report.findings, *report.noted]
    due = planned(TRAINING).settings()[name]
    assert str(finding) == f"{kind}: {TRAINING}: {name} {value}, mine.yaml asks for {due}"
    assert bool(report.findings) == (kind == OF_PLACE)


def test_results_of_other_settings_that_are_of_another_step_too_are_damage(
    project: Path, params: Params, planned: Any
) -> None:
    trained(planned, epochs=8, seed=3)
    (finding,) = verify(PLACES[:1], params).findings
    assert str(finding).startswith(f"another step: {TRAINING}: epochs 8, params.yaml asks for 1; ")
    assert "seed 3, params.yaml asks for 0" in str(finding)


def test_the_detector_that_a_server_evades_is_compared(project: Path, params: Params, planned: Any) -> None:
    record = TRAINING.replace("/seed0", "-evasion1-distance_correlation/seed0")
    trained(planned, record, evades="both")
    assert "evades both, params.yaml asks for distance_correlation" in str(verify(PLACES[:1], params))


def test_a_record_of_another_command_is_reported(project: Path, params: Params, planned: Any) -> None:
    note(TRAINING, "train-honest", settings=planned(TRAINING).settings())
    (finding,) = verify(PLACES[:1], params).findings
    assert str(finding) == f"another step: {TRAINING}: made by train-honest, params.yaml asks for train-vicious"


@pytest.mark.parametrize(
    "folder", ["mnist/vicious-logits-beta1/seed7", "mnist/vicious-logits-beta9/seed0", "cifar11/honest/seed0"]
)
def test_a_model_that_params_do_not_ask_for_is_noted(project: Path, params: Params, planned: Any, folder: str) -> None:
    record = trained(planned, path=f"results/smoke/models/{folder}/train_vicious.provenance.json")
    report = verify(PLACES[:1], params)
    assert noted(report) == [("not in this configuration", record)]
    assert f"note: not in this configuration: {record}\n" in str(report)


def test_the_scale_is_that_of_the_path_and_other_places_are_not_judged(
    project: Path, params: Params, planned: Any
) -> None:
    trained(planned)
    assert verify(PLACES[:1], params.model_copy(update={"scale": "paper"})).findings == []
    trained(planned, path="results/by hand/model/train_vicious.provenance.json", epochs=77)
    assert verify([Path("results")], params).findings == []


DETECTION = "results/smoke/assessments/mnist/honest/seed0/detection.provenance.json"


@pytest.mark.parametrize(
    ("record", "change"),
    [
        ("results/smoke/models/mnist/honest/seed0/posthoc-top1.provenance.json", {"outputs": "logits"}),
        ("results/smoke/models/mnist/honest/seed0/posthoc-top1.provenance.json", {"target": "x.safetensors"}),
        ("results/smoke/models/cifar100/classes50/honest/seed0/train_honest.provenance.json", {"as_many_as": 10}),
        ("results/smoke/models/mnist/honest-plain/seed0/train_honest.provenance.json", {"recipe": None}),
        (DETECTION, {"draws": 5}),
        (DETECTION, {"target": f"{MODEL}/target.safetensors"}),
        (DETECTION, {"threads": 2}),
        (DETECTION.replace("honest", "vicious-logits-beta1-shuffled"), {"hide": None}),
        ("data/source/smoke/mnist/fetch.provenance.json", {"counts": [1, 1, 1]}),
        ("data/prepared/smoke/mnist/prepare.provenance.json", {"train": 5}),
        ("data/prepared/smoke/mnist/prepare.provenance.json", {"split_seed": 5}),
        ("data/prepared/smoke/mnist/covariance.provenance.json", {"data": "data/prepared/smoke/cifar10"}),
    ],
)
def test_other_steps_are_compared_too(project: Path, params: Params, planned: Any, record: Any, change: Any) -> None:
    note_step(planned(record))
    assert verify([Path(record)], params).findings == []
    note_step(planned(record), settings=change)
    report = verify([Path(record)], params)
    kind = OF_PLACE if change.keys() & {"outputs", "target", "recipe", "hide", "data"} else OF_CONFIGURATION
    assert named([*report.findings, *report.noted]) == [(kind, record)]
    assert bool(report.findings) == (kind == OF_PLACE)


@pytest.mark.parametrize("change", [{"root": "/mnt/datasets"}, {"download": True}])
def test_where_raw_files_lay_and_how_they_came_does_not_matter(
    project: Path, params: Params, planned: Any, change: Any
) -> None:
    """As where results were pulled from a machine that has the datasets in another folder."""
    record = note_step(planned("data/source/smoke/mnist/fetch.provenance.json"), settings=change)
    assert verify([Path(record)], params).findings == []


def test_an_assessment_is_compared_by_its_attack(project: Path, params: Params, planned: Any) -> None:
    record = "results/smoke/assessments/mnist/honest/seed0/risk-posthoc-noise0.1.provenance.json"
    step = planned(record)
    note_step(step)
    assert verify(PLACES[:1], params).findings == []
    note_step(step, settings={"cutoff": 0.5})
    assert "cutoff 0.5, params.yaml asks for 1.2e-07" in str(verify(PLACES[:1], params))
    other = f"{MODEL}/posthoc-noise0.1.safetensors"
    note_step(step, settings={"attack": other})
    assert f"attack {other}, params.yaml asks for {step.settings()['attack']}" in str(verify(PLACES[:1], params))


def test_stand_ins_where_official_images_are_asked_for_are_reported(project: Path, params: Params) -> None:
    record = "data/prepared/pilot/mnist/prepare.provenance.json"
    step = Plan(params.model_copy(update={"scale": "pilot"})).by_record[record].step
    note_step(step, settings={"images": "synthetic"})
    assert "images synthetic, params.yaml asks for official" in str(verify([Path("data")], params))


def test_settings_of_any_kind_give_no_traceback(project: Path, params: Params) -> None:
    records = [*list(Plan(params).by_record)[:3], TRAINING, RECORDS[0], DETECTION, RECORDS[2]]
    kinds: tuple[Any, ...] = (None, 5, [], {"a": 1}, "", "results/smoke/", "results/smoke/\0")
    for junk in kinds:
        for record in records:
            step = Plan(params).by_record[record].step
            note(record, step.command(), settings=dict.fromkeys(step.settings(), junk))
        assert {kind for kind, _ in found(verify(PLACES, params))} == {"another step"}
    reads_too(record, "")
    reads_too(record, "no such file")
    reads_too(record, "results")
    assert {kind for kind, _ in found(verify(PLACES, params))} == {"missing", "unreadable", "another step"}
    reads_too(record, "a\0b")
    assert {kind for kind, _ in found(verify(PLACES, params))} == {"unreadable", "another step"}


@pytest.mark.parametrize("command", ["", "step", "_training", "train_honest", "table1"])
def test_a_record_of_a_command_that_there_is_not_gives_no_traceback(
    project: Path, params: Params, command: str
) -> None:
    note(TRAINING, command)
    assert found(verify(PLACES[:1], params)) == [("another step", TRAINING)]


def test_a_record_of_a_detector_that_there_is_not_gives_no_traceback(
    project: Path, params: Params, planned: Any
) -> None:
    note(DETECTION, "evaluate-defense", settings={})
    content = read_json(DETECTION)
    write_json(DETECTION, content | {"settings": planned(DETECTION).settings() | {"detectors": ["of_old"]}})
    assert noted(verify(PLACES[:1], params)) == [("another configuration", DETECTION)]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("tradeoff", "results"),
        ("main_comparisons", "results"),
        ("estimators", "results"),
        ("per_class", "results"),
        ("detection", "scores"),
    ],
)
def test_a_summary_of_fewer_or_more_cells_is_noted(
    project: Path, params: Params, planned: Any, name: str, key: str
) -> None:
    record = f"results/smoke/summaries/{name}.provenance.json"
    step = planned(record)
    due = step.settings()[key]
    note_step(step, settings={key: due[::-1]})
    assert verify(PLACES[:1], params).findings == []
    note_step(step, settings={key: due[1:]})
    report = verify(PLACES[:1], params)
    assert noted(report) == [("built in part", record)]
    words = f"of the {len(due)} {key} that params.yaml asks for it lacks 1 such as {due[0]}"
    assert f"note: built in part: {record}: {words}\n" in str(report)
    note_step(step, settings={key: [*due, "results/smoke/x.json"]})
    report = verify(PLACES[:1], params)
    assert noted(report) == [("another configuration", record)]
    assert report.noted[0].what.endswith("asks for it has 1 such as results/smoke/x.json")


def test_a_summary_of_another_scale_is_damage(project: Path, params: Params, planned: Any) -> None:
    step = planned(RECORDS[1])
    results = [name.replace("smoke", "demo") for name in step.settings()["results"]]
    note_step(step, settings={"results": results})
    assert found(verify(PLACES[:1], params)) == [("another step", RECORDS[1])]


@pytest.mark.parametrize(
    ("name", "key"),
    [(one.name, key) for one in known().values() for key in one.inputs if key in ("assessments", "curves", "verdicts")],
)
def test_a_table_or_figure_of_fewer_cells_is_noted(
    project: Path, params: Params, planned: Any, monkeypatch: pytest.MonkeyPatch, name: Any, key: Any
) -> None:
    step = planned(f"paper_figures/smoke/{name}.json")
    due = step.settings()[key]
    note_step(step)
    assert noted(verify(PLACES[1:], params)) == []
    fewer = {"parts": step.settings()["parts"][1:]} if "parts" in step.settings() else {}
    note_step(step, settings={key: due[1:], **fewer})
    report = verify(PLACES[1:], params)
    assert noted(report) == [("built in part", f"paper_figures/smoke/{name}.json")]
    assert "it lacks 1 such as" in str(report)


@pytest.mark.parametrize(("dataset", "table"), [("celeba", "class_risk_table"), ("mnist", "attributes_accuracy_table")])
def test_a_table_that_has_nothing_to_show_is_not_expected(params: Params, dataset: str, table: str) -> None:
    of_one = Plan(params.model_copy(update={"datasets": [dataset]}))
    left = Plan(params).by_record.keys() - of_one.by_record.keys()
    assert f"paper_figures/smoke/{table}.json" in left
    assert table in of_one.left_out()
    assert "paper_figures/smoke/shortcuts_table.json" not in left


def test_an_experiment_that_params_leave_out_is_noted(project: Path, params: Params, planned: Any) -> None:
    records = ["paper_figures/smoke/tradeoff_table.json", "results/smoke/summaries/tradeoff.provenance.json"]
    for record in records:
        note_step(planned(record))
    assert verify(PLACES, params).findings == []
    fewer = params.model_copy(update={"datasets": ["celeba"]})
    assert noted(verify(PLACES, fewer)) == [("not in this configuration", record) for record in records]


@pytest.mark.parametrize(
    "out", [f"./{MODEL}/target.safetensors", f"results/x/../smoke/{MODEL[14:]}/target.safetensors"]
)
def test_a_step_is_compared_however_its_output_was_named(project: Path, params: Params, planned: Any, out: str) -> None:
    trained(planned, epochs=5, out=out)
    assert "epochs 5, params.yaml asks for 1" in str(verify(PLACES[:1], params))
    trained(planned, out=out)
    assert verify(PLACES[:1], params).findings == []
    trained(planned, out=str(project / out), data=f"./{planned(TRAINING).settings()['data']}")
    assert verify(PLACES[:1], params).findings == []
    files = [f"./{file}" for file in planned(RECORDS[1]).settings()["results"]]
    note_step(planned(RECORDS[1]), settings={"results": files})
    assert verify(PLACES[:1], params).findings == []


def test_a_setting_that_is_not_recorded_is_reported(project: Path, params: Params, planned: Any) -> None:
    settings = planned(TRAINING).settings()
    note(TRAINING, "train-vicious", settings={key: value for key, value in settings.items() if value})
    assert verify(PLACES[:1], params).findings == [], "records of old lack what had no other value"
    del settings["epochs"]
    note(TRAINING, "train-vicious", settings=settings)
    (finding,) = verify(PLACES[:1], params).findings
    assert str(finding) == f"another step: {TRAINING}: epochs not recorded, params.yaml asks for 1"


OTHER = {
    "datasets": ["mnist", "cifar100"],
    "data": {"split_seed": 9},
    "risk": {"estimator": "ridge", "cutoff": 0.5},
    "runtime": {"threads": 2, "device": "cuda"},
    "scales": {
        "smoke": {
            **{"train": 90, "validation": 30, "test": 30, "depth": 16, "width": 2, "epochs": 2, "epoch_images": 48},
            **{"batch_images": 12, "learning_rate": 0.1, "seeds": [0, 1], "beta_c": 0.5, "beta_r": [1.0, 2.0]},
            **{"outputs": ["logits", "softmax"], "gallery": 2},
            "class_counts": {"counts": {"cifar100": [20, 50]}, "epochs": 2},
            "attack_models": {"experiments": ["main"], "models": {"upsampling": {"features": 8}}},
            "defense": {"detectors": ["entropy"], "user_images": [12], "draws": 3},
            "mitigations": {"outputs": ["logits", "top1", "noise0.1", "label"]},
        }
    },
}
"""Values of everything that a configuration may set, other than those of the smoke study."""


def changed(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Settings with some changed, as `--config` does."""
    parts = {key: changed(settings[key], new) if isinstance(new, dict) else new for key, new in changes.items()}
    return {**settings, **parts}


def test_what_another_configuration_builds_is_no_damage(project: Path, params: Params) -> None:
    """Every step of it, from data to figures."""
    for one in Plan(check_params(changed(params.model_dump(exclude_unset=True), OTHER))).by_record.values():
        note_step(one.step)
    report = verify([Path(folder) for folder in paths.built("smoke")], params)
    kinds = {kind for kind, _ in noted(report)}
    assert kinds == {"built in part", "another configuration", "not in this configuration"}
    (command,) = [line for line in report.notes if "snakemake" in line]
    assert command.endswith("builds the rest and makes anew what is of another configuration")


# --- notes ----------------------------------------------------------------------------------------------------------

BESIDE = [Path("by hand")]
"""A folder that is no scale's, so that the records in it are compared with no configuration."""


def test_versions_of_the_code_are_notes(project: Path, params: Params) -> None:
    for number, commit in enumerate(["a" * 40, "b" * 40, "a" * 40, None]):
        note(f"by hand/{number}.provenance.json", "x", code={"package": "0.1.0", "commit": commit, "dirty": False})
    note("by hand/5.provenance.json", "x", code={"package": "0", "commit": "b" * 40, "dirty": True})
    note("by hand/6.provenance.json", "x")
    old = read_json("by hand/6.provenance.json")
    del old["outputs"]
    write_json("by hand/6.provenance.json", old)
    report = verify(BESIDE, params)
    assert report.findings == []
    assert report.notes[0] == (
        "made by 3 versions of the code: aaaaaaaaa (3 records), bbbbbbbbb (2 records), no commit (1 records)"
    )
    assert report.notes[1].startswith("1 records of code with changes")
    assert report.notes[2].startswith("1 records are of a version that did not hash")


def test_results_of_other_code_are_a_note(chain: None, params: Params) -> None:
    assert not any("other code" in note for note in verify(PLACES, params).notes)
    record = read_json(RECORDS[1])
    write_json(RECORDS[1], record | {"code": record["code"] | {"hash": "0" * 16}})
    report = verify(PLACES, params)
    assert report.findings == []
    assert "1 records are of other code than what would make these results now" in report.notes


def test_versions_of_libraries_are_a_note(project: Path, params: Params) -> None:
    for number, torch in enumerate(["2.9", "2.8", "2.9"]):
        note(f"by hand/{number}.provenance.json", "x", libraries={"torch": torch, "numpy": "2.4"})
    assert verify(BESIDE, params).notes == ["made with several versions of libraries: torch 2.8, 2.9"]


def test_what_is_expected_and_not_built_is_a_note(project: Path, params: Params, planned: Any) -> None:
    trained(planned)
    due = [name for name in Plan(params).by_record if name.startswith("results/smoke/")]
    notes = verify(PLACES[:1], params).notes
    least = min(name for name in due if name != TRAINING)
    assert notes == [
        f"{len(due) - 1} of {len(due)} results that params.yaml asks for are not built, such as {least}",
        "scale smoke: `snakemake --cores all --config scale=smoke` builds the rest",
    ]
    assert verify([Path(TRAINING)], params).notes == []


def test_each_scale_has_its_own_command(project: Path, params: Params, planned: Any) -> None:
    trained(planned)
    trained(planned, path=TRAINING.replace("smoke", "demo"))
    notes = verify([Path("results")], params).notes
    commands = [line for line in notes if "snakemake" in line]
    assert [line.split(":")[0] for line in commands] == ["scale demo", "scale smoke"]
    assert [f"scale={scale}`" in line for scale, line in zip(("demo", "smoke"), commands, strict=True)] == [True, True]


def test_the_command_that_builds_the_rest_names_the_file_in_a_shells_words(
    project: Path, params: Params, planned: Any
) -> None:
    trained(planned)
    last = verify(PLACES[:1], params, Path("my own.yaml")).notes[-1]
    assert shlex.split(last.split("`")[1]) == [
        *("snakemake", "--cores", "all", "--replace-workflow-config", "--configfile", "my own.yaml"),
        *("--config", "scale=smoke"),
    ]


def test_a_table_made_of_a_summary_in_part_is_sound_and_comes_with_the_command(
    chain: None, params: Params, planned: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    note_step(planned(RECORDS[1]), [ASSESSMENT], [SUMMARY], {"results": [ASSESSMENT]})
    assert cli.main(["verify", RECORDS[2]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"note: built in part: {RECORDS[1]}: of the 18 results that params.yaml asks for it ")
    assert lines[1:] == [
        "note: scale smoke: `snakemake --cores all --config scale=smoke` builds the rest",
        "3 records, 3 files verified",
    ]


def test_damage_beside_a_summary_in_part_is_told_apart(
    chain: None, params: Params, planned: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    note_step(planned(RECORDS[1]), [ASSESSMENT], [SUMMARY], {"results": [ASSESSMENT]})
    put(ASSESSMENT, "{ }")
    assert cli.main(["verify", *map(str, PLACES)]) == 1
    told = capsys.readouterr()
    assert [line.split(":")[0] for line in told.out.splitlines()[:2]] == ["altered", "note"]
    assert "not sound (1 altered): delete" in told.err


def test_results_of_other_settings_are_noted_and_said_to_be_made_anew(
    project: Path, params: Params, planned: Any
) -> None:
    record = trained(planned, epochs=5)
    report = verify([Path(record)], params)
    assert noted(report) == [("another configuration", record)]
    assert report.notes == [
        "scale smoke: `snakemake --cores all --config scale=smoke` makes anew what is of another configuration"
    ]


def test_what_a_killed_job_left_is_noted_as_unfinished(chain: None, params: Params) -> None:
    weights = put(f"{MODEL}/target.safetensors", "weights")
    assert found(verify(PLACES, params)) == [("without a record", weights)]
    put(INCOMPLETE / base64.urlsafe_b64encode(weights.encode()).decode(), "")
    report = verify(PLACES, params)
    assert noted(report) == [("unfinished", weights)]
    assert "builds the rest" in report.notes[1]


# --- links and leftovers ----------------------------------------------------------------------------------------------


def counted(report: Report) -> tuple[int, int, Any, Any]:
    return report.records, report.files, report.findings, report.notes


@pytest.mark.parametrize("linked", ["results/smoke", "results", "."])
def test_through_a_link_each_record_counts_once_and_is_judged_alike(
    chain: None, params: Params, planned: Any, tmp_path: Path, linked: str
) -> None:
    """The study's folder, all results, or the project itself: a link leads there, as its user names it."""
    note_step(planned(RECORDS[1]), [ASSESSMENT], [SUMMARY], {"results": [ASSESSMENT]})
    put("results/smoke/summaries/damaged.provenance.json", "{")
    put("results/smoke/models/by hand.txt", "1")
    due = verify(PLACES[:1], params)
    assert (due.records, len(due.findings), len(due.noted)) == (2, 2, 1)
    link = tmp_path / "a link"
    link.symlink_to(Path(linked).absolute())
    place = link / Path("results/smoke").relative_to(linked)
    for places in ([place], [place, *PLACES[:1]], [*PLACES[:1], place]):
        assert str(verify(places, params)) == str(due)
    through = verify([place / "summaries/main.provenance.json"], params)
    assert str(through) == str(verify([Path(RECORDS[1])], params))


@pytest.mark.parametrize("name", ["results", "results/smoke", "results/smoke/assessments/mnist"])
def test_a_folder_that_lies_elsewhere_behind_a_link_is_verified_as_if_it_lay_here(
    chain: None, params: Params, tmp_path: Path, name: str
) -> None:
    """As on a larger disk."""
    due = [str(verify([Path(place)], params)) for place in ("results", "results/smoke", ASSESSED)]
    shutil.move(name, tmp_path / "elsewhere")
    Path(name).symlink_to(tmp_path / "elsewhere")
    assert [str(verify([Path(place)], params)) for place in ("results", "results/smoke", ASSESSED)] == due
    assert verify([Path("results"), tmp_path / "elsewhere"], params).records == 2


def test_a_linked_folder_is_looked_into_once(chain: None, params: Params, project: Path) -> None:
    due = str(verify(PLACES, params))
    Path("results/smoke/again").symlink_to("summaries")
    Path("results/smoke/summaries/around").symlink_to(project)
    assert str(verify(PLACES, params)) == due
    assert verify([Path()], params).records == 3


def test_a_model_behind_a_linked_folder_is_built(project: Path, params: Params, planned: Any, tmp_path: Path) -> None:
    trained(planned)
    due = str(verify([Path("results/smoke/models")], params))
    shutil.move("results/smoke/models/mnist", tmp_path / "mnist")
    Path("results/smoke/models/mnist").symlink_to(tmp_path / "mnist")
    assert str(verify([Path("results/smoke/models")], params)) == due


def test_leftovers_of_other_systems_are_no_records(chain: None, params: Params) -> None:
    due = str(verify(PLACES, params))
    for record in RECORDS:
        path = Path(record)
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    assert str(verify(PLACES, params)) == due
    assert str(verify([Path(RECORDS[2])], params)).endswith("3 records, 3 files verified")


# --- settings behind a result -----------------------------------------------------------------------------------------


class Reader(Step):
    """A step that reads one file."""

    file: Path

    def reads(self) -> list[Path]:
        return [self.file]

    def writes(self) -> list[Path]:
        return []

    @classmethod
    def command(cls) -> str:
        return "read"

    def entries(self) -> tuple[str, ...]:
        return ()

    def run(self, identity: Identity) -> None:
        """Nothing is run here."""


def test_a_table_goes_back_to_the_settings_and_seeds_of_every_step(project: Path) -> None:
    summary = put("results/smoke/summaries/main.csv", "1")
    read = []
    for seed, beta in ((10, 1.0), (2, 0.5), (2, 1.0)):
        folder = f"results/smoke/models/mnist/vicious-{beta}/seed{seed}"
        weights = put(f"{folder}/target.safetensors", f"{seed} {beta}")
        settings = {"out": weights, "seed": seed, "beta_r": beta, "recipe": None}
        note(f"{folder}/train_vicious.provenance.json", "train-vicious", [], [weights], settings)
        read.append(put(f"{folder}/risk.json", f"{seed}"))
        note(f"{folder}/risk.provenance.json", "assess-risk", [weights], read[-1:], {"user_images": [10, 5]})
    note("results/smoke/summaries/main.provenance.json", "summarize", read, [summary], {"results": read})
    put("results/smoke/summaries/damaged.provenance.json", "{")
    write_provenance(Path("p.json"), Reader(file=Path("./results/smoke/summaries/main.csv")), 1.0)
    assert read_json("p.json")["settings_behind"] == {
        "train-vicious": {"seed": [2, 10], "beta_r": [0.5, 1.0], "recipe": [None]},
        "assess-risk": {"user_images": [[10, 5]]},
    }
    write_provenance(Path("p.json"), Reader(file=Path("params.yaml")), 1.0)
    assert read_json("p.json")["settings_behind"] == {}


# --- the command ----------------------------------------------------------------------------------------------------


def test_a_folder_without_a_record_is_an_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("results").mkdir()
    put("results/main_table.csv", "")
    assert cli.main(["verify", "results"]) == 1
    assert "no record of provenance lies below results" in capsys.readouterr().err
    put("results/dataset.json", "{}")
    for place in ("nothing", "results/main_table.csv", "results/dataset.json"):
        assert cli.main(["verify", place]) == 1
        assert f"{place} is neither a folder nor a record" in capsys.readouterr().err


def test_commands_record_what_they_wrote_and_it_is_verified(
    project: Path, params: Params, planned: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Datasets, a training and an attack as the study runs them, from a folder with a space."""
    data, attack = "data/prepared/smoke/mnist", f"{MODEL}/posthoc-logits.provenance.json"
    for record in (
        "data/source/smoke/mnist/fetch.provenance.json",
        f"{data}/prepare.provenance.json",
        TRAINING,
        attack,
    ):
        step = planned(record)
        assert cli.main([step.command(), *step.options(), "--provenance", record]) == 0
    names = {Path(name).name for name in read_json(TRAINING)["outputs"]}
    assert names == {"target.safetensors", "target.json", "target.csv", "joint.safetensors", "joint.json"}
    assert len(read_json(f"{data}/prepare.provenance.json")["outputs"]) == 7
    behind = read_json(attack)["settings_behind"]
    assert behind["prepare"]["split_seed"] == behind["train-vicious"]["seed"] == [0]
    assert (behind["prepare"]["train"], behind["train-vicious"]["beta_r"]) == ([96], [1.0])

    capsys.readouterr()
    assert cli.main(["verify", "results"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "4 records, 16 files verified"
    with Path(f"{data}/train_images.npy").open("ab") as file:
        file.write(b"x")
    Path(f"{MODEL}/joint.json").unlink()
    text = Path("params.yaml").read_text(encoding="utf-8").replace("learning_rate: 0.001 ", "learning_rate: 0.01 ")
    put("mine.yaml", text)
    assert cli.main(["verify", "results", "--file", "mine.yaml"]) == 1
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["missing", "altered"]
    assert [line.startswith("note: another configuration: ") for line in lines[2:5]] == [True, True, False]
    assert "run `snakemake` again" in printed.err
    assert "Traceback" not in printed.err


def test_verifying_needs_no_torch() -> None:
    code = (
        "import sys, vicious.provenance.verify; "
        "print([name for name in ('torch', 'numpy', 'pandas') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_help_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", "--help"]) == 0
    assert "hashes every file again" in " ".join(capsys.readouterr().out.split())


def test_kinds_of_findings_are_documented() -> None:
    text = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    assert all(f"| `{kind}` |" in text for kind in KINDS)
