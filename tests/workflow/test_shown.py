"""Views of a run: in a log, and on a terminal."""

import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
from test_following import OTHER, TABLE, TARGET, TRAINING, begun, done, failed, record

from vicious.workflow.following import Run
from vicious.workflow.shown import Log, Terminal, on_terminal, view


class Screen(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run() -> Run:
    return Run([TRAINING, OTHER, TABLE, TARGET], 2, 0.0)


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def told(run: Run, stream: Any, **options: Any) -> str:
    """What a view says of a run in which a job is done, one failed, and Snakemake warned."""
    shown = view(run, stream, **{"colour": True, "excerpts": True, "quiet": False, **options})
    for one in (begun(TRAINING, 1, 0.0), begun(OTHER, 2, 0.0), done(1, 5.0), failed(2, 6.0, Path("no.log"))):
        shown.take(one, "")
    shown.take(record(None, 6.0, level=30), "a warning")
    shown.close()
    return str(stream.getvalue())


def test_a_log_has_plain_lines(run: Run) -> None:
    text = told(run, io.StringIO())
    assert text.isprintable() or set(filter(lambda one: not one.isprintable(), text)) == {"\n"}
    assert re.search(r"^\[1/4\] \d+ s left  train_vicious fashion_mnist .* seed 2  5 s$", text, re.M)
    assert re.search(r"^\[1/4\] \d+ s left  FAILED after 6 s: train_vicious .* seed 3 \(log: no.log\): ", text, re.M)
    assert "\na warning\n" in text
    assert text.splitlines()[-1].startswith("failed: train_vicious")


def test_a_quiet_view_says_what_went_wrong_alone(run: Run) -> None:
    for stream in (io.StringIO(), Screen()):
        again = Run(run.jobs.values(), 2, 0.0)
        lines = told(again, stream, quiet=True).splitlines()
        assert [line.split(":")[0].split()[-1] for line in lines][:2] == ["s", "warning"]
        assert "FAILED" in lines[0]
        assert "1 failed" in lines[2]
    quiet = io.StringIO()
    shown = Log(run, quiet, excerpts=True, quiet=True)
    shown.take(begun(TRAINING, 1, 0.0), "")
    shown.take(done(1, 5.0), "")
    shown.close()
    assert quiet.getvalue() == ""


def test_a_terminal_has_a_view_that_is_drawn_anew_and_failures_that_stay(run: Run) -> None:
    text = told(run, Screen())
    assert isinstance(view(run, Screen(), True, True, False), Terminal)
    assert "jobs done" in text
    assert "\x1b[2K" in text, "lines are drawn over"
    assert text.count("FAILED after 6 s") == 1
    assert "seed 2  5 s" not in text, "that a job is done is seen in the view"
    assert text.endswith("\x1b[?25h") or "\x1b[?25h" in text, "the cursor is back"


@pytest.mark.parametrize(("colour", "found"), [(True, True), (False, False)])
def test_colours_are_used_where_they_may(run: Run, colour: bool, found: bool) -> None:
    assert ("\x1b[31m" in told(run, Screen(), colour=colour)) == found


def test_a_terminal_that_can_do_nothing_is_a_log(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not on_terminal(Screen())
    assert isinstance(view(run, Screen(), True, True, False), Log)
    monkeypatch.delenv("TERM")
    assert not on_terminal(Screen())
    assert os.environ.get("TERM") is None
