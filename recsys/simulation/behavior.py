"""Behavior of users on a list: view, click, dwell, add to the cart, buy, and rate restyled images.

The attraction of item i for user p is a_pi = min(1, top * r_pi * image * (1 + lift)). r is the hidden relevance, and
`image` is 1 for original photos. Let c be the cosine of an image's style direction with a style that the user likes.
At strength s, image = 1 + appeal * max(c, 0) * (closeness(s, liked) - closeness(0, liked)). Hence restyled images
attract most at the strength that the user likes, and repel if they are too strong. After a click, only relevance
counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.rng import generator
from recsys.schema import BoolArray, IntArray
from recsys.simulation.activity import Values, draw_dwell_factors
from recsys.simulation.clicks import ClickModel

DEFAULT_PRICE = 25.0
"""Price of items without one."""


@dataclass(frozen=True, slots=True)
class BehaviorParams:
    """Parameters of the behavior model.

    Attributes:
        top: Attraction of an item of relevance 1.
        appeal: Weight of restyled images in attraction.
        cart: Probability of adding a clicked item of relevance 1 to the cart; half of it at relevance 0.
        buy: Probability of buying an item of relevance 1 in the cart; half of it at relevance 0.
        dwell: Mean seconds on a clicked item of relevance 1; half of it at relevance 0.
        rating_rate: Share of visits with restyled images in which one is rated.
        satisfied: Probability of satisfaction with the best image, and with the worst one.
    """

    top: float = 0.6
    appeal: float = 0.8
    cart: float = 0.35
    buy: float = 0.4
    dwell: float = 30.0
    rating_rate: float = 0.15
    satisfied: tuple[float, float] = (0.9, 0.2)


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Random draws of V visits of K positions.

    They do not depend on lists, so that arms are compared on the same users and days (common random numbers).

    Attributes:
        positions: Uniform draws (V, K, 4): examination, click, cart, purchase.
        dwell: Dwell times relative to their mean (V, K).
        rating: Uniform draws (V, 3): whether there is a rating, satisfaction, position.
    """

    positions: Values
    dwell: Values
    rating: Values

    @classmethod
    def from_seed(cls, visits: int, positions: int, seed: int, replicate: int = 0) -> Draws:
        """Draw from the seed; another replicate is another random course."""
        random = generator(seed, "simulation", "draws", replicate)
        return cls(
            positions=random.random((visits, positions, 4)),
            dwell=draw_dwell_factors(random, (visits, positions)),
            rating=random.random((visits, 3)),
        )

    def where(self, mask: BoolArray, other: Draws) -> Draws:
        """Return these draws for visits in `mask` (V,), else the `other` ones."""
        return Draws(
            np.where(mask[:, None, None], self.positions, other.positions),
            np.where(mask[:, None], self.dwell, other.dwell),
            np.where(mask[:, None], self.rating, other.rating),
        )

    def take(self, rows: np.ndarray) -> Draws:
        """Return the draws of some visits (n,)."""
        return Draws(self.positions[rows], self.dwell[rows], self.rating[rows])


@dataclass(frozen=True, slots=True, eq=False)
class VisitLists:
    """Lists of V visits, as users see them.

    Attributes:
        relevance: Hidden relevance of the items (V, K).
        prices: Prices of the items (V, K).
        buyable: True for items that are available (V, K).
        filled: True for positions with an item (V, K).
        image_factor: Factor of attraction by images (V,).
        lift: Relative lift of attraction that the arm plants (V,).
        closeness: Match of the restyled images (V,) in [0, 1], NaN for original photos.
    """

    relevance: Values
    prices: Values
    buyable: BoolArray
    filled: BoolArray
    image_factor: Values
    lift: Values
    closeness: Values

    def attraction(self, behavior: BehaviorParams) -> Values:
        """Return a_pi of each position (V, K)."""
        factor = behavior.top * self.image_factor * (1.0 + self.lift)
        return np.asarray(np.where(self.filled, np.minimum(self.relevance * factor[:, None], 1.0), 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """Responses of users in V visits.

    Attributes:
        clicked: Clicks (V, K).
        carted: Items added to the cart (V, K).
        bought: Purchases (V, K).
        dwell: Seconds on clicked items (V, K), else 0.
        amount: Amounts of purchases (V, K), else 0.
        rated: True if an image was rated (V,).
        satisfied: True if the user is satisfied with the images (V,).
        rated_position: Position of the rated image, from 0 (V,).
    """

    clicked: BoolArray
    carted: BoolArray
    bought: BoolArray
    dwell: Values
    amount: Values
    rated: BoolArray
    satisfied: BoolArray
    rated_position: IntArray


def respond(lists: VisitLists, draws: Draws, model: ClickModel, behavior: BehaviorParams) -> Responses:
    """Compute the responses to lists. Deterministic: all randomness is in `draws`."""
    uniform = draws.positions
    clicked = model.clicks(lists.attraction(behavior), uniform[:, :, :2])
    # 1/2 at relevance 0, 1 at relevance 1.
    interest = 0.5 + 0.5 * lists.relevance
    carted = clicked & lists.buyable & (uniform[:, :, 2] < behavior.cart * interest)
    bought = carted & (uniform[:, :, 3] < behavior.buy * interest)
    prices = np.where(np.nan_to_num(lists.prices) > 0, lists.prices, DEFAULT_PRICE)
    restyled = ~np.isnan(lists.closeness)
    most, least = behavior.satisfied
    satisfaction = least + (most - least) * np.nan_to_num(lists.closeness)
    length = lists.filled.sum(axis=1)
    return Responses(
        clicked=clicked,
        carted=carted,
        bought=bought,
        dwell=np.where(clicked, np.round(draws.dwell * behavior.dwell * interest, 1), 0.0),
        amount=np.where(bought, np.round(prices, 2), 0.0),
        rated=restyled & (draws.rating[:, 0] < behavior.rating_rate),
        satisfied=draws.rating[:, 1] < satisfaction,
        rated_position=np.minimum((draws.rating[:, 2] * length).astype(np.int64), np.maximum(length - 1, 0)),
    )
