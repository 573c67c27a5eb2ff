"""Fit the weights of the blend on later events that the models did not see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from recsys.dataset.interactions import Interactions
from recsys.pipeline.rank import FEATURES, Blend
from recsys.pipeline.recommender import Recommender
from recsys.rng import generator
from recsys.schema import BoolArray, FloatArray, UserRow

MOST_USERS = 2_000
"""The weights are few: this many users' later events settle them."""
SAME_FOR_ALL = ("popularity", "trend")
"""Features that rank alike for everybody."""
SMALLEST_GAIN = 2e-4
"""A weight is changed only if it helps by more: a feature that says nothing keeps its place."""


class BlendCases:
    """What to rank for users of later events: feature tables (U, n, F), padded, and which rows are relevant.

    `rounds` are recommenders and later events: each must have been trained on events before its own later ones.
    """

    def __init__(self, rounds: Iterable[tuple[Recommender, Interactions]], *, seed: int, k: int = 10) -> None:
        cases = [case for recommender, later in rounds for case in _cases(recommender, later, seed)]
        longest = max((len(relevant) for _, relevant, _ in cases), default=0)
        self.tables = np.zeros((len(cases), longest, len(FEATURES)), dtype=np.float32)
        self.relevant = np.zeros((len(cases), longest), dtype=bool)
        self.padding = np.ones((len(cases), longest), dtype=bool)
        for i, (table, relevant, _) in enumerate(cases):
            self.tables[i, : len(table)], self.relevant[i, : len(table)] = table, relevant
            self.padding[i, : len(table)] = False
        self.discount = 1.0 / np.log2(np.arange(2, k + 2))
        wanted = np.array([min(count, k) for _, _, count in cases], dtype=np.int64)
        self.ideal = np.cumsum(self.discount)[wanted - 1] if len(cases) else np.zeros(0)

    def __len__(self) -> int:
        return len(self.tables)

    def quality(self, weights: FloatArray) -> float:
        """Mean NDCG@k of ranking by these weights (F,)."""
        return float(self.per_user(weights).mean())

    def per_user(self, weights: FloatArray) -> NDArray[np.float64]:
        """NDCG@k of each user (U,), over everything relevant, retrieved or not."""
        scores = np.where(self.padding, -np.inf, self.tables @ weights)
        k = min(len(self.discount), scores.shape[1])
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, axis=1), kind="stable"), axis=1)
        gains = np.take_along_axis(self.relevant, order, axis=1) * self.discount[:k]
        return np.asarray(gains.sum(axis=1) / self.ideal)

    def spread(self) -> FloatArray:
        """The standard deviation of each feature over all rows, (F,)."""
        return np.asarray(self.tables[~self.padding].std(axis=0))


def fit_blend(cases: BlendCases) -> Blend:
    """The blend with the best mean NDCG on the cases, of which there has to be one at least."""
    weights = max((ascend(cases.quality, start) for start in _starts(cases.spread())), key=cases.quality)
    weights = personal(cases, weights)
    weights = weights / weights.max()
    return Blend({name: round(float(weight), 6) for name, weight in zip(FEATURES, weights, strict=True)})


def personal(cases: BlendCases, weights: FloatArray) -> FloatArray:
    """The same weights with as little for what everybody gets as the figures allow.

    What is popular is scaled down in steps as long as the mean NDCG stays within half a standard error of where it
    was: of rankings that cannot be told apart, the shop wants the personal one.
    """
    before = cases.per_user(weights)
    least = float(before.mean() - 0.5 * before.std() / np.sqrt(len(before)))
    for _ in range(20):
        trial = np.where(np.isin(FEATURES, SAME_FOR_ALL), 0.8 * weights, weights).astype(np.float32)
        if cases.quality(trial) < least:
            break
        weights = trial
    return weights


def _starts(spread: FloatArray) -> list[FloatArray]:
    """Where to begin: all features alike, and each one above the others, since ascent finds the nearest top only."""
    alike = np.where(spread > 1e-6, 1.0 / np.maximum(spread, 1e-6), 0.0).astype(np.float32)
    alike /= max(float(alike.max()), 1e-9)
    favoured = [alike * np.where(np.arange(len(alike)) == feature, 1.0, 0.1) for feature in np.flatnonzero(alike)]
    return [alike, *(start.astype(np.float32) for start in favoured)]


def ascend(quality: Callable[[FloatArray], float], start: FloatArray, rounds: int = 4) -> FloatArray:
    """Coordinate ascent (Metzler and Croft 2007): the weights (F,) >= 0 that make `quality` large.

    Each weight in turn is tried at multiples of itself, at 0, and at shares of the largest; the best trial is kept
    if it helps. Deterministic.
    """
    best, reached = start.copy(), quality(start)
    for _ in range(rounds):
        before = reached
        for feature in range(len(best)):
            trials = [_with(best, feature, value) for value in _steps(best, feature)]
            found = [quality(trial) for trial in trials]
            winner = int(np.argmax(found))
            if found[winner] > reached + SMALLEST_GAIN:
                best, reached = trials[winner], found[winner]
        if reached <= before:
            break
    return best


def _steps(weights: FloatArray, feature: int) -> list[float]:
    here, largest = float(weights[feature]), float(weights.max())
    around = [here * step for step in (0.5, 0.7, 0.85, 1.2, 1.4, 2.0)]
    return [0.0, *around, *(largest * share for share in (0.01, 0.03, 0.1, 0.3, 1.0))]


def _with(weights: FloatArray, feature: int, value: float) -> FloatArray:
    changed = weights.copy()
    changed[feature] = value
    return changed


def _cases(recommender: Recommender, later: Interactions, seed: int) -> Iterator[tuple[FloatArray, BoolArray, int]]:
    """Per user with later likes of unseen items: features (n, F), relevance (n,), and how many are relevant."""
    liked = later.select(later.weights > 0)
    order = np.argsort(liked.users, kind="stable")
    users, starts = np.unique(liked.users[order], return_index=True)
    items = dict(zip(users.tolist(), np.split(liked.items[order], starts[1:]), strict=True)) if len(users) else {}
    if len(users) > MOST_USERS:
        users = np.sort(generator(seed, "blend").choice(users, MOST_USERS, replace=False))
    for user in users:
        profile = recommender.profile_of_row(UserRow(int(user)))
        wanted = np.setdiff1d(items[int(user)], profile.touched)
        if len(wanted):
            rows, table = recommender.candidates(profile)
            yield table, np.isin(rows, wanted), len(wanted)
