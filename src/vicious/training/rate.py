"""The learning rate of each step of a training.

``constant``: the schedule's own. ``one_cycle``: up, and then down to 0 for the rest of the training (Smith and Topin,
"Super-convergence: very fast training of neural networks using large learning rates", 2019, section 3), down along a
half cosine (Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, equation 5). With t
in (0, 1) the share of the training at the middle of a step, w = :data:`WARM_UP` and m the largest rate, it is

- m t / w, for t < w;
- m (1 + cos(pi (t - w) / (1 - w))) / 2, from then on.
"""

from math import cos, pi

from vicious.system.settings import RateShape

WARM_UP = 0.3
"""Share of the steps in which the rate grows."""


def learning_rate(shape: RateShape, largest: float, done: int, steps: int) -> float:
    """The rate of the next step, above 0.

    Args:
        largest: the schedule's learning rate.
        done: steps before this one.
        steps: of the whole training.
    """
    return largest if shape == "constant" else largest * one_cycle((done + 0.5) / steps)


def one_cycle(place: float) -> float:
    """The share of the largest rate at a place in (0, 1) of the training."""
    if place < WARM_UP:
        return place / WARM_UP
    return (1 + cos(pi * (place - WARM_UP) / (1 - WARM_UP))) / 2
