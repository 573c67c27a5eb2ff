"""Click models: probabilities that users examine the positions of a list, and click items there.

The probability of a click at position k follows from the attraction a_k of its item (the probability of a click if
the item is examined) and from the examination E_k (the probability that position k is examined). Overview: Chuklin,
Markov & de Rijke (2015, "Click Models for Web Search", chapter 3).

`power_examination`, `log_examination` and `session_examination` are the curves of E_k that the simulators use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recsys.errors import ConfigError
from recsys.schema import BoolArray
from recsys.simulation.activity import Values


def power_examination(positions: int, fade: float) -> Values:
    """Return E_k = 1 / k^fade of the first positions (K,); Joachims, Swaminathan & Schnabel (2017)."""
    return np.asarray(np.arange(1.0, positions + 1.0) ** -fade)


def log_examination(positions: int) -> Values:
    """Return E_k = 1 / log2(k + 1) of the first positions (K,), the discount of DCG."""
    return np.asarray(1.0 / np.log2(np.arange(2, positions + 2)))


def session_examination(views: int) -> float:
    """Return the examination after so many earlier views in a session: 1 / (1 + 0.08 views)."""
    return 1.0 / (1 + 0.08 * views)


class ClickModel(Protocol):
    """Model of clicks on V lists of K positions."""

    def clicks(self, attraction: Values, draws: Values) -> BoolArray:
        """Return the clicks (V, K), from attractions (V, K) in [0, 1] and uniform draws (V, K, 2) in [0, 1)."""

    def probabilities(self, attraction: Values) -> Values:
        """Return the click probability of each position (V, K), the mean of `clicks` over draws."""


@dataclass(frozen=True, slots=True)
class PositionBased:
    """P(click at k) = E_k a_k with E_k = 1 / k^fade, independent of the other items of the list.

    The examination hypothesis of Richardson, Dominowska & Ragno (2007), called the baseline of position bias in
    Craswell, Zoeter, Taylor & Ramsey (2008, "An experimental comparison of click position-bias models"); the form of
    E_k is that of Joachims, Swaminathan & Schnabel (2017). With `fade` 0 there is no position bias.
    """

    fade: float = 0.7

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fade) and self.fade >= 0):
            raise ConfigError(f"fade is {self.fade}: give 0 (no position bias) or more")

    def examination(self, positions: int) -> Values:
        """Return E_k of the first positions (K,)."""
        return power_examination(positions, self.fade)

    def clicks(self, attraction: Values, draws: Values) -> BoolArray:
        """Return the clicks, see `ClickModel.clicks`."""
        examined = draws[:, :, 0] < self.examination(attraction.shape[1])
        return np.asarray(examined & (draws[:, :, 1] < attraction))

    def probabilities(self, attraction: Values) -> Values:
        """Return click probabilities, see `ClickModel.probabilities`."""
        return np.asarray(self.examination(attraction.shape[1]) * attraction)


@dataclass(frozen=True, slots=True)
class Cascade:
    """Users examine a list from the top: E_1 = 1, E_{k+1} = E_k (after_click if k was clicked else after_skip).

    With after_click 0 and after_skip 1 this is the cascade model of Craswell et al. (2008): one click, then nothing.
    With after_click above 0 it is the dependent click model with one constant for all positions (Guo, Liu & Wang
    2009). after_skip below 1 is the patience of Chapelle & Zhang (2009). Examination depends on the items above, so
    estimators of the position-based model are biased here.
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
        examined = np.ones(len(attraction), dtype=np.bool_)
        for position in range(attraction.shape[1]):
            clicked[:, position] = examined & (draws[:, position, 1] < attraction[:, position])
            continues = np.where(clicked[:, position], self.after_click, self.after_skip)
            examined = examined & (draws[:, position, 0] < continues)
        return clicked

    def probabilities(self, attraction: Values) -> Values:
        """Return click probabilities, see `ClickModel.probabilities`."""
        continues = attraction * self.after_click + (1.0 - attraction) * self.after_skip
        # Position k is examined if the user continued at all positions above it.
        examined = np.cumprod(np.column_stack([np.ones(len(attraction)), continues[:, :-1]]), axis=1)
        return np.asarray(examined * attraction)


MODELS: dict[str, ClickModel] = {
    "position": PositionBased(),
    "cascade": Cascade(after_skip=0.95, after_click=0.6),
}
"""Click models by their names in `recsys experiment simulate --clicks`."""
