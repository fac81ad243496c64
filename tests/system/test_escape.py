"""What a terminal would obey, hide or reorder is written out."""

import logging

import pytest

from vicious.cli import main
from vicious.system.errors import DataError
from vicious.system.escape import escaped
from vicious.system.progress import Told, say, tell

EVIL = "a\n0 findings: all sound\x1b[2J\r\x00\u202e\u2028\ud800\x9b"
SHOWN = r"a\n0 findings: all sound\x1b[2J\r\x00\u202e\u2028\ud800\x9b"


def test_all_that_is_not_printable_is_written_out_and_the_rest_stays() -> None:
    assert escaped(EVIL) == SHOWN
    assert escaped("R\u00e9sultats \u2014 \u65e5\u672c, \\n") == "R\u00e9sultats \u2014 \u65e5\u672c, \\n"


def test_a_line_of_an_error_stays_one_line() -> None:
    assert str(DataError(f"{EVIL} is damaged:", "  by hand")) == f"{SHOWN} is damaged:\n  by hand"


def test_what_is_printed_and_logged_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    tell(f"error: {DataError(EVIL)}\nand\x1b[2J")
    say("one\ntwo\x1b[2J")
    out, err = capsys.readouterr()
    assert err == f"error: {SHOWN}\nand\\x1b[2J\n"
    assert out == "one\ntwo\\x1b[2J\n"
    logged = logging.LogRecord("a", logging.WARNING, "", 0, "%s is damaged", (EVIL,), None)
    assert Told().format(logged) == f"WARNING: {SHOWN} is damaged"


@pytest.mark.parametrize("words", [["check-config", "no\n\x1b[2J.yaml"], ["verify", "no\n\x1b[2J"], ["no\x1b[2J"]])
def test_the_command_line_prints_no_control_characters(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) > 0
    out, err = capsys.readouterr()
    assert r"\x1b[2J" in err
    assert "\x1b" not in out + err
