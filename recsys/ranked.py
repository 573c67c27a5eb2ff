"""Ranked rows, and the one deterministic way from scores to a ranking; models and indexes share it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.errors import RequestError
from recsys.schema import BoolArray, FloatArray, IntArray

NO_ROW = -1
"""Stands in `Ranked.rows` where there was nothing more to rank; its score is -inf."""
_GROUPS = 64
_FEW = 16
"""More ties than this many times what is wanted, and columns are counted instead of sorted."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best rows of each query, best first.

    rows: (Q, k) int64 dense rows, padded on the right with `NO_ROW`.
    scores: (Q, k) float32, not increasing along a row, padded with -inf.
    """

    rows: IntArray
    scores: FloatArray


def top_k(scores: FloatArray, k: int, allowed: BoolArray | None = None) -> Ranked:
    """The k best columns of each row of `scores` (Q, N), higher first, equal scores by lower column.

    `allowed` (N,) or (Q, N) keeps the columns where it is True. A score of NaN or -inf is never ranked, so a
    row with fewer than k finite scores is padded. Raises RequestError if k < 1.
    """
    check_k(k)
    if allowed is not None:
        scores = np.where(allowed, scores, np.float32(-np.inf))
    scores = np.asarray(scores, dtype=np.float32)
    size = min(k, scores.shape[1])
    found = _contenders(scores, size)
    rows, best = _all_ranked(scores, size) if found is None else found
    order = np.argsort(-best, axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    rows = np.where(best > -np.inf, np.take_along_axis(rows, order, axis=1), NO_ROW)
    return padded(rows, best, k)


def padded(rows: IntArray, scores: FloatArray, k: int) -> Ranked:
    """`rows` and `scores` (Q, j), j <= k, as a Ranked of width k."""
    if rows.shape[1] == k:  # np.pad takes its time over nothing, too
        return Ranked(rows.astype(np.int64), scores.astype(np.float32))
    margin = ((0, 0), (0, k - rows.shape[1]))
    return Ranked(
        np.pad(rows.astype(np.int64), margin, constant_values=NO_ROW),
        np.pad(scores.astype(np.float32), margin, constant_values=-np.inf),
    )


def check_k(k: int) -> None:
    """Raises RequestError if k < 1."""
    if k < 1:
        raise RequestError("k", f"must be at least 1, not {k}")


def _contenders(scores: FloatArray, size: int) -> tuple[IntArray, FloatArray] | None:
    """The `size` best columns of each row, best first, and their scores (Q, size); None where this way is none.

    The `size`-th best of the maxima of disjoint groups of columns is no better than the `size`-th best score. So few
    columns are as good as that bound that the rest of the work is small, where scores are not mostly alike.
    """
    queries, columns = scores.shape
    groups = min(_GROUPS, columns // max(4 * size, 1))
    if groups < 2 or queries == 0:
        return None
    width = columns // groups
    peaks = scores[:, :width].copy()
    for start in range(width, groups * width, width):
        np.maximum(peaks, scores[:, start : start + width], out=peaks)
    if np.isnan(peaks).any():
        return None
    bounds = np.maximum(np.partition(peaks, -size, axis=1)[:, -size, None], np.finfo(np.float32).min)
    owners, places = np.divmod(np.flatnonzero(scores >= bounds), columns)
    if len(places) > _FEW * size * queries:
        return None
    values = scores[owners, places]
    order = np.lexsort((places, -values, owners))
    # Entries are sorted by row: a row's first one is where its number would be inserted.
    rank = np.arange(len(owners)) - np.searchsorted(owners, owners)
    kept = order[rank < size]
    rows = np.full((queries, size), NO_ROW, dtype=np.int64)
    best = np.full((queries, size), -np.inf, dtype=np.float32)
    target = owners[kept], rank[rank < size]
    rows[target], best[target] = places[kept], values[kept]
    return rows, best


def _all_ranked(scores: FloatArray, size: int) -> tuple[IntArray, FloatArray]:
    """The `size` best columns of each row, in column order, and their scores (Q, size)."""
    scores = np.where(np.isnan(scores), np.float32(-np.inf), scores)
    rows = _best_columns(scores, size)
    return rows, np.take_along_axis(scores, rows, axis=1)


def _best_columns(scores: FloatArray, size: int) -> IntArray:
    """The `size` best columns of each row, in column order: (Q, N) to (Q, size).

    argpartition alone would pick any of the columns tied at the last place; the tie goes to the lower column.
    """
    if size == 0:
        return np.empty((len(scores), 0), dtype=np.int64)
    last = np.partition(scores, -size, axis=1)[:, -size, None]
    above = scores > last
    tied = scores == last
    free = size - above.sum(axis=1, keepdims=True)
    keep = above | (tied & (np.cumsum(tied, axis=1) <= free))
    return np.nonzero(keep)[1].reshape(len(scores), size)
