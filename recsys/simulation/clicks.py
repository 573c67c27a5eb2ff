"""Click models: positions of a list that users examine, and items that they click.

Both say with what probability the item in place k is clicked, from its attraction a_k (what it would be clicked with
if it were looked at) and the examination E_k (whether it is looked at). Chuklin, Markov & de Rijke (2015, "Click Models
for Web Search", chapter 3) is the overview.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recsys.errors import ConfigError
from recsys.schema import BoolArray
from recsys.simulation.tastes import Values


class ClickModel(Protocol):
    """Model of clicks on V lists of K positions."""

    def clicks(self, attraction: Values, draws: Values) -> BoolArray:
        """Return the clicks (V, K), from attractions (V, K) in [0, 1] and uniform draws (V, K, 2) in [0, 1)."""

    def chances(self, attraction: Values) -> Values:
        """Return the click probability of each position, (V, K): the mean of `clicks` over draws."""


@dataclass(frozen=True, slots=True)
class PositionBased:
    """P(click in k) = E_k a_k with E_k = 1 / k^fade, whatever else is in the list.

    The examination hypothesis of Richardson, Dominowska & Ragno (2007), called the baseline of position bias in
    Craswell, Zoeter, Taylor & Ramsey (2008, "An experimental comparison of click position-bias models"); the form of
    E_k is that of Joachims, Swaminathan & Schnabel (2017). `fade`: 0 is no bias at all.
    """

    fade: float = 0.7

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fade) and self.fade >= 0):
            raise ConfigError(f"fade is {self.fade}: give 0 (no position bias) or more")

    def examination(self, places: int) -> Values:
        """Return E_k of the first positions, (K,)."""
        return np.asarray(np.arange(1.0, places + 1.0) ** -self.fade)

    def clicks(self, attraction: Values, draws: Values) -> BoolArray:
        """Return the clicks, see `ClickModel.clicks`."""
        looked = draws[:, :, 0] < self.examination(attraction.shape[1])
        return np.asarray(looked & (draws[:, :, 1] < attraction))

    def chances(self, attraction: Values) -> Values:
        """Return click probabilities, see `ClickModel.chances`."""
        return np.asarray(self.examination(attraction.shape[1]) * attraction)


@dataclass(frozen=True, slots=True)
class Cascade:
    """Users examine a list from the top: E_1 = 1, E_{k+1} = E_k (after_click if k was clicked else after_skip).

    With after_click 0 and after_skip 1 this is the cascade model of Craswell et al. (2008): one click, then nothing.
    With after_click above 0 it is the dependent click model with one constant for all places (Guo, Liu & Wang 2009);
    after_skip below 1 is the patience of Chapelle & Zhang (2009). Items above matter, so that estimators of the
    position-based model are wrong here.
    """

    after_skip: float = 1.0
    after_click: float = 0.0

    def __post_init__(self) -> None:
        for name in ("after_skip", "after_click"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} is {getattr(self, name)}: give a probability in [0, 1]")

    def clicks(self, attraction: Values, draws: Values) -> BoolArray:
        """Return the clicks, see `ClickModel.clicks`."""
        clicked = np.zeros(attraction.shape, dtype=np.bool_)
        looking = np.ones(len(attraction), dtype=np.bool_)
        for place in range(attraction.shape[1]):
            clicked[:, place] = looking & (draws[:, place, 1] < attraction[:, place])
            goes_on = np.where(clicked[:, place], self.after_click, self.after_skip)
            looking = looking & (draws[:, place, 0] < goes_on)
        return clicked

    def chances(self, attraction: Values) -> Values:
        """Return click probabilities, see `ClickModel.chances`."""
        goes_on = attraction * self.after_click + (1.0 - attraction) * self.after_skip
        looking = np.cumprod(np.column_stack([np.ones(len(attraction)), goes_on[:, :-1]]), axis=1)
        return np.asarray(looking * attraction)


MODELS: dict[str, ClickModel] = {
    "position": PositionBased(),
    "cascade": Cascade(after_skip=0.95, after_click=0.6),
}
"""Click models by name."""


def naive_rates(items: np.ndarray, clicked: BoolArray, count: int) -> Values:
    """Return clicks per impression of each item (count,), NaN if never shown; items near the top are overrated.

    `items` (V, K): rows; `clicked` (V, K).
    """
    return _weighted_rates(items, clicked, np.ones(items.shape[1]), count)


def unbiased_rates(items: np.ndarray, clicked: BoolArray, examination: Values, count: int) -> Values:
    """Estimate the attraction of each item (count,), by inverse propensities: the mean of click / E_k over the times it
    was shown.

    Joachims, Swaminathan & Schnabel (2017, "Unbiased learning-to-rank with biased feedback"), for clicks per item.
    Unbiased under the position-based model with these `examination` (K,) probabilities; wrong where they are wrong, and
    under a cascade.
    """
    return _weighted_rates(items, clicked, 1.0 / examination, count)


def _weighted_rates(items: np.ndarray, clicked: BoolArray, weights: Values, count: int) -> Values:
    shown = np.bincount(items.ravel(), minlength=count).astype(np.float64)
    sums = np.bincount(items.ravel(), weights=(clicked * weights).ravel(), minlength=count)
    return np.asarray(np.divide(sums, shown, out=np.full(count, np.nan), where=shown > 0))
