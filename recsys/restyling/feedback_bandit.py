"""How each person's pictures are restyled: a bandit that learns from who was satisfied, with exact propensities.

Arms are a look (the person's own taste, or one of the styles nearest to it) at a strength, and the photo as it was.
Their rates come from `satisfaction`: everybody's verdicts are the prior of a person's own. The arm of the highest rate
is shown, and once somebody has given a verdict, a share of their pictures tries something out (epsilon-greedy; Sutton
and Barto 2018, section 2.2). Every probability is in closed form, so that logged verdicts, weighted by 1 / propensity,
say without bias how another policy would have done (inverse propensity scores; Horvitz and Thompson 1952), wherever
something is tried out: who has given no verdict gets one arm for certain. Weights are up to A / `exploration`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recsys.config import FeedbackSettings
from recsys.errors import RequestError
from recsys.restyling.satisfaction_model import ORIGINAL, Arm, Counts, Ratings, Satisfaction, satisfaction
from recsys.rng import generator

TASTE = "taste"
STYLE = "style:"
"""Before a style's id in the name of a look."""
MOST_STYLES = 3

DEFAULT_RATE, SAME_LOOK_RATE, OTHER_LOOK_RATE, ORIGINAL_RATE = 0.7, 0.6, 0.5, 0.45
"""What is expected of arms before anybody has said anything. They decide in which order arms are left: one dissatisfied
verdict on the default makes pictures milder, one on those, or two more on the default, show photos as they were."""
CLEAR = 2.0
"""For who has given no verdict, an arm must be better than the default by so many standard deviations."""
NO_VERDICTS = Ratings.of({})


class Rating(Protocol):
    """What counts of a verdict: the look and strength that were shown, and whether the person was satisfied."""

    @property
    def arm(self) -> str:
        """The look, as in `Arm.look`."""

    @property
    def strength(self) -> float:
        """In [0, 1]."""

    @property
    def satisfied(self) -> bool:
        """Whether they were."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How a picture is to be shown, and how probable that was before the draw, in (0, 1]."""

    arm: Arm
    propensity: float


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """How one person's pictures are shown for now.

    `arms` (A), the default first; `probabilities` (A,), which sum to 1; `rates`, how likely each is to satisfy.
    """

    arms: tuple[Arm, ...]
    probabilities: NDArray[np.float64]
    rates: Satisfaction

    @property
    def default(self) -> Arm:
        """What is shown as long as nothing speaks for anything else."""
        return self.arms[0]

    @property
    def best(self) -> Arm:
        """What is shown most."""
        return self.arms[int(self.probabilities.argmax())]

    def choose(self, seed: int, user_id: str, item_id: str, refresh: str = "") -> Choice:
        """Draw the arm of one picture; the same arguments draw the same."""
        if self.probabilities.max() == 1:
            return Choice(self.best, 1.0)
        draw = generator(seed, "picture", user_id, item_id, refresh).choice(len(self.arms), p=self.probabilities)
        return Choice(self.arms[draw], float(self.probabilities[draw]))


@dataclass(frozen=True, slots=True)
class RestyleBandit:
    """Adjusts style and strength to a person; `default_strength` in [0, 1] is that of who has said nothing."""

    settings: FeedbackSettings
    default_strength: float

    def arms(self, styles: Sequence[str] = ()) -> tuple[Arm, ...]:
        """What a person may be shown: the default, then all else, given the ids of the `styles` nearest to their taste.

        The first MOST_STYLES count. Raises RequestError for a default strength outside [0, 1].
        """
        looks = [TASTE, *(STYLE + style_id for style_id in dict.fromkeys(styles))][: 1 + MOST_STYLES]
        strengths = sorted({self.default_strength, *self.settings.strengths} - {0.0})
        default = Arm.shown(TASTE, self.default_strength)
        all_ = [Arm(look, strength) for look in looks for strength in strengths]
        return tuple(dict.fromkeys([default, *all_, Arm(ORIGINAL, 0.0)]))

    def policy(self, arms: Sequence[Arm], own: Sequence[Rating], everybody: Ratings = NO_VERDICTS) -> Policy:
        """What to show to a person, of `arms` (the default first), after their `own` verdicts and `everybody`'s.

        Without own verdicts nothing is random: the default, or what is clearly better for most people. With own ones,
        each arm has at least the probability `exploration` / A. The order of verdicts does not matter. Raises
        RequestError where there is no arm or one occurs twice.
        """
        if not arms or len(set(arms)) < len(arms):
            raise RequestError("arms", f"there must be some, each once, got {', '.join(map(str, arms)) or 'none'}")
        shared = satisfaction(arms, everybody, _expected(arms), self.settings.prior)
        if not own:
            return Policy(tuple(arms), _certain(_clearly_best(shared), len(arms)), shared)
        rates = satisfaction(arms, Ratings.of(counted(own)), shared.mean, self.settings.prior)
        tried = self.settings.exploration
        greedy = _certain(int(rates.mean.argmax()), len(arms))
        return Policy(tuple(arms), (1 - tried) * greedy + tried / len(arms), rates)


def counted(verdicts: Sequence[Rating]) -> Counts:
    """Verdicts by (look, strength): how many were satisfied, and how many there are."""
    found: defaultdict[tuple[str, float], list[bool]] = defaultdict(list)
    for verdict in verdicts:
        found[verdict.arm, verdict.strength].append(verdict.satisfied)
    return {shown: (sum(said), len(said)) for shown, said in found.items()}


def _expected(arms: Sequence[Arm]) -> NDArray[np.float64]:
    """The rates (A,) that are expected before any verdict."""
    rates = {ORIGINAL: ORIGINAL_RATE, arms[0].look: SAME_LOOK_RATE}
    return np.array([DEFAULT_RATE, *(rates.get(arm.look, OTHER_LOOK_RATE) for arm in arms[1:])])


def _clearly_best(rates: Satisfaction) -> int:
    """The best arm if it beats the first by CLEAR standard deviations of the difference, else the first."""
    best = int(rates.mean.argmax())
    spread = np.sqrt(rates.variance[best] + rates.variance[0])
    return best if rates.mean[best] - rates.mean[0] > CLEAR * spread else 0


def _certain(arm: int, count: int) -> NDArray[np.float64]:
    return np.asarray(np.arange(count) == arm, dtype=np.float64)
