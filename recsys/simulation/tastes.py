"""Hidden tastes: relevance of each item to each user, unknown to all parts of the pipeline.

The relevance of item i to user p is a product of three parts, each in [0, 1]:

    r_pi = style_pi * (LEAST_INTEREST + (1 - LEAST_INTEREST) category_pc) * (LEAST_PRICE + (1 - LEAST_PRICE) price_pi)

- `style`: 1 for the user's hidden style, less for the second one, OFF_STYLE for the others.
- `category`: the user's interest in the item's category, relative to the favorite category.
- `price`: exp(-|log price - usual| / PRICE_SPREAD). `usual` is the median log price of the category plus the user's
  own level of spending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.bundle.types import Bundle
from recsys.dataset import sample
from recsys.errors import ConfigError, DataError
from recsys.rng import generator
from recsys.schema import ITEM_ID, USER_ID, FloatArray, IntArray, ItemId, UserId
from recsys.simulation.activity import Values
from recsys.simulation.preferences import SECOND_STYLE_SHARE, draw_category_shares

OFF_STYLE = 0.12
LEAST_INTEREST, LEAST_PRICE = 0.25, 0.5
PRICE_SPREAD = 0.5
SPEND = 0.4
"""Standard deviation of users' spending relative to others, as a logarithm."""
CATEGORY_PRIOR = 1.0
"""Events per category that are added to each user's own."""
NEW_SHARE = 0.2
"""Share of drawn users without a history."""
PAST_EVENTS = 6.0
"""Mean number of past events of the other drawn users."""
STYLE_COSINE, COSINE_WIDTH = 0.3, 0.08
"""Cosine at which an item is half within a drawn taste, and the width of the transition: 0.1 is 8 %, 0.5 is 92 %."""


@dataclass(frozen=True, slots=True, eq=False)
class Tastes:
    """Hidden tastes (T) over the I items of a bundle.

    Attributes:
        accounts: User of the bundle with each taste, or None for users that the pipeline does not know.
        past: Items with weights that each request adds to the account's history.
        relevance: Relevance (T, I) in [0, 1].
        directions: Style directions that the user likes (T, M, D), of unit length or zero.
    """

    accounts: tuple[UserId | None, ...]
    past: tuple[Mapping[ItemId, float], ...]
    relevance: FloatArray
    directions: FloatArray

    def __post_init__(self) -> None:
        if not len(self.accounts) == len(self.past) == len(self.relevance) == len(self.directions):
            raise DataError("accounts, past, relevance and directions have different lengths")
        if not self.accounts:
            raise DataError("there are no users to simulate: no user of the data is known before and after")

    def __len__(self) -> int:
        return len(self.accounts)

    def is_known(self, taste: int) -> bool:
        """Return True if the pipeline has data of the user with this taste."""
        return self.accounts[taste] is not None or bool(self.past[taste])


def is_sample(bundle: Bundle) -> bool:
    """Return True if a bundle is one of the packaged sample, whose hidden truth is known."""
    known = set(sample.load_truth()[ITEM_ID])
    return set(bundle.catalog.ids.values) <= known and len(bundle.user_ids) > 0


def load_sample_tastes(bundle: Bundle, seed: int) -> Tastes:
    """Return the tastes of the packaged sample's users, with their true hidden styles.

    Interest in categories is estimated from their events, with a prior. Levels of spending are drawn.

    Raises:
        DataError: The bundle is not one of the sample.
    """
    if not is_sample(bundle):
        raise DataError("this catalog is not the packaged sample, whose tastes are known; draw tastes instead")
    catalog = bundle.catalog
    labels = sample.load_truth().set_index(ITEM_ID)["surface_style"].loc[list(catalog.ids.values)]
    names = sorted(labels.unique())
    truth = sample.load_user_truth()
    truth = truth[truth[USER_ID].isin(set(bundle.user_ids.values))].reset_index(drop=True)
    affinity = np.full((len(truth), len(names)), OFF_STYLE)
    rows, first = np.arange(len(truth)), pd.Index(names).get_indexer(truth["style"])
    share = truth["style_share"].to_numpy(np.float64)
    # Affinity to a style is relative to the user's first one: 1 for the first, (1 - share) / share for the second.
    affinity[rows, first] = np.minimum(share / (1.0 - np.minimum(share, 0.999)), 1.0)
    second = np.asarray(pd.Index(names).get_indexer(truth["second_style"]))
    two = np.asarray(second >= 0, dtype=np.bool_)
    affinity[rows[two], second[two]] = np.maximum((1.0 - share[two]) / share[two], OFF_STYLE)
    codes = pd.Index(names).get_indexer(labels)
    means = np.stack([bundle.space.directions[codes == code].mean(axis=0) for code in range(len(names))])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    directions = np.stack([means[first], np.where(two[:, None], means[second], 0.0)], axis=1)
    users = np.array([bundle.user_ids.row(UserId(str(user))) for user in truth[USER_ID]], dtype=np.int64)
    return Tastes(
        accounts=tuple(UserId(str(user)) for user in truth[USER_ID]),
        past=tuple({} for _ in rows),
        relevance=_relevance(bundle, affinity[:, codes], _interest(bundle, users), seed),
        directions=directions.astype(np.float32),
    )


