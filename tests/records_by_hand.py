"""Results and records of provenance written by hand, as commands would."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vicious.provenance.expected import step_behind
from vicious.provenance.record import code_of
from vicious.provenance.records import Record
from vicious.steps import Step
from vicious.study.plan import Planned
from vicious.system.files import digest, write_json


def put(name: str | Path, text: str) -> str:
    """Write a file, and return its name."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")
    return str(name)


def note(
    path: str | Path, command: str, inputs: Any = (), outputs: Any = (), settings: Any = None, **changes: Any
) -> None:
    """A record of what is there now, made by the code that is there now."""
    record: dict[str, Any] = {
        "command": command,
        "settings": settings or {},
        "inputs": {str(name): digest(name) for name in inputs},
        "outputs": {str(name): digest(name) for name in outputs},
        "code": {"package": "0.1.0", "commit": "a" * 40, "dirty": False, "hash": None},
        "finished": "2026-01-01T00:00:00+00:00",
    }
    step = step_behind(Record.model_validate(record))
    record["code"]["hash"] = "of no step" if step is None else code_of(step)
    write_json(path, record | changes)


def build(one: Planned, seconds: float = 10.0, **said: Any) -> None:
    """Write all files of a planned step, and its record; JSON files hold what is ``said``."""
    inputs = [put(str(file), "read") for file in one.step.reads() if not file.exists()]
    made = [put(str(file), json.dumps(said) if file.suffix == ".json" else "made") for file in one.step.writes()]
    note_step(one.step, [*map(str, one.step.reads())] or inputs, made, seconds=seconds)


def note_step(
    step: Step, inputs: Any = (), outputs: Any = (), settings: Mapping[str, Any] | None = None, **changes: Any
) -> str:
    """The record of a step in its place, with some settings changed; returns its path."""
    path = str(step.record())
    note(path, step.command(), inputs, outputs, step.settings() | dict(settings or {}), **changes)
    return path
