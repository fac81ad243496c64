"""Progress of a run as its user sees it: one line for each job in a log, one view on a terminal."""

import contextlib
import os
import pty
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yte
from project import BIN, ROOT, copy_project, environment, snakemake
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

CHOICE = ("--cores", "2", "--config", "scale=smoke", "datasets=[mnist]")
SOURCE = "data/source/smoke/mnist/source.json"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    return copy_project(tmp_path_factory.mktemp("a study"))


@pytest.fixture
def broken(project: Path, tmp_path: Path) -> Path:
    """A copy whose jobs all fail: they find other code than was planned with."""
    folder = shutil.copytree(project, tmp_path / "broken")
    rules = folder / "workflow/rules/steps.smk"
    text = rules.read_text(encoding="utf-8")
    assert "--code {params.code}" in text
    rules.write_text(text.replace("--code {params.code}", "--code other"), encoding="utf-8")
    return folder


def whole_log(folder: Path) -> str:
    """All that Snakemake keeps of its runs in a folder."""
    return "".join(file.read_text(encoding="utf-8") for file in (folder / ".snakemake/log").iterdir())


def test_a_log_has_a_line_for_each_job(project: Path) -> None:
    result = snakemake(project, *CHOICE, "--forcerun", "fetch", "--", SOURCE)
    assert result.returncode == 0, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("[")]
    assert len(lines) == 1, result.stderr
    assert re.fullmatch(r"\[1/1\] 0 s left  fetch mnist  \d+ s", lines[0])
    assert re.fullmatch(r"All 1 jobs are done, in \d+ s\.", result.stderr.splitlines()[-1])
    assert "Reason: " not in result.stderr
    assert "\x1b" not in result.stderr
    kept = whole_log(project)
    assert "Finished jobid: 0 (Rule: fetch)" in kept
    assert "Reason: " in kept


def test_all_of_snakemakes_messages_are_shown_where_they_are_asked_for(project: Path) -> None:
    result = snakemake(project, *CHOICE, "--verbose", "--forcerun", "fetch", "--", SOURCE)
    assert result.returncode == 0, result.stderr
    assert "Finished jobid: 0 (Rule: fetch)" in result.stderr
    assert "[1/1]" not in result.stderr


def test_a_plan_has_a_line_for_each_job_and_all_of_it_where_it_is_asked_for(project: Path) -> None:
    asked = ("-n", *CHOICE, "--forcerun", "fetch", "--", SOURCE)
    plan = snakemake(project, *asked)
    assert plan.returncode == 0, plan.stderr
    assert re.findall(r"^Job \d.*$", plan.stdout + plan.stderr, re.M) == ["Job 0: Fetch: dataset mnist (forced)"]
    assert "vicious fetch" not in plan.stdout + plan.stderr
    assert "Job 0:" not in (hidden := snakemake(project, "--quiet", "rules", *asked)).stdout + hidden.stderr
    for option in ("--printshellcmds", "--verbose"):
        whole = snakemake(project, option, *asked)
        assert whole.returncode == 0, whole.stderr
        assert "Job 0: Fetch: dataset mnist\nReason: Forced execution" in whole.stdout + whole.stderr
        assert ("vicious fetch" in whole.stdout + whole.stderr) == (option == "--printshellcmds")


def test_a_failed_job_has_its_reason_and_its_log(broken: Path) -> None:
    result = snakemake(broken, *CHOICE, "--forcerun", "fetch", "--", SOURCE)
    assert result.returncode == 1
    (line,) = (line for line in result.stderr.splitlines() if "FAILED" in line)
    assert re.match(r"\[0/1\] 0 s left  FAILED after \d+ s: fetch mnist \(log: logs/smoke/mnist/fetch.log\): ", line)
    assert "this job is to run code of the identity other" in line
    assert "CalledProcessError" not in result.stderr
    assert "0 of 1 jobs are done" in result.stderr
    assert "At least one job did not complete successfully." in result.stderr
    quiet = snakemake(broken, "--quiet", "progress", "rules", *CHOICE, "--forcerun", "fetch", "--", SOURCE)
    assert "FAILED" in quiet.stderr
    assert "Job stats" not in quiet.stderr


def test_a_terminal_has_a_view(project: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project)
        os.environ.update(environment(project), TERM="xterm", COLUMNS="100", LINES="30")
        os.execv(BIN / "snakemake", [str(BIN / "snakemake"), *CHOICE, "--forcerun", "fetch", "--", SOURCE])
    told = b""
    with contextlib.suppress(OSError):  # Linux' way to say that the other end is closed
        while read := os.read(terminal, 65536):
            told += read
    _, code = os.waitpid(pid, 0)
    text = told.decode()
    assert code == 0, text
    assert "0 of 1 jobs done" in text
    assert "fetch mnist" in text
    assert "[1/1]" not in text
    assert re.search(r"All 1 jobs are done, in \d+ s\.", text)


def test_the_profile_asks_for_the_logger_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def profile() -> Any:
        with (ROOT / "profiles/default/config.yaml").open(encoding="utf-8") as file:
            return yte.process_yaml(file)

    monkeypatch.setattr("sys.argv", ["snakemake"])
    registry = LoggerPluginRegistry()
    monkeypatch.setitem(registry.plugins, "vicious", None)
    assert profile()["logger"] == ["vicious"]
    monkeypatch.delitem(registry.plugins, "vicious")
    assert "logger" not in profile()
    assert profile()["keep-going"]
