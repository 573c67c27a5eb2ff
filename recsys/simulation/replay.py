"""Replay: users of a real data set, for whom the items of their later events are relevant.

The pipeline is trained on the events before one moment. Users who came back later visit the simulated shop. Relevant
items are those of their real later events, so no hidden taste is drawn. Only the way that users examine lists is
simulated. Limitation, as in each offline evaluation: items that a user would have liked but never met are irrelevant,
so better lists than those that users saw are underrated.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from recsys.bundle.types import Bundle
from recsys.dataset.interactions import Interactions
from recsys.dataset.project import Project
from recsys.dataset.splits import split_by_time
from recsys.errors import ConfigError, DataError
from recsys.ranking.recommender import Recommender
from recsys.rng import generator
from recsys.simulation.tastes import Tastes
from recsys.training.build import load_interactions, prepare, train

IRRELEVANT = 0.03
"""Relevance of items without later events: clicks out of curiosity and by mistake."""
MAX_USERS = 5_000
"""Largest number of users; more are sampled down to it."""
RELEVANCE_EXPONENT = 0.5
"""Relevance of an item is its weight over the user's largest one, to this power."""


def build_replay(project: Project, share: float = 0.2) -> tuple[Recommender, Tastes]:
    """Train a recommender without the last `share` of events, and return it with the tastes of users who came back.

    The project's own bundle has seen the held-out events, so it cannot be used.

    Raises:
        ConfigError: `share` is outside (0, 1).
        DataError: No user came back.
    """
    if not 0.0 < share < 1.0:
        raise ConfigError(f"share is {share}: hold out a part between 0 and 1")
    ingredients = prepare(project)
    split = split_by_time(load_interactions(project, ingredients.catalog), share)
    bundle = train(ingredients, split.train)
    return Recommender(bundle), tastes_from_events(bundle, split.train, split.test)


def tastes_from_events(bundle: Bundle, before: Interactions, after: Interactions) -> Tastes:
    """Return the tastes of users with positive interactions in `after` with items that are new to them.

    Items of earlier interactions are not relevant, as they are not recommended either.

    Args:
        bundle: Bundle that was trained on `before`.
        before: Earlier interactions.
        after: Later interactions.

    Raises:
        DataError: No user came back.
    """
    later = after.matrix().maximum(0)
    later = csr_matrix(later - later.multiply(before.interaction_mask()))
    later.eliminate_zeros()
    # Row lengths of the sparse matrices: users with later items who have a history as well.
    back = np.flatnonzero((np.diff(later.indptr) > 0) & (np.diff(before.interaction_mask().indptr) > 0))
    if not len(back):
        raise DataError("no known user comes back to a new item afterwards; hold out a larger share")
    if len(back) > MAX_USERS:
        back = np.sort(generator(bundle.settings.seed, "simulation", "replay").choice(back, MAX_USERS, replace=False))
    weights = later[back].toarray().astype(np.float64)
    relative = weights / weights.max(axis=1, keepdims=True)
    relevance = np.maximum(relative**RELEVANCE_EXPONENT, IRRELEVANT)
    directions = weights @ bundle.space.directions
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-9)
    return Tastes(
        accounts=tuple(before.user_ids.ids(back)),
        past=tuple({} for _ in back),
        relevance=relevance.astype(np.float32),
        directions=directions[:, None, :].astype(np.float32),
    )
