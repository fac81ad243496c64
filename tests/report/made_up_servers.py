"""A made-up defence experiment: honest servers, vicious ones, and those that evade detectors or hide their code."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

EVADED = ("linear_decodability", "distance_correlation", "both")
DETECTORS = ("linear_decodability", "own_decoder", "effective_rank", "entropy")
_SCALE = {"linear_decodability": 0.02, "distance_correlation": 0.02, "own_decoder": 0.01, "effective_rank": 0.6}
"""Spread of the scores of honest models."""
_HIDDEN = {"shuffled": 0.8, "folded": 0.1}
"""What hiding leaves of what a detector sees."""


def summary(
    made_up: Any,
    datasets: Sequence[str],
    seeds: int = 3,
    evasion: Sequence[float] = (0.1, 1.0),
    distance: Sequence[float] = (),
    both: Sequence[float] = (),
    **options: Any,
) -> pd.DataFrame:
    """A summary with adaptive servers of the first seed, whose weight beta_R is 1, beside vicious ones of 0.3 and 1.

    ``evasion``, ``distance`` and ``both`` are weights of penalties against linear decodability, distance correlation
    and both, ``options`` those of ``made_up.summary``.
    """
    plain = made_up.summary(tuple(datasets), seeds, (0.3, 1.0), **options).assign(evades="", evasion=0.0)
    parts = [plain]
    for evades, place, weight in _penalties(evasion, distance, both):
        adaptive = plain.loc[(plain["beta_r"] == 1.0) & (plain["seed"] == 0)]
        less = (0.1 if evades == EVADED[1] else 0.3) * (place + 1)
        changed = {
            name: adaptive[name] - step
            for name, step in (("psnr", less), ("risk95", less / 8), ("accuracy", less / 50))
        }
        parts.append(adaptive.assign(evades=evades, evasion=weight, **changed))
    rows: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return rows


def _penalties(*weights: Sequence[float]) -> Iterator[tuple[str, int, float]]:
    """The detector evaded, the place of the weight, and the weight."""
    for evades, of_one in zip(EVADED, weights, strict=True):
        for place, weight in enumerate(of_one):
            yield evades, place, weight


def detection(
    datasets: Sequence[str],
    seeds: int = 3,
    draws: int = 4,
    numbers: Sequence[int] = (50, 200),
    detectors: Sequence[str] = DETECTORS,
    evasion: Sequence[float] = (0.1, 1.0),
    distance: Sequence[float] = (),
    both: Sequence[float] = (),
    hidden: Sequence[str] = ("shuffled", "folded"),
    recipes: Sequence[str] = ("plain",),
    failed: Sequence[tuple[str, str, str, int]] = (),
) -> pd.DataFrame:
    """Detection scores; ``failed`` holds (dataset, detector, server, seed), a server as in
    vicious.defense.evaluation.groups."""
    generator = np.random.default_rng(11)
    none = "", 0.0
    kinds = [("honest", 0.0, "", none, "", seeds, 0.0), *(("honest", 0.0, name, none, "", 1, 1.0) for name in recipes)]
    kinds += [("vicious", beta, "", none, "", seeds, 12.0 * beta) for beta in (0.3, 1.0)]
    kinds += [
        ("vicious", 1.0, "", (evades, weight), "", 1, 12.0 / (1 + 10 * weight))
        for evades, _, weight in _penalties(evasion, distance, both)
    ]
    kinds += [("vicious", 1.0, "", none, code, 1, 12.0 * _HIDDEN[code]) for code in hidden]
    rows: list[dict[str, Any]] = []
    for dataset in datasets:
        for role, beta, recipe, (evades, weight), code, count, gain in kinds:
            told = [role, recipe, f"{evades.split('_')[0]} evasion {weight:g}" if weight else "", code]
            server = ", ".join(filter(None, told))
            for detector in detectors:
                scale, own = _SCALE.get(detector, 1.0), (0.1 if detector == "entropy" else 1.0)
                for seed in range(count):
                    model = own * gain + generator.normal()
                    for n in numbers:
                        bad = (dataset, detector, server, seed) in failed
                        for draw in range(draws):
                            score = (
                                np.nan
                                if bad
                                else scale * (model * min(1, n / 200) + generator.normal() * 10 / np.sqrt(n))
                            )
                            rows.append(
                                {
                                    **{
                                        "dataset": dataset,
                                        "task": dataset,
                                        "role": role,
                                        "beta_r": beta,
                                        "recipe": recipe,
                                    },
                                    **{
                                        "outputs": "logits" if role == "vicious" else "",
                                        "evades": evades,
                                        "evasion": weight,
                                        "hidden": code,
                                    },
                                    **{"seed": seed, "detector": detector, "n_user": n, "draw": draw, "score": score},
                                    **{"status": "failed" if bad else "ok", "reason": ""},
                                }
                            )
    return pd.DataFrame(rows)
