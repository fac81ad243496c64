"""What jobs took, beside what was estimated for them: records by hand, and estimates by hand."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from records_by_hand import note_step, put

from vicious import cli
from vicious.provenance.measured import Job, compared, measured_jobs
from vicious.study.config import load_params
from vicious.study.plan import Plan, Planned
from vicious.system.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path("results/smoke")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is an empty project."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)


def plan_of(scale: str, *changes: str) -> Plan:
    return Plan(load_params(changes=[f"scale={scale}", "datasets=[mnist]", *changes]), ["main"])


def steps_of(plan: Plan, command: str) -> list[Planned]:
    return [one for one in plan.steps if one.step.command() == command]


def record(plan: Plan, command: str, seconds: Any, settings: Mapping[str, Any] | None = None) -> str:
    """The record of the first step of a command."""
    return note_step(steps_of(plan, command)[0].step, settings=settings, seconds=seconds)


def jobs_of(plan: Plan, results: Path = RESULTS) -> list[Job]:
    return measured_jobs(plan, results, lambda _: 10.0)


def test_jobs_that_were_run_are_compared_with_the_estimate_of_the_same_jobs() -> None:
    plan = plan_of("smoke")
    record(plan, "train-honest", 20)
    record(plan, "assess-risk", 5.0)
    record(plan, "fetch", 1000)  # data do not count
    put("results/smoke/models/mnist/honest/seed7/train_honest.provenance.json", "not asked for, so not read")
    jobs = jobs_of(plan)
    counted = ("train-honest", "train-vicious", "train-attack", "assess-risk", "measure-membership")
    assert len(jobs) == sum(len(steps_of(plan, command)) for command in counted)
    assert [(job.command, job.estimated, job.measured) for job in jobs if job.measured is not None] == [
        ("train-honest", 10.0, 20.0),
        ("assess-risk", 10.0, 5.0),
    ]


def test_words_and_table_add_up_what_was_measured_and_nothing_else() -> None:
    jobs = [
        Job("train-honest", 3600.0, 7200.0),
        Job("train-honest", 3600.0, 1800.0),
        Job("train-honest", 36_000.0),
        Job("assess-risk", 360.0, 720.0),
        Job("assess-risk", 36_000.0, None, otherwise=True),
    ]
    words, _, *table = compared(jobs, RESULTS, "a CPU").strip().splitlines()
    assert words.startswith("3 of 5 jobs measured in results/smoke: trainings, assessments and detections; 1 more")
    assert [line.strip("| ").split(" | ") for line in table[2:]] == [
        ["train-honest", "2", "2.50", "2.00", "0.80", "0.50 to 2.00"],
        ["assess-risk", "1", "0.20", "0.10", "0.50", "0.50 to 0.50"],
        ["total", "3", "2.70", "2.10", "0.78", "0.50 to 2.00"],
    ]


def test_a_job_with_other_settings_does_not_count() -> None:
    plan = plan_of("smoke")
    record(plan, "train-honest", 20)
    record(plan, "train-vicious", 9000, {"epochs": 77})
    found = [job for job in jobs_of(plan) if job.otherwise or job.measured is not None]
    assert [(job.command, job.measured, job.otherwise) for job in found] == [
        ("train-honest", 20.0, False),
        ("train-vicious", None, True),
    ]


def test_a_copy_of_a_folder_elsewhere_counts(tmp_path: Path) -> None:
    plan = plan_of("smoke")
    record(plan, "train-honest", 20)
    RESULTS.rename(tmp_path / "copied")
    assert [job.measured for job in jobs_of(plan, tmp_path / "copied") if job.measured is not None] == [20.0]


@pytest.mark.parametrize("command", ["train-honest", "summarize"])
def test_the_folder_of_another_scale_is_refused_with_both_scales(command: str) -> None:
    record(plan_of("smoke"), command, 20)
    with pytest.raises(DataError) as error:
        jobs_of(plan_of("paper"), RESULTS)
    assert str(error.value) == (
        "results/smoke holds results of scale smoke, and the budget is of scale paper: "
        "add --scale smoke, or give results/paper"
    )


def test_a_folder_of_another_configuration_is_refused() -> None:
    plan = plan_of("smoke")
    record(plan, "train-honest", 20, {"epochs": 77})
    with pytest.raises(DataError, match=r"all 1 results of scale smoke .* another configuration.*--file or --config"):
        jobs_of(plan)


@pytest.mark.parametrize("place", ["results", "results/smoke", "nowhere"])
def test_a_folder_without_trainings_is_refused(place: str) -> None:
    record(plan_of("smoke"), "summarize", 20)
    with pytest.raises(DataError, match=r"holds no record of a training, .* give the folder results/smoke"):
        jobs_of(plan_of("smoke"), Path(place))


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"seconds": null}'])
def test_a_damaged_record_is_named(content: str) -> None:
    plan = plan_of("smoke")
    path = record(plan, "train-honest", 20)
    put(path, content)
    with pytest.raises(DataError, match=f"cannot read {path}"):
        jobs_of(plan)


def test_a_record_without_its_time_is_named() -> None:
    plan = plan_of("smoke")
    path = record(plan, "train-honest", None)
    with pytest.raises(DataError, match=f"cannot read {path} .it has no seconds"):
        jobs_of(plan)


def test_the_command_compares_with_the_configuration_that_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    plan = plan_of("smoke")
    record(plan, "train-honest", 0.5)
    given = ["--config", "scale=smoke", "--dataset", "mnist", "--experiment", "main"]
    assert cli.main(["budget", *given, "--measured", "results/smoke"]) == 0
    # three models, one post-hoc attack, an assessment of each model, membership of two
    assert "\n1 of 9 jobs measured in results/smoke" in capsys.readouterr().out
    cuda = "runtime={device: cuda}"
    assert cli.main(["budget", *given, "--config", cuda, "--measured", "results/smoke"]) == 1, (
        "what ran on a CPU is of no GPU"
    )
    assert "are of another configuration" in capsys.readouterr().err
    record(plan_of("smoke", cuda), "train-honest", 1300)
    assert cli.main(["budget", *given, "--config", cuda, "--measured", "results/smoke"]) == 0
    assert "estimated for 1 NVIDIA H100" in (out := capsys.readouterr().out)
    assert "| train-honest | 1 | 0.36 | 0.00 | 0.01 | 0.01 to 0.01 |" in out, "13 seconds' start"
    assert cli.main(["budget", "--scale", "demo", "--measured", "results/smoke"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: results/smoke holds results of scale smoke, and the budget is of scale demo")
    assert len(told.err.splitlines()) == 1
