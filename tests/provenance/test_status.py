"""How far a study is, and why a result is as it is: results and records by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from records_by_hand import build, note_step, put

from vicious import cli
from vicious.provenance import origin
from vicious.provenance.status import Status, status
from vicious.provenance.why import why
from vicious.study.config import Params
from vicious.study.plan import Plan, Planned
from vicious.system.errors import ConfigError
from vicious.workflow.budget import SMALL
from vicious.workflow.unlock import LOCKS

pytestmark = pytest.mark.usefixtures("empty_project")
HONEST = "results/smoke/models/mnist/honest/seed0/target.safetensors"


def step_of(plan: Plan, file: str) -> Planned:
    (found,) = [one for one in plan.steps if file in one.outputs]
    return found


def start(one: Planned) -> None:
    """What Snakemake writes before it runs a job."""
    put(str(origin.INCOMPLETE / origin._name(Path(one.outputs[0]))), "")


def row(found: Status, experiment: str, dataset: str) -> Any:
    (one,) = [row for row in found.rows if (row.experiment, row.dataset) == (experiment, dataset)]
    return one


def test_nothing_is_built_in_an_empty_folder(smoke: Params, plan: Plan) -> None:
    found = status(smoke, 2, lambda _: 10.0)
    assert found.states == {"missing": len(plan.steps)}
    small = sum(one.work is None for one in plan.steps)
    assert found.seconds == 10 * (len(plan.steps) - small) + SMALL * small
    assert f"0 of {len(plan.steps)} jobs are built." in str(found)
    assert "by the budget's rates" in str(found)


def test_each_state_is_told_by_experiment_and_dataset(
    smoke: Params, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, vicious, *others = (one for one in plan.steps if one.step.STAGE == "models")
    build(honest)
    build(vicious, failure="the loss is NaN")
    start(others[0])
    found = status(smoke, 2, lambda _: 10.0)
    assert (found.states["built"], found.states["failed"], found.states["interrupted"]) == (1, 1, 1)
    put(str(LOCKS / "0.input.lock"), "")  # which a killed Snakemake leaves
    assert status(smoke, 2, lambda _: 10.0).states["running"] == 0
    monkeypatch.setattr("vicious.provenance.status.at_work", lambda _: True)
    found = status(smoke, 2, lambda _: 10.0)
    assert (found.states["running"], found.states["interrupted"]) == (1, 0)
    assert list(found.failures.values()) == ["the loss is NaN"] * len(found.failures)
    main = row(found, "main", "mnist")
    assert main.states["built"] == 1
    assert row(found, "", "mnist").jobs == 3
    assert sum(found.states.values()) == len(plan.steps)
    text = str(found)
    assert "failed: " in text
    assert "1 failed, 1 running" in text
    assert len({line.index("jobs") for line in text.splitlines() if line.startswith("experiment")}) == 1


def test_time_left_goes_by_what_the_same_kind_of_job_took_here(smoke: Params, plan: Plan) -> None:
    steps = [one for one in plan.steps if one.step.command() == "train-honest"]
    build(steps[0], seconds=30.0)
    others = sum(one.work is not None for one in plan.steps) - len(steps)
    small = SMALL * sum(one.work is None for one in plan.steps)
    found = status(smoke, 2, lambda _: 10.0)
    assert found.seconds == pytest.approx(30.0 * (len(steps) - 1) + 10.0 * others + small)
    assert found.measured == 1
    assert "by what 1 jobs took here" in str(found)


def test_a_part_of_a_jobs_files_is_not_built(smoke: Params, plan: Plan) -> None:
    one = step_of(plan, HONEST)
    build(one)
    Path(one.outputs[-1]).unlink()
    assert status(smoke, 2, lambda _: 10.0).states == {"missing": len(plan.steps)}


def test_the_command_prints_it_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--scale", "smoke", "--cores", "4"]) == 0
    assert "with 4 jobs at a time" in capsys.readouterr().out
    assert cli.main(["status", "--scale", "smoke", "--json", "--config", "datasets=[mnist]"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scale"] == "smoke"
    assert {one["dataset"] for one in found["rows"]} == {"mnist", ""}


def test_why_a_result_is_missing(smoke: Params, plan: Plan) -> None:
    lines = why(HONEST, smoke)
    assert lines[0].startswith(f"{HONEST}: missing; it is made by `vicious train-honest`, which reports in logs/")
    assert "`vicious why data/prepared/smoke/mnist/" in lines[-1]
    for file in step_of(plan, HONEST).step.reads():
        put(str(file), "there")
    assert f"`snakemake --cores all {HONEST}` makes it" in why(HONEST, smoke)[-1]
    assert why(step_of(plan, HONEST).log, smoke)[0] == lines[0]
    assert why("table1", smoke)[0] == why("main_table", smoke)[0]


def test_why_a_result_failed(smoke: Params, plan: Plan) -> None:
    build(step_of(plan, HONEST), failure="the loss is NaN")
    lines = why(HONEST, smoke)
    assert "failed" in lines[0]
    assert any("says: the loss is NaN" in line for line in lines)
    assert any("delete these files" in line for line in lines)


def test_why_a_result_would_be_made_again(smoke: Params, plan: Plan) -> None:
    one = step_of(plan, HONEST)
    build(one)
    assert why(HONEST, smoke)[-1] == "It is what params.yaml and the code make, of what it reads now."
    note_step(one.step, [], one.outputs[:-1], {"learning_rate": 0.5})
    (line,) = [line for line in why(HONEST, smoke) if "made again" in line]
    assert "learning_rate 0.5" in line
    build(one)
    put(one.outputs[0], "altered")
    (line,) = [line for line in why(HONEST, smoke) if "made again" in line]
    assert f"{one.outputs[0]} was altered" in line
    put(str(one.step.record()), "{")
    assert "cannot be read" in why(HONEST, smoke)[-1]


def test_why_of_running_and_killed_jobs(smoke: Params, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    start(step_of(plan, HONEST))
    put(str(LOCKS / "0.input.lock"), "")
    assert "was killed" in why(HONEST, smoke)[1]
    monkeypatch.setattr("vicious.provenance.why.at_work", lambda _: True)
    assert "It was started" in why(HONEST, smoke)[1]


def test_a_failure_is_told_where_it_began(smoke: Params, plan: Plan) -> None:
    build(step_of(plan, HONEST), failure="the loss is NaN")
    later = "results/smoke/models/mnist/honest/seed0/posthoc-logits.safetensors"
    build(step_of(plan, later), failure="its target model failed: the loss is NaN")
    assert list(status(smoke, 2, lambda _: 10.0).failures) == [HONEST.replace(".safetensors", ".json")]
    lines = why(later, smoke)
    assert f"What it reads failed: `vicious why {HONEST.replace('.safetensors', '.json')}`." in lines
    assert not any("delete these files" in line for line in lines)


def test_a_time_of_other_settings_is_no_measure(smoke: Params, plan: Plan) -> None:
    one = step_of(plan, HONEST)
    build(one)
    note_step(one.step, [], one.outputs[:-1], {"epochs": 77}, seconds=1000.0)
    assert status(smoke, 2, lambda _: 10.0).measured == 0


@pytest.mark.parametrize(
    ("options", "jobs"),
    [
        (("--cores", "8"), 8),
        (("--cores", "8", "--config", "runtime={threads: 4}"), 2),
        (("--cores", "2", "--config", "runtime={threads: 4}"), 1),
        (("--cores", "64", "--config", "runtime={device: cuda}"), 1),
    ],
)
def test_jobs_at_a_time_follow_from_cores_threads_and_device(
    capsys: pytest.CaptureFixture[str], options: Any, jobs: int
) -> None:
    assert cli.main(["status", "--scale", "smoke", *options]) == 0
    assert f"with {jobs} jobs at a time" in capsys.readouterr().out
    assert cli.main(["status", "--cores", "0"]) == 1


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("tabel1", "did you mean table1"),
        (HONEST.replace("honest", "honst"), f"did you mean {HONEST}"),
        ("table3", "nothing to show in this configuration"),
        ("a\nb", "no step of scale smoke"),
        ("nothing like it at all", "makes nothing like it at all: give a file"),
        (HONEST.replace("smoke", "pilot"), "is of scale pilot: add --scale pilot"),
        ("results/smoke/complete/verified.txt", "the study's last rule"),
    ],
)
def test_why_of_what_nothing_makes(smoke: Params, what: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        why(what, smoke)


def test_the_command_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["why", "table1", "--scale", "smoke"]) == 0
    assert "missing" in capsys.readouterr().out
    assert cli.main(["why", "table99"]) == 1
    assert "no step of scale demo" in capsys.readouterr().err
