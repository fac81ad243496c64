"""How much faster the paired bootstrap is than a loop over its resamples.

    python benchmarks/bootstrap.py [images] [seeds]

Prints the seconds of both in this run and their ratio; both give the same interval, up to the chance of their draws.
"""

import sys
import time

import numpy as np

from vicious.metrics.bootstrap import PAIRED_RESAMPLES, paired_bootstraps


def main(images: int = 2000, seeds: int = 3) -> None:
    generator = np.random.default_rng(0)
    differences = generator.normal(1, 1, (seeds, images)) + generator.normal(0, 0.1, (seeds, 1))

    start = time.perf_counter()
    ((_, *fast, _),) = paired_bootstraps(list(differences[:, :, None]))
    taken = time.perf_counter() - start

    start = time.perf_counter()
    means = []
    for _ in range(PAIRED_RESAMPLES):
        drawn = generator.integers(images, size=images)
        blocks = generator.integers(seeds, size=seeds)
        means.append(np.mean([differences[block][drawn].mean() for block in blocks]))
    plain = time.perf_counter() - start

    assert np.allclose(fast, np.quantile(means, (0.025, 0.975)), atol=0.2 * np.std(means))
    print(f"{PAIRED_RESAMPLES} resamples, {images} images, {seeds} seeds: paired_bootstraps {taken:.3f} s, ", end="")
    print(f"a loop {plain:.3f} s, ratio {plain / taken:.1f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
