"""Item-kNN: items are similar if the same users like them.

Sources: Sarwar, Karypis, Konstan and Riedl, "Item-based collaborative filtering recommendation algorithms" (WWW
2001); Deshpande and Karypis, "Item-based top-N recommendation algorithms" (TOIS 2004).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, diags_array

from recsys.models.neighbors import NeighborModel
from recsys.models.settings import ItemKnnSettings, Weighting
from recsys.schema import FloatArray, IntArray


class ItemKnnModel(NeighborModel):
    """Item kNN: cosine, TF-IDF or BM25 similarity of the nearest items.

    S_ji = v_j . v_i for the `neighbors` items most similar to j, else 0. v_i is item i's column of events, weighted:

    - cosine: unit length;
    - tfidf: square roots of the signals, times each user's idf, then unit length;
    - bm25: x (k1 + 1) / (x + k1 (1 - b + b n_i / n)) times each user's idf (Robertson and Zaragoza 2009), n_i being
      the sum of the item's signals and n its mean.

    A user's idf is log(items / (1 + their likes)), at least 0: the likes of a user who likes everything say little.

    The products are SciPy's; tests compare them with implicit's recommenders of the same names. Departures from these:
    log signals and dislikes (`ItemItemModel`), no item is its own neighbor, idf has a floor, and BM25 takes events in
    units of the mean like, so that k1 means the same at any scale of the weights.

    `partial_fit` is exact. With cosine it compares only the neighborhoods of items with new events; idf and n change
    everywhere with any event, so the other weightings compare all items again.
    """

    name = "item_knn"
    settings: ItemKnnSettings
    settings_type = ItemKnnSettings

    def __init__(self, settings: ItemKnnSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or ItemKnnSettings()

    def _factors(self, likes: csr_matrix) -> tuple[csr_matrix, csr_matrix]:
        weighted = self._weight(likes)
        return csr_matrix(weighted.T), weighted

    def _weight(self, likes: csr_matrix) -> csr_matrix:
        match self.settings.weighting:
            case Weighting.COSINE:
                return _unit_columns(likes)
            case Weighting.TFIDF:
                return _unit_columns(_scale_rows(likes.sqrt(), _idf(likes)))
            case Weighting.BM25:
                return _scale_rows(self._saturate(likes), _idf(likes))

    def _saturate(self, likes: csr_matrix) -> csr_matrix:
        if likes.nnz == 0:
            return likes
        signals = likes.data / likes.data.mean()
        totals = np.bincount(likes.indices, weights=signals, minlength=likes.shape[1])
        k1, b = self.settings.k1, self.settings.b
        # The signal at which an item reaches half of its largest weight.
        half = k1 * (1.0 - b + b * totals / totals.mean())
        data = signals * (k1 + 1.0) / (signals + half[likes.indices])
        return csr_matrix((data.astype(np.float32), likes.indices, likes.indptr), shape=likes.shape)

    def _changed_items(self, likes: csr_matrix, before: csr_matrix) -> IntArray:
        if self.settings.weighting is not Weighting.COSINE:
            return np.arange(likes.shape[1])
        return np.unique((likes - before).nonzero()[1])


def _idf(likes: csr_matrix) -> FloatArray:
    """Return the information (U,) in one like of each user."""
    counts = np.diff(likes.indptr)
    return np.asarray(np.maximum(np.log(likes.shape[1]) - np.log1p(counts), 0.0), dtype=np.float32)


def _scale_rows(matrix: csr_matrix, scales: FloatArray) -> csr_matrix:
    return csr_matrix(diags_array(scales) @ matrix)


def _unit_columns(matrix: csr_matrix) -> csr_matrix:
    lengths = np.sqrt(np.bincount(matrix.indices, weights=np.square(matrix.data), minlength=matrix.shape[1]))
    data = matrix.data / np.maximum(lengths, 1e-9)[matrix.indices]
    return csr_matrix((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
