"""An exact test of "the outputs tell nothing of an image beyond the predicted label", with no model to compare with.

If that were so, then among images with the same predicted label it would not matter whose outputs are whose. So images
are exchanged at random within the predicted labels, as often as asked, and the share of a statistic that is at least as
large as the real one is the p-value: Phipson and Smyth, "Permutation p-values should never be zero" (Statistical
Applications in Genetics and Molecular Biology 9, 2010), equation 2. It is exact for any statistic, any model and any
number of images.

The statistic is the largest share of :mod:`vicious.defense.beyond_label`, of all kernels and penalties. It is taken
anew for each exchange, so choosing it costs nothing.

**Honest models fail this test, too**: how sure a classifier is depends on the image. It says that something is given
away beyond the label, and the effect says how much. It never says that a server is vicious.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vicious.defense.beyond_label import explained, forms, groups, left_out, likeness
from vicious.defense.detector import ROUNDING, Evidence
from vicious.system.errors import MetricError

MOST = 500
"""Images that are looked at; of more, the first."""
EXCHANGES = 999


@dataclass(frozen=True)
class Exact:
    """The result of the test.

    Attributes:
        p: the p-value, from 1 / (exchanges + 1) to 1.
        effect: share of the images' variation within predicted labels that the outputs explain, minus its mean over
            exchanges, ``by_chance``; about 0 or less: none.
        exchanges: how many there were.
        images: how many were looked at.
        exchanged: images that share their predicted label with another one; the others stay where they are.
    """

    p: float
    effect: float
    by_chance: float
    exchanges: int
    images: int
    exchanged: int


def exact_test(evidence: Evidence, exchanges: int = EXCHANGES) -> Exact:
    """Test whether outputs tell more of images than the predicted label.

    Args:
        evidence: its true labels are not used.
        exchanges: at least 19, with which p can reach 0.05.

    Raises:
        MetricError: fewer exchanges; or no two images have the same predicted label, or those that do are the same.
    """
    if exchanges < 19:
        raise MetricError(f"a permutation test needs at least 19 exchanges, got {exchanges}")
    count = min(len(evidence.images), MOST)
    predicted = evidence.predicted[:count]
    label = groups(predicted)
    images = likeness(evidence.pixels[:count], predicted)
    sizes = np.bincount(label)
    exchanged = int(sizes[sizes > 1].sum())
    if not exchanged or images.unexplained <= 0:
        raise MetricError(
            f"{count} images have no two of the same predicted label that differ: give more images, or other ones"
        )
    rest = left_out(evidence.logits[:count], predicted)
    if not len(rest):  # within a label all outputs are the same
        return Exact(1.0, 0.0, 0.0, exchanges, count, exchanged)
    tried = forms(rest)
    generator = np.random.default_rng(evidence.seed)
    real = explained(tried, images.products, images.unexplained)
    orders = (_within(label, generator) for _ in range(exchanges))
    others = [explained(tried, images.reordered(order), images.unexplained) for order in orders]
    p = (1 + sum(other >= real - ROUNDING for other in others)) / (1 + exchanges)
    by_chance = float(np.mean(others))
    return Exact(p, real - by_chance, by_chance, exchanges, count, exchanged)


def _within(label: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """An order of rows, at random among those of each label."""
    order = np.arange(len(label))
    for one in np.unique(label):
        places = np.flatnonzero(label == one)
        order[places] = generator.permutation(places)
    return order
