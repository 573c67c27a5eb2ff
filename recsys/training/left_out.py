"""Learn without bots: users that look like bots teach a model nothing, but keep their own lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from recsys.bundle.types import Bundle
from recsys.dataset.activity import user_shares
from recsys.dataset.bots import NAMED, TRUST, Suspect
from recsys.dataset.interactions import Interactions
from recsys.models.base import place_rows


def with_everybody(bundle: Bundle, kept: Interactions, everybody: Interactions) -> Bundle:
    """Return a bundle that was learned from `kept` with the histories of `everybody`, of whom these are a part.

    Items, blend and the factors of `kept` stay, so that nobody else's list changes. The neighbors' history, by which
    items are new, has empty rows for the others.
    """
    fitted = everybody.user_ids.find(kept.user_ids.values)
    neighbors = bundle.neighbors
    # Without any liked item, the neighbors were fitted on one empty row.
    if neighbors.shape[0] == len(fitted):
        neighbors = neighbors.with_users(place_rows(neighbors.history, fitted, len(everybody.user_ids)), fitted)
    return replace(
        bundle,
        user_ids=everybody.user_ids,
        factors=bundle.factors.with_users(everybody.matrix(), fitted),
        neighbors=neighbors,
        recent=everybody.matrix(half_life_days=bundle.settings.taste.half_life_days, now=kept.present),
        interacted=everybody.kinds_matrix(),
    )


def cap_users(matrix: csr_matrix, interactions: Interactions) -> csr_matrix:
    """Return the preferences (U, I) that items are learned from, in which no user has an extreme say.

    The weights of users with an extreme number of events (`recsys.dataset.activity`) are lowered in proportion.
    Without such users the same matrix is returned.

    Args:
        matrix: (U, I) preferences.
        interactions: Events of the same users.
    """
    shares = user_shares(np.bincount(interactions.users, minlength=matrix.shape[0]))
    return matrix if (shares == 1.0).all() else csr_matrix(diags_array(shares.astype(np.float32)) @ matrix)


def describe_learning(suspects: Sequence[Suspect], kept: Interactions) -> Iterator[str]:
    """Yield what a build's report says about users and times that count less than others."""
    for suspect in suspects[:NAMED]:
        yield f"nothing is learned from what looks like a bot: {suspect}"
    if len(suspects) > NAMED:
        yield f"nothing is learned from {len(suspects) - NAMED:,} further users that look like bots"
    if suspects:
        yield f"such users keep their own lists; {TRUST}"
    later = int(np.count_nonzero(kept.timestamps > kept.present))
    if later:
        day = datetime.fromtimestamp(kept.present, UTC).date()
        yield f"ages of events are counted from {day}; those after it ({later:,}, of one or two users) have age 0"
