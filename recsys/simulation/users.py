"""Simulated users: a hidden taste, a visit rate, and a strength of restyling that they like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.errors import ConfigError
from recsys.rng import generator
from recsys.schema import FloatArray, IntArray
from recsys.simulation.activity import Values, count_earlier, draw_visit_rates
from recsys.simulation.tastes import Tastes


@dataclass(frozen=True, slots=True, eq=False)
class Users:
    """Simulated users (P).

    Attributes:
        ids: Units that are assigned to arms.
        taste: Row of the hidden taste of each user (P,).
        rate: Visits per day (P,).
        liked_strength: Strength of restyling that each user likes (P,), in [0, 1].
    """

    ids: tuple[str, ...]
    taste: IntArray
    rate: Values
    liked_strength: Values

    def __len__(self) -> int:
        return len(self.ids)


def draw_users(tastes: Tastes, users: int | None, seed: int) -> Users:
    """Draw users: each taste once, or `users` of them with tastes drawn with replacement.

    Liked strengths are Beta(3, 4) distributed, with mean 0.43.

    Raises:
        ConfigError: `users` is below 2.
    """
    if users is not None and users < 2:
        raise ConfigError(f"users is {users}: two arms need at least 2 users")
    random = generator(seed, "simulation", "people")
    count = len(tastes) if users is None else users
    taste = np.arange(count) if users is None else random.integers(len(tastes), size=count)
    width = len(str(len(tastes)))
    # A second user of the same taste is another unit: its id gets a number.
    ids = tuple(
        f"{tastes.accounts[own] or f'p{own + 1:0{width}d}'}" + (f"~{repeat + 1}" if repeat else "")
        for own, repeat in zip(taste.tolist(), count_earlier(taste).tolist(), strict=True)
    )
    rate = draw_visit_rates(random, count)
    return Users(ids, taste.astype(np.int64), rate, random.beta(3.0, 4.0, count))


def strength_closeness(strength: FloatArray | Values | float, liked: Values) -> Values:
    """Return how close strengths are to liked ones, in (0, 1]: exp(-((strength - liked) / 0.25)^2 / 2)."""
    return np.asarray(np.exp(-(((strength - liked) / 0.25) ** 2) / 2.0))
