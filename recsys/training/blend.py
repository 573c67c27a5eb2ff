"""Fit the blend, weights or curves, on later events that the models did not see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys.dataset.interactions import Interactions
from recsys.models.blend import Blend
from recsys.models.curves import Curves, standardize
from recsys.progress import Stage, stage
from recsys.ranking.features import SAME_FOR_ALL
from recsys.ranking.recommender import Recommender
from recsys.rng import generator
from recsys.schema import FEATURES, BoolArray, FloatArray, IntArray, UserRow
from recsys.training.curves import fit_curves

MOST_USERS = 2_000
"""The weights are few: this many users' later events settle them."""
SMALLEST_GAIN = 2e-4
"""A weight is changed only if it helps by more: a feature that says nothing keeps its place."""
NEW_ITEM_OFFSETS = (0.0, -0.5, -1.0, -2.0, -4.0)
"""Where new items' scores may lie against the others', in deviations of these: never above them on average."""
FEWEST_PEOPLE = 50
"""Curves are tried only where this many people can be asked, and as many learned from."""
K = 10
"""Length of the lists that are made best."""


class Round(NamedTuple):
    """One recommender and events that it did not learn from; `items` (I,) that compete (None: all)."""

    recommender: Recommender
    later: Interactions
    items: BoolArray | None = None


class Case(NamedTuple):
    """Ranking case of one user of a round.

    Features (n, F) of the candidates, which are relevant and which new items (n,), and how many items would have been
    relevant, retrieved or not.
    """

    table: FloatArray
    relevant: BoolArray
    new: BoolArray
    wanted: int


