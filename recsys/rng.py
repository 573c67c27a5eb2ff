"""Random generators, each derived from a seed and a purpose, so that no result depends on call order."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Derive a 63-bit seed for one purpose: the same (seed, purpose) gives the same number on any machine.

    The parts are length-prefixed before hashing, so ("ab", "c") and ("a", "bc") differ.
    """
    message = b"".join(length_prefixed(str(part).encode()) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(message, digest_size=8).digest(), "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return a NumPy generator for one purpose, e.g. `generator(seed, "explore", user_id)`."""
    return np.random.default_rng(derive_seed(seed, *purpose))


def length_prefixed(part: bytes) -> bytes:
    """Prefix a part of a message to hash with its length in bytes, so that different parts give different messages."""
    return b"%d:%b" % (len(part), part)
