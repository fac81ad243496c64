"""A run that is followed, by records as Snakemake's loggers get them."""

import logging
from pathlib import Path
from typing import Any

import pytest

from vicious.workflow.following import LOG_LINES, Job, Run, Said, screen

NAMES = {"task": "fashion_mnist", "model": "vicious-logits-beta1", "seed": "2"}
TRAINING = Job("train_vicious", NAMES, "train_vicious", 100.0)
OTHER = Job("train_vicious", {**NAMES, "seed": "3"}, "train_vicious", 100.0)
TABLE = Job("main_table", {}, "tables and figures", 5.0)
TARGET = Job("all", {}, "", 0.0)


def record(event: str | None, at: float, level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    """A record of Snakemake's, of a time in seconds."""
    made = logging.LogRecord("snakemake", level, "", 0, "", None, None)
    made.created = at
    vars(made).update(fields, **({} if event is None else {"event": event}))
    return made


def begun(job: Job, number: int, at: float) -> logging.LogRecord:
    return record("job_info", at, jobid=number, rule_name=job.rule, wildcards=job.names, log=[])


def done(number: int, at: float) -> logging.LogRecord:
    return record("job_finished", at, job_id=number)


def failed(number: int, at: float, *logs: Path, **fields: object) -> logging.LogRecord:
    return record("job_error", at, logging.ERROR, jobid=number, log=[str(one) for one in logs], **fields)


def said(run: Run, one: logging.LogRecord, text: str = "", excerpts: bool = True) -> list[Said]:
    return list(run.take(one, text, excerpts))


@pytest.fixture
def run() -> Run:
    """Of four jobs, two at a time, begun at 0 s."""
    return Run([TRAINING, OTHER, TABLE, TARGET], 2, 0.0)


def test_a_job_that_is_done_is_one_line_with_the_time_left(run: Run) -> None:
    assert said(run, begun(TRAINING, 1, 10.0)) == []
    assert said(run, done(1, 224.0)) == [
        Said("[1/4] 2 min left  train_vicious fashion_mnist vicious-logits-beta1 seed 2  214 s", "done")
    ]


def test_a_target_counts_and_is_not_named(run: Run) -> None:
    said(run, begun(TARGET, 0, 1.0))
    assert said(run, done(0, 2.0)) == []
    assert run.counted() == "[1/4]"


def test_time_left_is_shared_by_jobs_at_a_time_and_no_less_than_the_longest_at_work(run: Run) -> None:
    assert run.left(0.0) == (100 + 100 + 5) / 2
    said(run, begun(TRAINING, 1, 0.0))
    assert run.left(40.0) == (60 + 100 + 5) / 2
    said(run, begun(OTHER, 2, 40.0))
    assert run.left(40.0) == 100.0
    assert run.left(1000.0) == 5 / 2, "a job that takes longer than expected may end at any time"


def test_time_left_goes_by_what_jobs_of_the_rule_took(run: Run) -> None:
    said(run, begun(TRAINING, 1, 0.0))
    said(run, done(1, 50.0))
    assert run.expected(OTHER) == 50.0
    assert run.left(50.0) == (50 + 5) / 2
    before = Run([OTHER], 1, 0.0, {"train_vicious": [3.0, 4.0, 5.0]})
    assert before.left(0.0) == 400.0


def test_a_failed_job_has_its_reason_its_log_and_the_logs_end(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("INFO: epoch 1\nerror: the loss is NaN:\n  lower learning_rate\n")
    said(run, begun(TRAINING, 1, 0.0))
    (one,) = said(run, failed(1, 7.0, log))
    first, *rest = one.text.splitlines()
    assert first.startswith("[0/4] 52 s left  FAILED after 7 s: train_vicious")
    assert first.endswith(f"seed 2 (log: {log}): the loss is NaN:")
    assert rest == ["    INFO: epoch 1", "    error: the loss is NaN:", "      lower learning_rate"]
    assert (one.about, one.bad) == ("failed", True)
    assert said(run, failed(1, 8.0, log)) == [], "it is said once"


def test_a_log_that_says_no_more_than_the_reason_is_not_shown(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("error: it is missing\n")
    said(run, begun(TRAINING, 1, 0.0))
    (one,) = said(run, failed(1, 7.0, log))
    assert len(one.text.splitlines()) == 1


def test_a_long_log_is_shown_by_its_end(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("".join(f"line {number}\n" for number in range(20_000)))
    said(run, begun(TRAINING, 1, 0.0))
    (one,) = said(run, failed(1, 7.0, log))
    assert one.text.splitlines()[-1] == "    line 19999"
    assert len(one.text.splitlines()) == 1 + LOG_LINES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("error: one\nnote\nerror: two\nmore\n", "two"),
        ("Traceback (most recent call last):\n  File ...\nValueError: wrong\n", "ValueError: wrong"),
        ("train: 1/9\ninterrupted: run the same command again to go on", "interrupted: run the same command again"),
        ("vicious.system.errors.DataError: wrong", "vicious.system.errors.DataError: wrong"),
        ("train: 12/96 images\n", "it said no error, as a job that is killed or lacks memory does not; its log ends: "),
        ("", "it said no error"),
        ("error: \x1b[2Jgone", r"\x1b[2Jgone"),
    ],
)
def test_the_reason_is_the_logs_last_error(run: Run, tmp_path: Path, text: str, reason: str) -> None:
    log = tmp_path / "job.log"
    log.write_text(text)
    said(run, begun(TRAINING, 1, 0.0))
    (one,) = said(run, failed(1, 7.0, log), excerpts=False)
    assert f"): {reason}" in one.text


def test_the_log_of_a_job_may_be_missing(run: Run, tmp_path: Path) -> None:
    said(run, begun(TRAINING, 1, 0.0))
    (one,) = said(run, failed(1, 7.0, tmp_path / "none.log"))
    assert "it said no error" in one.text


def test_a_job_of_a_group_that_says_nothing_failed_with_its_group(run: Run) -> None:
    said(run, begun(TRAINING, 1, 0.0))
    (one,) = said(run, failed(1, 7.0, indent=True))
    assert "another job of its group" in one.text


def test_a_job_that_is_tried_again_has_not_failed(run: Run) -> None:
    said(run, begun(TRAINING, 1, 0.0))
    said(run, failed(1, 7.0))
    assert said(run, record(None, 7.0), "Trying to restart job 1.") == [Said("Trying to restart job 1.", "snakemake")]
    said(run, begun(TRAINING, 1, 8.0))
    assert run.failed == {}
    said(run, done(1, 9.0))
    assert run.counted() == "[1/4]"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (None, "Select jobs to execute..."),
        (None, ""),
        (None, "None"),
        (None, "Removing output files of failed job train_vicious since they might be corrupted:\na"),
        ("progress", "1 of 4 steps (25%) done"),
        ("job_started", "Execute 1 jobs..."),
        ("error", "RuleException:\nCalledProcessError in file x, line 1:\nCommand 'false' returned 1."),
    ],
)
def test_noise_is_left_out(run: Run, event: Any, text: str) -> None:
    assert said(run, record(event, 0.0), text) == []


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        ("error", logging.ERROR, "WorkflowError:\nAt least one job did not complete successfully."),
        ("error", logging.ERROR, "MissingOutputException in rule x: ..."),
        (None, logging.WARNING, "something new"),
        (None, logging.INFO, "Job 3 has been submitted with SLURM jobid 12"),
        ("an_event_of_a_later_snakemake", logging.INFO, "something new"),
    ],
)
def test_other_messages_stay(run: Run, event: Any, level: int, text: str) -> None:
    assert said(run, record(event, 0.0, level), text) == [Said(text, "snakemake", level > logging.INFO)]


