"""What a crate says: who, by which software, on which data, with which values, and what came of it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from crate.conftest import FAILED
from records_by_hand import note_step

from vicious.crate.write import write
from vicious.study.config import Params
from vicious.study.plan import Plan
from vicious.system.files import read_json

ByName = Callable[[dict[str, Any]], dict[str, dict[str, Any]]]
RUN, SNAKEFILE = "#run", "Snakefile"


@pytest.fixture
def found(study: Params, entities: ByName) -> dict[str, dict[str, Any]]:
    """The entities of the study's crate."""
    return entities(read_json(write(study)))


def refs(value: Any) -> list[str]:
    """What a property refers to."""
    return [one["@id"] for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def actions(found: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found.values() if one["@type"] == "CreateAction"]


def test_ro_crate_1_1(found: Mapping[str, dict[str, Any]]) -> None:
    """https://www.researchobject.org/ro-crate/1.1/: the metadata descriptor, the root, and how entities lie."""
    descriptor, root = found["ro-crate-metadata.json"], found["./"]
    assert descriptor["@type"] == "CreativeWork"  # "Root Data Entity": the descriptor
    assert descriptor["about"] == {"@id": "./"}
    assert "https://w3id.org/ro/crate/1.1" in refs(descriptor["conformsTo"])
    assert root["@type"] == "Dataset"  # "Direct properties of the Root Data Entity"
    assert all(root[name] for name in ("name", "description", "license", "datePublished"))
    files = {name for name, one in found.items() if "File" in one["@type"]}
    assert {*refs(root["hasPart"])} == files  # "Data Entities": linked from the root
    assert not [name for name in files if name.startswith(("/", "#", "..")) or "://" in name]  # relative paths
    assert not [one for one in found.values() if not one.get("@type")]  # "RO-Crate JSON-LD": each has a type
    dangling = {ref for one in found.values() for value in one.values() for ref in refs(value)} - {*found}
    assert not [name for name in dangling if "://" not in name]  # each local reference leads somewhere


def test_workflow_ro_crate_1_0(found: Mapping[str, dict[str, Any]]) -> None:
    """https://w3id.org/workflowhub/workflow-ro-crate/1.0: the main workflow, its language, a licence."""
    (main,) = refs(found["./"]["mainEntity"])
    assert main == SNAKEFILE
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= {*found[main]["@type"]}
    (language,) = refs(found[main]["programmingLanguage"])
    assert (found[language]["@type"], found[language]["name"]) == ("ComputerLanguage", "Snakemake")
    assert found["./"]["license"]


def test_process_run_crate_0_5(found: Mapping[str, dict[str, Any]]) -> None:
    """https://w3id.org/ro/wfrun/process/0.5: named by the root; every action has an instrument, which is software."""
    assert "https://w3id.org/ro/wfrun/process/0.5" in refs(found["./"]["conformsTo"])
    assert found["https://w3id.org/ro/wfrun/process/0.5"]["@type"] == "CreativeWork"
    for action in actions(found):
        (instrument,) = refs(action["instrument"])
        kinds = found[instrument]["@type"]
        assert {"SoftwareApplication", "ComputationalWorkflow"} & {*([kinds] if isinstance(kinds, str) else kinds)}
        assert action["@id"] in refs(found["./"]["mentions"])  # SHOULD
        assert all(action.get(name) for name in ("name", "description", "endTime", "result"))  # SHOULD
        assert ("error" in action) == (action["actionStatus"] == "http://schema.org/FailedActionStatus")  # SHOULD


def test_workflow_run_crate_0_5(found: Mapping[str, dict[str, Any]]) -> None:
    """https://w3id.org/ro/wfrun/workflow/0.5: an action has the workflow as its instrument; slots are formal parameters
    with a type, and values refer to them."""
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in refs(found["./"]["conformsTo"])
    assert [one["@id"] for one in actions(found) if refs(one["instrument"]) == [SNAKEFILE]] == [RUN]
    slots = refs(found[SNAKEFILE]["input"])
    assert {found[slot]["@type"] for slot in slots} == {"FormalParameter"}
    assert all(found[slot]["additionalType"] for slot in slots)
    values = [one for one in found.values() if one["@type"] == "PropertyValue"]
    assert [one["exampleOfWork"]["@id"] for one in values] == slots
    assert {one["@id"] for one in values} <= {*refs(found[RUN]["object"])}


def test_every_record_is_an_action_with_its_files(study: Params, found: Mapping[str, dict[str, Any]]) -> None:
    recorded = Plan(study).by_record
    assert {one["@id"] for one in actions(found)} == {RUN, *(f"#job/{path}" for path in recorded)}
    for path, planned in recorded.items():
        action = found[f"#job/{path}"]
        assert refs(action["result"]) == sorted(map(str, planned.step.writes()))
        assert {str(file) for file in planned.step.reads() if file.is_file()} <= {*refs(action.get("object", []))}
        assert refs(found[path]["about"]) == [action["@id"]]


def test_times_are_those_of_the_records(found: Mapping[str, dict[str, Any]]) -> None:
    action = found["#job/results/smoke/summaries/main.provenance.json"]
    assert (action["startTime"], action["endTime"]) == ("2025-12-31T23:59:58+00:00", "2026-01-01T00:00:00+00:00")
    assert found["./"]["datePublished"] == "2026-01-01"


def test_a_failed_job_is_called_failed_and_says_why(found: Mapping[str, dict[str, Any]]) -> None:
    (failed,) = [one for one in actions(found) if FAILED in refs(one["result"]) and one["@id"] != RUN]
    assert (failed["actionStatus"], failed["error"]) == ("http://schema.org/FailedActionStatus", "no memory")
    assert found[RUN]["error"] == "jobs that failed, which tables show: 1"
    others = [one for one in actions(found) if one["@id"] not in (failed["@id"], RUN)]
    assert {one["actionStatus"] for one in others} == {"http://schema.org/CompletedActionStatus"}


def test_a_run_is_completed_only_where_all_of_it_is_recorded(study: Params, entities: ByName) -> None:
    Path(FAILED).write_text('"sound"', encoding="utf-8")
    step = next(one.step for one in Plan(study).steps if Path(FAILED) in one.step.writes())
    readers = [one.step for one in Plan(study).steps if Path(FAILED) in one.step.reads()]
    for one in (step, *readers):
        note_step(one, [file for file in one.reads() if file.is_file()], one.writes(), seconds=2.0)
    whole = entities(read_json(write(study)))[RUN]
    assert whole["actionStatus"] == "http://schema.org/CompletedActionStatus"
    Path("paper_figures/smoke/main_table.json").unlink()
    assert "actionStatus" not in entities(read_json(write(study)))[RUN]


def test_whether_a_job_failed_is_not_said_where_its_results_are_not_there(study: Params, entities: ByName) -> None:
    Path(FAILED).unlink()
    found = entities(read_json(write(study)))
    told = found[f"#job/{FAILED.replace('.json', '.provenance.json')}"]
    assert "actionStatus" not in told


def test_software_has_its_version_and_libraries(found: Mapping[str, dict[str, Any]]) -> None:
    (program,) = refs(found["#job/results/smoke/summaries/main.provenance.json"]["instrument"])
    assert found[program]["name"] == "vicious summarize"
    assert found[program]["softwareVersion"] == f"0.1.0+{'a' * 9}"
    versions = {
        found[one]["name"]: found[one]["softwareVersion"] for one in refs(found[program]["softwareRequirements"])
    }
    assert versions == {"torch": "2.9.0", "python": "3.11.7"}


def test_synthetic_data_are_called_synthetic(found: Mapping[str, dict[str, Any]]) -> None:
    dataset = found["#dataset/mnist"]
    assert dataset["name"] == "Synthetic stand-in for MNIST"
    assert "They are not MNIST." in dataset["description"]
    assert refs(dataset["license"]) == ["https://spdx.org/licenses/MIT"]
    assert "All images are synthetic" in found["./"]["description"]
    assert "#dataset/mnist" in refs(found["#job/data/source/smoke/mnist/fetch.provenance.json"]["object"])


def test_real_data_have_their_source_and_terms(build: Callable[..., Params], entities: ByName) -> None:
    sha = "md5:" + "0" * 32
    files = f"data={{root: /home/ada/private, checksums: {{train-images-idx3-ubyte.gz: '{sha}'}}}}"
    found = entities(read_json(write(build("real", "scales={smoke: {source: official}}", files))))
    dataset = found["#dataset/mnist"]
    assert (dataset["name"], dataset["url"]) == ("MNIST", "http://yann.lecun.com/exdb/mnist/")
    assert "train-images-idx3-ubyte.gz" in dataset["description"]
    assert dataset["license"]
    assert "synthetic" not in found["./"]["description"]
    assert "/home/ada" not in str(found)


def test_who_made_it_is_whom_the_citation_names(found: Mapping[str, dict[str, Any]]) -> None:
    (author,) = refs(found["./"]["author"])
    assert (found[author]["@type"], found[author]["name"]) == ("Organization", "The vicious-classifiers contributors")
    (article,) = refs(found["./"]["citation"])
    assert article == "https://arxiv.org/abs/2212.04223"
    assert [found[one]["name"] for one in refs(found[article]["author"])] == ["Mohammad Malekzadeh", "Deniz Gündüz"]


def test_nobody_is_said_to_have_run_it_unless_named(study: Params, entities: ByName) -> None:
    assert not [one for one in actions(entities(read_json(write(study)))) if "agent" in one]
    named = entities(read_json(write(study, agent="Ada Example")))
    assert {ref for one in actions(named) for ref in refs(one["agent"])} == {"#agent/Ada%20Example"}


def test_values_are_left_out_where_results_are_of_others(
    build: Callable[..., Params], entities: ByName, caplog: pytest.LogCaptureFixture
) -> None:
    params = build()
    smoke = params.study.model_copy(update={"learning_rate": 0.5})
    other = params.model_copy(update={"scales": params.scales.model_copy(update={"smoke": smoke})})
    found = entities(read_json(write(other)))
    assert "learning_rate 0.001, params.yaml asks for 0.5" in caplog.text
    assert not [one for one in found.values() if one["@type"] in ("PropertyValue", "FormalParameter")]
    assert "input" not in found[SNAKEFILE]
    (training,) = [
        one
        for name, one in found.items()
        if name.endswith("honest/seed0/train_honest.provenance.json")
        if "#job" in name
    ]
    assert '"learning_rate": 0.001' in training["description"]


def test_results_that_are_not_asked_for_are_left_out(
    build: Callable[..., Params], entities: ByName, caplog: pytest.LogCaptureFixture
) -> None:
    params = build()
    defense = params.study.defense.model_copy(update={"recipes": []})
    smoke = params.study.model_copy(update={"defense": defense})
    fewer = params.model_copy(update={"scales": params.scales.model_copy(update={"smoke": smoke})})
    found = entities(read_json(write(fewer)))
    assert "results that params.yaml does not ask for" in caplog.text
    assert not [name for name in found if name.startswith("#job/results/smoke/models/mnist/honest-plain")]
