"""How likely somebody is to be satisfied with a picture: Beta posteriors of arms that tell of each other.

After continuous correlated beta processes (Goetschalckx, Poupart and Hoey 2011, IJCAI): an arm's
posterior counts the verdicts on other arms, too, each by how much the two pictures have in common, so that few verdicts
move many arms, in closed form. It departs from the paper in two things:

- What arms have in common is not symmetric: a dissatisfied verdict says more of stronger pictures than of milder ones.
  Of strengths s < t of one look, it is (s / t)^2 in general, and s / t for a dissatisfied verdict on s and the arm t.
- What other arms tell counts as at most MOST_TOLD verdicts, so that each arm's rate is in the end that of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.errors import RequestError

ORIGINAL = "original"
LOOKS_ALIKE = 0.5
"""How much a verdict on one look says of another look at the same strength: all looks come near to one taste."""
MOST_TOLD = 5.0

Counts = Mapping[tuple[str, float], tuple[int, int]]
"""Of each (look, strength): how many verdicts were satisfied, and how many there are."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to show a picture: toward which look, and how strongly, in [0, 1]; at 0 the look is ORIGINAL.

    Raises RequestError for a strength outside its range, and for one of 0 of another look.
    """

    look: str
    strength: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength <= 1.0:
            raise RequestError("strength", f"must lie in [0, 1], got {self.strength}")
        if (self.look == ORIGINAL) != (self.strength == 0):
            raise RequestError("arm", f"{self.look!r} at {self.strength}: only {ORIGINAL!r} has strength 0, and always")

    @classmethod
    def shown(cls, look: str, strength: float) -> Arm:
        """The arm of what was shown: whatever it was meant to be, at strength 0 it was the original."""
        return cls(ORIGINAL if strength == 0 else look, strength)


@dataclass(frozen=True, slots=True, eq=False)
class Satisfaction:
    """Beta posteriors of A arms: `satisfied` (A,) and `dissatisfied` (A,) are their two parameters, both positive."""

    satisfied: NDArray[np.float64]
    dissatisfied: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """The expected share of satisfied verdicts, (A,) in (0, 1)."""
        return self.satisfied / (self.satisfied + self.dissatisfied)

    @property
    def variance(self) -> NDArray[np.float64]:
        """The variance of that share under the posterior, (A,)."""
        return self.mean * (1 - self.mean) / (self.satisfied + self.dissatisfied + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """How many verdicts there are on each of E (look, strength): `looks` (E,), `strengths` (E,) in [0, 1], and how many
    were `satisfied` (E,) and `dissatisfied` (E,)."""

    looks: NDArray[np.str_]
    strengths: NDArray[np.float64]
    satisfied: NDArray[np.float64]
    dissatisfied: NDArray[np.float64]

    @classmethod
    def of(cls, counts: Counts) -> Ratings:
        """From counts. Raises RequestError for a strength outside [0, 1]."""
        # In a fixed order, or sums would round differently.
        ordered = sorted(counts.items())
        arms = [Arm.shown(*shown) for shown, _ in ordered]
        good, total = np.array([two for _, two in ordered], dtype=np.float64).reshape(-1, 2).T
        return cls(*_columns(arms), good, total - good)

    def __len__(self) -> int:
        return len(self.looks)


def satisfaction(arms: Sequence[Arm], verdicts: Ratings, expected: NDArray[np.float64], prior: float) -> Satisfaction:
    """The posteriors of `arms`, where `expected` (A,) in (0, 1) counts as `prior` > 0 verdicts."""
    own, of_good, of_bad = _common(arms, verdicts)
    told_good, told_bad = of_good @ verdicts.satisfied, of_bad @ verdicts.dissatisfied
    share = MOST_TOLD / np.maximum(told_good + told_bad, MOST_TOLD)
    return Satisfaction(
        prior * expected + own @ verdicts.satisfied + share * told_good,
        prior * (1 - expected) + own @ verdicts.dissatisfied + share * told_bad,
    )


def _common(arms: Sequence[Arm], verdicts: Ratings) -> tuple[NDArray[np.float64], ...]:
    """Which verdicts (E) are on the arm (A) itself; what each satisfied, and each dissatisfied, one on another arm says
    of it: (A, E) in [0, 1]."""
    looks, strengths = _columns(arms)
    same, mine, theirs = looks[:, None] == verdicts.looks, strengths[:, None], verdicts.strengths
    own = same & (mine == theirs)
    ratio = np.minimum(mine, theirs) / np.maximum(np.maximum(mine, theirs), np.finfo(float).tiny)
    alike = np.where(own, 0.0, np.where(same, 1.0, LOOKS_ALIKE))
    return own.astype(np.float64), alike * ratio**2, alike * np.where(mine > theirs, ratio, ratio**2)


def _columns(arms: Sequence[Arm]) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    return np.array([arm.look for arm in arms], dtype=np.str_), np.array([arm.strength for arm in arms], dtype=float)
