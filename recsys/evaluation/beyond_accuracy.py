"""Metrics of rankings beyond accuracy: coverage, inequality, novelty, diversity, calibration and serendipity.

`rows` (Q, k) are ranked item rows, best first, padded with -1. A metric that is one value a user gives (Q,) float64,
NaN for whom it is not defined; whole-catalog metrics give one float.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import DataError
from recsys.evaluation.metrics import hits
from recsys.evaluation.significance import Values
from recsys.ranking.calibrate import SMOOTHING
from recsys.schema import BoolArray, FloatArray, IntArray


def exposure(rows: IntArray, items: int) -> IntArray:
    """Count the lists that show each item, (I,)."""
    return np.bincount(rows[rows >= 0], minlength=items).astype(np.int64)


def coverage(rows: IntArray, items: int) -> float:
    """Return the share of the `items` of the catalog that any list shows, in [0, 1]. Source: Ge et al. 2010."""
    return len(np.unique(rows[rows >= 0])) / items


def gini(shown: IntArray | Values) -> float:
    """Return the inequality of impressions `shown` (I,) over I items: 0 if all are equal, near 1 if one item has all.

    sum over items in rising order of (2 rank - I - 1) shown / (I sum of shown). Items that are never shown count.
    Some frameworks give 1 - this (Elliot). Source: Fleder and Hosanagar 2009. Raises DataError if nothing is shown.
    """
    total = float(shown.sum())
    if total <= 0:
        raise DataError("nothing is shown: there is no inequality to measure")
    count = len(shown)
    ranks = 2.0 * np.arange(1, count + 1) - count - 1
    return float(ranks @ np.sort(shown) / (count * total))


def novelty(rows: IntArray, touched: IntArray, users: int) -> Values:
    """Return the mean self-information of the listed items, in bits.

    Self-information is -log2 of the share of users with the item in train.

    `touched` (I,) counts them, out of `users`. An item that nobody touched counts as touched by one, as its
    information would be without bound. NaN for an empty list. Source: Zhou et al. 2010 (self-information).
    """
    information = -np.log2(np.maximum(touched, 1) / users)
    shown = rows >= 0
    sums = np.where(shown, information[rows], 0.0).sum(axis=1)
    counts = shown.sum(axis=1)
    return np.asarray(np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0))


def style_diversity(rows: IntArray, vectors: FloatArray) -> Values:
    """1 - mean cosine of the style vectors of all pairs in a list: intra-list diversity, in [0, 2].

    `vectors` (I, D), zero or not finite for items without a picture, which are left out; NaN for lists with fewer than
    two others. Source: Smyth and McClave 2001; Ziegler et al. 2005 (as similarity).
    """
    # Unit vectors (I, D), zero for items without a style vector.
    finite = np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, 0.0).astype(np.float64)
    lengths = np.linalg.norm(finite, axis=1, keepdims=True)
    unit = np.divide(finite, lengths, out=np.zeros_like(finite), where=lengths > 0)
    lists = shown_items(rows, len(vectors))
    counts = lists @ (lengths[:, 0] > 0).astype(np.float64)
    sums = lists @ unit  # (Q, D)
    # |sum of n unit vectors|^2 is n plus twice the cosines of all pairs.
    twice_cosines = (sums**2).sum(axis=1) - counts
    pairs = counts * (counts - 1)
    return np.asarray(np.divide(pairs - twice_cosines, pairs, out=np.full(len(rows), np.nan), where=pairs > 0))


def calibration_error(rows: IntArray, history: csr_matrix, groups: FloatArray) -> Values:
    """Return the Kullback-Leibler divergence, in nats, of a list's mix of styles or categories from the user's history.

    sum over groups g of p(g) log(p(g) / q~(g)), q~ = (1 - alpha) q + alpha p, alpha = 0.01: 0 if the mixes are alike,
    at most log(1 / alpha) = 4.6. `history` (Q, I): p is the mean of `groups` (I, G) over its positive entries, weighted
    by them; q is the plain mean over the list. A row of `groups` sums to 1, or to 0 for an item in none. NaN where
    either side has no item in any group. Source: Steck 2018, section 3.
    """
    positive = csr_matrix((np.maximum(history.data, 0), history.indices, history.indptr), shape=history.shape)
    wanted, has_wanted = _shares(positive @ groups)
    given, has_given = _shares(shown_items(rows, len(groups)) @ groups)
    mixed = (1 - SMOOTHING) * given + SMOOTHING * wanted
    ratio = np.divide(wanted, mixed, out=np.ones_like(wanted), where=wanted > 0)
    divergence = (wanted * np.log(ratio)).sum(axis=1)
    return np.where(has_wanted & has_given, np.maximum(divergence, 0.0), np.nan)


def serendipity(rows: IntArray, relevant: csr_matrix, popular: IntArray) -> Values:
    """Return the share of the k positions with a relevant item that the popular list does not have, in [0, 1].

    `popular` (Q, k): what popularity ranks for the same users under the same rules. Source: Ge et al. 2010, with
    popularity as the primitive model. `relevant` as in `recsys.evaluation.metrics`.
    """
    items = relevant.shape[1]
    offsets = np.arange(len(rows))[:, None] * items
    expected = np.isin(rows + offsets, np.where(popular >= 0, popular + offsets, -1))
    return np.asarray((hits(rows, relevant) & ~expected).mean(axis=1))


def shown_items(rows: IntArray, items: int) -> csr_matrix:
    """Return the items of each list as a matrix of ones, (Q, I)."""
    shown = rows >= 0
    indptr = np.concatenate([[0], np.cumsum(shown.sum(axis=1))])
    return csr_matrix((np.ones(int(shown.sum())), rows[shown], indptr), shape=(len(rows), items))


def _shares(sums: Values) -> tuple[Values, BoolArray]:
    totals = sums.sum(axis=1, keepdims=True)
    shares = np.divide(sums, totals, out=np.zeros_like(sums, dtype=np.float64), where=totals > 0)
    return shares, totals[:, 0] > 0