def draw_tastes(bundle: Bundle, count: int, seed: int) -> Tastes:
    """Draw `count` users for any catalog: each likes the style of one item or of two, drawn at random.

    Users who are not new have a short past of items, drawn by relevance.

    Raises:
        DataError: The catalog has no style vectors.
        ConfigError: `count` is below 1.
    """
    if count < 1:
        raise ConfigError(f"count is {count}: draw 1 user or more")
    space, random = bundle.space.directions, generator(seed, "simulation", "drawn tastes")
    with_style = np.flatnonzero(space.any(axis=1) & bundle.catalog.present)
    if not len(with_style):
        raise DataError("no item has a style vector, so users cannot like a style; build the project with images")
    chosen = random.choice(with_style, (count, 2))
    second = np.asarray(random.random(count) < SECOND_STYLE_SHARE)
    directions = np.stack([space[chosen[:, 0]], space[chosen[:, 1]] * second[:, None]], axis=1)
    # The best cosine of each item with the user's styles; a missing second style (zeros) never is the best.
    cosines = np.max(np.where(np.asarray(directions.any(axis=2))[:, :, None], directions @ space.T, -1.0), axis=1)
    within = 1.0 / (1.0 + np.exp(-(cosines.astype(np.float64) - STYLE_COSINE) / COSINE_WIDTH))
    style = OFF_STYLE + (1.0 - OFF_STYLE) * within
    categories = draw_category_shares(random, len(bundle.catalog.category_names), count)
    relevance = _relevance(bundle, style, categories, seed)
    past = tuple(_draw_past(bundle, relevance[user], random) for user in range(count))
    return Tastes((None,) * count, past, relevance, directions.astype(np.float32))


def _relevance(bundle: Bundle, style: Values, interest: Values, seed: int) -> FloatArray:
    """Compute relevance (T, I) from the match of styles (T, I) and the shares of categories (T, C)."""
    relative = interest / interest.max(axis=1, keepdims=True)
    category = LEAST_INTEREST + (1.0 - LEAST_INTEREST) * relative[:, bundle.catalog.category_codes]
    spend = generator(seed, "simulation", "spend").normal(0.0, SPEND, len(style))
    price = LEAST_PRICE + (1.0 - LEAST_PRICE) * _price_fit(bundle, spend)
    return np.asarray(style * category * price, dtype=np.float32)


def _price_fit(bundle: Bundle, spend: Values) -> Values:
    """Return exp(-|log price - usual| / PRICE_SPREAD), (T, I); 0.5 for items without a price."""
    prices, codes = bundle.catalog.prices.astype(np.float64), bundle.catalog.category_codes
    known = np.nan_to_num(prices) > 0
    logs = np.log(np.where(known, prices, 1.0))
    usual = pd.Series(np.where(known, logs, np.nan)).groupby(codes).median()
    off = np.nan_to_num(logs - usual.reindex(codes).to_numpy())
    return np.asarray(np.where(known, np.exp(-np.abs(off - spend[:, None]) / PRICE_SPREAD), 0.5))


def _interest(bundle: Bundle, users: IntArray) -> Values:
    """Return the shares of categories (T, C) in these users' interactions."""
    codes = bundle.catalog.category_codes
    categories = np.zeros((len(codes), len(bundle.catalog.category_names)))
    categories[np.arange(len(codes)), codes] = 1.0
    counts = np.asarray(bundle.interacted[users].astype(np.bool_).astype(np.float64) @ categories) + CATEGORY_PRIOR
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _draw_past(bundle: Bundle, relevance: FloatArray, random: np.random.Generator) -> Mapping[ItemId, float]:
    if random.random() < NEW_SHARE:
        return {}
    weights = relevance.astype(np.float64) * bundle.catalog.present
    count = min(1 + int(random.poisson(PAST_EVENTS - 1.0)), int(np.count_nonzero(weights)))
    rows = random.choice(len(relevance), count, replace=False, p=weights / weights.sum())
    click = bundle.settings.events.click
    return dict.fromkeys(bundle.catalog.ids.ids(np.sort(rows)), click)
