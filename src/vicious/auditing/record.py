"""An audit as JSON, for machines; and such files read again, as references for other audits."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vicious import __version__
from vicious.auditing.audit import Audit
from vicious.auditing.placing import Placed
from vicious.auditing.reference import Shipped
from vicious.system.errors import AuditError
from vicious.system.files import read_json

SCHEMA = 1
"""Grows whenever a key changes its meaning or goes."""
NAME = "audit.json"


def record(audit: Audit, title: str, placed: tuple[Placed, ...] = (), shipped: Shipped | None = None) -> dict[str, Any]:
    """All findings but the images. Numbers that are none are null.

    Args:
        title: what was audited.
        placed: its numbers among those of references.
        shipped: its numbers beside those of the shipped networks.
    """
    evidence, excess = audit.given.evidence, audit.excess
    found = {
        "schema": SCHEMA,
        "vicious": __version__,
        "title": title,
        "verdict": asdict(audit.verdict),
        "given": {
            "images": len(evidence.images),
            "shape": list(evidence.images.shape[1:]),
            "outputs": evidence.logits.shape[1],
            "kind": audit.given.kind,
            "multilabel": evidence.multilabel,
            "labelled": audit.given.labelled,
            "seed": evidence.seed,
            "notes": list(audit.given.notes),
        },
        "exact_test": asdict(audit.exact) if audit.exact else None,
        "leak": {"value": excess.leak, "low": excess.low, "high": excess.high, "images": excess.images},
        "compared_leak": excess.compared if excess.against else None,
        "students": [asdict(one) for one in excess.against],
        "no_students_because": excess.why_not or None,
        "among": audit.measures.among,
        "measures": [asdict(one) for one in audit.measures.found],
        "detectors": [asdict(one) for one in audit.scores],
        "mitigations": [asdict(one) for one in audit.left],
        "placed": [asdict(one) for one in placed],
        "shipped_networks": asdict(shipped) if shipped else None,
    }
    clean: dict[str, Any] = _finite(found)
    return clean


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_references(folder: Path) -> list[dict[str, Any]]:
    """The audits below a folder: files of the name :data:`NAME`.

    Raises:
        AuditError: there is none, or one is damaged or of another schema.
    """
    files = sorted(folder.rglob(NAME)) if folder.is_dir() else []
    if not files:
        raise AuditError(f"{folder} holds no {NAME}: --reference takes a folder with earlier audits of other models")
    found = []
    for file in files:
        try:
            content = read_json(file)
        except (ValueError, OSError) as error:
            raise AuditError(f"{file} is damaged ({error}): leave it out, or audit that model again") from None
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise AuditError(f"{file} is no audit of schema {SCHEMA}: audit that model again with this version")
        found.append(content)
    return found
