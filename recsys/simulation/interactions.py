"""Simulated interactions of shoppers for a catalog that has none, with known hidden tastes.

The behavior model, per user:

1. **Taste.** One hidden style, or two with shares (`second_share` of the users). Category preferences are a
   sparse Dirichlet draw, so most people shop in a few categories.
2. **Activity.** The number of looks is Pareto distributed: many people look a few times, a few look often.
3. **Sessions.** Looks fall into sessions of a few minutes, in the evening more than at night, on any of `days` days.
   A session has a leading category.
4. **Browse.** Each look follows taste with probability `fidelity`: an item of the hidden style; otherwise it
   follows the crowd: an item of any style. Both are drawn by popularity, which follows Zipf's law over a random
   order of the catalog.
5. **Funnel.** A look is a view; it leads on to a click, a cart and a purchase. Each step is likelier for an item of
   the user's style, and a click is less likely the later in its session the item came (position noise). Items that
   are not available are neither put in a cart nor bought.

It is a model for demonstrations and tests, where the hidden truth is wanted. It holds no drift of taste, no
seasons, no stock-outs and no effect of recommendations, so it does not predict results of a real shop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.clock import SECONDS_PER_DAY
from recsys.config import EventSettings
from recsys.errors import ConfigError, DataError
from recsys.rng import generator
from recsys.schema import (
    AVAILABLE,
    CATEGORY,
    EVENT,
    INTERACTION_COLUMNS,
    ITEM_ID,
    TIMESTAMP,
    USER_ID,
    WEIGHT,
    BoolArray,
    EventKind,
    IntArray,
)

STYLE = "style"
SECOND_STYLE = "second_style"
STYLE_SHARE = "style_share"
COUNTRY = "country"

COUNTRIES = {"DE": 0.22, "FR": 0.18, "GB": 0.18, "NL": 0.12, "ES": 0.12, "IT": 0.10, "SE": 0.08}

_FUNNEL_IN_TASTE = (0.50, 0.30, 0.45)
_FUNNEL_OFF_TASTE = (0.26, 0.12, 0.30)
_PAUSE = {EventKind.CLICK: 6, EventKind.CART: 45, EventKind.PURCHASE: 240}
_SESSION_LOOKS = 5.0
_LEADING_CATEGORY = 0.6


@dataclass(frozen=True, slots=True)
class Simulation:
    """Result of a simulation.

    `interactions` has `recsys.schema.INTERACTION_COLUMNS`, sorted by (timestamp, user_id, item_id, event).
    `users` has `user_id` and `country`. `truth` has `user_id`, `style`, `second_style` ("" for none) and
    `style_share`, the first style's part of the taste in (0, 1].
    """

    interactions: pd.DataFrame
    users: pd.DataFrame
    truth: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Taste:
    """Hidden taste of one user. `categories` `(C,)`: cumulative shares of the shop's categories."""

    style: str
    second_style: str
    share: float
    categories: np.ndarray[tuple[int], np.dtype[np.float64]]

    def pick_style(self, rng: np.random.Generator) -> str:
        return self.style if rng.random() < self.share else self.second_style

    def holds(self, style: str) -> bool:
        return style in (self.style, self.second_style)


