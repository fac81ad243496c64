"""What a configuration expects of results: the plan of every scale, with which records of provenance are compared."""

from functools import cache
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from vicious.provenance.records import Record, plain_name
from vicious.steps import Step
from vicious.study import paths
from vicious.study.config import PARAMS_FILE, Params, ScaleName
from vicious.study.plan import Plan, Planned, step_of
from vicious.system.errors import ConfigError

NOT_ASKED = "not in this configuration"
"""The kind of finding of results that a configuration does not ask for."""
OTHER_SETTINGS = "another configuration"
"""The kind of finding of results that another configuration asks for in this place."""
IN_PART = "built in part"
"""The kind of finding of summaries, tables and figures of some of the cells that a configuration asks for."""
OTHER_STEP = "another step"
"""The kind of finding of results that no configuration asks for in this place."""
_WORST_FIRST = (OTHER_STEP, OTHER_SETTINGS, IN_PART)
_SHOWN_BY_PLACE = frozenset(
    {
        *("attack_model", "attributes", "beta_r", "classes", "dataset", "evades", "evasion", "hide", "label", "merged"),
        *("outputs", "recipe", "seed"),
    }
)
"""Settings that are the same in every configuration, since a result's path tells them."""


class Expected:
    """What a configuration expects of results, at every scale.

    Args:
        params: the configuration; its own scale does not matter, paths show theirs.
        configuration: the file that it came from, for messages.
    """

    def __init__(self, params: Params, configuration: Path = PARAMS_FILE) -> None:
        self.configuration = configuration
        self._params = params
        self.plan = cache(self._plan)

    def _plan(self, scale: ScaleName) -> Plan:
        return Plan(self._params.model_copy(update={"scale": scale}))

    def step(self, record: Path) -> Planned | None:
        """The step whose record of provenance stands at a path; None where there is none."""
        scale = scale_of(str(record))
        return None if scale is None else self.plan(scale).by_record.get(plain_name(str(record)))

    def fault(self, path: Path, record: Record) -> tuple[str, str] | None:
        """Why results are not what is asked for: a kind of finding, and in what they differ; None where they are.

        Results that lie elsewhere than a build puts them are nobody's to judge: None.
        """
        if scale_of(str(path)) is None:
            return None
        planned = self.step(path)
        if planned is None:
            return NOT_ASKED, ""
        return self.difference(planned.step, record)

    def difference(self, step: Step, record: Record) -> tuple[str, str] | None:
        """In what results differ from those of the step that is asked for: a kind of finding, and words; None where
        they do not."""
        if record.command != step.command():
            return OTHER_STEP, f"made by {record.command}, {self.configuration} asks for {step.command()}"
        compared = [name for name in type(step).model_fields if name not in step.PLACES]
        found = [one for name in compared if (one := self._difference(name, record, step)) is not None]
        if not found:
            return None
        kinds, words = zip(*found, strict=True)
        return min(kinds, key=_WORST_FIRST.index), "; ".join(words)

    def _difference(self, name: str, record: Record, step: Step) -> tuple[str, str] | None:
        """How a setting differs from the one that is asked for: a kind of finding, and words; None where it does
        not."""
        due = step.settings()[name]
        default = type(step).model_fields[name].get_default(call_default_factory=True)
        if name not in record.settings and due == default:
            return None  # made before there was another choice
        if name not in record.settings:
            return (OTHER_STEP, f"{name} not recorded, {self.configuration} asks for {due}") if due else None
        found, value = record.settings[name], getattr(step, name)
        if _gathers(name, value) and isinstance(found, list):
            return self._other_cells(name, {plain_name(str(file)) for file in found}, set(due))
        if isinstance(value, Path) and isinstance(found, str):
            found = plain_name(found)
        if found == due:
            return None
        fixed = name in _SHOWN_BY_PLACE or isinstance(value, Path) or _gathers(name, value)
        words = f"{name} {found}, {self.configuration} asks for {due}"
        return OTHER_STEP if fixed else OTHER_SETTINGS, words

    def _other_cells(self, name: str, found: set[str], due: set[str]) -> tuple[str, str] | None:
        """How what a step gathered differs from the cells that are asked for."""
        parts = (("lacks", due - found), ("has", found - due))
        words = [f"{verb} {len(which)} such as {min(which)}" for verb, which in parts if which]
        if not words:
            return None
        other_scale = not {*map(scale_of, found)} <= {*map(scale_of, due)}
        kind = OTHER_STEP if other_scale else OTHER_SETTINGS if found - due else IN_PART
        return kind, f"of the {len(due)} {name} that {self.configuration} asks for it {' and '.join(words)}"


def _gathers(name: str, value: object) -> bool:
    """Whether a setting lists what a step has of each cell: files, or the parts of a figure."""
    return isinstance(value, list) and bool(value) and (isinstance(value[0], Path) or name == "parts")


def step_behind(record: Record) -> Step | None:
    """The step that a record's settings describe; None where no step of today has these settings."""
    try:
        return step_of(record.command).model_validate(dict(record.settings))
    except (ConfigError, ValidationError):
        return None


def scale_of(file: str) -> ScaleName | None:
    """The scale that a file is of; None for what lies elsewhere than a build puts it."""
    name = plain_name(file)
    scales: tuple[ScaleName, ...] = get_args(ScaleName)
    for scale in scales:
        if name.startswith(tuple(f"{folder}/" for folder in paths.built(scale))):
            return scale
    return None
