"""One meaning of params.yaml: what DVC reads, or one line that says what to do."""

import copy
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import parse_yaml
from fuzzing import mutants
from snakemake.cli import parse_config
from snakemake.utils import update_config

from vicious.study.config import load_params
from vicious.system.errors import ConfigError
from vicious.system.yaml12 import overridden, read_yaml, typed

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = [
    "010",
    "08",
    "0o17",
    "0x1F",
    "0b11",
    "1_000",
    "+1",
    "-0",
    "0_1",
    "1e-6",
    "1e-06",
    "1E5",
    "-1.5e+3",
    "5.",
    ".5",
    "+.5",
    "1.e5",
    "1_0.5",
    ".inf",
    "-.inf",
]
WORDS = [
    "1:30",
    "190:20:30",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "nUll",
    "1e",
    "e5",
    "_1",
    "0.1.2",
    "1-2",
    "v1",
    "'010'",
    "'1e-6'",
    "'2024-13-01'",
    "'null'",
    '"true"',
]
OTHERS = ["~", "null", "", "true", "False", "!!int '010'", "!!str 1", "{<<: {x: 1, y: 2}, y: 3}", "[&a {x: 1}, *a]"]


BOMB = (
    b"a: &a ["
    + b"1, " * 9
    + b"1]\n"
    + b"".join(
        b"%c: &%c [%s]\n" % (ord("a") + level, ord("a") + level, b", ".join([b"*%c" % (ord("a") + level - 1)] * 10))
        for level in range(1, 26)
    )
)
"""Each list holds the one before ten times."""
MERGES = b"a: &a {x: 1}\n" + b"".join(
    b"m%d: &m%d {<<: [%s], k%d: 1}\n" % (at, at, b", ".join([b"*m%d" % (at - 1) if at else b"*a"] * 10), at)
    for at in range(20)
)


@pytest.mark.parametrize("text", [*NUMBERS, *WORDS, *OTHERS])
def test_a_value_is_read_as_dvc_reads_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(f"key: {text}\n", encoding="utf-8")
    found = read_yaml(file)
    assert repr(found) == repr(dict(parse_yaml(file.read_text(encoding="utf-8"), "params.yaml")))


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_of_the_command_line_are_those_of_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(f"key: {text}\n", encoding="utf-8")
    assert typed({"key": [text]}) == {"key": [read_yaml(tmp_path / "params.yaml")["key"]]}


@pytest.mark.parametrize("text", ["0.000001", "1e-6", "1E-06", ".1e-5", "1_0e-7"])
def test_what_python_takes_for_a_number_is_one(text: str) -> None:
    assert typed(text) == float(text)