class _Shop:
    """Catalog with pools of items that are drawn by popularity."""

    def __init__(self, items: pd.DataFrame, labels: pd.Series, seed: int, exponent: float) -> None:
        self.item_ids = items[ITEM_ID].astype(str).tolist()
        self.styles = [str(labels.at[item]) for item in self.item_ids]
        self.categories = items[CATEGORY].astype(str).tolist()
        self.available = items[AVAILABLE].astype(bool).tolist()
        self.all_styles = sorted(set(self.styles))
        self.all_categories = sorted(set(self.categories))
        ranks = generator(seed, "popularity").permutation(len(items)) + 1
        self._popularity = ranks.astype(np.float64) ** -exponent
        self._pools: dict[tuple[str | None, str | None], tuple[IntArray, np.ndarray]] = {}

    def draw(self, rng: np.random.Generator, style: str | None, category: str) -> int:
        """Draw the row of an item of this style (None: any) and category, or of the style if there is none."""
        rows, cumulative = self._pool(style, category)
        if not rows.size:
            rows, cumulative = self._pool(style, None)
        place = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
        return int(rows[min(place, rows.size - 1)])

    def _pool(self, style: str | None, category: str | None) -> tuple[IntArray, np.ndarray]:
        key = (style, category)
        if key not in self._pools:
            rows = np.flatnonzero(self._matches(self.styles, style) & self._matches(self.categories, category))
            self._pools[key] = rows.astype(np.int64), np.cumsum(self._popularity[rows])
        return self._pools[key]

    @staticmethod
    def _matches(values: list[str], wanted: str | None) -> BoolArray:
        return np.array([wanted is None or value == wanted for value in values], dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class _Event:
    row: int
    kind: EventKind
    timestamp: int


class _Shopper:
    """One user: draws a taste, then walks through sessions."""

    def __init__(self, user_id: str, shop: _Shop, seed: int, fidelity: float) -> None:
        self.user_id = user_id
        self.shop = shop
        self.fidelity = fidelity
        self.rng = generator(seed, "shopper", user_id)
        self.bought: set[int] = set()

    def draw_taste(self, prior: np.ndarray, second_share: float) -> Taste:
        rng, styles = self.rng, self.shop.all_styles
        count = 2 if len(styles) > 1 and rng.random() < second_share else 1
        chosen = rng.choice(len(styles), size=count, replace=False, p=prior)
        categories = rng.dirichlet(np.full(len(self.shop.all_categories), 0.4)).cumsum()
        if count == 1:
            return Taste(styles[chosen[0]], "", 1.0, categories)
        share = round(float(rng.uniform(0.55, 0.75)), 3)
        return Taste(styles[chosen[0]], styles[chosen[1]], share, categories)

    def looks(self, mean: float) -> int:
        """Pareto with shape 1.5 from 4 looks on, cut at six times the mean."""
        drawn = 4 + self.rng.pareto(1.5) * (mean - 4) / 2
        return round(float(min(drawn, 6 * mean)))

    def events(self, taste: Taste, looks: int, days: int, end: int) -> Iterator[_Event]:
        left = looks
        while left > 0:
            length = min(left, 1 + int(self.rng.poisson(_SESSION_LOOKS - 1)))
            left -= length
            yield from self._session(taste, length, self._session_start(days, end), end)

    def _session_start(self, days: int, end: int) -> int:
        day = int(self.rng.integers(days))
        hour = float(self.rng.normal(19.5, 4.0)) % 24
        return end - (day + 1) * SECONDS_PER_DAY + int(hour * 3600)

    def _session(self, taste: Taste, length: int, start: int, end: int) -> Iterator[_Event]:
        leading = self._category(taste)
        clock, seen = start, set[int]()
        for position in range(length):
            category = leading if self.rng.random() < _LEADING_CATEGORY else self._category(taste)
            style = taste.pick_style(self.rng) if self.rng.random() < self.fidelity else None
            row = self.shop.draw(self.rng, style, category)
            clock += int(self.rng.integers(15, 120))
            # Coming back to a page within a session is not a new look.
            if row in seen:
                continue
            seen.add(row)
            for event in self._funnel(taste, row, position, clock):
                # A session that the end of the log cuts short leaves only what came before it.
                if event.timestamp < end:
                    yield event

    def _category(self, taste: Taste) -> str:
        place = int(np.searchsorted(taste.categories, self.rng.random(), side="right"))
        # The last cumulative share may fall short of 1 by rounding.
        return self.shop.all_categories[min(place, len(taste.categories) - 1)]

    def _funnel(self, taste: Taste, row: int, position: int, at: int) -> Iterator[_Event]:
        yield _Event(row, EventKind.VIEW, at)
        click, cart, purchase = _FUNNEL_IN_TASTE if taste.holds(self.shop.styles[row]) else _FUNNEL_OFF_TASTE
        steps = (
            (EventKind.CLICK, click / (1 + 0.08 * position)),
            (EventKind.CART, cart if self.shop.available[row] and row not in self.bought else 0.0),
            (EventKind.PURCHASE, purchase),
        )
        for kind, chance in steps:
            if self.rng.random() >= chance:
                return
            at += _PAUSE[kind]
            yield _Event(row, kind, at)
        self.bought.add(row)


def simulate_interactions(
    items: pd.DataFrame,
    labels: pd.Series,
    *,
    users: int,
    days: int = 90,
    end: int,
    seed: int,
    fidelity: float = 0.7,
    second_share: float = 0.4,
    mean_looks: float = 26.0,
    popularity_exponent: float = 0.8,
) -> Simulation:
    """Draw `users` shoppers over the `days` days before `end` (seconds since 1970 UTC).

    `items` needs the columns `item_id`, `category` and `available` of `recsys.schema`; `labels`, indexed by
    `item_id`, gives each item's hidden style as a string. `fidelity` is the probability that a look follows
    taste, `second_share` the share of users with two styles, `mean_looks` about the mean number of looks per user
    (each leaves about 1.2 events), `popularity_exponent` Zipf's.

    The module's docstring states the behavior model. The result depends on the seed and on what the catalog
    holds, not on its row order. Raises ConfigError for a number out of range and DataError for an empty
    catalog, repeated ids or items without a label.
    """
    _check_numbers(users, days, fidelity, second_share, mean_looks, popularity_exponent)
    catalog = _checked(items, labels)
    shop = _Shop(catalog, labels, seed, popularity_exponent)
    prior = generator(seed, "styles").dirichlet(np.full(len(shop.all_styles), 20.0))
    width = len(str(users))
    events: list[tuple[str, str, str, int]] = []
    truth: list[tuple[str, str, str, float]] = []
    for number in range(1, users + 1):
        shopper = _Shopper(f"u{number:0{width}d}", shop, seed, fidelity)
        taste = shopper.draw_taste(prior, second_share)
        truth.append((shopper.user_id, taste.style, taste.second_style, taste.share))
        drawn = shopper.events(taste, shopper.looks(mean_looks), days, end)
        events += [(shopper.user_id, shop.item_ids[e.row], e.kind.value, e.timestamp) for e in drawn]
    truth_frame = pd.DataFrame(truth, columns=[USER_ID, STYLE, SECOND_STYLE, STYLE_SHARE])
    return Simulation(_log(events), _people(truth_frame[USER_ID].tolist(), seed), truth_frame)


def _check_numbers(
    users: int, days: int, fidelity: float, second_share: float, mean_looks: float, exponent: float
) -> None:
    for name, value in (("users", users), ("days", days)):
        if value < 1:
            raise ConfigError(f"{name}={value}: must be at least 1")
    for name, share in (("fidelity", fidelity), ("second_share", second_share)):
        if not 0 <= share <= 1:
            raise ConfigError(f"{name}={share}: must be between 0 and 1")
    if not 4 <= mean_looks < np.inf:
        raise ConfigError(f"mean_looks={mean_looks}: must be at least 4")
    if not 0 <= exponent < np.inf:
        raise ConfigError(f"popularity_exponent={exponent}: must be 0 (all alike) or more")


def _checked(items: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    if items.empty:
        raise DataError("the catalog is empty: there is nothing to interact with")
    ids = items[ITEM_ID].astype(str)
    if ids.duplicated().any():
        raise DataError(f"item_id {ids[ids.duplicated()].iloc[0]!r} occurs twice; ids must be unique")
    if not labels.index.is_unique:
        raise DataError("labels: an item has two labels; the index must be unique")
    missing = ids[~ids.isin(labels.dropna().index)]
    if not missing.empty:
        raise DataError(f"item {missing.iloc[0]!r} has no style label (and {len(missing) - 1} more)")
    return items.assign(**{ITEM_ID: ids}).sort_values(ITEM_ID, ignore_index=True)


def _log(events: list[tuple[str, str, str, int]]) -> pd.DataFrame:
    frame = pd.DataFrame(events, columns=[USER_ID, ITEM_ID, EVENT, TIMESTAMP])
    settings = EventSettings()
    weights = {kind.value: settings.weight(kind) for kind in EventKind}
    frame[WEIGHT] = frame[EVENT].map(weights).astype(np.float32)
    frame[TIMESTAMP] = frame[TIMESTAMP].astype(np.int64)
    order = [TIMESTAMP, USER_ID, ITEM_ID, EVENT]
    return frame[list(INTERACTION_COLUMNS)].sort_values(order, ignore_index=True)


def _people(user_ids: list[str], seed: int) -> pd.DataFrame:
    names, shares = list(COUNTRIES), list(COUNTRIES.values())
    drawn = [names[int(generator(seed, "country", user).choice(len(names), p=shares))] for user in user_ids]
    return pd.DataFrame({USER_ID: user_ids, COUNTRY: drawn})
