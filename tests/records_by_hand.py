"""Results and records of provenance written by hand, as commands would."""

from pathlib import Path

from vicious.provenance.record import code_of
from vicious.system.files import digest, write_json


def put(name, text: str) -> str:
    """Write a file, and return its name."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")
    return str(name)


def note(path, command: str, inputs=(), outputs=(), settings=None, **changes) -> None:
    """A record of what is there now, made by the code that is there now."""
    record = {
        "command": command,
        "settings": settings or {},
        "inputs": {str(name): digest(name) for name in inputs},
        "outputs": {str(name): digest(name) for name in outputs},
        "code": {"package": "0.1.0", "commit": "a" * 40, "dirty": False, "hash": code_of(command)},
        "finished": "2026-01-01T00:00:00+00:00",
    }
    write_json(path, record | changes)
