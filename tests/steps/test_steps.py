"""What every step declares, and that its command line, files and record agree with that."""

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from vicious import cli
from vicious.provenance import run
from vicious.steps import Files, Step, commands, step_class
from vicious.study import paths
from vicious.study.artifacts import artifact_step, known
from vicious.study.config import load_params
from vicious.study.plan import Plan, Planned, pattern, step_of
from vicious.system.errors import ConfigError
from vicious.system.registry import names

ROOT = Path(__file__).resolve().parents[2]
SCALES = ("smoke", "demo", "pilot", "paper")
KINDS = [*map(step_class, commands()), *map(artifact_step, known())]


@cache
def plan(scale: str) -> Plan:
    return Plan(load_params(ROOT / "params.yaml").model_copy(update={"scale": scale}))


def command(kind: type[Step]) -> str:
    return kind.command()


@pytest.mark.parametrize("kind", KINDS, ids=command)
def test_every_setting_has_a_help_text(kind: Any) -> None:
    assert kind.model_fields
    assert [name for name, field in kind.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("kind", KINDS, ids=command)
def test_settings_do_not_change_and_unknown_ones_are_refused(kind: Any) -> None:
    assert kind.model_config["frozen"]
    assert kind.model_config["extra"] == "forbid"


@pytest.mark.parametrize("kind", KINDS, ids=command)
def test_every_path_says_which_files_it_stands_for(kind: Any) -> None:
    """A path without this would be no input of the workflow, and stand in no record."""
    silent = {
        name
        for name, field in kind.model_fields.items()
        if "Path" in str(field.annotation) and not any(isinstance(one, Files) for one in field.metadata)
    }
    own = {"fetch": {"root"}, "assess-risk": {"out"}}  # raw files, which source.json lists; files named by the attack
    assert silent == ({"out"} if kind.command() in known() else own.get(kind.command(), set()))


def test_commands_have_the_names_of_their_files() -> None:
    files = {file.stem for file in (ROOT / "src/vicious/steps").glob("[!_]*.py")}
    assert {kind.replace("-", "_") for kind in commands()} == files
    assert [step_class(name).command() for name in commands()] == list(commands())
    assert {step_of(name).command() for name in known()} == known().keys()
    assert {step_of(name).rule() for name in commands()} == files
    assert known().keys() == {*names("vicious.report.tables"), *names("vicious.report.figures")}


def test_every_file_begins_with_what_the_help_of_all_commands_says_of_it() -> None:
    for package in ("steps", "report/tables", "report/figures"):
        for file in (ROOT / "src/vicious" / package).glob("[!_]*.py"):
            first = file.read_text(encoding="utf-8").splitlines()[0]
            assert re.fullmatch(r'"""[A-Z].*\."""|"""[A-Z].*', first), file


def test_a_command_that_there_is_not_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'train_honest'"):
        step_of("train-honset")


@pytest.mark.parametrize("scale", [*SCALES[:-1], pytest.param("paper", marks=pytest.mark.slow)])
def test_every_planned_step_is_read_back_from_its_command_line(scale: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[Step, Path | None]] = []
    monkeypatch.setattr(run, "run_step", lambda step, provenance=None, code=None: found.append((step, provenance)))
    monkeypatch.setattr(cli, "_app", cache(cli._app))
    for one in plan(scale).steps:
        assert cli.main(shlex.split(one.command_line)) == 0
        assert found.pop() == (one.step, one.step.record())


@pytest.mark.parametrize("scale", SCALES)
def test_every_file_is_written_once_and_no_step_reads_what_it_writes(scale: Any) -> None:
    seen: set[str] = set()
    for one in plan(scale).steps:
        assert one.outputs
        assert len(set(one.outputs)) == len(one.outputs)
        assert seen.isdisjoint(one.outputs), one.outputs
        assert set(map(str, one.step.reads())).isdisjoint(one.outputs)
        seen.update(one.outputs)


@pytest.mark.parametrize("scale", SCALES)
def test_every_record_and_every_log_has_a_place_of_its_own(scale: Any) -> None:
    steps = plan(scale).steps
    records = [one.step.record() for one in steps if one.step.record() is not None]
    assert len(set(records)) == len(records) == len(plan(scale).by_record)
    assert len({one.log for one in steps}) == len(steps)
    assert all(str(record).startswith(tuple(map(str, paths.built(scale)))) for record in records)


@pytest.mark.parametrize("scale", SCALES)
def test_a_rules_pattern_stands_for_exactly_the_outputs_of_its_steps(scale: Any) -> None:
    """As the workflow fills it: names in braces, each of which takes the values of the rule's steps."""
    for steps in plan(scale).rules.values():
        at = pattern(steps[0])
        for one in steps:
            filled = [file.format(**one.names) for file in (*at.outputs, at.log)]
            assert filled == [*one.outputs, one.log]
            assert not any("{" in file for file in filled)
        assert all(set(re.findall(r"{(\w+)}", file)) == set(at.names) for file in (*at.outputs, at.log))
        matching = [_expression(file, steps) for file in at.outputs]
        outputs = [file for other in plan(scale).steps for file in other.outputs]
        for place, expression in enumerate(matching):
            own = {one.outputs[place] for one in steps}
            assert {file for file in outputs if expression.fullmatch(file)} == own


def _expression(file: str, steps: list[Planned]) -> re.Pattern[str]:
    """A pattern of files as a regular expression, whose names match the values of the steps."""
    parts = re.split(r"{(\w+)}", file)
    values = {key: "|".join(sorted({re.escape(one.names[key]) for one in steps})) for key in steps[0].names}
    seen: set[str] = set()
    written = []
    for place, part in enumerate(parts):
        if place % 2 == 0:
            written.append(re.escape(part))
        elif part in seen:
            written.append(f"(?P={part})")
        else:
            written.append(f"(?P<{part}>{values[part]})")
            seen.add(part)
    return re.compile("".join(written))


@pytest.mark.parametrize("scale", SCALES)
def test_a_job_has_memory_and_time(scale: Any) -> None:
    for one in plan(scale).steps:
        assert one.need.mem_mb >= 1000
        assert one.need.runtime >= 15


@pytest.mark.parametrize("augmented", [True, False])
def test_a_yes_or_no_is_read_back_from_the_command_line(augmented: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan("smoke").rules["train_honest"][0].step
    step = planned.model_copy(update={"augmented": augmented, "rate": "one_cycle", "average": 0.5})
    words = [step.command(), *step.options()]
    assert ("--no-augmented" in words) != augmented
    assert "--augmented" not in words, "what is left at its default is left out"
    read: list[Step] = []
    monkeypatch.setattr(run, "run_step", lambda one, *_: read.append(one))
    assert cli.main(words) == 0
    assert read == [step]


def test_planned_settings_are_plain_and_read_back() -> None:
    for steps in plan("smoke").rules.values():
        step = steps[0].step
        assert type(step).model_validate(step.settings()) == step


def test_what_may_differ_between_machines_is_a_setting() -> None:
    assert [kind.command() for kind in KINDS if kind.PLACES] == ["fetch"]
    assert all(kind.model_fields.keys() >= kind.PLACES for kind in KINDS)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_steps_that_compute_with_models_do_so_where_the_configuration_says(device: str) -> None:
    params = load_params(ROOT / "params.yaml").model_copy(update={"scale": "smoke"})
    params = params.model_copy(update={"runtime": params.runtime.model_copy(update={"device": device})})
    for one in Plan(params).steps:
        assert getattr(one.step, "device", None) == (device if one.step.ON_GPU else None)
