"""FAISS behind the index protocol; the only module that imports FAISS.

The index is flat (exhaustive) below `LISTS_FROM` vectors. From there on it has inverted lists, one for each cell of a
k-means partition (Jégou, Douze and Schmid 2011). A search visits the nearest lists: it is approximate, and several
times faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import faiss
import numpy as np

from recsys.errors import NotFittedError
from recsys.index.base import check_allowed, check_queries, check_vectors
from recsys.ranked import NO_ROW, Ranked, check_k, pad_ranked
from recsys.schema import BoolArray, FloatArray, IntArray

# FAISS adds its NumPy wrappers at import, so its own type stubs lack them.
engines: Any = faiss

LISTS_FROM = 20_000
LISTS = 3.0
"""Number of lists for N vectors, in sqrt(N)."""
SCORED = 40.0
"""Rows scored per query, in square roots of the allowed rows; at least a few times k."""
ALL = 0
"""FAISS's value for no limit to the rows scored."""
LEARNING_SHARE = 64
"""Vectors per list for k-means."""
ROUNDS = 10
"""Iterations of k-means."""


class FaissIndex:
    """Search by inner product with FAISS; equal scores by lower row among the rows that FAISS returned.

    `lists_from`: number of vectors from which the index has lists instead of being flat.

    Cells must suit inner products, not distances. Each vector gets one more number, sqrt(m^2 - |x|^2), which brings it
    to the largest length m, and queries get a 0. This changes no inner product, but the nearest vector is then the one
    with the largest product (Bachrach et al. 2014). Without it, vectors of unequal length, such as factors of popular
    and rare items, fall into cells that are unrelated to the product.
    """

    def __init__(self, lists_from: int = LISTS_FROM) -> None:
        self._lists_from = lists_from
        self._shape: tuple[int, int] | None = None
        self._engine: Any = None

    @property
    def approximate(self) -> bool:
        """True if the index has lists. Raises NotFittedError."""
        return self._require_shape()[0] >= max(self._lists_from, 1)

    def build(self, vectors: FloatArray) -> Self:
        """Index `vectors` (N, D), which are copied. Raises DataError on another shape or non-finite values.

        One thread builds, with FAISS's fixed seed, so that lists do not depend on how sums are split among threads.
        """
        vectors = check_vectors(vectors)
        self._shape = vectors.shape[0], vectors.shape[1]
        if not self.approximate:
            self._engine = engines.IndexFlatIP(vectors.shape[1])
            self._engine.add(vectors)
            return self
        # One more number brings all rows to the largest length, see the class.
        squares = np.einsum("nd,nd->n", vectors, vectors)
        missing = np.sqrt(np.maximum(squares.max() - squares, 0.0))
        vectors = np.ascontiguousarray(np.column_stack([vectors, missing]), dtype=np.float32)
        with _one_thread():
            self._engine = _list_index(*vectors.shape)
            self._engine.train(vectors)
            self._engine.add(vectors)
        return self

    def search(self, queries: FloatArray, k: int, allowed: BoolArray | None = None) -> Ranked:
        """Rank the k best rows of each query (Q, D), see `base.VectorIndex.search`.

        The nearest lists are visited until enough allowed rows are scored: the fewer rows are allowed, the more lists,
        up to all of them.
        """
        count, dimensions = self._require_shape()
        check_k(k)
        queries = check_queries(queries, dimensions)
        if allowed is not None:
            count = int(np.count_nonzero(check_allowed(allowed, count)))
        size = min(k, count)
        if size == 0 or len(queries) == 0:
            empty = np.empty((len(queries), 0))
            return pad_ranked(empty.astype(np.int64), empty.astype(np.float32), k)
        return pad_ranked(*_order(*self._engine_search(queries, size, count, allowed)), k)

    def _engine_search(
        self, queries: FloatArray, size: int, count: int, allowed: BoolArray | None
    ) -> tuple[FloatArray, IntArray]:
        """Return scores and rows (Q, size) of the `count` allowed rows from FAISS, with -1 for missing rows."""
        selector = None
        if count < self._require_shape()[0] and allowed is not None:
            # FAISS reads one bit per row, lowest bit first.
            bits = np.packbits(allowed, bitorder="little")
            selector = engines.IDSelectorBitmap(bits)
        if not self.approximate:
            scores, rows = self._engine.search(queries, size, params=engines.SearchParameters(sel=selector))
            return scores, rows
        # The additional number of each vector does not count in the product.
        queries = np.hstack([queries, np.zeros((len(queries), 1), dtype=np.float32)])
        scored = max(int(SCORED * count**0.5), 4 * size)
        scores, rows = self._visit(queries, size, selector, scored if scored < count else ALL)
        # FAISS cuts a list that is longer than the rows left to score, and may lose allowed rows that way.
        short = rows[:, -1] == NO_ROW
        if short.any():
            scores[short], rows[short] = self._visit(queries[short], size, selector, ALL)
        return scores, rows

    def _visit(self, queries: FloatArray, size: int, selector: Any, scored: int) -> tuple[FloatArray, IntArray]:
        """Search the lists, the nearest first, until `scored` rows that pass the selector are scored."""
        settings = engines.SearchParametersIVF(sel=selector, nprobe=self._engine.nlist, max_codes=scored)
        scores, rows = self._engine.search(queries, size, params=settings)
        return scores, rows

    def _require_shape(self) -> tuple[int, int]:
        if self._shape is None:
            raise NotFittedError("the FAISS index")
        return self._shape


def _list_index(count: int, dimensions: int) -> Any:
    """Create an empty FAISS index with inverted lists for `count` vectors."""
    lists = max(1, min(int(LISTS * count**0.5), count))
    quantizer = engines.IndexFlatIP(dimensions)
    engine = engines.IndexIVFFlat(quantizer, dimensions, lists, engines.METRIC_INNER_PRODUCT)
    engine.cp.niter = ROUNDS
    engine.cp.max_points_per_centroid = LEARNING_SHARE
    engine.cp.min_points_per_centroid = 1
    return engine


def _order(scores: FloatArray, rows: IntArray) -> tuple[IntArray, FloatArray]:
    """Return rows and scores (Q, size), higher scores first, equal ones by lower row, missing ones last."""
    if (scores[:, 1:] < scores[:, :-1]).all() and not (rows == NO_ROW).any():
        # In order already, and no two scores are equal: the usual case.
        return rows, scores
    scores = np.where(rows == NO_ROW, -np.inf, scores)
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
