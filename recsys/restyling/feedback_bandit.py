"""Restyling bandit: adapts images to a user's ratings, with exact propensities.

Actions are a target (the user's taste, or one of the style references nearest to it) at a strength, and the original.
Their rates come from `estimate_satisfaction`: ratings of all users are the prior of a user's own ratings. The action
with the highest rate is shown. Once a user has rated an image, a share of the images explores other actions
(epsilon-greedy; Sutton and Barto 2018, section 2.2). Every probability is in closed form, so that logged ratings,
weighted by 1 / propensity, estimate without bias how another policy would have done (inverse propensity scores;
Horvitz and Thompson 1952). That holds only if something is explored: a user without ratings gets one action with
certainty. Weights are at most A / `exploration`.
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
from recsys.restyling.satisfaction_model import (
    ORIGINAL,
    Action,
    Counts,
    Ratings,
    Satisfaction,
    estimate_satisfaction,
)
from recsys.rng import generator

TASTE = "taste"
"""Target of an action: the user's taste."""
STYLE_PREFIX = "style:"
"""Prefix of a style reference's id in the target of an action."""
MAX_STYLES = 3

DEFAULT_RATE, SAME_TARGET_RATE, OTHER_TARGET_RATE, ORIGINAL_RATE = 0.7, 0.6, 0.5, 0.45
"""Rates that are expected without ratings. They decide in which order actions are left: one dissatisfied rating of the
default makes images milder; one of the milder ones, or two more of the default, lead to originals."""
CLEAR_SPREADS = 2.0
"""Standard deviations by which an action must be better than the default to be shown to a user without ratings."""
NO_RATINGS = Ratings.from_counts({})


class Rating(Protocol):
    """Rating of an image by a user."""

    @property
    def action(self) -> str:
        """Target of the action, as in `Action.target`."""

    @property
    def strength(self) -> float:
        """Requested strength in [0, 1]."""

    @property
    def satisfied(self) -> bool:
        """True if the user was satisfied."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Chosen action, and its probability before the draw, in (0, 1]."""

    action: Action
    propensity: float


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """Policy for the images of one user.

    Attributes:
        actions: The A actions, the default first.
        probabilities: (A,) in [0, 1]; their sum is 1.
        rates: Posteriors of the rate of satisfied ratings, (A,).
    """

    actions: tuple[Action, ...]
    probabilities: NDArray[np.float64]
    rates: Satisfaction

    @property
    def default(self) -> Action:
        """Action without ratings."""
        return self.actions[0]

    @property
    def best(self) -> Action:
        """Action with the highest probability."""
        return self.actions[int(self.probabilities.argmax())]

    def choose(self, seed: int, user_id: str, item_id: str, visit: str = "") -> Choice:
        """Draw the action for one image. Equal arguments give equal actions.

        Args:
            seed: Seed of the project.
            user_id: Id of the user.
            item_id: Id of the item.
            visit: Text that tells this request from others of the same user.
        """
        if self.probabilities.max() == 1:
            return Choice(self.best, 1.0)
        draw = generator(seed, "picture", user_id, item_id, visit).choice(len(self.actions), p=self.probabilities)
        return Choice(self.actions[draw], float(self.probabilities[draw]))


@dataclass(frozen=True, slots=True)
class RestyleBandit:
    """Bandit over actions.

    Attributes:
        settings: Settings of feedback.
        default_strength: Strength in [0, 1] for users without ratings.
    """

    settings: FeedbackSettings
    default_strength: float

    def actions(self, styles: Sequence[str] = ()) -> tuple[Action, ...]:
        """Return the actions for a user: the default first, the original last.

        Args:
            styles: Ids of the style references nearest to the user's taste; the first MAX_STYLES are used.

        Raises:
            RequestError: The default strength lies outside of [0, 1].
        """
        targets = [TASTE, *(STYLE_PREFIX + style_id for style_id in dict.fromkeys(styles))][: 1 + MAX_STYLES]
        strengths = sorted({self.default_strength, *self.settings.strengths} - {0.0})
        default = Action.from_target(TASTE, self.default_strength)
        restyled = [Action(target, strength) for target in targets for strength in strengths]
        return tuple(dict.fromkeys([default, *restyled, Action(ORIGINAL, 0.0)]))

    def policy(self, actions: Sequence[Action], own: Sequence[Rating], all_users: Ratings = NO_RATINGS) -> Policy:
        """Return the policy for a user.

        Without ratings of the user, nothing is random: the policy is the default, or an action that is clearly better
        for most users. With ratings, each action has at least the probability `exploration` / A. The order of ratings
        does not matter.

        Args:
            actions: The A actions, the default first.
            own: Ratings of the user.
            all_users: Ratings of all users.

        Raises:
            RequestError: There is no action, or one occurs twice.
        """
        if not actions or len(set(actions)) < len(actions):
            given = ", ".join(map(str, actions)) or "none"
            raise RequestError("actions", f"there must be at least one, and each only once, got {given}")
        others = {ORIGINAL: ORIGINAL_RATE, actions[0].target: SAME_TARGET_RATE}
        expected = np.array([DEFAULT_RATE, *(others.get(action.target, OTHER_TARGET_RATE) for action in actions[1:])])
        shared = estimate_satisfaction(actions, all_users, expected, self.settings.prior)
        count = len(actions)
        if not own:
            best = int(shared.mean.argmax())
            spread = np.sqrt(shared.variance[best] + shared.variance[0])
            is_clear = shared.mean[best] - shared.mean[0] > CLEAR_SPREADS * spread
            return Policy(tuple(actions), np.eye(count)[best if is_clear else 0], shared)
        rates = estimate_satisfaction(
            actions, Ratings.from_counts(count_ratings(own)), shared.mean, self.settings.prior
        )
        # Epsilon-greedy: exploration is spread evenly over all actions.
        exploration = self.settings.exploration
        greedy = np.eye(count)[int(rates.mean.argmax())]
        return Policy(tuple(actions), (1 - exploration) * greedy + exploration / count, rates)


def count_ratings(ratings: Sequence[Rating]) -> Counts:
    """Count ratings by (target, strength): satisfied ones, and all."""
    answers: defaultdict[tuple[str, float], list[bool]] = defaultdict(list)
    for rating in ratings:
        answers[rating.action, rating.strength].append(rating.satisfied)
    return {key: (sum(satisfied), len(satisfied)) for key, satisfied in answers.items()}
