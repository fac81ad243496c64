"""Against linear decodability and distance correlation at once."""

from torch import Tensor

from vicious.training.loop import below
from vicious.training.penalties.distance_correlation import DistanceCorrelation
from vicious.training.penalties.linear_decodability import Decodability
from vicious.training.penalty import Penalty


class Both:
    """The sum of both penalties."""

    def __init__(self) -> None:
        self._parts: tuple[Penalty, Penalty] = Decodability(), DistanceCorrelation()

    def __call__(self, logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
        """A scalar of at most 2 with a gradient, from what each of the two takes."""
        one, other = (part(logits, labels, images) for part in self._parts)
        return one + other

    def carried(self) -> dict[str, Tensor]:
        parts = enumerate(self._parts)
        return {f"{index}/{key}": each for index, part in parts for key, each in part.carried().items()}

    def restore(self, carried: dict[str, Tensor]) -> None:
        for index, part in enumerate(self._parts):
            part.restore(below(carried, f"{index}/"))


PENALTY = Both
