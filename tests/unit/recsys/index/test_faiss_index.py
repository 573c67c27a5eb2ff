from __future__ import annotations

import faiss
import numpy as np
import pytest

from recsys.errors import NotFittedError
from recsys.index.exact import ExactIndex
from recsys.index.faiss_index import LISTS_FROM, FaissIndex
from recsys.ranked import NO_ROW, Ranked
from recsys.schema import FloatArray


def clustered(count: int, dimensions: int, clusters: int, seed: int = 0) -> FloatArray:
    random = np.random.default_rng(seed)
    centers = random.standard_normal((clusters, dimensions))
    vectors = centers[random.integers(clusters, size=count)]
    vectors = vectors + 0.5 * random.standard_normal((count, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def overlap(found: Ranked, expected: Ranked) -> float:
    pairs = zip(found.rows, expected.rows, strict=True)
    return float(np.mean([len(np.intersect1d(ours, theirs)) / len(theirs) for ours, theirs in pairs]))


@pytest.fixture(scope="module", params=[0.0, 1.0], ids=["equal lengths", "lengths over two decades"])
def many(request: pytest.FixtureRequest) -> tuple[FloatArray, FaissIndex]:
    random = np.random.default_rng(1)
    lengths = np.exp(request.param * random.standard_normal((40_000, 1)))
    vectors = (clustered(40_000, 48, clusters=200) * lengths).astype(np.float32)
    return vectors, FaissIndex().build(vectors)


@pytest.mark.parametrize("share", [1.0, 0.3, 0.1, 0.01])
def test_lists_find_what_the_oracle_finds_at_scale(many: tuple[FloatArray, FaissIndex], share: float) -> None:
    vectors, index = many
    assert index.approximate
    assert len(vectors) >= LISTS_FROM
    queries = clustered(40_000, 48, clusters=200)[::400]
    allowed = np.random.default_rng(2).random(len(vectors)) < share
    found = index.search(queries, 100, allowed)
    expected = ExactIndex().build(vectors).search(queries, 100, allowed)
    assert allowed[found.rows].all()
    assert overlap(found, expected) >= 0.98
    products = np.take_along_axis(queries @ vectors.T, found.rows, axis=1)
    np.testing.assert_allclose(found.scores, products, rtol=1e-4, atol=1e-5)


def test_where_few_rows_are_allowed_all_of_them_are_scored() -> None:
    vectors = clustered(30_000, 16, clusters=50)
    allowed = np.random.default_rng(1).random(len(vectors)) < 0.05
    index, oracle = FaissIndex().build(vectors), ExactIndex().build(vectors)
    found, expected = index.search(vectors[:50], 100, allowed), oracle.search(vectors[:50], 100, allowed)
    assert index.approximate
    assert overlap(found, expected) == 1.0


def test_a_filter_far_from_the_query_still_fills_the_ranking() -> None:
    vectors = np.vstack([clustered(30_000, 8, 1, seed=1), -clustered(10_000, 8, 1, seed=1)])
    allowed = np.arange(40_000) >= 30_000
    found = FaissIndex(lists_from=1).build(vectors).search(vectors[:20], 500, allowed)
    assert (found.rows >= 30_000).all()
    assert all(len(set(rows)) == 500 for rows in found.rows.tolist())


def test_allowed_rows_at_the_end_of_a_long_list_are_found() -> None:
    """Equal vectors share one list, which is longer than what is scored and cut before its allowed rows."""
    vectors = np.vstack([clustered(20_000, 8, 20), np.zeros((20_000, 8), dtype=np.float32)])
    allowed = np.arange(40_000) >= 36_000
    found = FaissIndex(lists_from=1).build(vectors).search(vectors[:5], 100, allowed)
    assert (found.rows >= 36_000).all()
    assert all(len(set(rows)) == 100 for rows in found.rows.tolist())


def test_more_results_than_are_usually_scored() -> None:
    vectors = clustered(30_000, 8, 20)
    found = FaissIndex(lists_from=1).build(vectors).search(vectors[:2], 29_999)
    assert all(len(set(rows)) == 29_999 for rows in found.rows.tolist())


def test_lists_are_the_same_whatever_the_threads() -> None:
    vectors = clustered(20_000, 48, clusters=20)
    before = faiss.omp_get_max_threads()
    found = []
    try:
        for threads in (1, 2):
            faiss.omp_set_num_threads(threads)
            index = FaissIndex(lists_from=1).build(vectors)
            assert faiss.omp_get_max_threads() == threads
            lists = index._engine.invlists
            contents = [faiss.rev_swig_ptr(lists.get_ids(i), lists.list_size(i)).copy() for i in range(lists.nlist)]
            found.append((contents, index.search(vectors[:200], 50)))
    finally:
        faiss.omp_set_num_threads(before)
    for one, two in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(found[0][1].rows, found[1][1].rows)


def test_the_number_of_vectors_decides_for_lists() -> None:
    vectors = clustered(40, 4, clusters=2)
    assert not FaissIndex(lists_from=41).build(vectors).approximate
    assert FaissIndex(lists_from=40).build(vectors).approximate
    with pytest.raises(NotFittedError, match="FAISS"):
        _ = FaissIndex().approximate


def test_equal_rows_are_all_found_and_never_repeated() -> None:
    vectors = np.zeros((50, 4), dtype=np.float32)
    found = FaissIndex(lists_from=1).build(vectors).search(np.ones((1, 4), dtype=np.float32), 60)
    shown = found.rows[found.rows != NO_ROW]
    assert shown.tolist() == list(range(50))
