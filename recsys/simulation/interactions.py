"""Simulated interactions with a catalog that has none, by users with known hidden tastes.

The behavior model, per user:

1. **Taste.** One hidden style, or two with shares (`second_share` of the users). Category shares are a sparse
   Dirichlet draw, so most users buy from a few categories.
2. **Activity.** The number of views is Pareto distributed: many users have a few views, a few users have many.
3. **Sessions.** Views are grouped into sessions of a few minutes, in the evening more than at night, on any of `days`
   days. A session has a main category.
4. **Browsing.** With probability `fidelity`, a view is of an item of a hidden style, otherwise of any style. Items are
   drawn by popularity, which follows Zipf's law over a random order of the catalog.
5. **Funnel.** A view may lead to a click, then to the cart and a purchase. Each step is likelier for an item of the
   user's style. A click is less likely late in a session. Items that are not available are neither put into a cart
   nor bought.

The model is for demonstrations and tests that need a hidden truth. It has no drift of taste, no seasons, no changes of
stock and no effect of recommendations, so it does not predict results of a real shop.
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
from recsys.simulation.activity import Values, draw_heavy_tail, draw_seconds_of_day
from recsys.simulation.clicks import session_examination
from recsys.simulation.preferences import (
    POPULARITY_EXPONENT,
    SECOND_STYLE_SHARE,
    draw_category_shares,
    draw_popularity,
)

STYLE = "style"
SECOND_STYLE = "second_style"
STYLE_SHARE = "style_share"
COUNTRY = "country"

COUNTRIES = {"DE": 0.22, "FR": 0.18, "GB": 0.18, "NL": 0.12, "ES": 0.12, "IT": 0.10, "SE": 0.08}

_FUNNEL_IN_TASTE = (0.50, 0.30, 0.45)
"""Probabilities of a click, the cart and a purchase for items of the user's style, each after the step before."""
_FUNNEL_OFF_TASTE = (0.26, 0.12, 0.30)
_PAUSE = {EventKind.CLICK: 6, EventKind.CART: 45, EventKind.PURCHASE: 240}
"""Seconds from one step of the funnel to the next."""
_SESSION_VIEWS = 5.0
_MAIN_CATEGORY = 0.6
"""Share of a session's views in its main category."""
_LEAST_VIEWS = 4


