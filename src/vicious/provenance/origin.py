"""Telling results that Snakemake made here from those that came from elsewhere: pulled or checked out by DVC, or
copied.

Snakemake sees that a setting or code changed by its own record of a file's making. Of a file that took another's place
it has the other's record, or none, and would take it as made by what is asked for now. The record of provenance beside
it tells better. So with a cluster's job that ended after Snakemake was killed: what it made is no longer marked as
incomplete, and has no record.
"""

import os
from base64 import urlsafe_b64encode
from pathlib import Path

from vicious.provenance.expected import Expected, step_behind
from vicious.provenance.record import code_of
from vicious.provenance.records import Record, read_record, records_below
from vicious.study import paths
from vicious.study.config import Params
from vicious.system.errors import ProvenanceError
from vicious.system.files import read_json

MADE = Path(".snakemake/metadata")
"""Where Snakemake keeps what it knows of results that it made."""
INCOMPLETE = Path(".snakemake/incomplete")
"""Where it marks those that it did not finish, and makes again."""
_SHOWN = 5


def made_here(file: Path) -> bool:
    """Whether Snakemake's record is that of this very file, by its time; or whether it will make the file again
    anyway."""
    if unfinished(file):
        return True
    try:
        return bool(abs(read_json(MADE / _name(file))["endtime"] - file.stat().st_mtime) < 1e-3)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return False


def unfinished(file: Path) -> bool:
    """Whether a job of Snakemake's that makes a file runs, or was killed."""
    return os.path.exists(INCOMPLETE / _name(file))  # noqa: PTH110 (which raises for a name that is too long)


def _name(file: Path) -> Path:
    """The name of Snakemake's record of a file: in URL-safe base 64, long ones in pieces."""
    text = urlsafe_b64encode(os.fsencode(file)).decode()
    longest = os.pathconf(".", "PC_NAME_MAX") - 1
    *above, last = [text[start : start + longest] for start in range(0, len(text), longest)]
    return Path(*(f"@{piece}" for piece in above), last)


def made_otherwise(path: Path, record: Record, expected: Expected) -> str | None:
    """Why what is asked for would not be made as these results were, or None; no file but the record is read."""
    if of_other_code(record):
        return "made by other code"
    fault = expected.fault(path, record)
    return None if fault is None else ": ".join(filter(None, fault))


def of_other_code(record: Record) -> bool:
    """Whether the code that made results is not the code that would make them now."""
    step = step_behind(record)
    return step is None or record.code.hash != code_of(step)


def built(params: Params) -> list[Path]:
    """The paths of all records of a scale."""
    return [path for place in map(Path, paths.built(params.scale)) for path in sorted(records_below(place))]


def untracked(params: Params) -> dict[Path, Record | str]:
    """The records of results of a scale that Snakemake did not make here; the reason where one cannot be read."""
    return {path: read_record(path) for path in built(params) if not made_here(path)}


def stale(path: Path, record: Record | str, expected: Expected) -> str | None:
    """Why Snakemake, if it did not make results itself, would be wrong to take them as made; or None.

    What is not asked for at all it does not look at.
    """
    if expected.step(path) is None:
        return None
    return record if isinstance(record, str) else made_otherwise(path, record, expected)


def check_origin(params: Params) -> None:
    """Refuse to take results from elsewhere as made.

    Raises:
        ProvenanceError: some are not what the configuration and the code make.
    """
    expected = Expected(params)
    reasons = {path: stale(path, record, expected) for path, record in untracked(params).items()}
    found = [f"{path}: {reason}" for path, reason in reasons.items() if reason is not None]
    if found:
        shown = [*found[:_SHOWN], *([f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])]
        folders = " ".join(str(place) for place in paths.built(params.scale) if Path(place).is_dir())
        raise ProvenanceError(
            "Snakemake has no record of making these results here (they came from elsewhere, or a cluster's job ended "
            "after it was killed), and they are not what is asked for now:",
            *(f"  {one}" for one in shown),
            f"`vicious discard {folders}` deletes what params.yaml and the code make otherwise (where --config "
            "asks for something else: delete these records); then run the same command again, which makes it anew",
        )
