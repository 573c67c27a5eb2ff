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
from scipy.cluster.hierarchy import linkage
from scipy.sparse import csr_matrix
from scipy.spatial.distance import pdist, squareform
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.models.base import kept
from recsys.profiles.style_space import StyleSpace
from recsys.schema import FloatArray, IntArray

RECENT = 64
"""A taste is drawn from this many of a user's strongest events at most."""
CLEAR_SPLIT = 0.12
"""Modes are told apart only if their silhouette is at least this."""
FEWEST_TO_SPLIT = 6
BLOCK = 50_000
"""Users whose evidence is summed at a time."""


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
        moments = _Moments.none(factors.shape[1] + 1, space.dimensions)
        for start in range(0, evidence.count, BLOCK):
            totals, sums = evidence.block(space, start, start + BLOCK)
            used = totals > 0
            known = np.ones((int(used.sum()), factors.shape[1] + 1))  # the last column is the constant
            known[:, :-1] = factors[start : start + BLOCK][used]
            # one BLAS thread: sums do not depend on the number of cores, and are too small to share out
            with threadpool_limits(1, "blas"):
                moments.add(known, sums[used] / totals[used, None], np.sqrt(totals[used]))
        weight, bias = moments.ridge()
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
class _Moments:
    """Weighted sums over users of (x, 1)'(x, 1), (F + 1, F + 1), and (x, 1)'y, (F + 1, 128), in float64."""

    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]

    @classmethod
    def none(cls, inputs: int, targets: int) -> _Moments:
        return cls(np.zeros((inputs, inputs)), np.zeros((inputs, targets)))

    def add(self, known: NDArray[np.float64], target: FloatArray, weights: FloatArray) -> None:
        """Users with `known` (n, F + 1), `target` (n, 128) and `weights` (n,)."""
        weighed = known * weights[:, None]
        self.inputs[...] += weighed.T @ known
        self.targets[...] += weighed.T @ target

    def ridge(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Map (F, 128) and bias (128,); the penalty is the mean eigenvalue of the centered inputs, times F."""
        total = max(float(self.inputs[-1, -1]), 1e-12)
        mean_x, mean_y = self.inputs[-1, :-1] / total, self.targets[-1] / total
        normal = self.inputs[:-1, :-1] - total * np.outer(mean_x, mean_x)
        size = max(len(normal), 1)
        normal[np.diag_indices(len(normal))] += max(float(np.trace(normal)) / size, 1e-6)
        weight = np.linalg.solve(normal, self.targets[:-1] - total * np.outer(mean_x, mean_y))
        return weight.astype(np.float64), np.asarray(mean_y - mean_x @ weight, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What U users like: `say` (U, I), how much each liked item counts, above 0 where stored."""

    say: csr_matrix

    @classmethod
    def of(cls, recent: csr_matrix) -> Evidence:
        """From event weights faded by age (U, I); dislikes are no evidence."""
        likes = kept(recent, recent.data > 0)
        return cls(csr_matrix((event_say(likes.data), likes.indices, likes.indptr), shape=likes.shape))

    @property
    def count(self) -> int:
        """U."""
        return int(self.say.shape[0])

    def block(self, space: StyleSpace, start: int, stop: int) -> tuple[FloatArray, FloatArray]:
        """For users `start` to `stop`: the weight of their evidence, (n,), and the weighted sum of the directions
        they liked, (n, 128)."""
        say = self.say[start:stop]
        return np.asarray(say.sum(axis=1), dtype=np.float32).ravel(), np.asarray(say @ space.directions)


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
        labels = cut(tree, count)
        if labels.max() == 0:
            continue
        clear = silhouette(square, labels)
        if clear > clearest:
            best, clearest = labels, clear
    return best


def cut(tree: NDArray[np.float64], count: int) -> IntArray:
    """Labels (n,) from 0 of at most `count` clusters of a linkage (n - 1, 4) whose heights ascend.

    The same as SciPy's `fcluster` by `maxclust`, whose checks take longer than a request may: what is joined at one
    height stays together, and clusters are numbered in the order in which it visits them.
    """
    size = len(tree) + 1
    if count >= size:
        return np.arange(size)
    joined = int(np.searchsorted(tree[:, 2], tree[size - 1 - count, 2], side="right"))
    pairs = tree[:, :2].astype(np.int64).tolist()
    labels = np.empty(size, dtype=np.int64)
    clusters = 0

    def label(node: int) -> None:
        nonlocal clusters
        waiting = [node]
        while waiting:
            part = waiting.pop()
            if part < size:
                labels[part] = clusters
            else:
                waiting.extend(pairs[part - size])
        clusters += 1

    def visit(node: int) -> None:
        if node - size < joined:
            label(node)
            return
        for part in pairs[node - size]:
            if part >= size:
                visit(part)
        for part in pairs[node - size]:
            if part < size:
                label(part)

    visit(2 * size - 2)
    return labels


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
