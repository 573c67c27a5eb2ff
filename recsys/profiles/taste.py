"""A user's taste: one to four directions in style space, learned from factors and from touched styles.

Evidence: the style directions of what the user liked, each with a say that grows with the event's weight and fades
with its age. They are grouped into modes (Ward's clustering), because a person may like both marble and tartan, and
the mean of the two is neither. Prior: a linear map from the user's collaborative factors p_u to a direction, so that
a few events are completed by what similar people like. A mode is the posterior mean of both,

    d_j = (kappa * W p_u + sum of evidence in mode j) / (kappa + weight of evidence in mode j),

hence its length, at most about 1, says how sure it is: a taste of one click counts less in the ranking.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform

from recsys.profiles.style_space import StyleSpace
from recsys.schema import FloatArray, IntArray

RECENT = 64
"""A taste is drawn from this many of a user's strongest events at most."""
CLEAR_SPLIT = 0.12
"""Modes are told apart only if their silhouette is at least this."""
FEWEST_TO_SPLIT = 6


@dataclass(frozen=True, slots=True, eq=False)
class Taste:
    """M modes: `directions` (M, 128), lengths in [0, 1] say how sure; `shares` (M,) positive, largest first, sum 1."""

    directions: FloatArray
    shares: FloatArray

    @classmethod
    def none(cls, dimensions: int) -> Taste:
        """No taste: M = 0."""
        return cls(np.zeros((0, dimensions), np.float32), np.zeros(0, np.float32))

    def __bool__(self) -> bool:
        return len(self.directions) > 0

    def match(self, directions: FloatArray) -> FloatArray:
        """How well items (I, 128) fit: the best mode's inner product, (I,) in about [-1, 1]; 0 without a taste."""
        if not self:
            return np.zeros(len(directions), dtype=np.float32)
        return np.asarray((directions @ self.directions.T).max(axis=1), dtype=np.float32)

    def best_modes(self, directions: FloatArray) -> IntArray:
        """The mode that each item (I, 128) fits best, (I,)."""
        return np.asarray((directions @ self.directions.T).argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class TasteModel:
    """`weight` (F, 128) and `bias` (128,) map factors to a direction; `prior` is kappa, in events of weight 1."""

    weight: FloatArray
    bias: FloatArray
    prior: float
    max_modes: int

    @classmethod
    def fit(
        cls, space: StyleSpace, evidence: Evidence, factors: FloatArray, *, prior: float, max_modes: int
    ) -> TasteModel:
        """Ridge regression from factors (U, F) of users to the mean direction of what they liked.

        A user counts by the weight of their evidence; users without any do not count.
        """
        total = evidence.totals()
        used = total > 0
        target = evidence.sums(space)[used] / total[used, None]
        x, counts = factors[used].astype(np.float64), np.sqrt(total[used])[:, None]
        mean_x = np.average(x, axis=0, weights=counts[:, 0]) if used.any() else np.zeros(x.shape[1])
        mean_y = np.average(target, axis=0, weights=counts[:, 0]) if used.any() else np.zeros(space.dimensions)
        centered = (x - mean_x) * np.sqrt(counts)
        normal = centered.T @ centered
        normal += np.eye(len(normal)) * max(float(np.trace(normal)) / max(len(normal), 1), 1e-6)
        weight = np.linalg.solve(normal, centered.T @ ((target - mean_y) * np.sqrt(counts)))
        bias = mean_y - mean_x @ weight
        return cls(weight.astype(np.float32), bias.astype(np.float32), prior, max_modes)

    def taste(self, space: StyleSpace, rows: IntArray, weights: FloatArray, factors: FloatArray | None) -> Taste:
        """The taste of one user from liked items `rows` (n,), their say `weights` (n,) > 0, and factors (F,).

        Without factors the prior is zero; without events and factors there is no taste.
        """
        shown = np.linalg.norm(space.directions[rows], axis=1) > 0
        rows, weights = rows[shown], weights[shown]
        expected = np.zeros(space.dimensions) if factors is None else factors @ self.weight + self.bias
        if not len(rows):
            if factors is None:
                return Taste.none(space.dimensions)
            return Taste(np.asarray(expected, dtype=np.float32)[None], np.ones(1, np.float32))
        strongest = np.lexsort((rows, -weights))[:RECENT]
        directions, say = space.directions[rows[strongest]], weights[strongest].astype(np.float64)
        groups = mode_labels(directions, self.max_modes)
        sums = np.stack([(say[groups == g, None] * directions[groups == g]).sum(axis=0) for g in np.unique(groups)])
        totals = np.array([say[groups == g].sum() for g in np.unique(groups)])
        modes = (self.prior * expected + sums) / (self.prior + totals[:, None])
        order = np.argsort(-totals, kind="stable")
        return Taste(modes[order].astype(np.float32), (totals / totals.sum())[order].astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Likes of many users: `users`, `items` (n,) rows and `weights` (n,) > 0, for U users."""

    users: IntArray
    items: IntArray
    weights: FloatArray
    count: int

    def totals(self) -> FloatArray:
        """The weight of each user's evidence, (U,)."""
        return np.bincount(self.users, weights=self.weights, minlength=self.count).astype(np.float32)

    def sums(self, space: StyleSpace) -> FloatArray:
        """The weighted sum of directions each user liked, (U, 128)."""
        sums = np.zeros((self.count, space.dimensions), dtype=np.float64)
        np.add.at(sums, self.users, self.weights[:, None] * space.directions[self.items])
        return np.asarray(sums, dtype=np.float32)


def mode_labels(directions: FloatArray, max_modes: int) -> IntArray:
    """Group unit directions (n, 128) into 1 to `max_modes` modes, labels (n,): Ward's clustering, cut where the
    silhouette is clearest; one mode where no cut is clear or there are too few to tell."""
    single = np.zeros(len(directions), dtype=np.int64)
    if max_modes == 1 or len(directions) < FEWEST_TO_SPLIT:
        return single
    distances = pdist(directions.astype(np.float64))
    tree, square = linkage(distances, method="ward"), squareform(distances)
    best, clearest = single, CLEAR_SPLIT
    for count in range(2, max_modes + 1):
        labels = fcluster(tree, count, criterion="maxclust").astype(np.int64) - 1
        if labels.max() == 0:
            continue
        clear = silhouette(square, labels)
        if clear > clearest:
            best, clearest = labels, clear
    return best


def silhouette(distances: NDArray[np.float64], labels: IntArray) -> float:
    """Mean silhouette (Rousseeuw 1987) of labels (n,) in 0 .. c - 1 from distances (n, n); singletons count 0.

    The same number as scikit-learn's `silhouette_score`, without its checks, which cost more than a whole request
    may take.
    """
    member = np.eye(labels.max() + 1)[labels]  # (n, c)
    sizes = member.sum(axis=0)
    sums = distances @ member
    own = sizes[labels]
    within = sums[np.arange(len(labels)), labels] / np.maximum(own - 1, 1)
    between = np.where(member == 1, np.inf, sums / sizes).min(axis=1)
    largest = np.maximum(within, between)
    values = np.where((own > 1) & (largest > 0), (between - within) / np.where(largest > 0, largest, 1), 0.0)
    return float(values.mean())


def event_say(weights: FloatArray) -> FloatArray:
    """How much an item counts as evidence: the logarithm of its (decayed) weight, so that one purchase does not
    drown nine views."""
    return np.asarray(np.log1p(np.maximum(weights, 0.0)), dtype=np.float32)
