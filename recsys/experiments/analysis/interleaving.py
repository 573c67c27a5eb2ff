"""Team-draft interleaving: two rankers in one list, and whose items people take.

Radlinski, Kurup & Joachims (2008, "How does clickthrough data reflect retrieval quality?", section 4.2.2): captains
take turns, who begins each round is tossed, and each picks the best of theirs that is not in the list yet. A person
compares the rankers within one list, so differences between people do not blur it: it takes far fewer people than an
A/B test to find which ranker is better, but it does not say by how much any metric would move.

Assumes that people do not see the teams, and judge items as they would elsewhere. It fails where two rankings differ by
a shift of one place: then the better one gets credit too seldom (Hofmann, Whiteson & de Rijke 2011); and where rankers
differ in more than order, such as variety, which one list cannot keep apart.
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
    """Whose pick an item is."""

    A = "a"
    B = "b"
    NONE = ""
    """Below the end of one ranking: shown, and nobody's."""


@dataclass(frozen=True, slots=True)
class Interleaved:
    """One list: `items` in order, and the team of each place."""

    items: tuple[str, ...]
    teams: tuple[Team, ...]


@dataclass(frozen=True, slots=True)
class Credit:
    """How many items of each team were taken in one list."""

    a: int
    b: int

    @property
    def winner(self) -> int:
        """1 where `a` has more, -1 where `b` has, 0 for a tie."""
        return (self.a > self.b) - (self.a < self.b)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Which ranker people prefer.

    `people`: with at least one list; `for_a`, `for_b`, `ties`: how many of them each won. `preference` in [-1, 1]: the
    mean over people of the mean of their lists' winners (1 for a, -1 for b, 0 for a tie), with its interval by
    Student's t. `sign_p`: two-sided exact sign test of people won; `wilcoxon_p`: signed ranks of people's means, which
    counts clear preferences more; both without ties, 1 where there are only those.
    """

    people: int
    for_a: int
    for_b: int
    ties: int
    preference: Estimate
    sign_p: float
    wilcoxon_p: float


def interleave(a: Sequence[str], b: Sequence[str], k: int, seed: int, *parts: str | int) -> Interleaved:
    """The first `k` places of two rankings by team draft; the same arguments give the same list.

    `parts`: what makes the draw one of its own, the user and the request. In every prefix the teams differ by one place
    at most, and which of two equals comes first is a fair toss, so each ranker has the same chances. Where one ranking
    ends, the other goes on as nobody's. Raises DataError for an item twice in a ranking, or k below 1.
    """
    for name, ranking in (("a", a), ("b", b)):
        if len(set(ranking)) < len(ranking):
            raise DataError(f"ranking {name} has an item twice: give each once, best first")
    if k < 1:
        raise DataError(f"k is {k}: a list has at least one place")
    # As many tosses as there can be rounds, so that a longer list begins as a shorter one does.
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
    """Whose items were taken: each of the `positions` (from 1) once. Raises DataError for one outside the list."""
    wrong = [place for place in positions if not 1 <= place <= len(shown.items)]
    if wrong:
        raise DataError(f"position {wrong[0]} is not in a list of {len(shown.items)}: positions count from 1")
    teams = [shown.teams[place - 1] for place in set(positions)]
    return Credit(teams.count(Team.A), teams.count(Team.B))


def outcome(units: Sequence[str], given: Sequence[Credit], *, level: float = 0.95) -> Outcome:
    """Which ranker people prefer, from n lists: whose each was, and its credit.

    People are what is independent, so each counts once however many lists they saw. Raises DataError for lengths that
    differ and fewer than FEWEST people, ConfigError for a level outside (0, 1).
    """
    if len(units) != len(given):
        raise DataError(f"{len(units)} units and {len(given)} credits: give one credit for each list")
    codes = np.unique(np.asarray(units, dtype=np.str_), return_inverse=True)[1]
    return outcome_of(codes, np.array([one.winner for one in given], dtype=np.float64), level=level)


def outcome_of(units: IntArray, winners: NDArray[np.float64], *, level: float = 0.95) -> Outcome:
    """`outcome` from codes of people (n,), from 0 without gaps, and the lists' winners (n,) in {-1, 0, 1}."""
    check_between_0_and_1("level", level)
    counts = np.bincount(units) if len(units) else np.zeros(0)
    if len(counts) < FEWEST:
        raise DataError(f"lists of {len(counts)} people: at least {FEWEST} are needed for an interval")
    means = np.bincount(units, weights=winners) / counts
    for_a, for_b = int((means > 0).sum()), int((means < 0).sum())
    decided = for_a + for_b
    return Outcome(
        people=len(counts),
        for_a=for_a,
        for_b=for_b,
        ties=len(counts) - decided,
        preference=_mean_with_interval(means, level),
        sign_p=float(stats.binomtest(for_a, decided).pvalue) if decided else 1.0,
        wilcoxon_p=float(stats.wilcoxon(means, correction=True, method="approx").pvalue) if decided else 1.0,
    )


class _Picks:
    """A ranking from which items go away from the top."""

    def __init__(self, ranking: Sequence[str]) -> None:
        self._ranking, self._next = ranking, 0

    def best(self, taken: Collection[str]) -> str | None:
        """The best that is not `taken`; None where all are."""
        while self._next < len(self._ranking) and self._ranking[self._next] in taken:
            self._next += 1
        return self._ranking[self._next] if self._next < len(self._ranking) else None


def _mean_with_interval(means: NDArray[np.float64], level: float) -> Estimate:
    moments = Moments.of(means)
    margin = -float(special.stdtrit(moments.n - 1, (1.0 - level) / 2.0)) * moments.variance_of_mean**0.5
    return Estimate(moments.mean, moments.mean - margin, moments.mean + margin)
