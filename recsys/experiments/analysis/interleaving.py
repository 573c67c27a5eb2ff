"""Team-draft interleaving: two rankers share one list, and clicks show which one users prefer.

Radlinski, Kurup & Joachims (2008, "How does clickthrough data reflect retrieval quality?", section 4.2.2): two captains
take turns. A coin decides which one begins each round, and each picks its best item that is not in the list yet. Each
user compares the rankers within one list, so that differences between users add no noise. It needs far fewer users than
an A/B test to find the better ranker, but it does not measure the change of a metric.

It assumes that users do not see the teams, and judge items as they would elsewhere. It fails if two rankings differ by
a shift of one position: the better one then gets credit too seldom (Hofmann, Whiteson & de Rijke 2011). It also fails
if rankers differ in more than order, such as diversity, which one shared list cannot separate.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from recsys.errors import DataError
from recsys.experiments.stats.checks import check_between_0_and_1
from recsys.experiments.stats.effect import Estimate
from recsys.experiments.stats.moments import Moments
from recsys.rng import generator
from recsys.schema import IntArray

FEWEST = 2


class Team(StrEnum):
    """Ranker that picked an item."""

    A = "a"
    B = "b"
    NONE = ""
    """Neither: one ranking has ended, the item is shown without credit."""


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Interleaved list: `items` in order, and the team of each position."""

    items: tuple[str, ...]
    teams: tuple[Team, ...]


@dataclass(frozen=True, slots=True)
class Credit:
    """Number of clicked items of each team in one list."""

    a: int
    b: int

    @property
    def winner(self) -> int:
        """1 if `a` has more, -1 if `b` has more, 0 for a tie."""
        return (self.a > self.b) - (self.a < self.b)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of interleaving.

    Attributes:
        users: number of users with at least one list.
        for_a: users who preferred a.
        for_b: users who preferred b.
        ties: users without a preference.
        preference: mean over users of the mean of their lists' winners (1 for a, -1 for b, 0 for a tie), in [-1, 1],
            with an interval by Student's t.
        sign_p: p-value of the two-sided exact sign test over users, without ties; 1 if there are only ties.
        wilcoxon_p: p-value of Wilcoxon's signed-rank test of the users' means, which weights clear preferences more;
            without ties, 1 if there are only ties.
    """

    users: int
    for_a: int
    for_b: int
    ties: int
    preference: Estimate
    sign_p: float
    wilcoxon_p: float


def interleave(a: Sequence[str], b: Sequence[str], k: int, seed: int, *parts: str | int) -> Interleaved:
    """Build the first `k` positions of two rankings by team draft; the same arguments give the same list.

    In every prefix the sizes of the teams differ by at most one. A fair toss decides which one is first, so that both
    rankers have the same chance. If one ranking ends, the other one continues without credit.

    Args:
        a: ranking of the first ranker, best first.
        b: ranking of the second ranker.
        k: length of the list.
        seed: seed of the tosses.
        *parts: further parts of the seed, such as user and request.

    Raises:
        DataError: if a ranking has an item twice, or k is below 1.
    """
    for name, ranking in (("a", a), ("b", b)):
        if len(set(ranking)) < len(ranking):
            raise DataError(f"ranking {name} has an item twice: give each once, best first")
    if k < 1:
        raise DataError(f"k is {k}: a list has at least one position; give 1 or more")
    # As many tosses as there can be rounds, so that a longer list begins like a shorter one.
    tosses = generator(seed, "interleave", *parts).random(k) < 0.5
    rest = {Team.A: _Picks(a), Team.B: _Picks(b)}
    items: list[str] = []
    teams: list[Team] = []
    taken: set[str] = set()
    size = {Team.A: 0, Team.B: 0}
    while len(items) < k:
        picks = {team: picking.best(taken) for team, picking in rest.items()}
        if picks[Team.A] is None and picks[Team.B] is None:
            break
        a_picks = size[Team.A] < size[Team.B] or (size[Team.A] == size[Team.B] and bool(tosses[size[Team.A]]))
        team = Team.A if a_picks else Team.B
        if picks[Team.A] is None or picks[Team.B] is None:
            team = Team.NONE
        item = picks[team] if team is not Team.NONE else picks[Team.A] or picks[Team.B]
        assert item is not None  # noqa: S101 - one of the two has a pick
        if team is not Team.NONE:
            size[team] += 1
        items.append(item)
        teams.append(team)
        taken.add(item)
    return Interleaved(tuple(items), tuple(teams))


def credit(shown: Interleaved, positions: Collection[int]) -> Credit:
    """Count the clicked items of each team, each of the `positions` (from 1) once.

    Raises:
        DataError: if a position is outside the list.
    """
    wrong = [position for position in positions if not 1 <= position <= len(shown.items)]
    if wrong:
        raise DataError(f"position {wrong[0]} is not in a list of {len(shown.items)}: positions count from 1")
    teams = [shown.teams[position - 1] for position in set(positions)]
    return Credit(teams.count(Team.A), teams.count(Team.B))


def outcome(units: Sequence[str], given: Sequence[Credit], *, level: float = 0.95) -> Outcome:
    """Compute which ranker users prefer, from n lists.

    Users are independent, lists of one user are not: each user counts once, however many lists they saw.

    Args:
        units: user of each list.
        given: credit of each list.
        level: confidence level of the interval.

    Raises:
        DataError: if the lengths differ, or there are fewer than FEWEST users.
        ConfigError: if the level is outside (0, 1).
    """
    if len(units) != len(given):
        raise DataError(f"{len(units)} units and {len(given)} credits: give one credit for each list")
    codes = np.unique(np.asarray(units, dtype=np.str_), return_inverse=True)[1]
    return outcome_of(codes, np.array([one.winner for one in given], dtype=np.float64), level=level)


def outcome_of(units: IntArray, winners: NDArray[np.float64], *, level: float = 0.95) -> Outcome:
    """Compute `outcome` from codes of users (n,), from 0 without gaps, and winners (n,) of lists in {-1, 0, 1}."""
    check_between_0_and_1("level", level)
    counts = np.bincount(units) if len(units) else np.zeros(0)
    if len(counts) < FEWEST:
        raise DataError(f"lists of {len(counts)} users: give those of at least {FEWEST} for an interval")
    means = np.bincount(units, weights=winners) / counts
    for_a, for_b = int((means > 0).sum()), int((means < 0).sum())
    decided = for_a + for_b
    moments = Moments.from_values(means)
    margin = -float(special.stdtrit(moments.n - 1, (1.0 - level) / 2.0)) * moments.variance_of_mean**0.5
    return Outcome(
        users=len(counts),
        for_a=for_a,
        for_b=for_b,
        ties=len(counts) - decided,
        preference=Estimate(moments.mean, moments.mean - margin, moments.mean + margin),
        sign_p=float(stats.binomtest(for_a, decided).pvalue) if decided else 1.0,
        wilcoxon_p=float(stats.wilcoxon(means, correction=True, method="approx").pvalue) if decided else 1.0,
    )


class _Picks:
    """Ranking from which items are taken from the top."""

    def __init__(self, ranking: Sequence[str]) -> None:
        self._ranking, self._next = ranking, 0

    def best(self, taken: Collection[str]) -> str | None:
        """Return the best item that is not `taken`; None if all are."""
        while self._next < len(self._ranking) and self._ranking[self._next] in taken:
            self._next += 1
        return self._ranking[self._next] if self._next < len(self._ranking) else None
