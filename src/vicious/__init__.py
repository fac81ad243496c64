"""Inference-time data reconstruction risk of classifiers: train, attack, measure, defend.

In Python, ``vicious.audit``, ``risk``, ``psnr``, ``ssim``, ``fit_covariance``, ``detectors`` and ``train_vicious`` take
arrays; docs/audit.md shows them.

Importing the package imports neither torch nor numpy, so that planning and ``--help`` are instant. What these functions
need is imported when one of them is first named.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vicious.api import Evidence as Evidence
    from vicious.api import audit as audit
    from vicious.api import detectors as detectors
    from vicious.api import fit_covariance as fit_covariance
    from vicious.api import open_model as open_model
    from vicious.api import psnr as psnr
    from vicious.api import risk as risk
    from vicious.api import ssim as ssim
    from vicious.api import train_vicious as train_vicious

__version__ = "0.2.0"


_NAMES = ("Evidence", "audit", "detectors", "fit_covariance", "open_model", "psnr", "risk", "ssim", "train_vicious")


def __getattr__(name: str) -> Any:
    """The names of :mod:`vicious.api`."""
    if name in _NAMES:
        import vicious.api as api

        return getattr(api, name)
    raise AttributeError(f"module 'vicious' has no attribute {name!r}")
