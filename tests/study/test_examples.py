"""Examples of commands: they are the plan's own."""

import shlex
from pathlib import Path

import pytest

from vicious.steps import commands
from vicious.study.artifacts import known
from vicious.study.config import Params, load_params
from vicious.study.examples import example
from vicious.study.plan import Plan

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def whole() -> Params:
    """The smoke study of all datasets."""
    return load_params(ROOT / "params.yaml", ["scale=smoke"])


@pytest.mark.parametrize("command", [*commands(), *known()])
def test_an_example_is_a_command_line_of_the_plan(whole: Params, command: str) -> None:
    found = example(command, whole)
    assert found is not None
    dataset, text = found
    plan = Plan(whole.model_copy(update={"datasets": [dataset]}))
    words = shlex.split(text.replace("\\\n", ""))
    assert shlex.join(words[1:]) in {one.command_line for one in plan.steps}
    *before, last = text.splitlines()
    assert all(line.endswith(" \\") for line in before)
    assert not last.endswith("\\")
    lengths = [len(line) for line in text.splitlines() if len(line.split()) > 3]
    assert max(lengths, default=0) <= 120


def test_there_is_none_of_what_no_dataset_has(smoke: Params) -> None:
    assert example("attribute_sets_table", smoke) is None, "it is of CelebA"
