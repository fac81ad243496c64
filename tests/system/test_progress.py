"""What is told while work goes on, where a log cannot take it."""

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vicious.system.progress import Progress, hide_progress, progress_hidden

TELLS = """
from vicious.system.progress import Progress, tell
with Progress(2, "work") as progress:
    progress.advance(2)
tell("error: what happened")
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_what_a_full_log_cannot_take_is_told_on_standard_output() -> None:
    with open("/dev/full", "w") as log:
        result = subprocess.run(
            [sys.executable, "-c", TELLS], stderr=log, stdout=subprocess.PIPE, text=True, check=True
        )
    first, second = result.stdout.splitlines()
    assert first.startswith("work: 2/2 images")
    assert second == "error: what happened"


LOGS = """
import logging
from vicious import __main__, cli
from vicious.system.progress import tell
def app(_):
    def run(words, **_):
        tell("told")
        logging.getLogger("x").warning("logged")
        logging.getLogger("x").warning("logged again")
    return run
cli._app = app
raise SystemExit(__main__.main())
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_what_is_logged_where_a_log_is_full_is_told_on_standard_output() -> None:
    with open("/dev/full", "w") as log:
        result = subprocess.run([sys.executable, "-c", LOGS], stderr=log, stdout=subprocess.PIPE, text=True, check=True)
    assert result.stdout.splitlines() == ["told", "WARNING: logged", "WARNING: logged again"]


def test_it_is_told_on_standard_error_else() -> None:
    result = subprocess.run([sys.executable, "-c", TELLS], capture_output=True, text=True, check=True)
    assert result.stdout == ""
    assert result.stderr.endswith("error: what happened\n")


def test_a_note_is_asked_for_where_it_is_shown_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    asked = []
    with Progress(100, "work") as shown:
        for step in range(40):
            now[0] += 1.0
            shown.advance(1, lambda: asked.append(step) or f"step {step}")  # type: ignore[func-returns-value] # noqa: B023
    assert asked == [9, 19, 29, 39], "every ten seconds"
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(", ")[2] for line in lines[:4]] == ["step 9", "step 19", "step 29", "step 39"]


def test_progress_can_be_hidden_and_shown_again(capsys: pytest.CaptureFixture[str]) -> None:
    for hidden in (True, False):
        hide_progress(hidden)
        assert progress_hidden() == hidden
        with Progress(2, "work") as progress:
            progress.advance(2, lambda: "noted")
        assert (capsys.readouterr().err == "") == hidden
        assert progress.done == 2
        assert logging.getLogger("vicious.training").isEnabledFor(logging.WARNING)
        assert not (hidden and logging.getLogger("vicious.training").isEnabledFor(logging.INFO))
