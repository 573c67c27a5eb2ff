"""Random generators, each derived from a seed and a purpose, so that no result depends on call order."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose: the same (seed, purpose) gives the same number on every machine.

    The parts are length-prefixed before hashing, so ("ab", "c") and ("a", "bc") differ.
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in (str(seed), *map(str, purpose)):
        encoded = part.encode()
        digest.update(f"{len(encoded)}:".encode() + encoded)
    return int.from_bytes(digest.digest(), "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A NumPy generator of its own for one purpose, e.g. `generator(seed, "explore", user_id)`."""
    return np.random.default_rng(derive_seed(seed, *purpose))
