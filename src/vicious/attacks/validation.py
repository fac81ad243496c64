"""What an attack reads from validation images, by which the best of several is chosen."""

from collections import defaultdict

import numpy as np

from vicious.attacks.pair import Pair, noise_of
from vicious.data.batches import EVALUATION_BATCH, batches
from vicious.data.prepared import PreparedDataset
from vicious.metrics import measures
from vicious.metrics.identification import Candidates
from vicious.metrics.risk import Array, Covariance, Whitening, distances, energies, risk_of_distances


def on_validation(
    data: PreparedDataset, covariance: Covariance, headline: dict[str, Whitening], pair: Pair
) -> dict[str, float]:
    """The means of each measure over the validation images, by the names of
    :data:`~vicious.results.schema.CHOOSING`."""
    noise, found = noise_of("validation"), defaultdict(list)
    candidates = data.images("validation")
    among = Candidates(candidates.reshape(len(candidates), -1), np.zeros(len(candidates), np.int64))
    for images, _, chosen in batches(data, "validation", EVALUATION_BATCH, pair.device):
        _, sent = pair.send(images, noise)
        reconstructions = pair.steal(sent)
        for name in measures.names():
            found[name].append(measures.function(name)(images, reconstructions).cpu().double().numpy())
        x, y = (batch.cpu().double().contiguous().flatten(1).numpy() for batch in (images, reconstructions))
        for name, values in _risks(x, y, covariance, headline).items():
            found[name].append(values)
        found["top1"].append(among.find(y, chosen.cpu().numpy())[0].top(1))
    return {name: float(np.concatenate(parts).mean()) for name, parts in found.items()}


def _risks(x: Array, y: Array, covariance: Covariance, headline: dict[str, Whitening]) -> dict[str, Array]:
    by_mean, by_attack = (energies(x - other, covariance) for other in (covariance.mean, y))
    of_headline = (distances(energy, headline.values()) for energy in (by_mean, by_attack))
    return {name: risk_of_distances(mean, attack) for name, mean, attack in zip(headline, *of_headline, strict=True)}
