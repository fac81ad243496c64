"""Verdicts of one detector on one model, kept outside the results: so a changed detector alone judges again."""

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from vicious.system.errors import DataError
from vicious.system.files import atomic_path
from vicious.system.settings import NotNegative
from vicious.system.typed_json import UntypedError, read_typed

FOLDER = Path(".cache/verdicts")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """A detector's score of one sample of user images; None with status "failed" and the reason where there is none."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    score: float | None
    status: str = "ok"
    reason: str = ""

    def __post_init__(self) -> None:
        scored = isinstance(self.score, float) and math.isfinite(self.score)
        if self.status != ("ok" if scored else "failed") or not (scored or self.score is None):
            raise ValueError(f"{self} is no verdict")


@dataclass(frozen=True)
class Verdicts:
    """All verdicts of one detector on one model, by number of user images (as text): one for each draw, and the seconds
    that one took, mean over draws."""

    of: dict[str, list[Verdict]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class _Kept(BaseModel):
    """What a file of verdicts holds."""

    identity: dict[str, Any]
    of: dict[str, list[Verdict]]
    seconds: dict[str, NotNegative]


def kept(identity: Mapping[str, Any]) -> Verdicts | None:
    """The verdicts kept under an identity; None where there are none, or their file is damaged.

    Args:
        identity: all that the verdicts depend on, as JSON has it; ``user_images`` and ``draws`` among it.
    """
    path = _path(identity)
    if not path.exists():
        return None
    expected = dict.fromkeys(map(str, identity["user_images"]), identity["draws"])
    try:
        found = read_typed(path, _Kept)
    except (UntypedError, DataError) as error:
        log.warning("%s: what it holds is judged again", error)
        return None
    counts = {n: len(verdicts) for n, verdicts in found.of.items()}
    if found.identity != identity or counts != expected or found.seconds.keys() != expected.keys():
        log.warning("%s is damaged: what it holds is judged again", path)
        return None
    return Verdicts(found.of, found.seconds)


def keep(identity: Mapping[str, Any], verdicts: Verdicts) -> None:
    """Keep verdicts under an identity."""
    with atomic_path(_path(identity)) as temporary:
        temporary.write_text(json.dumps({"identity": identity, **asdict(verdicts)}, allow_nan=False), encoding="utf-8")


def _path(identity: Mapping[str, Any]) -> Path:
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return FOLDER / f"{key}.json"
