"""Behavior of users on a list: view, click, dwell, add to the cart, buy, and rate restyled images.

An item attracts with a_pi = min(1, top * r_pi * picture * (1 + planted)), where r is its hidden relevance and `picture`
is 1 for the photo as it is. A picture restyled at strength s toward a direction whose cosine with what the person likes
is c has picture = 1 + appeal * max(c, 0) * (close(s, liked) - close(0, liked)): the right look at the strength that the
person likes attracts, too much of it repels. After a click the funnel goes on by relevance alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.rng import generator
from recsys.schema import BoolArray
from recsys.simulation.clicks import ClickModel
from recsys.simulation.tastes import Values

USUAL_PRICE = 25.0
"""Price of items without one."""


@dataclass(frozen=True, slots=True)
class BehaviorParams:
    """Numbers of the behavior model. `top`: attraction of what is wholly relevant. `appeal`: of pictures. `cart`,
    `buy`: chances of these steps for what is wholly relevant; half of that for what is not relevant at all. `dwell`:
    seconds of a look at what is wholly relevant. `asked`: the share of visits with restyled pictures that are asked for
    a verdict. `satisfied`: of a picture that is just right, and of one that is not at all.
    """

    top: float = 0.6
    appeal: float = 0.8
    cart: float = 0.35
    buy: float = 0.4
    dwell: float = 30.0
    asked: float = 0.15
    satisfied: tuple[float, float] = (0.9, 0.2)


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Random draws of V visits of K positions, made before any list: they do not depend on the list, so that arms can
    be compared on the same users and days (common random numbers). `places` (V, K, 4) uniform,
    `dwell` (V, K) of mean 1, `verdict` (V, 3) uniform.
    """

    places: Values
    dwell: Values
    verdict: Values

    @classmethod
    def from_seed(cls, visits: int, places: int, seed: int, replicate: int = 0) -> Draws:
        """Draw from the seed; another replicate is another random course."""
        random = generator(seed, "simulation", "draws", replicate)
        return cls(
            places=random.random((visits, places, 4)),
            dwell=random.gamma(2.0, 0.5, (visits, places)),
            verdict=random.random((visits, 3)),
        )

    def where(self, mask: BoolArray, other: Draws) -> Draws:
        """Return these draws for visits in `mask` (V,), else the `other` ones."""
        return Draws(
            np.where(mask[:, None, None], self.places, other.places),
            np.where(mask[:, None], self.dwell, other.dwell),
            np.where(mask[:, None], self.verdict, other.verdict),
        )

    def take(self, rows: np.ndarray) -> Draws:
        """Return the draws of some visits (n,)."""
        return Draws(self.places[rows], self.dwell[rows], self.verdict[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Lists that V visits meet. `relevance`, `prices`, `buyable`, `there` (V, K): of the items, and whether there is
    one in that place. `picture` (V,): the factor of attraction by pictures. `planted` (V,): a relative lift of
    attraction. `close` (V,) in [0, 1]: how right the restyled pictures are, NaN where photos are shown as they are.
    """

    relevance: Values
    prices: Values
    buyable: BoolArray
    there: BoolArray
    picture: Values
    planted: Values
    close: Values

    def attraction(self, habits: BehaviorParams) -> Values:
        """Return a_pi of each position (V, K)."""
        factor = habits.top * self.picture * (1.0 + self.planted)
        return np.asarray(np.where(self.there, np.minimum(self.relevance * factor[:, None], 1.0), 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """Responses of V visits. `clicked`, `carted`, `bought` (V, K); `dwell` (V, K) seconds, of what was clicked;
    `amount` (V, K), of what was bought; `asked`, `satisfied` (V,); `judged` (V,) the place that was judged.
    """

    clicked: BoolArray
    carted: BoolArray
    bought: BoolArray
    dwell: Values
    amount: Values
    asked: BoolArray
    satisfied: BoolArray
    judged: np.ndarray


def respond(scene: Scene, draws: Draws, model: ClickModel, habits: BehaviorParams) -> Responses:
    """Compute the responses to a list. Deterministic: all randomness is in `draws`."""
    places, relevance = draws.places, scene.relevance
    clicked = model.clicks(scene.attraction(habits), places[:, :, :2])
    likelier = 0.5 + 0.5 * relevance
    carted = clicked & scene.buyable & (places[:, :, 2] < habits.cart * likelier)
    bought = carted & (places[:, :, 3] < habits.buy * likelier)
    prices = np.where(np.nan_to_num(scene.prices) > 0, scene.prices, USUAL_PRICE)
    restyled = ~np.isnan(scene.close)
    least, most = habits.satisfied[1], habits.satisfied[0]
    happy = least + (most - least) * np.nan_to_num(scene.close)
    shown = scene.there.sum(axis=1)
    return Responses(
        clicked=clicked,
        carted=carted,
        bought=bought,
        dwell=np.where(clicked, np.round(draws.dwell * habits.dwell * likelier, 1), 0.0),
        amount=np.where(bought, np.round(prices, 2), 0.0),
        asked=restyled & (draws.verdict[:, 0] < habits.asked),
        satisfied=draws.verdict[:, 1] < happy,
        judged=np.minimum((draws.verdict[:, 2] * shown).astype(np.int64), np.maximum(shown - 1, 0)),
    )
