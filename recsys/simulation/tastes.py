"""Hidden tastes: how much a user likes each item, unknown to all parts of the pipeline.

The relevance of item i to person p is a product of three parts, each in [0, 1]:

    r_pi = style_pi * (LEAST_INTEREST + (1 - LEAST_INTEREST) category_pc) * (LEAST_PRICE + (1 - LEAST_PRICE) price_pi)

`style`: 1 for the person's hidden style, less for their second one, OFF_STYLE for the others. `category`: the person's
interest in the item's category, relative to their first. `price`: exp(-|log price - usual| / PRICE_SPREAD), where what
is usual for a person is what the category usually costs, times what the person spends more or less than others.
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

OFF_STYLE = 0.12
LEAST_INTEREST, LEAST_PRICE = 0.25, 0.5
PRICE_SPREAD = 0.5
SPEND = 0.4
"""Standard deviation of what people spend relative to others, as a logarithm."""
CATEGORY_PRIOR = 1.0
"""Events that everybody counts as having in each category."""
SECOND_SHARE, NEW_SHARE = 0.4, 0.2
"""Of drawn people: how many have a second style, and how many come for the first time."""
PAST_EVENTS = 6.0
ALIKE, ALIKE_WITHIN = 0.3, 0.08
"""A look is within a drawn taste from this cosine on, and how sharply: 0.1 is 8 %, 0.5 is 92 %."""

Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class Tastes:
    """T hidden tastes over the I items of a bundle.

    `accounts`: under which the pipeline knows whoever has this taste, None for nobody. `past`: items, with weights,
    that the pipeline is told with each request beside the account's history. `relevance` (T, I) in [0, 1]. `looks`
    (T, M, D): directions in style space, unit or zero, that the person likes.
    """

    accounts: tuple[UserId | None, ...]
    past: tuple[Mapping[ItemId, float], ...]
    relevance: FloatArray
    looks: FloatArray

    def __post_init__(self) -> None:
        if not len(self.accounts) == len(self.past) == len(self.relevance) == len(self.looks):
            raise DataError("accounts, past, relevance and looks are of different numbers of people")
        if not self.accounts:
            raise DataError("there is nobody to simulate; the data name no person that is known before and after")

    def __len__(self) -> int:
        return len(self.accounts)

    def known(self, taste: int) -> bool:
        """Return True if the pipeline has data of the user with this taste."""
        return self.accounts[taste] is not None or bool(self.past[taste])


def is_sample(bundle: Bundle) -> bool:
    """Return True if a bundle is of the packaged sample, whose hidden truth is known."""
    known = set(sample.load_truth()[ITEM_ID])
    return set(bundle.catalog.ids.values) <= known and len(bundle.user_ids) > 0


def sample_tastes(bundle: Bundle, seed: int) -> Tastes:
    """Return the users of the packaged sample: their hidden styles as its truth says.

    Their interest in categories is what their events tell, with a prior; what they spend is drawn. Raises DataError for
    a bundle of anything else.
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
    affinity[rows, first] = np.minimum(share / (1.0 - np.minimum(share, 0.999)), 1.0)
    second = np.asarray(pd.Index(names).get_indexer(truth["second_style"]))
    two = np.asarray(second >= 0, dtype=np.bool_)
    affinity[rows[two], second[two]] = np.maximum((1.0 - share[two]) / share[two], OFF_STYLE)
    codes = pd.Index(names).get_indexer(labels)
    means = np.stack([bundle.space.directions[codes == code].mean(axis=0) for code in range(len(names))])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    looks = np.stack([means[first], np.where(two[:, None], means[second], 0.0)], axis=1)
    users = np.array([bundle.user_ids.row(UserId(str(user))) for user in truth[USER_ID]], dtype=np.int64)
    return Tastes(
        accounts=tuple(UserId(str(user)) for user in truth[USER_ID]),
        past=tuple({} for _ in rows),
        relevance=_relevance(bundle, affinity[:, codes], _interest(bundle, users), seed),
        looks=looks.astype(np.float32),
    )


