"""Example users: their tastes are certain, and far from each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.ranking.recommender import Recommender
from recsys.schema import EVENT, ITEM_ID, TIMESTAMP, USER_ID, WEIGHT, EventKind, FloatArray, ItemId, UserId, UserRow

POOL = 300
"""Largest number of users considered, evenly spread over all."""
FEWEST_LIKED = 8


def clear_tastes(recommender: Recommender, count: int) -> list[UserId]:
    """Choose up to `count` users with clearly different tastes, the most certain first.

    Greedy: the next user has the largest product of certainty and distance to all chosen ones. If no user has a taste,
    the first users are returned. Depends only on the bundle.
    """
    users = recommender.bundle.user_ids
    rows = np.unique(np.linspace(0, len(users) - 1, min(POOL, len(users))).astype(np.int64))
    tastes: list[tuple[int, FloatArray]] = []
    for row in map(int, rows):
        profile = recommender.profile_of_row(UserRow(row))
        if len(profile.liked) >= FEWEST_LIKED and profile.taste:
            # First component (128,) times its share: its length is the certainty.
            tastes.append((row, np.asarray(profile.taste.directions[0] * profile.taste.shares[0])))
    if not tastes:
        return users.ids(rows[:count])
    directions = np.stack([taste for _, taste in tastes])
    certainty = np.linalg.norm(directions, axis=1)
    units = directions / np.maximum(certainty, 1e-6)[:, None]
    chosen = [int(np.argmax(certainty))]
    while len(chosen) < min(count, len(tastes)):
        # Distance of each taste to the nearest chosen one; chosen ones are excluded by -1.
        distance = 1.0 - (units @ units[chosen].T).max(axis=1)
        distance[chosen] = -1.0
        chosen.append(int(np.argmax(certainty * distance)))
    return users.ids([tastes[index][0] for index in chosen])


def liked_items(interactions: pd.DataFrame, user_id: UserId, count: int) -> list[tuple[ItemId, EventKind]]:
    """Return the last `count` items that a user liked, each with its strongest event; views only fill up.

    `interactions` has `recsys.schema.INTERACTION_COLUMNS`, sorted by time.
    """
    own = interactions[(interactions[USER_ID] == user_id) & (interactions[WEIGHT] > 0)]
    strongest = own.sort_values(WEIGHT, kind="stable").drop_duplicates(ITEM_ID, keep="last")
    acted = strongest[EVENT] != EventKind.VIEW.value
    latest = strongest.assign(acted=acted).sort_values(["acted", TIMESTAMP, ITEM_ID], ascending=False)[:count]
    return [(ItemId(item), EventKind(kind)) for item, kind in zip(latest[ITEM_ID], latest[EVENT], strict=True)]
