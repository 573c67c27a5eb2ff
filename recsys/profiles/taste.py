"""Taste of a user: one to four components in style space, learned from factors and from liked styles.

Evidence: the style directions of liked items, each with a weight that grows with the weight of its events and fades
with their age. They are grouped into components (Ward's clustering), because a user may like both marble and tartan,
and the mean of the two is neither. Prior: a linear map from the user's collaborative factors p_u to a direction, so
that a few events are completed by the likes of similar users. A component is the posterior mean of both,

    d_j = (kappa * W p_u + sum of evidence in component j) / (kappa + weight of evidence in component j),

hence its length, at most about 1, measures certainty: a taste from one click counts less in the ranking.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.sparse import csr_matrix
from scipy.spatial.distance import pdist, squareform
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.models.base import keep_entries
from recsys.profiles.style_space import StyleSpace
from recsys.schema import FloatArray, IntArray

RECENT = 64
"""Largest number of a user's strongest events behind a taste."""
CLEAR_SPLIT = 0.12
"""Least silhouette at which a taste is split into components."""
FEWEST_TO_SPLIT = 6
"""Least number of events at which a taste is split into components."""
BLOCK = 50_000
"""Users whose evidence is summed at a time, which bounds memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Taste:
    """Preferred style of a user, as M components.

    Attributes:
        directions: (M, 128) the components; their lengths in [0, 1] measure certainty.
        shares: (M,) share of each component, positive, largest first, sum 1.
    """

    directions: FloatArray
    shares: FloatArray

    @classmethod
    def none(cls, dimensions: int) -> Taste:
        """Return an empty taste, M = 0."""
        return cls(np.zeros((0, dimensions), np.float32), np.zeros(0, np.float32))

    def __bool__(self) -> bool:
        return len(self.directions) > 0

    def match(self, directions: FloatArray) -> FloatArray:
        """Return the largest inner product of items (I, 128) with a component, (I,) in about [-1, 1]; 0 if empty."""
        if not self:
            return np.zeros(len(directions), dtype=np.float32)
        return np.asarray((directions @ self.directions.T).max(axis=1), dtype=np.float32)

    def best_components(self, directions: FloatArray) -> IntArray:
        """Return the index (I,) of the component that each item (I, 128) fits best."""
        return np.asarray((directions @ self.directions.T).argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class TasteModel:
    """Model that derives a taste from likes and factors.

    Attributes:
        weight: (F, 128) maps factors to a direction.
        bias: (128,) is added to it.
        prior: kappa, in events of weight 1.
        max_components: Largest number of components of a taste.
    """

    weight: FloatArray
    bias: FloatArray
    prior: float
    max_components: int

    @classmethod
    def fit(
        cls, space: StyleSpace, evidence: Evidence, factors: FloatArray, *, prior: float, max_components: int
    ) -> TasteModel:
        """Fit a ridge regression from factors (U, F) of users to the mean direction of the items they liked.

        Users are weighted by their evidence; users without evidence do not count.

        Args:
            space: Style space of the items.
            evidence: Liked items of the U users.
            factors: (U, F) factors of the same users.
            prior: kappa of the model.
            max_components: Largest number of components of a taste.
        """
        moments = _Moments.zeros(factors.shape[1] + 1, space.dimensions)
        for start in range(0, evidence.count, BLOCK):
            totals, sums = evidence.block(space, start, start + BLOCK)
            used = totals > 0
            # The last column is the constant, whose coefficients are the bias.
            known = np.ones((int(used.sum()), factors.shape[1] + 1))
            known[:, :-1] = factors[start : start + BLOCK][used]
            # With one BLAS thread, sums do not depend on the number of cores; they are too small to gain from more.
            with threadpool_limits(1, "blas"):
                moments.add(known, sums[used] / totals[used, None], np.sqrt(totals[used]))
        weight, bias = moments.ridge()
        return cls(weight.astype(np.float32), bias.astype(np.float32), prior, max_components)

    def taste(self, space: StyleSpace, rows: IntArray, weights: FloatArray, factors: FloatArray | None) -> Taste:
        """Return the taste of one user.

        Args:
            space: Style space of the items.
            rows: (n,) rows of liked items.
            weights: (n,) their weights as evidence, above 0.
            factors: (F,) factors of the user; without factors the prior is zero, and without likes too the taste is
                empty.
        """
        has_style = np.linalg.norm(space.directions[rows], axis=1) > 0
        rows, weights = rows[has_style], weights[has_style]
        expected = np.zeros(space.dimensions) if factors is None else factors @ self.weight + self.bias
        if not len(rows):
            # In a catalog without photos nothing says what factors mean in style.
            if factors is None or not expected.any():
                return Taste.none(space.dimensions)
            return Taste(np.asarray(expected, dtype=np.float32)[None], np.ones(1, np.float32))
        # The heaviest likes first, equal ones by row, so that the result does not depend on the order of events.
        strongest = np.lexsort((rows, -weights))[:RECENT]
        directions, weights = space.directions[rows[strongest]], weights[strongest].astype(np.float64)
        groups = component_labels(directions, self.max_components)
        sums = np.stack([(weights[groups == g, None] * directions[groups == g]).sum(axis=0) for g in np.unique(groups)])
        totals = np.array([weights[groups == g].sum() for g in np.unique(groups)])
        components = (self.prior * expected + sums) / (self.prior + totals[:, None])
        order = np.argsort(-totals, kind="stable")
        return Taste(components[order].astype(np.float32), (totals / totals.sum())[order].astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Weighted sums over users of (x, 1)'(x, 1), (F + 1, F + 1), and (x, 1)'y, (F + 1, 128), in float64."""

    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]

    @classmethod
    def zeros(cls, inputs: int, targets: int) -> _Moments:
        return cls(np.zeros((inputs, inputs)), np.zeros((inputs, targets)))

    def add(self, known: NDArray[np.float64], target: FloatArray, weights: FloatArray) -> None:
        """Add users with `known` (n, F + 1), `target` (n, 128) and `weights` (n,)."""
        weighed = known * weights[:, None]
        self.inputs[...] += weighed.T @ known
        self.targets[...] += weighed.T @ target

    def ridge(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the map (F, 128) and bias (128,); the penalty is the mean eigenvalue of the centered inputs."""
        total = max(float(self.inputs[-1, -1]), 1e-12)
        mean_x, mean_y = self.inputs[-1, :-1] / total, self.targets[-1] / total
        normal = self.inputs[:-1, :-1] - total * np.outer(mean_x, mean_x)
        size = max(len(normal), 1)
        normal[np.diag_indices(len(normal))] += max(float(np.trace(normal)) / size, 1e-6)
        weight = np.linalg.solve(normal, self.targets[:-1] - total * np.outer(mean_x, mean_y))
        return weight.astype(np.float64), np.asarray(mean_y - mean_x @ weight, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Liked items of U users.

    Attributes:
        weights: (U, I) how much each liked item counts; stored entries are above 0.
    """

    weights: csr_matrix

    @classmethod
    def from_events(cls, recent: csr_matrix) -> Evidence:
        """Derive evidence from event weights faded by age (U, I); dislikes are no evidence."""
        likes = keep_entries(recent, recent.data > 0)
        return cls(csr_matrix((evidence_weights(likes.data), likes.indices, likes.indptr), shape=likes.shape))

    @property
    def count(self) -> int:
        """Number of users, U."""
        return int(self.weights.shape[0])

    def block(self, space: StyleSpace, start: int, stop: int) -> tuple[FloatArray, FloatArray]:
        """Return the total weight (n,) and the weighted sum of liked directions (n, 128) of users `start` to `stop`."""
        weights = self.weights[start:stop]
        return np.asarray(weights.sum(axis=1), dtype=np.float32).ravel(), np.asarray(weights @ space.directions)


def component_labels(directions: FloatArray, max_components: int) -> IntArray:
    """Group unit directions (n, 128) into 1 to `max_components` components and return labels (n,).

    Ward's clustering is cut at the number of clusters with the largest silhouette. The result is one component if no
    silhouette reaches `CLEAR_SPLIT` or there are fewer than `FEWEST_TO_SPLIT` directions.
    """
    single = np.zeros(len(directions), dtype=np.int64)
    if max_components == 1 or len(directions) < FEWEST_TO_SPLIT:
        return single
    distances = pdist(directions.astype(np.float64))
    tree, square = linkage(distances, method="ward"), squareform(distances)
    best, clearest = single, CLEAR_SPLIT
    for count in range(2, max_components + 1):
        labels = cut(tree, count)
        if labels.max() == 0:
            continue
        clear = silhouette(square, labels)
        if clear > clearest:
            best, clearest = labels, clear
    return best


def cut(tree: NDArray[np.float64], count: int) -> IntArray:
    """Cut a linkage (n - 1, 4) of ascending heights into at most `count` clusters and return labels (n,) from 0.

    Gives the labels of SciPy's `fcluster` by `maxclust`, whose checks take longer than a request may: nodes joined at
    one height stay together, and clusters are numbered in the order in which SciPy visits them.
    """
    size = len(tree) + 1
    if count >= size:
        return np.arange(size)
    # All joins at the height of the last permitted one happen together, hence possibly fewer clusters than `count`.
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
    """Compute the mean silhouette (Rousseeuw 1987) of labels (n,) in 0 .. c - 1 from distances (n, n).

    Singletons count 0. Gives the number of scikit-learn's `silhouette_score`, whose checks cost more time than a whole
    request may take.
    """
    member = np.eye(labels.max() + 1)[labels]  # (n, c) one-hot
    sizes = member.sum(axis=0)
    sums = distances @ member  # (n, c) total distance of each point to each cluster
    own = sizes[labels]
    # A point's distance to itself is 0, so the mean within its cluster is over one point less.
    within = sums[np.arange(len(labels)), labels] / np.maximum(own - 1, 1)
    between = np.where(member == 1, np.inf, sums / sizes).min(axis=1)
    largest = np.maximum(within, between)
    values = np.where((own > 1) & (largest > 0), (between - within) / np.where(largest > 0, largest, 1), 0.0)
    return float(values.mean())


def evidence_weights(weights: FloatArray) -> FloatArray:
    """Return log(1 + weight) of decayed event weights: one purchase then does not outweigh nine views."""
    return np.asarray(np.log1p(np.maximum(weights, 0.0)), dtype=np.float32)
