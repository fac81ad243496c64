"""The estimators under which every reconstruction is judged, beside the two headline figures `risk` and `risk95`.

One projection onto the eigenvectors serves them all (:func:`vicious.metrics.risk.energies`), so their number costs
nothing.
"""

from vicious.metrics.risk import Covariance, Whitening, no_whitening, whiten, whiten_share

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 1.0)
"""The profile of R: shares of the variance that the leading components explain."""
CUTOFFS = (2.2e-16, 1e-10, 1.2e-7, 1e-6, 1e-5)
"""Relative cut-offs, times d: a float64 pseudo-inverse, between, a float32 pseudo-inverse (published), and larger."""
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Ridges in units of the mean variance."""


def estimators(covariance: Covariance) -> list[Whitening]:
    """All settings, from the same factorisation; their names are the columns of the per-image tables."""
    return [
        *(whiten_share(covariance, share) for share in SHARES),
        *(whiten(covariance, "truncated", cutoff) for cutoff in CUTOFFS),
        *(whiten(covariance, "ridge", ridge) for ridge in RIDGES),
        whiten(covariance, "ledoit_wolf"),
        no_whitening(covariance),
    ]
