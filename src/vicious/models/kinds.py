"""What a user may send back in place of the logits: the kinds of outputs, by their names in params.yaml and in paths.

``logits`` and ``softmax`` are those of the study. The others are what a user can do against reconstruction, each a change of the
probabilities p of K classes or of K attributes:

- ``probabilities``: p itself, as ``softmax``, but against an attacker who also reads log p;
- ``temperature4``: the probabilities of the logits divided by 4;
- ``top3``: the 3 largest of them, the others 0; of attributes, the 3 surest, the others rounded to 0 or 1;
- ``round2``: p rounded to 2 bits, that is to multiples of 1 / (2^2 - 1);
- ``noise0.1``: p with Gaussian noise of that standard deviation, clipped to [0, 1];
- ``label``: the predicted class, one-hot, or the predicted attributes.

Nothing here needs PyTorch: the workflow reads it.
"""

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

Kind = Literal["logits", "softmax", "probabilities", "temperature", "top", "round", "noise", "label"]
Code = Literal["shuffled", "folded", "shifted"]
"""How a vicious server may hide the code in a model's outputs: see :mod:`vicious.models.hidden`."""
MOST_BITS = 16
_NAME = re.compile(r"([a-z]+)(\d+(?:\.\d+)?)?")
_NUMBERED = ("temperature", "top", "round", "noise")
_WHOLE = ("top", "round")


@dataclass(frozen=True)
class Outputs:
    """A kind of outputs.

    Attributes:
        kind: what is sent.
        amount: the temperature, the number k, the bits or the standard deviation; 0 where there is none.
    """

    kind: Kind
    amount: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether it is one of the study's own, which the attack model reads as they are sent."""
        return self.kind in ("logits", "softmax")

    @property
    def trainable(self) -> bool:
        """Whether a server can train a target model for it: labels have no gradient."""
        return self.kind != "label"

    def width(self, outputs: int) -> int:
        """How many numbers the attack model reads of K ``outputs``: p, or p and log p."""
        return outputs if self.plain else 2 * outputs


def parse_outputs(name: str) -> Outputs:
    """The kind of outputs that a name means.

    Raises:
        ValueError: it names none.
    """
    match = _NAME.fullmatch(name)
    kind, amount = match.groups() if match else ("", None)
    if kind not in get_args(Kind):
        raise ValueError(
            f"{name!r} names no outputs: logits, softmax, probabilities, temperature4, top3, round2, noise0.1, label"
        )
    if (kind in _NUMBERED) != (amount is not None):
        raise ValueError(
            f"{name!r}: {kind} needs a number, as in {kind}2" if amount is None else f"{name!r}: {kind} takes no number"
        )
    value = float(amount or 0)
    if amount is not None and amount != f"{value:g}":
        raise ValueError(f"{name!r}: write the number as {value:g}")
    if kind in _NUMBERED and value <= 0:
        raise ValueError(f"{name!r}: the number must be above 0")
    if kind in _WHOLE and not value.is_integer():
        raise ValueError(f"{name!r}: {kind} needs a whole number")
    if kind == "round" and value > MOST_BITS:
        raise ValueError(f"{name!r}: at most {MOST_BITS} bits, which no longer change what is read")
    return Outputs(cast(Kind, kind), value)


def parse_trainable(name: str) -> Outputs:
    """As :func:`parse_outputs`, of kinds that a server can train a target model for.

    Raises:
        ValueError: it names none of these.
    """
    found = parse_outputs(name)
    if not found.trainable:
        raise ValueError(f"{name!r}: labels have no gradient, so no server can train for them")
    return found
