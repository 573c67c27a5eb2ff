"""Ranked rows, and the deterministic way from scores to a ranking that models and indexes share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.errors import RequestError
from recsys.schema import BoolArray, FloatArray, IntArray

NO_ROW = -1
"""Padding of `Ranked.rows`, with a score of -inf."""
_GROUPS = 64
"""Groups of columns whose maxima bound the best scores."""
_FEW = 16
"""Largest number of contenders per requested row that is sorted; with more of them, `np.partition` is faster."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Best rows of each query, best first.

    Attributes:
        rows: (Q, k) int64 dense rows, padded on the right with `NO_ROW`.
        scores: (Q, k) float32, not increasing along a row, padded with -inf.
    """

    rows: IntArray
    scores: FloatArray


def top_k(scores: FloatArray, k: int, allowed: BoolArray | None = None) -> Ranked:
    """Rank the k best columns of each row of `scores`, higher first, equal scores by lower column.

    A score of NaN or -inf is never ranked, so a row with fewer than k finite scores is padded.

    Args:
        scores: (Q, N).
        k: Number of columns to rank, at least 1.
        allowed: (N,) or (Q, N) mask of the columns to rank; all by default.

    Raises:
        RequestError: If k < 1.
    """
    check_k(k)
    if allowed is not None:
        scores = np.where(allowed, scores, np.float32(-np.inf))
    scores = np.asarray(scores, dtype=np.float32)
    size = min(k, scores.shape[1])
    found = _best_by_bound(scores, size)
    rows, best = _best_by_partition(scores, size) if found is None else found
    order = np.argsort(-best, axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    rows = np.where(best > -np.inf, np.take_along_axis(rows, order, axis=1), NO_ROW)
    return pad_ranked(rows, best, k)


def pad_ranked(rows: IntArray, scores: FloatArray, k: int) -> Ranked:
    """Return `rows` and `scores` (Q, j), j <= k, as a Ranked of width k."""
    # np.pad takes microseconds even if it adds nothing.
    if rows.shape[1] == k:
        return Ranked(rows.astype(np.int64), scores.astype(np.float32))
    margin = ((0, 0), (0, k - rows.shape[1]))
    return Ranked(
        np.pad(rows.astype(np.int64), margin, constant_values=NO_ROW),
        np.pad(scores.astype(np.float32), margin, constant_values=-np.inf),
    )


def check_k(k: int) -> None:
    """Raise RequestError if k < 1."""
    if k < 1:
        raise RequestError("k", f"must be at least 1, not {k}")


def _best_by_bound(scores: FloatArray, size: int) -> tuple[IntArray, FloatArray] | None:
    """Find the `size` best columns of each row, best first, and their scores (Q, size); None if too many contend.

    Columns are split into disjoint groups. The `size`-th best of the groups' maxima is a lower bound of the `size`-th
    best score, since at least `size` columns reach it. Few columns reach that bound unless most scores are alike, so
    only these few need sorting.
    """
    queries, columns = scores.shape
    # Groups of at least 4 * size columns: with smaller ones, the bound excludes too little to pay off.
    groups = min(_GROUPS, columns // max(4 * size, 1))
    if groups < 2 or queries == 0:
        return None
    width = columns // groups
    # Column c of `peaks` is the maximum of columns c, c + width, c + 2 width, ...: whole slices, without strides.
    peaks = scores[:, :width].copy()
    for start in range(width, groups * width, width):
        np.maximum(peaks, scores[:, start : start + width], out=peaks)
    if np.isnan(peaks).any():
        return None
    # A bound of -inf would let excluded columns contend, hence the smallest finite number.
    bounds = np.maximum(np.partition(peaks, -size, axis=1)[:, -size, None], np.finfo(np.float32).min)
    # A flat index over the (Q, N) mask is cheaper than np.nonzero on two axes; divmod splits it into (query, column).
    owners, contenders = np.divmod(np.flatnonzero(scores >= bounds), columns)
    if len(contenders) > _FEW * size * queries:
        return None
    values = scores[owners, contenders]
    # Sort by query, then by descending score, then by column: `lexsort` takes its keys from last to first.
    order = np.lexsort((contenders, -values, owners))
    # Entries are sorted by query, so a query's first entry is at the insertion point of its number.
    rank = np.arange(len(owners)) - np.searchsorted(owners, owners)
    best_entries = order[rank < size]
    rows = np.full((queries, size), NO_ROW, dtype=np.int64)
    best = np.full((queries, size), -np.inf, dtype=np.float32)
    # Sorting leaves each query's entries in the same span, so `rank` and `owners` hold for the sorted entries too.
    target = owners[best_entries], rank[rank < size]
    rows[target], best[target] = contenders[best_entries], values[best_entries]
    return rows, best


def _best_by_partition(scores: FloatArray, size: int) -> tuple[IntArray, FloatArray]:
    """Find the `size` best columns of each row, in column order, and their scores (Q, size)."""
    scores = np.where(np.isnan(scores), np.float32(-np.inf), scores)
    if size == 0:
        rows = np.empty((len(scores), 0), dtype=np.int64)
        return rows, np.take_along_axis(scores, rows, axis=1)
    # argpartition would pick any of the columns tied at the last position; the tie must go to the lower column.
    last = np.partition(scores, -size, axis=1)[:, -size, None]
    above = scores > last
    tied = scores == last
    # Columns above the last score leave this many positions for tied ones, which are counted from the left.
    free = size - above.sum(axis=1, keepdims=True)
    keep = above | (tied & (np.cumsum(tied, axis=1) <= free))
    # Each row keeps exactly `size` columns, so the flat list of kept columns has that shape.
    rows = np.nonzero(keep)[1].reshape(len(scores), size)
    return rows, np.take_along_axis(scores, rows, axis=1)
