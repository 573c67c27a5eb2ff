"""FAISS behind the index protocol: this module is its only door.

Flat (exhaustive) below `HNSW_FROM` vectors, a hierarchical navigable small world graph from there on (Malkov and
Yashunin 2018), which is faster and approximate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import faiss
import numpy as np

from recsys.errors import NotFittedError
from recsys.index.base import checked_allowed, checked_queries, checked_vectors
from recsys.index.exact import ExactIndex
from recsys.ranked import NO_ROW, Ranked, check_k, padded
from recsys.schema import BoolArray, FloatArray, IntArray

# FAISS adds its NumPy wrappers at import, so its own type stubs do not know them
engines: Any = faiss

HNSW_FROM = 50_000
LINKS = 32
BUILD_BREADTH = 80
SEARCH_BREADTH = 192
SCAN_SHARE = 0.1
"""Below this share of allowed rows the graph mostly walks over rows it may not return: they are scanned."""


class FaissIndex:
    """Inner-product search by FAISS; equal scores by lower row among the rows that FAISS returned.

    `hnsw_from`: the number of vectors from which a graph is built instead of a flat index.
    """

    def __init__(self, hnsw_from: int = HNSW_FROM) -> None:
        self._hnsw_from = hnsw_from
        self._vectors: FloatArray | None = None
        self._engine: Any = None

    @property
    def approximate(self) -> bool:
        """Whether a graph was built. Raises NotFittedError."""
        return len(self._built()) >= self._hnsw_from

    def build(self, vectors: FloatArray) -> Self:
        """Index `vectors` (N, D). Raises DataError on another shape or non-finite values.

        The graph is built by one thread, with FAISS's fixed seed, so that it cannot depend on the threads' timing.
        """
        self._vectors = checked_vectors(vectors)
        dimensions = self._vectors.shape[1]
        if not self.approximate:
            self._engine = engines.IndexFlatIP(dimensions)
            self._engine.add(self._vectors)
            return self
        self._engine = engines.IndexHNSWFlat(dimensions, LINKS, engines.METRIC_INNER_PRODUCT)
        self._engine.hnsw.efConstruction = BUILD_BREADTH
        with _one_thread():
            self._engine.add(self._vectors)
        return self

    def search(self, queries: FloatArray, k: int, allowed: BoolArray | None = None) -> Ranked:
        """The k best rows of each query (Q, D), see `base.VectorIndex.search`.

        Where the graph finds too few allowed rows, or few are allowed at all, these are scanned exactly.
        """
        vectors = self._built()
        check_k(k)
        queries = checked_queries(queries, vectors.shape[1])
        if allowed is None:
            allowed = np.ones(len(vectors), dtype=np.bool_)
        count = int(checked_allowed(allowed, len(vectors)).sum())
        size = min(k, count)
        if size == 0 or len(queries) == 0:
            return _nothing(len(queries), k)
        if self.approximate and count < SCAN_SHARE * len(vectors):
            return _scan(vectors, queries, k, allowed)
        found = padded(*_ordered(*self._engine_search(queries, size, allowed)), k)
        short = found.rows[:, size - 1] == NO_ROW
        if short.any():
            exact = _scan(vectors, queries[short], k, allowed)
            found.rows[short], found.scores[short] = exact.rows, exact.scores
        return found

    def _engine_search(self, queries: FloatArray, size: int, allowed: BoolArray) -> tuple[FloatArray, IntArray]:
        """Scores and rows (Q, size), as FAISS gives them: rows it did not find are -1."""
        bits = np.packbits(allowed, bitorder="little")
        selector = None if allowed.all() else engines.IDSelectorBitmap(bits)
        if self.approximate:
            # the walk keeps its best `breadth` rows, allowed or not: the rarer the allowed, the wider it must be
            breadth = int(max(SEARCH_BREADTH, 2 * size) * len(allowed) / allowed.sum())
            settings = engines.SearchParametersHNSW(sel=selector, efSearch=breadth)
        else:
            settings = engines.SearchParameters(sel=selector)
        scores, rows = self._engine.search(queries, size, params=settings)
        return scores, rows

    def _built(self) -> FloatArray:
        if self._vectors is None:
            raise NotFittedError("the FAISS index")
        return self._vectors


def _ordered(scores: FloatArray, rows: IntArray) -> tuple[IntArray, FloatArray]:
    """Rows and scores (Q, size), higher scores first, equal ones by lower row, missing ones last."""
    scores = np.where(rows == NO_ROW, -np.inf, scores)
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _scan(vectors: FloatArray, queries: FloatArray, k: int, allowed: BoolArray) -> Ranked:
    """Exact search over the allowed rows alone."""
    kept = np.flatnonzero(allowed)
    found = ExactIndex().build(vectors[kept]).search(queries, k)
    return Ranked(np.where(found.rows == NO_ROW, NO_ROW, kept[found.rows]), found.scores)


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
