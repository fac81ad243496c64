"""What the user may send back in place of the logits: one file for each kind of outputs, found by its name.

``logits`` and ``softmax`` are the study's own; the others are what a user can do against reconstruction. A kind that
takes a number is written with it, in params.yaml and in paths: ``top3``, ``noise0.1``. The first line of a file says
what is sent, in words for captions.

Nothing here imports PyTorch before there is a tensor: planning a study reads it.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from vicious.system.registry import find, names, nearest

if TYPE_CHECKING:
    from torch import Generator, Tensor

_NAME = re.compile(r"([a-z]+)(\d+(?:\.\d+)?)?")
LEAST = 2.0**-126
"""Probabilities are no smaller where their logarithm is taken: the smallest normal float32."""


@dataclass(frozen=True)
class Number:
    """The limits of the number in a kind's name, which is above 0: whether it is whole, the largest, and its unit."""

    whole: bool = False
    most: float = math.inf
    unit: str = ""


@dataclass(frozen=True)
class Mitigation:
    """One kind of outputs.

    Attributes:
        transmit: logits (N, K), the number in the name (0: none), whether they are of attributes, a generator on the
            CPU -> what the user sends, (N, K). Its gradient is what a server has that trains for it.
        logarithm: what is sent (N, K), the number -> the logarithms (N, K) that the attack model reads beside it; None:
            it reads what is sent alone, as in the study.
        number: the limits of the number in the name; None: the name has none.
        probabilities: what is sent is in [0, 1]; else it is logits.
        trainable: a server can train a target model for it.
        random: it draws from the generator.
    """

    transmit: "Callable[[Tensor, float, bool, Generator | None], Tensor]"
    logarithm: "Callable[[Tensor, float], Tensor] | None"
    number: Number | None = None
    probabilities: bool = True
    trainable: bool = True
    random: bool = False


@dataclass(frozen=True)
class Outputs:
    """What a user sends: the name of a file here, and the number in the outputs' name, 0 where there is none."""

    kind: str
    amount: float = 0.0

    @property
    def mitigation(self) -> Mitigation:
        """What the file of this kind holds."""
        found: Mitigation = find(__name__, self.kind, "MITIGATION").MITIGATION
        return found

    @property
    def plain(self) -> bool:
        """Whether it is one of the study's own, which the attack model reads as they are sent."""
        return self.mitigation.logarithm is None

    def width(self, outputs: int) -> int:
        """How many numbers the attack model reads of K ``outputs``: p, or p and log p."""
        return outputs if self.plain else 2 * outputs


@cache
def parse_outputs(name: str) -> Outputs:
    """The kind of outputs that a name means.

    Raises:
        ValueError: it names none.
    """
    match = _NAME.fullmatch(name)
    kind, amount = match.groups() if match else ("", None)
    if kind not in names(__name__):
        raise ValueError(f"{name!r} names no outputs{nearest(kind or name, names(__name__))}")
    number = Outputs(kind).mitigation.number
    if number is None:
        if amount is not None:
            raise ValueError(f"{name!r}: {kind} takes no number")
        return Outputs(kind)
    if amount is None:
        raise ValueError(f"{name!r}: {kind} needs a number, as in {kind}2")
    value = float(amount)
    if amount != f"{value:g}":
        raise ValueError(f"{name!r}: write the number as {value:g}")
    if value <= 0:
        raise ValueError(f"{name!r}: the number must be above 0")
    if number.whole and not value.is_integer():
        raise ValueError(f"{name!r}: {kind} needs a whole number")
    if value > number.most:
        raise ValueError(f"{name!r}: at most {number.most:g}{number.unit}")
    return Outputs(kind, value)


def parse_trainable(name: str) -> Outputs:
    """As :func:`parse_outputs`, of kinds that a server can train a target model for."""
    found = parse_outputs(name)
    if not found.mitigation.trainable:
        raise ValueError(f"{name!r} has no gradient, so no server can train for it")
    return found


def transmit(
    logits: "Tensor", outputs: str, multilabel: bool = False, generator: "Generator | None" = None
) -> "Tensor":
    """What the user sends back, (N, K) -> (N, K): logits, or something in [0, 1] made of probabilities.

    Args:
        logits: of classes, or of attributes where ``multilabel``.
        outputs: the name of a kind.
        generator: on the CPU; draws the noise, if the kind has any.
    """
    kind = parse_outputs(outputs)
    return kind.mitigation.transmit(logits, kind.amount, multilabel, generator)


def readable(sent: "Tensor", outputs: str) -> "Tensor":
    """What the attack model reads of what was sent, (N, K) -> (N, :meth:`Outputs.width`).

    Logits and softmax as they are, as in the study. Of all else p and log p: an attacker who gets probabilities can
    take logarithms, which hold what the logits held up to a constant; a network that only sees p hardly finds the small
    ones.
    """
    import torch

    kind = parse_outputs(outputs)
    logarithm = kind.mitigation.logarithm
    return sent if logarithm is None else torch.cat([sent, logarithm(sent, kind.amount)], dim=1)


def probabilities_of(sent: "Tensor", outputs: str, multilabel: bool = False) -> "Tensor":
    """What was sent as probabilities in [0, 1], (N, K) -> (N, K); of changed ones the sum need not be 1."""
    return sent if parse_outputs(outputs).mitigation.probabilities else as_probabilities(sent, multilabel)


def as_probabilities(logits: "Tensor", multilabel: bool) -> "Tensor":
    """The probabilities of K classes, or of each of K attributes, (N, K) -> (N, K)."""
    return logits.sigmoid() if multilabel else logits.softmax(1)


def logarithm(sent: "Tensor", _amount: float = 0.0) -> "Tensor":
    """The logarithm of probabilities, (N, K) -> (N, K)."""
    return sent.clamp_min(LEAST).log()


def logarithm_of_kept(sent: "Tensor", _amount: float = 0.0) -> "Tensor":
    """The same, but 0 where the user cut a probability to 0, (N, K) -> (N, K); p itself shows which these are."""
    import torch

    return torch.where(sent > 0, logarithm(sent), 0.0)
