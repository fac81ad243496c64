"""Verifying results: what a record says against what is there, record against record, and both against params.yaml."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from records_by_hand import note, put

from vicious import cli
from vicious.provenance.asked import asked, gathered
from vicious.provenance.record import write_provenance
from vicious.provenance.verify import KINDS, Report, verify
from vicious.study import grid, paths
from vicious.study.config import Params, load_params
from vicious.system.errors import ProvenanceError
from vicious.system.files import read_json, write_json

ROOT = Path(__file__).resolve().parents[2]
MODEL = "results/smoke/models/mnist/vicious-logits-beta1/seed0"


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(ROOT / "params.yaml").model_copy(update={"scale": "smoke"})


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """An empty project in a folder with a space, which is the current folder."""
    folder = tmp_path / "a project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    shutil.copy(ROOT / "params.yaml", folder)
    return folder


def chain() -> None:
    """A summary made of an assessment, a table made of the summary; all have records."""
    assessment = put("results/smoke/assessments/a model/risk-joint.json", "{}")
    note("results/smoke/assessments/a model/risk-joint.provenance.json", "assess", [], [assessment])
    summary = put("results/smoke/summaries/main.csv", "1")
    note("results/smoke/summaries/main.provenance.json", "summarize", [assessment], [summary])
    table = put("paper_figures/smoke/table1.md", "one")
    note("paper_figures/smoke/table1.json", "table1", [summary], [table])


def found(report: Report) -> list[tuple[str, str]]:
    """Kind and file of each finding."""
    return [(finding.kind, finding.what.split(",")[0].split(" is not")[0].split(":")[0]) for finding in report.findings]


PLACES = [Path("results/smoke"), Path("paper_figures/smoke")]


def test_sound_results_are_counted(project, params):
    chain()
    report = verify(PLACES, params)
    assert (report.findings, report.notes, report.records, report.files) == ([], [], 3, 3)
    assert str(report) == "3 records, 3 files verified"
    report.raise_if_unsound()


@pytest.mark.parametrize("place", ["paper_figures/smoke/table1.json", "paper_figures/smoke"])
def test_one_table_leads_back_to_all_that_it_was_made_from(project, params, place):
    chain()
    put("results/smoke/assessments/a model/risk-joint.json", "{ }")
    report = verify([Path(place)], params)
    assert report.records == 3
    assert found(report) == [("altered", "results/smoke/assessments/a model/risk-joint.json")]


def test_a_record_that_wrote_nothing_that_was_read_is_not_followed(project, params):
    chain()
    other = put("results/smoke/summaries/tradeoff.csv", "1")
    note("results/smoke/summaries/tradeoff.provenance.json", "summarize", [], [other])
    Path(other).unlink()
    assert verify([Path("paper_figures/smoke")], params).findings == []
    assert found(verify(PLACES, params)) == [("missing", other)]


@pytest.mark.parametrize("name", ["paper_figures/smoke/table1.md", "results/smoke/summaries/main.csv"])
@pytest.mark.parametrize("kind", ["missing", "altered"])
def test_a_file_that_is_gone_or_altered_is_told_once(project, params, kind, name):
    chain()
    put(name, "altered") if kind == "altered" else Path(name).unlink()
    report = verify(PLACES, params)
    assert found(report) == [(kind, name)]
    assert "summarize (results" in str(report) or "table1 (paper_figures" in str(report)


def test_a_file_made_again_after_it_was_read_is_told(project, params):
    chain()
    summary = put("results/smoke/summaries/main.csv", "2")
    note("results/smoke/summaries/main.provenance.json", "summarize", [], [summary])
    report = verify(PLACES, params)
    assert found(report) == [("altered since", summary)]
    assert report.findings[0].what.endswith("is not what table1 (paper_figures/smoke/table1.json) read")


def test_an_input_without_a_record_is_held_against_the_file(project, params):
    data = put("data/facts.json", "1")
    for number in range(3):
        note(f"results/smoke/{number}.provenance.json", "train", [data])
    assert verify(PLACES[:1], params).findings == []
    put(data, "2")
    report = verify(PLACES[:1], params)
    assert found(report) == [("altered since", data)]
    assert "train (results/smoke/0.provenance.json and 2 more) read" in str(report)
    Path(data).unlink()
    assert found(verify(PLACES[:1], params)) == [("missing", data)]


def test_of_two_that_wrote_a_file_the_last_counts(project, params):
    file = put("results/smoke/a.csv", "old")
    note("results/smoke/z.provenance.json", "first", [], [file])
    put(file, "new")
    note("results/smoke/a.provenance.json", "second", [], [file], finished="2026-01-02T00:00:00+00:00")
    assert verify(PLACES[:1], params).findings == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000, b'{"command": 1}', b'{"command": "a", "settings": []}'],
)
def test_a_damaged_record_is_told_and_the_others_are_verified(project, params, content):
    chain()
    damaged = Path("results/smoke/summaries/other.provenance.json")
    damaged.write_bytes(content)
    report = verify(PLACES, params)
    assert found(report) == [("unreadable", damaged.as_posix())]
    assert report.records == 3
    assert "\n" not in report.findings[0].what


def test_a_folder_or_a_pipe_in_place_of_a_record_is_told(project, params):
    chain()
    Path("results/smoke/folder.provenance.json").mkdir()
    os.mkfifo("results/smoke/pipe.provenance.json")
    report = verify(PLACES, params)
    assert found(report) == [("unreadable", f"results/smoke/{name}.provenance.json") for name in ("folder", "pipe")]


@pytest.mark.parametrize("name", ["a" * 5000, f"{'a' * 5000}/b.csv", "/etc/passwd/b", "../" * 100 + "b"])
def test_names_that_no_file_can_have_are_missing(project, params, name):
    chain()
    record = read_json("paper_figures/smoke/table1.json")
    write_json("paper_figures/smoke/table1.json", record | {"inputs": record["inputs"] | {name: "0"}})
    (finding,) = verify(PLACES, params).findings
    assert finding.kind == "missing"


def test_a_finding_is_one_line_of_plain_characters(project, params):
    chain()
    record = read_json("paper_figures/smoke/table1.json")
    write_json(
        "paper_figures/smoke/table1.json", record | {"inputs": record["inputs"] | {"a\nmissing: é\x1b[31m": "0"}}
    )
    first, last = str(verify(PLACES, params)).splitlines()
    assert first.startswith("missing: a\\nmissing: é\\x1b[31m, read by")
    assert last == "3 records, 3 files verified"


def test_a_file_has_one_name_however_it_is_written(project, params):
    chain()
    record = read_json("paper_figures/smoke/table1.json")
    ((name, sha),) = record["inputs"].items()
    for other in (f"./{name}", f"results/../{name}", str(project / name)):
        write_json("paper_figures/smoke/table1.json", record | {"inputs": {other: sha}})
        for places in (PLACES, [project / place for place in PLACES]):
            assert str(verify(places, params)) == "3 records, 3 files verified"


# --- files without a record -----------------------------------------------------------------------------------------


def test_a_file_whose_record_is_gone_is_told(project, params):
    chain()
    Path("results/smoke/summaries/main.provenance.json").unlink()
    for places in (PLACES, [Path("paper_figures/smoke/table1.json")]):
        report = verify(places, params)
        assert found(report) == [("without a record", "results/smoke/summaries/main.csv")]
        assert report.findings[0].what.endswith(", read by table1 (paper_figures/smoke/table1.json)")


@pytest.mark.parametrize(
    ("source", "copy"),
    [
        ("results/smoke/assessments/a model", "results/smoke/assessments/another"),
        ("results/smoke", "results/demo"),
        ("paper_figures/smoke", "paper_figures/elsewhere"),
    ],
)
def test_results_copied_to_another_place_are_told(project, params, source, copy):
    chain()
    shutil.copytree(source, copy)
    report = verify([Path(copy)], params)
    copied = [path.as_posix() for path in sorted(Path(copy).rglob("*")) if path.suffix in (".csv", ".md")]
    copied += [f"{copy}/risk-joint.json"] if copy.endswith("another") else []
    told = [file for kind, file in found(report) if kind == "without a record"]
    assert set(copied) <= set(told)
    assert all(file.startswith(f"{copy}/") for file in told)


def test_a_folder_that_is_a_link_is_another_name_of_the_same_results(project, params):
    chain()
    Path("a link").symlink_to("results/smoke")
    assert verify([Path("a link")], params).findings == []


def test_what_has_no_record_by_design_is_not_told(project, params):
    chain()
    put("results/smoke/complete/main.txt", "1 cells, none failed")
    put("results/smoke/summaries/.gitignore", "/main.csv")
    put("results/notes.txt", "by hand")
    assert verify([Path("results"), Path("paper_figures"), Path()], params).findings == []


def test_beside_a_record_of_old_or_a_damaged_one_no_file_is_blamed(project, params):
    chain()
    table = read_json("paper_figures/smoke/table1.json")
    del table["outputs"]
    write_json("paper_figures/smoke/table1.json", table)
    assert verify(PLACES, params).findings == []
    put("paper_figures/smoke/table1.json", "{")
    assert found(verify(PLACES, params)) == [("unreadable", "paper_figures/smoke/table1.json")]


def test_findings_are_grouped_and_sorted(project, params):
    chain()
    for name in ("b", "a"):
        file = put(f"results/smoke/{name}.csv", "1")
        note(f"results/smoke/{name}.provenance.json", "x", [], [file])
        Path(file).unlink()
    put("paper_figures/smoke/table1.md", "altered")
    put("results/smoke/c.provenance.json", "")
    report = verify(PLACES, params)
    assert [kind for kind, _ in found(report)] == ["missing", "missing", "altered", "unreadable"]
    assert [file for _, file in found(report)][:2] == ["results/smoke/a.csv", "results/smoke/b.csv"]
    with pytest.raises(ProvenanceError, match=r"2 missing, 1 altered, 1 unreadable.*run `snakemake` again"):
        report.raise_if_unsound()


# --- configuration --------------------------------------------------------------------------------------------------


def settings_of(params: Params, made: str, **changes):
    """The settings that a step is asked for, and the file or folder that it writes."""
    return {**asked(params)[made], "out": made, **changes}


def trained(params: Params, folder: str = MODEL, **changes) -> None:
    """A record of a training."""
    settings = {**settings_of(params, f"{MODEL}/target.safetensors"), "out": f"{folder}/target.safetensors", **changes}
    note(f"{folder}/train_vicious.provenance.json", "train-vicious", settings=settings)


@pytest.mark.parametrize("scale", ["smoke", "demo", "pilot", "paper"])
def test_every_training_attack_and_judgement_of_a_scale_is_asked_for(params, scale):
    params = params.model_copy(update={"scale": scale})
    made = asked(params)
    attacks = grid.attacks(params)
    trainings = len(grid.trainings(params)) + sum(cell.attack != "joint" for cell in attacks)
    assert sum(name.endswith(".safetensors") for name in made) == len(params.datasets) + trainings, "and covariances"
    assert len(made) == 3 * len(params.datasets) + trainings + len(attacks) + len(grid.judged(params))
    assert all(Path(name).is_relative_to(paths.results(scale)) or name.startswith("data/") for name in made)


def test_a_training_as_params_ask_is_sound(project, params):
    trained(params)
    assert verify(PLACES[:1], params).findings == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("epochs", 8),
            ("depth", 16),
            ("width", 2),
            ("batch_images", 5),
            ("learning_rate", 0.1),
            ("outputs", "softmax"),
        ),
        *(("beta_r", 2.0), ("beta_c", 0.5), ("evasion", 1.0), ("seed", 3), ("threads", 2), ("classes", 10)),
    ],
)
def test_a_setting_that_params_do_not_ask_for_is_told(project, params, name, value):
    trained(params, **{name: value})
    report = verify(PLACES[:1], params, Path("mine.yaml"))
    (finding,) = report.findings
    assert finding.kind == "another configuration"
    due = settings_of(params, f"{MODEL}/target.safetensors")[name]
    assert finding.what.endswith(f": {name} {value}, mine.yaml asks for {due}")


def test_the_detector_that_a_server_evades_is_compared_where_it_evades_one(project, params):
    trained(params, evades="both")
    assert verify(PLACES[:1], params).findings == []
    folder = f"{MODEL.removesuffix('/seed0')}-evasion1-distance_correlation/seed0"
    due = settings_of(params, f"{folder}/target.safetensors", evades="both")
    note(f"{folder}/train_vicious.provenance.json", "train-vicious", settings=due)
    assert "evades both, params.yaml asks for distance_correlation" in str(verify(PLACES[:1], params))


@pytest.mark.parametrize(
    "folder", ["mnist/vicious-logits-beta1/seed7", "mnist/vicious-logits-beta9/seed0", "cifar11/honest/seed0"]
)
def test_a_model_that_params_do_not_ask_for_is_told(project, params, folder):
    folder = f"results/smoke/models/{folder}"
    trained(params, folder)
    assert found(verify(PLACES[:1], params)) == [
        ("not in this configuration", f"{folder}/target.safetensors ({folder}/train_vicious.provenance.json)")
    ]


def test_the_scale_is_that_of_the_path_and_other_places_are_not_judged(project, params):
    trained(params)
    assert verify(PLACES[:1], params.model_copy(update={"scale": "paper"})).findings == []
    trained(params, "results/by hand/model", epochs=77)
    assert verify([Path("results")], params).findings == []


@pytest.mark.parametrize(
    ("command", "made", "change"),
    [
        ("train-attack", "results/smoke/models/mnist/honest/seed0/posthoc-top1.safetensors", {"outputs": "logits"}),
        ("train-honest", "results/smoke/models/cifar100/classes50/honest/seed0/target.safetensors", {"as_many_as": 10}),
        ("train-honest", "results/smoke/models/mnist/honest-plain/seed0/target.safetensors", {"recipe": None}),
        ("train-attack", "results/smoke/models/mnist/honest/seed0/posthoc-top1.safetensors", {"target": "x.safetensors"}),
        ("evaluate-defense", "results/smoke/assessments/mnist/honest/seed0/detection.csv", {"draws": 5}),
        ("evaluate-defense", "results/smoke/assessments/mnist/honest/seed0/detection.csv", {"target": f"{MODEL}/target.safetensors"}),
        ("evaluate-defense", "results/smoke/assessments/mnist/honest/seed0/detection.csv", {"threads": 2}),
        ("evaluate-defense", "results/smoke/assessments/mnist/vicious-logits-beta1-shuffled/seed0/detection.csv", {"hide": None}),
        ("prepare", "data/prepared/smoke/mnist", {"train": 5}),
        ("prepare", "data/prepared/smoke/mnist", {"split_seed": 5}),
    ],
)  # fmt: skip
def test_other_steps_are_compared_too(project, params, command, made, change):
    record = "results/smoke/x.provenance.json"
    note(record, command, settings=settings_of(params, made))
    assert verify(PLACES[:1], params).findings == []
    note(record, command, settings=settings_of(params, made, **change))
    assert found(verify(PLACES[:1], params)) == [("another configuration", f"{made} ({record})")]


def test_an_assessment_is_compared_by_its_attack(project, params):
    folder = "results/smoke/assessments/mnist/honest/seed0"
    due = asked(params)[f"{folder}/risk-posthoc-noise0.1"]
    settings = {**due, "out": folder}
    note("results/smoke/x.provenance.json", "assess-risk", settings=settings)
    assert verify(PLACES[:1], params).findings == []
    note("results/smoke/x.provenance.json", "assess-risk", settings={**settings, "cutoff": 0.5})
    assert "cutoff 0.5, params.yaml asks for 1.2e-07" in str(verify(PLACES[:1], params))
    other = f"{MODEL}/posthoc-noise0.1.safetensors"
    note("results/smoke/x.provenance.json", "assess-risk", settings={**settings, "attack": other})
    assert f"attack {other}, params.yaml asks for {due['attack']}" in str(verify(PLACES[:1], params))


def test_stand_ins_where_official_images_are_asked_for_are_told(project, params):
    put("data/prepared/pilot/mnist/dataset.json", '{"source": "synthetic"}')
    pilot = params.model_copy(update={"scale": "pilot"})
    settings = settings_of(pilot, "data/prepared/pilot/mnist")
    del settings["images"]
    note("data/prepared/pilot/mnist/prepare.provenance.json", "prepare", settings=settings)
    assert "images synthetic, params.yaml asks for official" in str(verify([Path("data")], params))


def test_settings_of_any_kind_give_no_traceback(project, params):
    for number, out in enumerate([None, 5, [], {"a": 1}, "", "results/smoke/", "results/smoke/\0"]):
        for command in ("train-honest", "assess-risk", "prepare"):
            path = f"results/smoke/{number}{command}.provenance.json"
            note(path, command, settings={"out": out, "attack": out}, inputs=(), outputs=())
    write_json("results/smoke/z.provenance.json", read_json(path) | {"inputs": {"": "x", "a\0b": "x", "results": "x"}})
    assert {kind for kind, _ in found(verify(PLACES[:1], params))} == {"missing", "not in this configuration"}


def of_all_cells(params: Params, made: str, command: str, record: str, **changes) -> None:
    settings = {**gathered(params)[made], **changes}
    note(record, command, settings={**settings, "out": made, "estimators": made, "classes": made})


@pytest.mark.parametrize(
    ("command", "name", "key"),
    [
        ("summarize", "tradeoff.csv", "results"),
        ("compare", "main_comparisons.csv", "results"),
        ("agree", "estimators.csv", "results"),
        ("per-class", "per_class.csv", "results"),
        ("summarize-defense", "detection.csv", "scores"),
    ],
)
def test_a_summary_of_fewer_or_more_cells_is_told(project, params, command, name, key):
    made, record = f"results/smoke/summaries/{name}", "results/smoke/x.provenance.json"
    due = gathered(params)[made][key]
    of_all_cells(params, made, command, record, **{key: due[::-1]})
    assert verify(PLACES[:1], params).findings == []
    of_all_cells(params, made, command, record, **{key: due[1:]})
    (finding,) = verify(PLACES[:1], params).findings
    assert finding.kind == "another configuration"
    assert finding.what == (
        f"{made} ({record}): of the {len(due)} {key} that params.yaml asks for it lacks 1 such as {due[0]}"
    )
    of_all_cells(params, made, command, record, **{key: [*due, "x.json"]})
    assert str(verify(PLACES[:1], params).findings[0]).endswith("asks for it has 1 such as x.json")


@pytest.mark.parametrize(("name", "key"), [("table8", "assessments"), ("figure11", "curves"), ("table9", "verdicts")])
def test_a_table_or_figure_of_fewer_cells_is_told(project, params, name, key):
    record = f"paper_figures/smoke/{name}.json"
    due = gathered(params)[record][key]
    note(record, name, settings={"out": "paper_figures/smoke", key: due})
    assert verify(PLACES[1:], params).findings == []
    note(record, name, settings={"out": "paper_figures/smoke", key: due[1:]})
    assert "it lacks 1 such as" in str(verify(PLACES[1:], params))


@pytest.mark.parametrize(("dataset", "table"), [("celeba", "table6"), ("mnist", "table7")])
def test_a_table_that_has_nothing_to_show_is_not_asked_for(params, dataset, table):
    of_one = gathered(params.model_copy(update={"datasets": [dataset]}))
    left = {name for name in gathered(params) if name.startswith("paper_figures/smoke/table")} - of_one.keys()
    assert f"paper_figures/smoke/{table}.json" in left
    assert "paper_figures/smoke/table8.json" not in left


def test_an_experiment_that_params_leave_out_is_told(project, params):
    made, record = "results/smoke/summaries/tradeoff.csv", "results/smoke/x.provenance.json"
    of_all_cells(params, made, "summarize", record)
    note("paper_figures/smoke/table2.json", "table2", settings={"out": "paper_figures/smoke"})
    assert verify(PLACES, params).findings == []
    fewer = params.model_copy(update={"datasets": ["celeba"]})
    assert found(verify(PLACES, fewer)) == [
        ("not in this configuration", "paper_figures/smoke/table2.json (paper_figures/smoke/table2.json)"),
        ("not in this configuration", f"{made} ({record})"),
    ]


@pytest.mark.parametrize(
    "out", [f"./{MODEL}/target.safetensors", f"results/x/../smoke/{MODEL[14:]}/target.safetensors"]
)
def test_a_step_is_compared_however_its_output_was_named(project, params, out):
    trained(params, epochs=5)
    settings = settings_of(params, f"{MODEL}/target.safetensors", epochs=5) | {"out": out}
    note(f"{MODEL}/train_vicious.provenance.json", "train-vicious", settings=settings)
    assert "epochs 5, params.yaml asks for 1" in str(verify(PLACES[:1], params))
    settings = settings | {"out": str(project / out), "epochs": 1, "data": f"./{settings['data']}"}
    note(f"{MODEL}/train_vicious.provenance.json", "train-vicious", settings=settings)
    assert verify(PLACES[:1], params).findings == []


def test_a_setting_that_a_record_does_not_tell_is_told(project, params):
    settings = settings_of(params, f"{MODEL}/target.safetensors")
    note(f"{MODEL}/train_vicious.provenance.json", "train-vicious", settings={k: v for k, v in settings.items() if v})
    assert verify(PLACES[:1], params).findings == [], "records of old lack what had no other value"
    del settings["epochs"]
    note(f"{MODEL}/train_vicious.provenance.json", "train-vicious", settings=settings)
    assert "epochs not told, params.yaml asks for 1" in str(verify(PLACES[:1], params))


# --- notes ----------------------------------------------------------------------------------------------------------


def test_versions_of_the_code_are_notes(project, params):
    for number, commit in enumerate(["a" * 40, "b" * 40, "a" * 40, None]):
        note(
            f"results/smoke/{number}.provenance.json", "x", code={"package": "0.1.0", "commit": commit, "dirty": False}
        )
    note("results/smoke/5.provenance.json", "x", code={"package": "0", "commit": "b" * 40, "dirty": True})
    note("results/smoke/6.provenance.json", "x")
    old = read_json("results/smoke/6.provenance.json")
    del old["outputs"]
    write_json("results/smoke/6.provenance.json", old)
    report = verify(PLACES[:1], params)
    assert report.findings == []
    assert report.notes[0] == (
        "made by 3 versions of the code: aaaaaaaaa (3 records), bbbbbbbbb (2 records), no commit (1 records)"
    )
    assert report.notes[1].startswith("1 records of code with changes")
    assert report.notes[2].startswith("1 records are of a version that did not hash")


def test_versions_of_libraries_are_a_note(project, params):
    for number, torch in enumerate(["2.9", "2.8", "2.9"]):
        note(f"results/smoke/{number}.provenance.json", "x", libraries={"torch": torch, "numpy": "2.4"})
    assert verify(PLACES[:1], params).notes == ["made with several versions of libraries: torch 2.8, 2.9"]


def test_what_is_asked_for_and_not_built_is_a_note(project, params):
    trained(params)
    due = [name for name in asked(params) | gathered(params) if name.startswith("results/smoke/")]
    told = verify(PLACES[:1], params, Path("mine.yaml")).notes
    least = min(name for name in due if name != f"{MODEL}/target.safetensors")
    assert told == [f"{len(due) - 1} of {len(due)} results that mine.yaml asks for are not built, such as {least}"]
    assert verify([Path(MODEL, "train_vicious.provenance.json")], params).notes == []


# --- settings behind a result -----------------------------------------------------------------------------------------


def test_a_table_goes_back_to_the_settings_and_seeds_of_every_step(project):
    summary = put("results/smoke/summaries/main.csv", "1")
    read = []
    for seed, beta in ((10, 1.0), (2, 0.5), (2, 1.0)):
        folder = f"results/smoke/models/mnist/vicious-{beta}/seed{seed}"
        weights = put(f"{folder}/target.safetensors", f"{seed} {beta}")
        settings = {"out": weights, "seed": seed, "beta_r": beta, "recipe": None}
        note(f"{folder}/train.provenance.json", "train-vicious", [], [weights], settings)
        read.append(put(f"{folder}/risk.json", f"{seed}"))
        note(f"{folder}/risk.provenance.json", "assess-risk", [weights], read[-1:], {"user_images": [10, 5]})
    note("results/smoke/summaries/main.provenance.json", "summarize", read, [summary], {"results": read})
    put("results/smoke/summaries/damaged.provenance.json", "{")
    write_provenance(Path("p.json"), "table1", {}, [Path("./results/smoke/summaries/main.csv")], [], 1.0)
    assert read_json("p.json")["settings_behind"] == {
        "train-vicious": {"seed": [2, 10], "beta_r": [0.5, 1.0], "recipe": [None]},
        "assess-risk": {"user_images": [[10, 5]]},
    }
    write_provenance(Path("p.json"), "table1", {}, [Path("params.yaml")], [], 1.0)
    assert read_json("p.json")["settings_behind"] == {}


# --- the command ----------------------------------------------------------------------------------------------------


def test_a_folder_without_a_record_is_an_error(project, capsys):
    Path("results").mkdir()
    put("results/table1.csv", "")
    assert cli.main(["verify", "results"]) == 1
    assert "no record of provenance lies below results" in capsys.readouterr().err
    put("results/dataset.json", "{}")
    for place in ("nothing", "results/table1.csv", "results/dataset.json"):
        assert cli.main(["verify", place]) == 1
        assert f"{place} is neither a folder nor a record" in capsys.readouterr().err


def test_commands_record_what_they_wrote_and_it_is_verified(project, capsys):
    """Datasets, a training and an attack as the study runs them, from a folder with a space."""
    assert cli.main(["fetch", "--dataset", "mnist", "--source", "synthetic", "--root", "data/raw", "--out", "data/source/smoke/mnist/source.json",
                     "--counts", "96", "32", "32", "--provenance", "data/source/smoke/mnist/fetch.provenance.json"]) == 0  # fmt: skip
    data = "data/prepared/smoke/mnist"
    prepare = f"prepare --source data/source/smoke/mnist/source.json --out {data} --train 96 --validation 32 --test 32 --split-seed 0"
    assert cli.main([*prepare.split(), "--provenance", f"{data}/prepare.provenance.json"]) == 0
    train = f"--data {data} --depth 10 --width 1 --epochs 1 --batch-images 24 --learning-rate 0.001 --seed 0"
    vicious = f"train-vicious --out {MODEL}/target.safetensors --attack-out {MODEL}/joint.safetensors --outputs logits --beta-c 1 --beta-r 1"
    assert cli.main([*f"{vicious} {train} --provenance {MODEL}/train_vicious.provenance.json".split()]) == 0
    attack = (
        f"train-attack --target {MODEL}/target.safetensors --out {MODEL}/posthoc-logits.safetensors --outputs logits"
    )
    assert cli.main([*f"{attack} {train} --provenance {MODEL}/posthoc-logits.provenance.json".split()]) == 0
    names = {Path(name).name for name in read_json(f"{MODEL}/train_vicious.provenance.json")["outputs"]}
    assert names == {"target.safetensors", "target.json", "target.csv", "joint.safetensors", "joint.json"}
    assert len(read_json(f"{data}/prepare.provenance.json")["outputs"]) == 7
    behind = read_json(f"{MODEL}/posthoc-logits.provenance.json")["settings_behind"]
    assert behind["prepare"]["split_seed"] == behind["train-vicious"]["seed"] == [0]
    assert (behind["prepare"]["train"], behind["train-vicious"]["beta_r"]) == ([96], [1.0])

    capsys.readouterr()
    assert cli.main(["verify", "results"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "4 records, 16 files verified"
    with Path(f"{data}/train_images.npy").open("ab") as file:
        file.write(b"x")
    Path(f"{MODEL}/joint.json").unlink()
    params = Path("params.yaml").read_text(encoding="utf-8").replace("learning_rate: 0.001 ", "learning_rate: 0.01 ")
    put("mine.yaml", params)
    assert cli.main(["verify", "results", "--file", "mine.yaml"]) == 1
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert [line.split(":")[0] for line in lines[:4]] == ["missing", "altered", *["another configuration"] * 2]
    assert "run `snakemake` again" in told.err
    assert "Traceback" not in told.err


def test_verifying_needs_no_torch():
    code = "import sys, vicious.provenance.verify; print([name for name in ('torch', 'numpy', 'pandas') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_help_says_what_it_does(capsys):
    with pytest.raises(SystemExit):
        cli.main(["verify", "--help"])
    assert "hash every file again" in " ".join(capsys.readouterr().out.split())


def test_kinds_of_findings_are_documented():
    text = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    assert all(f"| `{kind}` |" in text for kind in KINDS)
