"""Audits of networks of known training, which are shipped, so that users can compare their own numbers.

benchmarks/verdicts.py trains these networks, audits them and writes the file. None is a published model.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vicious.auditing.placing import numbers
from vicious.system.files import read_json

SHIPPED = Path(__file__).with_name("reference.json")
KINDS = ("honest", "vicious")
NEAR = 1.5
"""How many times as many images, or as few, an audit may have to be compared."""


@dataclass(frozen=True)
class Beside:
    """One number of an audit beside those of the shipped networks, of which each list has at least one.

    Attributes:
        name: as in :func:`vicious.auditing.placing.numbers`.
        value: of the audit.
        honest: of networks that were trained to classify alone.
        vicious: of networks that were trained jointly with a decoder.
    """

    name: str
    value: float
    honest: tuple[float, ...]
    vicious: tuple[float, ...]

    @property
    def by_kind(self) -> dict[str, tuple[float, ...]]:
        """The numbers of each of :data:`KINDS`."""
        return {"honest": self.honest, "vicious": self.vicious}


@dataclass(frozen=True)
class Shipped:
    """An audit beside the shipped networks.

    Attributes:
        images: that each network was audited on: of the numbers that there are, the nearest to the audit's.
        datasets: that the networks classify, by name.
        numbers: those that both have; () if the audit had far more or fewer images, since with more images more is
            read.
    """

    images: int
    datasets: tuple[str, ...]
    numbers: tuple[Beside, ...]


def beside(audit_json: Mapping[str, Any]) -> Shipped:
    """Put an audit beside the shipped networks.

    Args:
        audit_json: of :func:`vicious.auditing.record.record`.
    """
    networks, images = _networks(), audit_json["given"]["images"]
    nearest = min({one["images"] for one in networks}, key=lambda one: abs(math.log(one / images)))
    some = [one for one in networks if one["images"] == nearest]
    found = []
    for name, value in numbers(audit_json).items():
        if not nearest / NEAR <= images <= nearest * NEAR:
            continue
        known = [one for one in some if name in one["numbers"]]
        if name == "identified":  # among more images fewer are
            known = [one for one in known if one["among"] == audit_json["among"]]
        honest, vicious = (
            tuple(one["numbers"][name] for one in known if (one["beta_r"] > 0) == kind) for kind in (False, True)
        )
        if honest and vicious:
            found.append(Beside(name, value, honest, vicious))
    return Shipped(nearest, tuple(dict.fromkeys(one["dataset"] for one in some)), tuple(found))


@cache
def _networks() -> list[dict[str, Any]]:
    networks: list[dict[str, Any]] = read_json(SHIPPED)["networks"]
    return networks
