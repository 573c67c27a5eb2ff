from __future__ import annotations

import faiss
import numpy as np
import pytest

from recsys.errors import NotFittedError
from recsys.index.exact import ExactIndex
from recsys.index.faiss_index import HNSW_FROM, FaissIndex
from recsys.ranked import NO_ROW, Ranked
from recsys.schema import FloatArray


def clustered(count: int, dimensions: int, clusters: int, seed: int = 0) -> FloatArray:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((clusters, dimensions))
    vectors = centres[random.integers(clusters, size=count)]
    vectors = vectors + 0.5 * random.standard_normal((count, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def overlap(found: Ranked, expected: Ranked) -> float:
    pairs = zip(found.rows, expected.rows, strict=True)
    return float(np.mean([len(np.intersect1d(ours, theirs)) / len(theirs) for ours, theirs in pairs]))


def test_the_graph_finds_what_the_oracle_finds_at_scale() -> None:
    vectors = clustered(60_000, 64, clusters=200)
    assert len(vectors) >= HNSW_FROM
    queries = vectors[::600]
    index, oracle = FaissIndex().build(vectors), ExactIndex().build(vectors)
    assert index.approximate
    assert overlap(index.search(queries, 100), oracle.search(queries, 100)) >= 0.98
    allowed = np.random.default_rng(1).random(len(vectors)) < 0.3
    found, expected = index.search(queries, 100, allowed), oracle.search(queries, 100, allowed)
    assert allowed[found.rows].all()
    assert overlap(found, expected) >= 0.98


def test_a_filter_far_from_the_query_still_fills_the_ranking() -> None:
    # the graph search ends near the query, where nothing is allowed: the scan has to step in
    vectors = np.vstack([clustered(3_000, 8, 1, seed=1), -clustered(1_000, 8, 1, seed=1)])
    allowed = np.arange(4_000) >= 3_000
    found = FaissIndex(hnsw_from=1).build(vectors).search(vectors[:20], 50, allowed)
    assert (found.rows >= 3_000).all()
    np.testing.assert_array_equal(found.rows, ExactIndex().build(vectors).search(vectors[:20], 50, allowed).rows)


def test_the_graph_is_the_same_whatever_the_threads() -> None:
    vectors = clustered(3_000, 16, clusters=20)
    before = faiss.omp_get_max_threads()
    graphs = []
    try:
        for threads in (1, 2):
            faiss.omp_set_num_threads(threads)
            index = FaissIndex(hnsw_from=1).build(vectors)
            assert faiss.omp_get_max_threads() == threads
            graphs.append(faiss.vector_to_array(index._engine.hnsw.neighbors))
    finally:
        faiss.omp_set_num_threads(before)
    np.testing.assert_array_equal(graphs[0], graphs[1])


def test_the_number_of_vectors_decides_for_the_graph() -> None:
    vectors = clustered(40, 4, clusters=2)
    assert not FaissIndex(hnsw_from=41).build(vectors).approximate
    assert FaissIndex(hnsw_from=40).build(vectors).approximate
    with pytest.raises(NotFittedError, match="FAISS"):
        _ = FaissIndex().approximate


def test_rows_the_graph_cannot_reach_are_padded_never_repeated() -> None:
    vectors = np.zeros((50, 4), dtype=np.float32)
    found = FaissIndex(hnsw_from=1).build(vectors).search(np.ones((1, 4), dtype=np.float32), 60)
    shown = found.rows[found.rows != NO_ROW]
    assert sorted(shown) == list(range(50))
