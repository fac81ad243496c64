"""One training step: loss, gradients, Adam. On a GPU it is recorded once and replayed: nothing waits for Python.

A narrow network's layers compute for less time than Python takes to start them. So a GPU records what a step starts (a
CUDA graph) and repeats it on the next batch. Every batch of full size is a replay, in a resumed training too, and every
smaller one is not: so the same training gives the same bits, interrupted or not.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vicious.training.adam import Adam
from vicious.training.objective import Objective

Work = Callable[[], dict[str, Tensor]]
Record = Callable[[Work], tuple[dict[str, Tensor], Callable[[], None]]]
"""Takes some work on tensors that stay where they are; gives the tensors of its results, which each replay fills anew,
and the replay."""
_WARM = 3
"""Times that work runs before it is recorded: libraries choose and load their kernels."""


class Stepping:
    """Steps of one training.

    Args:
        optimisers: of the objective's modules, by name.
        full: images in a batch of full size.
        record: how work is recorded; None: no step is.
    """

    def __init__(
        self, objective: Objective, optimisers: Mapping[str, Adam], full: int, record: Record | None = None
    ) -> None:
        self._objective, self._optimisers, self._full = objective, optimisers, full
        self._record = record if objective.repeatable else None
        self._inputs: tuple[Tensor, ...] = ()
        self._found: dict[str, Tensor] = {}
        self._replay: Callable[[], None] | None = None

    def __call__(self, rows: Tensor, labels: Tensor, index: Tensor) -> dict[str, Tensor]:
        """Make one step; the loss and its terms, scalars, until the next one.

        Args:
            rows: images, and their augmented copies, if any, after them; labels (N,) or (N, K), for each.
            index: which of the training images they are.
        """
        if self._record is None or len(index) != self._full:
            return self._step(rows, labels, index)
        if self._replay is None:
            self._inputs = tuple(each.clone() for each in (rows, labels, index))
            self._found, self._replay = self._recorded(self._record)
        else:
            for held, given in zip(self._inputs, (rows, labels, index), strict=True):
                held.copy_(given)
        self._replay()
        return self._found

    def _step(self, rows: Tensor, labels: Tensor, index: Tensor) -> dict[str, Tensor]:
        loss, terms = self._objective.loss(rows, labels, index)
        loss.backward()
        for optimiser in self._optimisers.values():
            optimiser.step()
            optimiser.zero_grad()  # gradients that lie between the maps of the next step would leave gaps in memory
        return {"loss": loss.detach(), **terms}

    def _recorded(self, record: Record) -> tuple[dict[str, Tensor], Callable[[], None]]:
        """Record a step on the held inputs; weights and moments are then as they were before."""
        changed = [
            *(each for module in self._objective.modules.values() for each in module.state_dict().values()),
            *(each for optimiser in self._optimisers.values() for each in optimiser.state().values()),
        ]
        before = [each.clone() for each in changed]
        found, replay = record(lambda: self._step(*self._inputs))
        with torch.no_grad():
            for each, value in zip(changed, before, strict=True):
                each.copy_(value)
        return found, replay


def cuda_graph(work: Work) -> tuple[dict[str, Tensor], Callable[[], None]]:
    """Record work on a GPU, as :data:`Record` says."""
    now, beside = torch.cuda.current_stream(), torch.cuda.Stream()
    beside.wait_stream(now)
    with torch.cuda.stream(beside):
        for _ in range(_WARM):
            work()
    now.wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            found = work()
    except RuntimeError as error:
        torch.cuda.set_stream(now)  # that of the recording is left current where it fails
        first = error.__context__ or error
        raise RuntimeError(f"a training step could not be recorded on this GPU ({first})") from error
    return found, graph.replay
