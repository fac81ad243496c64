"""Snakemake's logger `vicious`: it prints as Snakemake does until a workflow hands it a view."""

import io
import logging
import subprocess
import sys
from typing import Any

import pytest
from snakemake.logging import DefaultFilter, DefaultFormatter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase
from snakemake_interface_logger_plugins.tests import MockOutputSettings, TestLogHandlerBase

from snakemake_logger_plugin_vicious import LogHandler


class TestAsSnakemakeAsks(TestLogHandlerBase):
    """The tests that Snakemake has for every logger."""

    __test__ = True

    def get_log_handler_cls(self) -> type[LogHandler]:
        return LogHandler

    def get_log_handler_settings(self) -> LogHandlerSettingsBase:
        return LogHandlerSettingsBase()

    def _create_handler(self) -> LogHandler:
        return handler()


class View:
    """A view that keeps what it is shown, made by being called as the workflow's is."""

    def __init__(self) -> None:
        self.options, self.taken, self.closed = dict[str, Any](), list[str](), False

    def __call__(self, **options: Any) -> "View":
        self.options = options
        return self

    def take(self, record: logging.LogRecord, text: str) -> None:
        if text == "break":
            raise ValueError("the view is wrong")
        self.taken.append(text)

    def close(self) -> None:
        self.closed = True


def handler(**settings: Any) -> LogHandler:
    """The logger as Snakemake makes it."""
    asked = MockOutputSettings()
    asked.printshellcmds = False
    vars(asked).update(settings)
    made = LogHandler(asked, None)
    made.addFilter(DefaultFilter(set(asked.quiet or ()), False, asked.verbose, asked.dryrun, asked.printshellcmds))
    made.setFormatter(DefaultFormatter(asked.quiet, asked.show_failed_logs))
    return made


def record(text: str, event: LogEvent | None = None, **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", logging.INFO, "", 0, text, None, None)
    vars(made).update(fields, **({} if event is None else {"event": event}))
    return made


def test_it_imports_nothing_of_the_package() -> None:
    """Snakemake loads it before the Snakefile says whose code runs."""
    code = "import sys, snakemake_logger_plugin_vicious; print('vicious' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_without_a_view_it_prints_as_snakemake_does(capsys: pytest.CaptureFixture[str]) -> None:
    made = handler()
    made.handle(record("Building DAG of jobs..."))
    made.handle(record("", LogEvent.PROGRESS, done=1, total=4))
    assert capsys.readouterr().err == "Building DAG of jobs...\n1 of 4 steps (25%) done\n"
    dry = handler(dryrun=True, stdout=True)
    dry.handle(record("a plan"))
    assert capsys.readouterr().out == "a plan\n"


def test_messages_go_to_the_view_once_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    view, made = View(), handler()
    made.handle(record("None", view=view))
    made.handle(record("words"))
    made.handle(record("", LogEvent.PROGRESS, done=1, total=4))
    made.close()
    assert view.taken == ["words", "1 of 4 steps (25%) done"]
    assert view.options == {"stream": sys.stderr, "colour": False, "excerpts": True, "quiet": False}
    assert view.closed
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("asked", ["dryrun", "verbose", "printshellcmds", "debug_dag"])
def test_where_more_is_asked_for_there_is_no_view(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = handler(**{asked: True})
    made.handle(record("None", view=View()))
    made.handle(record("words"))
    assert capsys.readouterr().err == "words\n"


@pytest.mark.parametrize(
    ("quiet", "viewed", "silent"),
    [
        ({Quietness.PROGRESS, Quietness.RULES}, True, True),
        ({Quietness.HOST}, True, False),
        ({Quietness.ALL}, False, True),
    ],
)
def test_quiet_is_respected(
    quiet: set[Quietness], viewed: bool, silent: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    view, made = View(), handler(quiet=quiet)
    made.handle(record("", LogEvent.PROGRESS, done=1, total=4))
    made.handle(record("None", view=view))
    made.handle(record("", LogEvent.JOB_FINISHED, job_id=1))
    assert view.options.get("quiet") == (silent if viewed else None)
    assert len(view.taken) == viewed, "it counts what it does not show"
    assert (capsys.readouterr().err == "") == silent


def test_a_view_that_fails_is_given_up_and_nothing_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    view, made = View(), handler()
    made.handle(record("None", view=view))
    for text in ("words", "break", "more"):
        made.handle(record(text))
    told = capsys.readouterr().err
    assert "ValueError: the view is wrong" in told
    assert told.endswith("break\nmore\n")
    assert view.taken == ["words"]
    assert view.closed


def test_a_view_that_cannot_be_made_is_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    made = handler()
    made.handle(record("None", view=lambda: None))
    made.handle(record("words"))
    told = capsys.readouterr().err
    assert "TypeError" in told
    assert told.endswith("words\n")


def test_no_colour_is_used_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    for variable, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", variable)
        monkeypatch.setattr(sys, "stderr", screen := Screen())
        made = handler()
        made.handle(record("words"))
        assert ("\x1b[" in screen.getvalue()) == coloured
