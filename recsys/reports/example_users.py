"""Who is shown: people whose tastes are sure, and far from each other's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.ranking.recommender import Recommender
from recsys.schema import EVENT, ITEM_ID, TIMESTAMP, USER_ID, WEIGHT, EventKind, FloatArray, ItemId, UserId, UserRow

POOL = 300
"""At most this many people are looked at, evenly spread over all."""
FEWEST_LIKED = 8


def clear_tastes(recommender: Recommender, count: int) -> list[UserId]:
    """Up to `count` people with clearly different tastes, the surest first; the first people where none has a taste.

    Greedy: the next one has the largest product of sureness and distance to all before. Depends on the bundle alone.
    """
    users = recommender.bundle.user_ids
    rows = np.unique(np.linspace(0, len(users) - 1, min(POOL, len(users))).astype(np.int64))
    found = [(row, taste) for row in rows if (taste := _main_taste(recommender, UserRow(int(row)))) is not None]
    if not found:
        return users.ids(rows[:count])
    directions = np.stack([taste for _, taste in found])
    sureness = np.linalg.norm(directions, axis=1)
    units = directions / np.maximum(sureness, 1e-6)[:, None]
    chosen = [int(np.argmax(sureness))]
    while len(chosen) < min(count, len(found)):
        distance = 1.0 - (units @ units[chosen].T).max(axis=1)
        distance[chosen] = -1.0
        chosen.append(int(np.argmax(sureness * distance)))
    return users.ids([int(found[index][0]) for index in chosen])


def _main_taste(recommender: Recommender, user: UserRow) -> FloatArray | None:
    """The first mode, (128,), as long as it is sure and dominant; None for people of whom little is known."""
    profile = recommender.profile_of_row(user)
    if len(profile.liked) < FEWEST_LIKED or not profile.taste:
        return None
    return np.asarray(profile.taste.directions[0] * profile.taste.shares[0])


def liked_items(interactions: pd.DataFrame, user_id: UserId, count: int) -> list[tuple[ItemId, EventKind]]:
    """The last `count` items that a person liked, each with its strongest event; mere views only fill up.

    `interactions` has `recsys.schema.INTERACTION_COLUMNS`, sorted by time.
    """
    own = interactions[(interactions[USER_ID] == user_id) & (interactions[WEIGHT] > 0)]
    strongest = own.sort_values(WEIGHT, kind="stable").drop_duplicates(ITEM_ID, keep="last")
    acted = strongest[EVENT] != EventKind.VIEW.value
    latest = strongest.assign(acted=acted).sort_values(["acted", TIMESTAMP, ITEM_ID], ascending=False)[:count]
    return [(ItemId(item), EventKind(kind)) for item, kind in zip(latest[ITEM_ID], latest[EVENT], strict=True)]