def drawn_tastes(bundle: Bundle, count: int, seed: int) -> Tastes:
    """Draw `count` users for any catalog: each likes the style of one item or of two, drawn at random.

    Who is not new has a short past of items drawn by relevance, and is known by these. Raises DataError for a catalog
    without style vectors, ConfigError for a count below 1.
    """
    if count < 1:
        raise ConfigError(f"count is {count}: draw 1 person or more")
    directions, random = bundle.space.directions, generator(seed, "simulation", "drawn tastes")
    pictured = np.flatnonzero(directions.any(axis=1) & bundle.catalog.present)
    if not len(pictured):
        raise DataError("no item has a style vector, so there is no look to like; build the project with pictures")
    chosen = random.choice(pictured, (count, 2))
    second = np.asarray(random.random(count) < SECOND_SHARE)
    looks = np.stack([directions[chosen[:, 0]], directions[chosen[:, 1]] * second[:, None]], axis=1)
    cosines = np.max(np.where(np.asarray(looks.any(axis=2))[:, :, None], looks @ directions.T, -1.0), axis=1)
    within = 1.0 / (1.0 + np.exp(-(cosines.astype(np.float64) - ALIKE) / ALIKE_WITHIN))
    style = OFF_STYLE + (1.0 - OFF_STYLE) * within
    categories = random.dirichlet(np.full(len(bundle.catalog.category_names), 0.4), count)
    relevance = _relevance(bundle, style, categories, seed)
    past = tuple(_past(bundle, relevance[person], random) for person in range(count))
    return Tastes((None,) * count, past, relevance, looks.astype(np.float32))


def _relevance(bundle: Bundle, style: Values, interest: Values, seed: int) -> FloatArray:
    """From the match of styles (T, I) and shares of categories (T, C)."""
    relative = interest / interest.max(axis=1, keepdims=True)
    category = LEAST_INTEREST + (1.0 - LEAST_INTEREST) * relative[:, bundle.catalog.category_codes]
    spend = generator(seed, "simulation", "spend").normal(0.0, SPEND, len(style))
    price = LEAST_PRICE + (1.0 - LEAST_PRICE) * _price_fit(bundle, spend)
    return np.asarray(style * category * price, dtype=np.float32)


def _price_fit(bundle: Bundle, spend: Values) -> Values:
    """exp(-|log price - usual| / PRICE_SPREAD), (T, I); 0.5 for items without a price."""
    prices, codes = bundle.catalog.prices.astype(np.float64), bundle.catalog.category_codes
    known = np.nan_to_num(prices) > 0
    logs = np.log(np.where(known, prices, 1.0))
    usual = pd.Series(np.where(known, logs, np.nan)).groupby(codes).median()
    off = np.nan_to_num(logs - usual.reindex(codes).to_numpy())
    return np.asarray(np.where(known, np.exp(-np.abs(off - spend[:, None]) / PRICE_SPREAD), 0.5))


def _interest(bundle: Bundle, users: IntArray) -> Values:
    """Shares of categories (T, C) in what these people have touched."""
    codes = bundle.catalog.category_codes
    categories = np.zeros((len(codes), len(bundle.catalog.category_names)))
    categories[np.arange(len(codes)), codes] = 1.0
    counts = np.asarray(bundle.interacted[users].astype(np.float64) @ categories) + CATEGORY_PRIOR
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _past(bundle: Bundle, relevance: FloatArray, random: np.random.Generator) -> Mapping[ItemId, float]:
    if random.random() < NEW_SHARE:
        return {}
    chances = relevance.astype(np.float64) * bundle.catalog.present
    count = min(1 + int(random.poisson(PAST_EVENTS - 1.0)), int(np.count_nonzero(chances)))
    rows = random.choice(len(relevance), count, replace=False, p=chances / chances.sum())
    click = bundle.settings.events.click
    return dict.fromkeys(bundle.catalog.ids.ids(np.sort(rows)), click)