@dataclass(frozen=True, eq=False)
class BlendCases:
    """Ranking cases of U users: padded feature tables (U, n, F), and which rows (U, n) are relevant or new items.

    `rounds` (U,) says from which round each is; `wanted` (U,) how many items are relevant, retrieved or not.
    """

    tables: FloatArray
    relevant: BoolArray
    new: BoolArray
    padding: BoolArray
    wanted: IntArray
    rounds: IntArray

    @classmethod
    def of(cls, rounds: Iterable[Round], *, seed: int) -> BlendCases:
        """Collect the users of these rounds."""
        with stage("validation users", unit="user") as counting:
            cases = [(index, case) for index, each in enumerate(rounds) for case in _cases(each, seed, counting)]
        shape = (len(cases), max((len(case.relevant) for _, case in cases), default=0))
        tables = np.zeros((*shape, len(FEATURES)), dtype=np.float32)
        relevant, new, padding = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool), np.ones(shape, dtype=bool)
        for i, (_, case) in enumerate(cases):
            here = slice(len(case.relevant))
            tables[i, here], relevant[i, here], new[i, here] = case.table, case.relevant, case.new
            padding[i, here] = False
        wanted = np.array([case.wanted for _, case in cases], dtype=np.int64)
        return cls(tables, relevant, new, padding, wanted, np.array([index for index, _ in cases], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.tables)

    def only(self, which: BoolArray) -> BlendCases:
        """Return the users for which `which` (U,) is True."""
        return BlendCases(*(getattr(self, each.name)[which] for each in fields(self)))

    def weighted_scores(self, weights: FloatArray) -> FloatArray:
        """Scores (U, n) of a weighted sum (F,)."""
        return np.asarray(self.tables @ weights)

    def quality(self, weights: FloatArray) -> float:
        """Mean NDCG@10 of ranking by a weighted sum (F,)."""
        return float(self.ndcg(self.weighted_scores(weights)).mean())

    def ndcg(self, scores: FloatArray) -> NDArray[np.float64]:
        """NDCG@10 of each person (U,) of ranking by scores (U, n), over all that is relevant, retrieved or not."""
        scores = np.where(self.padding, -np.inf, scores)
        k = min(K, scores.shape[1])
        # Only relevant items at or above the k-th best score can be listed, and few are: only these are counted.
        users, items = self._relevant_pairs
        own, least = scores[users, items], np.partition(scores, -k, axis=1)[:, -k]
        listed = own >= least[users]
        users, items, own = users[listed], items[listed], own[listed][:, None]
        others = scores[users]
        # The place of an item: so many candidates are better, or equal and before it.
        places = np.count_nonzero(others > own, axis=1)
        places += np.count_nonzero((others == own) & (np.arange(scores.shape[1]) < items[:, None]), axis=1)
        users, places = users[places < k], places[places < k]
        discount = 1.0 / np.log2(np.arange(2, K + 2))
        gains = np.zeros((len(scores), K))
        gains[users, places] = discount[places]
        return np.asarray(gains.sum(axis=1) / np.cumsum(discount)[np.minimum(self.wanted, K) - 1])

    @cached_property
    def _relevant_pairs(self) -> tuple[IntArray, IntArray]:
        """Users (r,) and rows (r,) of all relevant items; the same for every trial of weights."""
        users, items = np.nonzero(self.relevant)
        return users.astype(np.int64), items.astype(np.int64)

    def spread(self) -> FloatArray:
        """Return the standard deviation of each feature over all rows, (F,)."""
        return np.asarray(self.tables[~self.padding].std(axis=0))


def fit_blend(cases: BlendCases, new: BlendCases) -> Blend:
    """Fit the blend with the best mean NDCG on the cases, of which there must be at least one.

    Curves take the place of weights where they are better on people whom neither was fitted on. `new` cases, which
    may be none, ask for new items among new ones; they settle the weights of these. How new items compare with all
    others the first cases settle: new ones get as much as costs nothing there.
    """
    weights = fit_weights(cases)
    curves = curves_of(cases) if curves_pay(cases) else None
    if not len(new):
        return Blend(_by_feature(weights), _by_feature(weights), curves=curves)
    scores = cases.weighted_scores(weights) if curves is None else curve_scores(cases, curves)
    # Weights of new items in units of the others' scores.
    known, new_weights = scores[~cases.padding], _best(new)
    found = new.weighted_scores(new_weights)[~new.padding]
    ratio = known.std() / max(float(found.std()), 1e-9)
    center = float(known.mean() - found.mean() * known.std() / max(float(found.std()), 1e-9))
    new_weights = (new_weights * ratio).astype(np.float32)
    # The offset of new items is the largest that costs nothing.
    offsets = [center + step * float(known.std()) for step in NEW_ITEM_OFFSETS]
    placed = cases.weighted_scores(new_weights)
    reached = [float(cases.ndcg(np.where(cases.new, placed + offset, scores)).mean()) for offset in offsets]
    least = max(reached) - SMALLEST_GAIN
    offset = next(offset for offset, each in zip(offsets, reached, strict=True) if each >= least)
    return Blend(_by_feature(weights), _by_feature(new_weights), round(offset, 6), curves)


def quality(cases: BlendCases, blend: Blend) -> float:
    """Mean NDCG@10 of a blend on the cases."""
    return float(cases.ndcg(_by_person(cases, blend.contributions)).mean())


def fit_weights(cases: BlendCases) -> FloatArray:
    """Fit the weights (F,) with the best mean NDCG; the largest is 1."""
    weights = personal(cases, _best(cases))
    return np.asarray(weights / weights.max())


def _best(cases: BlendCases) -> FloatArray:
    # Start from equal features and from each one above the others: ascent finds only the nearest maximum.
    spread = cases.spread()
    alike = np.where(spread > 1e-6, 1.0 / np.maximum(spread, 1e-6), 0.0).astype(np.float32)
    alike /= max(float(alike.max()), 1e-9)
    favored = [alike * np.where(np.arange(len(alike)) == feature, 1.0, 0.1) for feature in np.flatnonzero(alike)]
    starts = [alike, *(start.astype(np.float32) for start in favored)]
    # One trial in five repeats an earlier one: a weight of 0 has no multiples, and the last round changes nothing.
    measured: dict[bytes, float] = {}

    def quality(weights: FloatArray) -> float:
        key = weights.tobytes()
        if key not in measured:
            measured[key] = cases.quality(weights)
        return measured[key]

    with stage("blend weights", len(starts), "start") as counting:
        tops = []
        for start in starts:
            tops.append(ascend(quality, start))
            counting.advance()
    return max(tops, key=quality)


def curves_pay(cases: BlendCases) -> bool:
    """Test if curves beat weights on the last round's users (or on every second user), both fitted on the others."""
    held = cases.rounds == cases.rounds.max() if cases.rounds.any() else np.arange(len(cases)) % 2 == 1
    if min(held.sum(), (~held).sum()) < FEWEST_PEOPLE:
        return False
    known, asked = cases.only(~held), cases.only(held)
    if not known.relevant.any():
        return False
    by_weights = asked.ndcg(asked.weighted_scores(fit_weights(known)))
    difference = asked.ndcg(curve_scores(asked, curves_of(known))) - by_weights
    return bool(difference.mean() > difference.std() / np.sqrt(len(difference)))


def curves_of(cases: BlendCases) -> Curves:
    """Fit curves that separate the items a user liked next from the other candidates."""
    everybody = zip(cases.tables, cases.relevant, cases.padding, strict=True)
    people = [(table[~gap], hits[~gap]) for table, hits, gap in everybody if not gap.all()]
    columns = np.concatenate([np.hstack([table, standardize(table)]) for table, _ in people])
    with stage("blend curves"):
        return fit_curves(columns, np.concatenate([hits for _, hits in people]))


def curve_scores(cases: BlendCases, curves: Curves) -> FloatArray:
    """Scores (U, n) by curves, 0 in the padding."""
    return _by_person(cases, lambda table, _: curves.contributions(table))


def _by_person(cases: BlendCases, contributions: Callable[[FloatArray, BoolArray], FloatArray]) -> FloatArray:
    """Scores (U, n) from what each person's table and new items give, 0 in the padding."""
    scores = np.zeros(cases.relevant.shape, dtype=np.float32)
    for own, table, new, gap in zip(scores, cases.tables, cases.new, cases.padding, strict=True):
        own[~gap] = contributions(table[~gap], new[~gap]).sum(axis=1)
    return scores


def _by_feature(weights: FloatArray) -> dict[str, float]:
    return {name: round(float(weight), 6) for name, weight in zip(FEATURES, weights, strict=True)}


def personal(cases: BlendCases, weights: FloatArray) -> FloatArray:
    """Lower the weights of features that are the same for all users as far as the metric allows.

    What is popular is scaled down in steps as long as the mean NDCG stays within half a standard error of where it
    was: of rankings that cannot be told apart, the shop wants the personal one.
    """
    before = cases.ndcg(cases.weighted_scores(weights))
    least = float(before.mean() - 0.5 * before.std() / np.sqrt(len(before)))
    for _ in range(20):
        trial = np.where(np.isin(FEATURES, SAME_FOR_ALL), 0.8 * weights, weights).astype(np.float32)
        if cases.quality(trial) < least:
            break
        weights = trial
    return weights


def ascend(quality: Callable[[FloatArray], float], start: FloatArray, rounds: int = 4) -> FloatArray:
    """Coordinate ascent (Metzler and Croft 2007): the weights (F,) >= 0 that make `quality` large.

    Each weight in turn is tried at multiples of itself, at 0, and at shares of the largest; the best trial is kept
    if it helps. Deterministic.
    """
    best, reached = start.copy(), quality(start)
    for _ in range(rounds):
        before = reached
        for feature in range(len(best)):
            # Try multiples of the weight, and shares of the largest one.
            here, largest = float(best[feature]), float(best.max())
            around = (here * step for step in (0.5, 0.7, 0.85, 1.2, 1.4, 2.0))
            values = [0.0, *around, *(largest * share for share in (0.01, 0.03, 0.1, 0.3, 1.0))]
            trials = []
            for value in values:
                trial = best.copy()
                trial[feature] = value
                trials.append(trial)
            found = [quality(trial) for trial in trials]
            winner = int(np.argmax(found))
            if found[winner] > reached + SMALLEST_GAIN:
                best, reached = trials[winner], found[winner]
        if reached <= before:
            break
    return best


def _cases(each: Round, seed: int, counting: Stage) -> Iterator[Case]:
    """Per user with later likes of unseen items."""
    recommender, liked = each.recommender, each.later.select(each.later.weights > 0)
    order = np.argsort(liked.users, kind="stable")
    users, starts = np.unique(liked.users[order], return_index=True)
    items = dict(zip(users.tolist(), np.split(liked.items[order], starts[1:]), strict=True)) if len(users) else {}
    if len(users) > MOST_USERS:
        users = np.sort(generator(seed, "blend").choice(users, MOST_USERS, replace=False))
    for user in users:
        counting.advance()
        profile = recommender.profile_of_row(UserRow(int(user)))
        wanted = np.setdiff1d(items[int(user)], profile.interacted)
        if len(wanted):
            rows, table = recommender.candidates(profile, each.items)
            yield Case(table, np.isin(rows, wanted), recommender.cold[rows], len(wanted))