@dataclass(frozen=True, slots=True)
class Simulation:
    """Result of a simulation.

    `interactions` has `recsys.schema.INTERACTION_COLUMNS`, sorted by (timestamp, user_id, item_id, event).
    `users` has `user_id` and `country`. `truth` has `user_id`, `style`, `second_style` ("" for none) and
    `style_share`, the share of the first style in the taste, in (0, 1].
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
    categories: Values

    def draw_style(self, rng: np.random.Generator) -> str:
        """Draw one of the two styles, the first with probability `share`."""
        return self.style if rng.random() < self.share else self.second_style

    def contains(self, style: str) -> bool:
        """Return if a style is one of the two."""
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
        self._popularity = draw_popularity(generator(seed, "popularity"), len(items), exponent)
        self._pools: dict[tuple[str | None, str | None], tuple[IntArray, np.ndarray]] = {}

    def draw(self, rng: np.random.Generator, style: str | None, category: str) -> int:
        """Draw the row of an item of this style (None: any) and category, or of the style if there is none."""
        rows, cumulative = self._pool(style, category)
        if not rows.size:
            rows, cumulative = self._pool(style, None)
        index = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
        return int(rows[min(index, rows.size - 1)])

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
    """User who draws a taste, then goes through sessions."""

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
        categories = draw_category_shares(rng, len(self.shop.all_categories), 1)[0].cumsum()
        if count == 1:
            return Taste(styles[chosen[0]], "", 1.0, categories)
        share = round(float(rng.uniform(0.55, 0.75)), 3)
        return Taste(styles[chosen[0]], styles[chosen[1]], share, categories)

    def draw_view_count(self, mean: float) -> int:
        """Draw a Pareto number of at least 4 views, at most six times the mean."""
        drawn = _LEAST_VIEWS + float(draw_heavy_tail(self.rng, 1)[0]) * (mean - _LEAST_VIEWS) / 2
        return round(min(drawn, 6 * mean))

    def draw_events(self, taste: Taste, views: int, days: int, end: int) -> Iterator[_Event]:
        left = views
        while left > 0:
            length = min(left, 1 + int(self.rng.poisson(_SESSION_VIEWS - 1)))
            left -= length
            day = int(self.rng.integers(days))
            start = end - (day + 1) * SECONDS_PER_DAY + int(draw_seconds_of_day(self.rng, 1)[0])
            yield from self._session(taste, length, start, end)

    def _session(self, taste: Taste, length: int, start: int, end: int) -> Iterator[_Event]:
        main = self._draw_category(taste)
        time, viewed = start, set[int]()
        for position in range(length):
            category = main if self.rng.random() < _MAIN_CATEGORY else self._draw_category(taste)
            style = taste.draw_style(self.rng) if self.rng.random() < self.fidelity else None
            row = self.shop.draw(self.rng, style, category)
            time += int(self.rng.integers(15, 120))
            # A second visit of the same page within a session is not a new view.
            if row in viewed:
                continue
            viewed.add(row)
            for event in self._funnel(taste, row, position, time):
                # Only events before the end of the log are kept.
                if event.timestamp < end:
                    yield event

    def _draw_category(self, taste: Taste) -> str:
        index = int(np.searchsorted(taste.categories, self.rng.random(), side="right"))
        # The last cumulative share may fall short of 1 by rounding.
        return self.shop.all_categories[min(index, len(taste.categories) - 1)]

    def _funnel(self, taste: Taste, row: int, position: int, time: int) -> Iterator[_Event]:
        yield _Event(row, EventKind.VIEW, time)
        click, cart, purchase = _FUNNEL_IN_TASTE if taste.contains(self.shop.styles[row]) else _FUNNEL_OFF_TASTE
        steps = (
            (EventKind.CLICK, click * session_examination(position)),
            (EventKind.CART, cart if self.shop.available[row] and row not in self.bought else 0.0),
            (EventKind.PURCHASE, purchase),
        )
        for kind, probability in steps:
            if self.rng.random() >= probability:
                return
            time += _PAUSE[kind]
            yield _Event(row, kind, time)
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
    second_share: float = SECOND_STYLE_SHARE,
    mean_views: float = 26.0,
    popularity_exponent: float = POPULARITY_EXPONENT,
) -> Simulation:
    """Simulate interactions over the `days` days before `end`, by the behavior model of the module's docstring.

    The result depends on the seed and on the catalog, not on the order of its rows.

    Args:
        items: Catalog with the columns `item_id`, `category` and `available` of `recsys.schema`.
        labels: Hidden style of each item as a string, indexed by `item_id`.
        users: Number of users.
        days: Length of the log.
        end: End of the log, in seconds since 1970 UTC.
        seed: Seed of users and events.
        fidelity: Probability that a view follows taste.
        second_share: Share of users with two styles.
        mean_views: About the mean number of views per user; each leaves about 1.2 events.
        popularity_exponent: Exponent of Zipf's law.

    Raises:
        ConfigError: A number is out of range.
        DataError: The catalog is empty, ids repeat, or items have no label.
    """
    _check_numbers(users, days, fidelity, second_share, mean_views, popularity_exponent)
    catalog = _check_catalog(items, labels)
    shop = _Shop(catalog, labels, seed, popularity_exponent)
    prior = generator(seed, "styles").dirichlet(np.full(len(shop.all_styles), 20.0))
    width = len(str(users))
    events: list[tuple[str, str, str, int]] = []
    truth: list[tuple[str, str, str, float]] = []
    for number in range(1, users + 1):
        shopper = _Shopper(f"u{number:0{width}d}", shop, seed, fidelity)
        taste = shopper.draw_taste(prior, second_share)
        truth.append((shopper.user_id, taste.style, taste.second_style, taste.share))
        drawn = shopper.draw_events(taste, shopper.draw_view_count(mean_views), days, end)
        events += [(shopper.user_id, shop.item_ids[e.row], e.kind.value, e.timestamp) for e in drawn]
    truth_frame = pd.DataFrame(truth, columns=[USER_ID, STYLE, SECOND_STYLE, STYLE_SHARE])
    return Simulation(_interaction_frame(events), _draw_countries(truth_frame[USER_ID].tolist(), seed), truth_frame)


def _check_numbers(
    users: int, days: int, fidelity: float, second_share: float, mean_views: float, exponent: float
) -> None:
    for name, value in (("users", users), ("days", days)):
        if value < 1:
            raise ConfigError(f"{name}={value}: must be at least 1")
    for name, share in (("fidelity", fidelity), ("second_share", second_share)):
        if not 0 <= share <= 1:
            raise ConfigError(f"{name}={share}: must be between 0 and 1")
    if not 4 <= mean_views < np.inf:
        raise ConfigError(f"mean_views={mean_views}: must be at least 4")
    if not 0 <= exponent < np.inf:
        raise ConfigError(f"popularity_exponent={exponent}: must be 0 (all items alike) or more")


def _check_catalog(items: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    if items.empty:
        raise DataError("the catalog is empty: there are no items to interact with")
    ids = items[ITEM_ID].astype(str)
    if ids.duplicated().any():
        raise DataError(f"item_id {ids[ids.duplicated()].iloc[0]!r} occurs twice; ids must be unique")
    if not labels.index.is_unique:
        raise DataError("labels: an item has two labels; the index must be unique")
    missing = ids[~ids.isin(labels.dropna().index)]
    if not missing.empty:
        raise DataError(f"item {missing.iloc[0]!r} has no style label (and {len(missing) - 1} more)")
    return items.assign(**{ITEM_ID: ids}).sort_values(ITEM_ID, ignore_index=True)


def _interaction_frame(events: list[tuple[str, str, str, int]]) -> pd.DataFrame:
    frame = pd.DataFrame(events, columns=[USER_ID, ITEM_ID, EVENT, TIMESTAMP])
    settings = EventSettings()
    weights = {kind.value: settings.weight(kind) for kind in EventKind}
    frame[WEIGHT] = frame[EVENT].map(weights).astype(np.float32)
    frame[TIMESTAMP] = frame[TIMESTAMP].astype(np.int64)
    order = [TIMESTAMP, USER_ID, ITEM_ID, EVENT]
    return frame[list(INTERACTION_COLUMNS)].sort_values(order, ignore_index=True)


def _draw_countries(user_ids: list[str], seed: int) -> pd.DataFrame:
    names, shares = list(COUNTRIES), list(COUNTRIES.values())
    drawn = [names[int(generator(seed, "country", user).choice(len(names), p=shares))] for user in user_ids]
    return pd.DataFrame({USER_ID: user_ids, COUNTRY: drawn})
