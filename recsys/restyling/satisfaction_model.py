"""Satisfaction model: how likely a user is to be satisfied with an image, as Beta posteriors of correlated actions.

After continuous correlated beta processes (Goetschalckx, Poupart and Hoey 2011, IJCAI): the posterior of an action
also counts ratings of other actions, each weighted by how much the two images have in common. So a few ratings change
many actions, in closed form. It departs from the paper in two things:

- The weights are not symmetric: a dissatisfied rating says more about stronger images than about milder ones.
  For strengths s < t toward one target, the weight is (s / t)^2 in general, and s / t for a dissatisfied rating of s
  and the action t.
- Ratings of other actions count as at most MAX_SHARED ratings, so that the rate of each action finally depends on its
  own ratings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.errors import RequestError

ORIGINAL = "original"
"""Target of the action that shows the photo unchanged."""
OTHER_TARGET_WEIGHT = 0.5
"""Weight of a rating for another target at the same strength: all targets of a user are near to one taste."""
MAX_SHARED = 5.0
"""Number of ratings that ratings of other actions count as at most."""

Counts = Mapping[tuple[str, float], tuple[int, int]]
"""For each (target, strength): number of satisfied ratings, and number of all ratings."""


@dataclass(frozen=True, slots=True)
class Action:
    """One way to show an image.

    Attributes:
        target: Style to restyle toward: `taste`, `style:` and an id, `scene:` and a name, or `original`.
        strength: Requested strength in [0, 1]. It is 0 for `original`, and only for it.

    Raises RequestError for a strength outside of its range, and for a strength that does not fit the target.
    """

    target: str
    strength: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength <= 1.0:
            raise RequestError("strength", f"must lie in [0, 1], got {self.strength}")
        if (self.target == ORIGINAL) != (self.strength == 0):
            raise RequestError(
                "action", f"{self.target!r} at {self.strength}: {ORIGINAL!r} has strength 0, and no other action has it"
            )

    @classmethod
    def from_target(cls, target: str, strength: float) -> Action:
        """Return the action of a target at a strength. At strength 0, it is the original for each target."""
        return cls(ORIGINAL if strength == 0 else target, strength)


@dataclass(frozen=True, slots=True, eq=False)
class Satisfaction:
    """Beta posteriors of A actions: `satisfied` (A,) and `dissatisfied` (A,) are their parameters, both positive."""

    satisfied: NDArray[np.float64]
    dissatisfied: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Expected share of satisfied ratings, (A,) in (0, 1)."""
        return self.satisfied / (self.satisfied + self.dissatisfied)

    @property
    def variance(self) -> NDArray[np.float64]:
        """Variance of that share under the posterior, (A,)."""
        return self.mean * (1 - self.mean) / (self.satisfied + self.dissatisfied + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """Numbers of ratings of E actions.

    Attributes:
        targets: (E,) targets of the actions.
        strengths: (E,) in [0, 1].
        satisfied: (E,) numbers of satisfied ratings.
        dissatisfied: (E,) numbers of dissatisfied ratings.
    """

    targets: NDArray[np.str_]
    strengths: NDArray[np.float64]
    satisfied: NDArray[np.float64]
    dissatisfied: NDArray[np.float64]

    @classmethod
    def from_counts(cls, counts: Counts) -> Ratings:
        """Build from counts. Raises RequestError for a strength outside of [0, 1]."""
        # Sorted, because sums in another order would round differently.
        ordered = sorted(counts.items())
        actions = [Action.from_target(*key) for key, _ in ordered]
        good, total = np.array([pair for _, pair in ordered], dtype=np.float64).reshape(-1, 2).T
        return cls(*_columns(actions), good, total - good)

    def __len__(self) -> int:
        return len(self.targets)


def estimate_satisfaction(
    actions: Sequence[Action], ratings: Ratings, expected: NDArray[np.float64], prior: float
) -> Satisfaction:
    """Return the posteriors of A actions.

    Args:
        actions: The A actions.
        ratings: Ratings of E actions, which may be others.
        expected: (A,) rates in (0, 1) that are expected without ratings.
        prior: Number of ratings that `expected` counts as, above 0.
    """
    targets, strengths = _columns(actions)
    # (A, E): ratings of the action itself, and of another strength of its target.
    same_target, mine, theirs = targets[:, None] == ratings.targets, strengths[:, None], ratings.strengths
    own = same_target & (mine == theirs)
    # (A, E) in [0, 1]: milder over stronger; 0 between the original and any restyled image.
    ratio = np.minimum(mine, theirs) / np.maximum(np.maximum(mine, theirs), np.finfo(float).tiny)
    weight = np.where(own, 0.0, np.where(same_target, 1.0, OTHER_TARGET_WEIGHT))
    shared_good = (weight * ratio**2) @ ratings.satisfied
    # A dissatisfied rating of a milder image counts more for the stronger one.
    shared_bad = (weight * np.where(mine > theirs, ratio, ratio**2)) @ ratings.dissatisfied
    # Scaled down where both together would count as more than MAX_SHARED ratings.
    scale = MAX_SHARED / np.maximum(shared_good + shared_bad, MAX_SHARED)
    return Satisfaction(
        prior * expected + own.astype(np.float64) @ ratings.satisfied + scale * shared_good,
        prior * (1 - expected) + own.astype(np.float64) @ ratings.dissatisfied + scale * shared_bad,
    )


def _columns(actions: Sequence[Action]) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    targets = np.array([action.target for action in actions], dtype=np.str_)
    return targets, np.array([action.strength for action in actions], dtype=float)
