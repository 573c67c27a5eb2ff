"""Replay: people of a real data set, whose later interactions are what is relevant to them.

The pipeline is trained on what came before one moment; who comes back afterwards visits the simulated shop, and finds
relevant what they really touched later. No hidden taste is made up, only how a list is looked through: position bias
and chance are those of the click model. It fails where a list is better than what people happened to find by
themselves: what they would have liked, but never met, counts as irrelevant, as in every offline evaluation.
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
"""Relevance of what a person did not touch later: curiosity, and slips."""
MOST = 5_000
"""People at most; of more, so many are drawn."""
FADES = 0.5
"""Relevance of a liked item is its weight over the person's largest one, to this power."""


def replay_ground(project: Project, share: float = 0.2) -> tuple[Recommender, Tastes]:
    """Build a recommender that knows all but the last `share` of events, and the people who came back, as
    `later_tastes`.

    Trains anew, on the earlier events alone: what the project serves has seen the answers. Raises ConfigError for a
    share outside (0, 1), DataError where nothing can be held out.
    """
    if not 0.0 < share < 1.0:
        raise ConfigError(f"share is {share}: hold out a part between 0 and 1")
    ingredients = prepare(project)
    split = split_by_time(load_interactions(project, ingredients.catalog), share)
    bundle = train(ingredients, split.train)
    return Recommender(bundle), later_tastes(bundle, split.train, split.test)


def later_tastes(bundle: Bundle, before: Interactions, after: Interactions) -> Tastes:
    """Return the tastes of users of a bundle, trained on `before`, who touch something new with a positive sign in
    `after`.

    What they have touched before is not relevant any more, as it is not recommended either. Raises DataError where
    nobody comes back.
    """
    later = after.matrix().maximum(0)
    later = csr_matrix(later - later.multiply(before.interaction_mask()))
    later.eliminate_zeros()
    back = np.flatnonzero((np.diff(later.indptr) > 0) & (np.diff(before.interaction_mask().indptr) > 0))
    if not len(back):
        raise DataError("nobody who is known before comes back to something new afterwards; hold out a larger share")
    if len(back) > MOST:
        back = np.sort(generator(bundle.settings.seed, "simulation", "replay").choice(back, MOST, replace=False))
    weights = later[back].toarray().astype(np.float64)
    relevance = np.maximum((weights / weights.max(axis=1, keepdims=True)) ** FADES, IRRELEVANT)
    looks = weights @ bundle.space.directions
    looks /= np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-9)
    return Tastes(
        accounts=tuple(before.user_ids.ids(back)),
        past=tuple({} for _ in back),
        relevance=relevance.astype(np.float32),
        looks=looks[:, None, :].astype(np.float32),
    )