def test_messages_about_unknown_jobs_are_no_error(run: Run) -> None:
    assert said(run, done(99, 1.0)) == []
    assert said(run, failed(99, 1.0)) == []
    assert said(run, begun(Job("other", {}, "", 0.0), 5, 1.0)) == []
    assert said(run, done(5, 2.0))[0].text.endswith("other  1 s")


def test_the_end_says_what_is_done_and_what_failed(run: Run, tmp_path: Path) -> None:
    for number, job in enumerate((TRAINING, OTHER, TABLE, TARGET)):
        said(run, begun(job, number, 0.0))
    said(run, failed(0, 5.0, tmp_path / "a.log"))
    for number in (1, 2, 3):
        said(run, done(number, 5.0))
    first, second = run.end(60.0).splitlines()
    assert first == "3 of 4 jobs are done, in 60 s, 1 failed; the same command again goes on."
    assert second.startswith(f"failed: {TRAINING} (log: {tmp_path / 'a.log'}): ")
    whole = Run([TABLE], 1, 0.0)
    said(whole, begun(TABLE, 0, 0.0))
    said(whole, done(0, 5.0))
    assert whole.end(60.0) == "All 1 jobs are done, in 60 s."


def test_the_screen_has_kinds_and_jobs_at_work(run: Run) -> None:
    said(run, begun(OTHER, 2, 0.0))
    said(run, done(2, 50.0))
    said(run, begun(TRAINING, 1, 50.0))
    assert screen(run, 60.0, 100, 30) == [
        "1 of 4 jobs done. About 40 s left; 60 s so far.",
        "",
        "                       done  running   failed     left",
        "train_vicious             1        1",
        "tables and figures                                   1",
        "",
        "train_vicious fashion_mnist vicious-logits-beta1 seed 2  10 s of about 50 s",
    ]


@pytest.mark.parametrize(("width", "height"), [(40, 10), (80, 24), (20, 5), (200, 60)])
def test_the_screen_fits_where_many_jobs_run(width: int, height: int) -> None:
    jobs = [Job(f"rule{n % 12}", {"seed": str(n)}, f"rule{n % 12}", 10.0) for n in range(300)]
    run = Run(jobs, 50, 0.0)
    for number, job in enumerate(jobs[:150]):
        said(run, begun(job, number, 0.0))
    for number in range(0, 150, 3):
        said(run, done(number, 5.0))
    lines = screen(run, 6.0, width, height)
    assert all(len(line) <= width for line in lines)
    if height >= 24:
        assert len(lines) < height
        assert lines[-1].endswith("more at work") or height > 30


def test_names_in_a_line_are_escaped() -> None:
    assert str(Job("fetch", {"dataset": "a\nb"}, "fetch", 1.0)) == r"fetch a\nb"
