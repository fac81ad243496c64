"""What measures check of what they are given, once, at their door. Tensors and arrays alike, without PyTorch."""

from typing import Any

import numpy as np

from vicious.system.errors import MetricError

DATA_RANGE = 1.0


def check_images(*batches: Any, axes: str = "NCHW") -> None:
    """Raise a MetricError for tensors or arrays that no measure of images is defined for.

    That is: shapes that differ or have other axes, no images, numbers that are not floating point, and values that are
    not finite or outside [0, 1].
    """
    for batch in batches:
        if not hasattr(batch, "shape"):
            raise MetricError(f"images must be tensors or arrays, got {type(batch).__name__}")
        if len(batch.shape) != len(axes) or batch.shape != batches[0].shape:
            shapes = " and ".join(str(tuple(getattr(b, "shape", ()))) for b in batches)
            raise MetricError(f"images must share one shape ({', '.join(axes)}), got {shapes}")
        if not all(batch.shape):
            raise MetricError("no images were given")
        check_values(batch, "pixels", 0.0, DATA_RANGE)


def check_values(values: Any, what: str, low: float = -np.inf, high: float = np.inf) -> None:
    """Raise a MetricError unless a tensor or array holds finite floating point numbers from ``low`` to ``high``."""
    if "float" not in str(values.dtype):
        raise MetricError(f"{what} must be floating point numbers, got {values.dtype}: convert them first")
    if not all(values.shape):
        raise MetricError(f"no {what} were given")
    values = getattr(values, "detach", lambda: values)()
    least, most = float(values.min()), float(values.max())
    if not (low <= least and most <= high and np.isfinite((least, most)).all()):
        wanted = f"lie in [{low:g}, {high:g}]" if np.isfinite(high) else "be finite"
        wanted += f" and at least {low:g}" if np.isfinite(low) and not np.isfinite(high) else ""
        raise MetricError(f"{what} must {wanted}, found minimum {least:.6g} and maximum {most:.6g}")


def check_axes(values: Any, what: str, **axes: int | None) -> None:
    """Raise a MetricError unless an array or tensor has these axes, named in order with their lengths, None for any."""
    shape = tuple(getattr(values, "shape", ()))
    if len(shape) != len(axes) or any(n not in (None, found) for n, found in zip(axes.values(), shape, strict=True)):
        wanted = ", ".join(f"{name} = {n}" if n is not None else name for name, n in axes.items())
        raise MetricError(f"{what} must have the shape ({wanted}), got {shape}")


def check_labels(labels: Any, n: int | None, outputs: int) -> None:
    """Raise a MetricError unless labels are classes (n,) in [0, outputs), or attributes (n, outputs) in {0, 1}."""
    several = len(getattr(labels, "shape", ())) > 1
    check_axes(labels, "labels", **({"n": n, "K": outputs} if several else {"n": n}))
    if "float" in str(labels.dtype) or "complex" in str(labels.dtype):
        raise MetricError(f"labels must be whole numbers, got {labels.dtype}")
    if not all(labels.shape):
        raise MetricError("no labels were given")
    least, most, end = int(labels.min()), int(labels.max()), 2 if several else outputs
    if not 0 <= least <= most < end:
        raise MetricError(f"labels must lie in [0, {end - 1}], found minimum {least} and maximum {most}")