@pytest.mark.parametrize("text", ["1:30", "2024-13-01", "2024-01-02", "yes", "a: b", "["])
def test_other_text_of_the_command_line_stays_text(text: str) -> None:
    assert typed(text) == text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: 1\nb:\n  c: 1\n  c: 2\n", "line 4: not valid YAML: the key 'c' stands there twice"),
        (b"a: 1\n'a': 2\n", "line 2: not valid YAML: the key 'a'"),
        (b"a: {<<: {x: 1}, <<: {y: 1}}\n", "the key '<<'"),
        (b"a: 2024-13-01\n", "line 1: not valid YAML: 2024-13-01 is read as a date: write it in quotes"),
        (b"a: 2024-01-02 03:04:05\n", "write it in quotes"),
        ("a: \u00e9\n".encode("latin-1"), "not text in UTF-8"),
        ("a: b\n".encode("utf-16"), "not text in UTF-8"),
        (b"%YAML 1.1\n---\na: 010\n", "delete %YAML"),
        (b"a: &a [*a]\n", "a block holds itself"),
        (b"a: *b\n", "undefined alias 'b'"),
        (b"a: 1\n---\nb: 1\n", "another document"),
        (b"a:\n\t- b\n", "line 2: not valid YAML"),
        (b"a: \0\n", "not valid YAML"),
        (b"a: !x 1\n", "'!x'"),
        (b"a: !!int x\n", "'x' is not a number"),
        (b"a: " + b"9" * 5000 + b"\n", "is not a number"),
        (b"[" * 3000, "not valid YAML"),
        (b"a: !!bool x\n", "not valid YAML"),
        (b"a: !!int [1]\n", "not valid YAML"),
        (b"a: 0x" + b"f" * 200 + b"\n", "is not a number"),
        (b"a: " + b"1" * 100_000 + b"x\nb: 2024-01-02\n", "line 2"),  # and no quadratic search for a number
        (BOMB, "line 5: not valid YAML: it holds more than 20,000 values"),
        (MERGES, "it holds more than 20,000 values"),
        (b"a: [" + b"1, " * 20_000 + b"]\n", "it holds more than 20,000 values"),
        (b"a: " + b"[" * 31 + b"]" * 31 + b"\n", "it nests deeper than 30"),
        (b"a: " + b"#" * 300_000, "larger than 262,144 bytes"),
        (b"", "keys and values"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / "params.yaml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def nested(levels: int) -> object:
    """A list that holds the one before ten times, and so on, as YAML's aliases make it."""
    value: object = "1"
    for _ in range(levels):
        value = [value] * 10
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (nested(20), "more than 20,000 values"),
        ("9" * 5000, "is not a number"),
        (json.loads("[" * 40 + "]" * 40), "nests deeper than 30"),
    ],
)
def test_a_bomb_on_the_command_line_is_one_line(value: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        typed({"key": value})


def test_a_pipe_and_a_device_are_no_configuration(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "params.yaml")
    for path, kind in ((tmp_path / "params.yaml", "a named pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(ConfigError, match=f"cannot be read: it is {kind}"):
            read_yaml(path)


@pytest.mark.fuzz
def test_mutants_of_the_configuration_are_read_or_refused_in_one_error(tmp_path: Path) -> None:
    file, small = (
        tmp_path / "params.yaml",
        b"a: &x {b: [1, 2.5, null, 'c']}\nd: {<<: *x, !!int e: \"\\u00e9\"}\nf: [*x, *x]\n",
    )
    for sound, number in ((small, 2000), ((ROOT / "params.yaml").read_bytes(), 12)):
        for mutant in mutants(sound, number):
            file.write_bytes(mutant)
            with suppress(ConfigError):
                load_params(file)
            with suppress(ConfigError):
                typed(read_yaml(file))


def test_a_mark_of_utf_8_at_the_beginning_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(tmp_path / "params.yaml") == {"a": 1}


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        ["scale=pilot", "datasets=[mnist,celeba]"],
        ["runtime={device: cuda}"],
        ["runtime={device: cuda}", "runtime={threads: 2}", "scale=demo"],
        ["scales={demo: {epochs: 3, tradeoff: {beta_r: [0.1, 1e-3]}}}"],
        ["scale={a: 1}", "datasets="],
        ["data={root: null}", "data={root: /a folder/b=c}"],
        ["scale=True", "datasets=007"],
        ["scale=[a", "datasets=a: b: c"],
        ['scale="x y"', "datasets='12'"],
    ],
)
def test_changes_are_those_of_snakemakes_config(pairs: Any) -> None:
    file = {"scale": "smoke", "datasets": ["mnist"], "runtime": {"device": "cpu", "threads": 1}}
    file |= {"data": {"root": "x", "split_seed": 0}, "scales": {"demo": {"epochs": 1, "tradeoff": {"outputs": []}}}}
    expected = copy.deepcopy(file)
    update_config(expected, typed(parse_config(pairs)))
    before = copy.deepcopy(file)
    assert overridden(file, pairs) == expected
    assert file == before


@pytest.mark.parametrize("text", ["scale", "=pilot", ""])
def test_a_change_that_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"--config: must be KEY=VALUE, found {text!r}"):
        overridden({}, [text])
