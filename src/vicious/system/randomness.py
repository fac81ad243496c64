"""Seeds: every random choice has its own generator, derived from one seed and the purpose, so no state is global.

A resumed job needs no generator state: each epoch's generators follow from the seed and the epoch's number.
"""

import hashlib


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose, independent of all others."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
