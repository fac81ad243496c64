"""Pictures within a page, as data addresses."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from vicious.system.errors import DataError


def embedded(picture: Image.Image) -> str:
    """A picture as the address of its own bytes: WebP without loss, a third of a figure's PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=True, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def figure(file: Path) -> tuple[str, int, int]:
    """A figure's PNG as an address, its width and its height in pixels.

    Raises:
        DataError: it is no picture.
    """
    try:
        with Image.open(file, formats=("PNG",)) as picture:
            picture.load()
            return embedded(picture.convert("RGB")), picture.width, picture.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} is no picture ({error}): delete it, then run `snakemake` again") from None


def strip(images: np.ndarray) -> str:
    """Images, uint8 of shape (m, 1 or 3, side, side), beside each other as an address."""
    across = np.concatenate(list(images), axis=2)
    rgb = np.broadcast_to(across, (3, *across.shape[1:]))
    return embedded(Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0))))
