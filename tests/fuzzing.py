"""Damaged variants of sound files: the same ones in every run; ``make fuzz`` tries many more."""

import os
import random
from collections.abc import Iterator

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
"""How many times the usual number of mutants are tried."""
STRIKING = (0, 1, 2, 0x7F, 0x80, 0xFF)


def mutants(sound: bytes, number: int, seed: int = 0) -> Iterator[bytes]:
    """Yield ``number`` times :data:`TIMES` variants: bits, bytes and numbers changed, pieces cut, doubled or moved."""
    for which in range(number * TIMES):
        chance = random.Random(f"{seed} {which}")
        data = bytearray(sound)
        for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
            _mutate(data, chance)
        yield bytes(data)


def _mutate(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(max(len(data), 1))
    size = min(chance.choice((1, 2, 4, 8, 64, 1024)), len(data) - at)
    match chance.randrange(7):
        case 0 if data:
            data[at] ^= 1 << chance.randrange(8)
        case 1 if data:
            data[at] = chance.choice(STRIKING)
        case 2:
            data[at : at + size] = chance.randbytes(size)
        case 3:
            data[at : at + size] = bytes([chance.choice(STRIKING)]) * size
        case 4:
            del data[at : at + size]
        case 5:
            data[at:at] = data[at : at + size] * chance.choice((1, 2, 50))
        case _:
            other = chance.randrange(max(len(data), 1))
            data[other:other] = data[at : at + size]
