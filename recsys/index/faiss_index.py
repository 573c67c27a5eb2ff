"""FAISS behind the index protocol: this module is its only door.

Flat (exhaustive) below `LISTS_FROM` vectors; from there on inverted lists, one for each cell of a k-means partition
(Jégou, Douze and Schmid 2011), of which a search visits the nearest: approximate, and several times faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import faiss
import numpy as np

from recsys.errors import NotFittedError
from recsys.index.base import checked_allowed, checked_queries, checked_vectors
from recsys.ranked import NO_ROW, Ranked, check_k, padded
from recsys.schema import BoolArray, FloatArray, IntArray

# FAISS adds its NumPy wrappers at import, so its own type stubs do not know them
engines: Any = faiss

LISTS_FROM = 20_000
LISTS = 3.0
"""Lists for N vectors: this times sqrt(N)."""
SCORED = 40.0
"""Rows scored for each query: this times the square root of the allowed rows, or a few times k."""
ALL = 0
"""No limit to the rows scored, in FAISS's words."""
LEARNING_SHARE = 64
"""Vectors for each list that k-means learns from."""
ROUNDS = 10


class FaissIndex:
    """Inner-product search by FAISS; equal scores by lower row among the rows that FAISS returned.

    `lists_from`: the number of vectors from which lists are made instead of a flat index.

    Cells are made for inner products, not for distances: each vector gets one more number that brings it to the
    largest length, sqrt(m^2 - |x|^2), and queries get a 0, which changes no inner product but makes the nearest
    vector the one with the largest product (Bachrach et al. 2014). Without it, vectors of unequal length, such as
    factors of popular and rare items, fall into cells that say nothing about the product.
    """

    def __init__(self, lists_from: int = LISTS_FROM) -> None:
        self._lists_from = lists_from
        self._shape: tuple[int, int] | None = None
        self._engine: Any = None

    @property
    def approximate(self) -> bool:
        """Whether lists were made. Raises NotFittedError."""
        return self._built()[0] >= max(self._lists_from, 1)

    def build(self, vectors: FloatArray) -> Self:
        """Index `vectors` (N, D), which are copied. Raises DataError on another shape or non-finite values.

        One thread builds, with FAISS's fixed seed, so that lists cannot depend on how sums are split.
        """
        vectors = checked_vectors(vectors)
        self._shape = vectors.shape[0], vectors.shape[1]
        if not self.approximate:
            self._engine = engines.IndexFlatIP(vectors.shape[1])
            self._engine.add(vectors)
            return self
        vectors = _of_equal_length(vectors)
        with _one_thread():
            self._engine = _lists(*vectors.shape)
            self._engine.train(vectors)
            self._engine.add(vectors)
        return self

    def search(self, queries: FloatArray, k: int, allowed: BoolArray | None = None) -> Ranked:
        """The k best rows of each query (Q, D), see `base.VectorIndex.search`.

        Of lists, the nearest are visited until enough allowed rows are scored: the fewer rows are allowed, the
        more lists, and where few are, all of them.
        """
        count, dimensions = self._built()
        check_k(k)
        queries = checked_queries(queries, dimensions)
        if allowed is not None:
            count = int(np.count_nonzero(checked_allowed(allowed, count)))
        size = min(k, count)
        if size == 0 or len(queries) == 0:
            return _nothing(len(queries), k)
        return padded(*_ordered(*self._engine_search(queries, size, count, allowed)), k)

    def _engine_search(
        self, queries: FloatArray, size: int, count: int, allowed: BoolArray | None
    ) -> tuple[FloatArray, IntArray]:
        """Scores and rows (Q, size) of the `count` allowed rows, as FAISS gives them: rows it did not find are -1."""
        selector = None
        if count < self._built()[0] and allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            selector = engines.IDSelectorBitmap(bits)
        if not self.approximate:
            scores, rows = self._engine.search(queries, size, params=engines.SearchParameters(sel=selector))
            return scores, rows
        queries = np.hstack([queries, np.zeros((len(queries), 1), dtype=np.float32)])
        scored = max(int(SCORED * count**0.5), 4 * size)
        scores, rows = self._visit(queries, size, selector, scored if scored < count else ALL)
        # a list that is longer than what is left to score is cut, and may lose the very rows that are allowed
        short = rows[:, -1] == NO_ROW
        if short.any():
            scores[short], rows[short] = self._visit(queries[short], size, selector, ALL)
        return scores, rows

    def _visit(self, queries: FloatArray, size: int, selector: Any, scored: int) -> tuple[FloatArray, IntArray]:
        """Search list after list, the nearest first, until `scored` rows that pass the selector are scored."""
        settings = engines.SearchParametersIVF(sel=selector, nprobe=self._engine.nlist, max_codes=scored)
        scores, rows = self._engine.search(queries, size, params=settings)
        return scores, rows

    def _built(self) -> tuple[int, int]:
        if self._shape is None:
            raise NotFittedError("the FAISS index")
        return self._shape


def _lists(count: int, dimensions: int) -> Any:
    lists = max(1, min(int(LISTS * count**0.5), count))
    quantizer = engines.IndexFlatIP(dimensions)
    engine = engines.IndexIVFFlat(quantizer, dimensions, lists, engines.METRIC_INNER_PRODUCT)
    engine.cp.niter = ROUNDS
    engine.cp.max_points_per_centroid = LEARNING_SHARE
    engine.cp.min_points_per_centroid = 1
    return engine


def _of_equal_length(vectors: FloatArray) -> FloatArray:
    """(N, D) to (N, D + 1): all rows as long as the longest one."""
    squares = np.einsum("nd,nd->n", vectors, vectors)
    missing = np.sqrt(np.maximum(squares.max() - squares, 0.0))
    return np.ascontiguousarray(np.column_stack([vectors, missing]), dtype=np.float32)


def _ordered(scores: FloatArray, rows: IntArray) -> tuple[IntArray, FloatArray]:
    """Rows and scores (Q, size), higher scores first, equal ones by lower row, missing ones last."""
    if (scores[:, 1:] < scores[:, :-1]).all() and not (rows == NO_ROW).any():
        return rows, scores  # in order as they are, and no two alike: so it nearly always is
    scores = np.where(rows == NO_ROW, -np.inf, scores)
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _nothing(queries: int, k: int) -> Ranked:
    return padded(np.empty((queries, 0), dtype=np.int64), np.empty((queries, 0), dtype=np.float32), k)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
