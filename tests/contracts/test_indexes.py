"""One suite for every vector index, against the definition: the rows with the largest inner products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from recsys.errors import DataError, NotFittedError, RequestError
from recsys.index.base import VectorIndex
from recsys.index.exact import ExactIndex
from recsys.index.faiss_index import FaissIndex
from recsys.ranked import NO_ROW
from recsys.schema import BoolArray, FloatArray

INDEXES: dict[str, Callable[[], VectorIndex]] = {
    "exact": ExactIndex,
    "faiss-flat": FaissIndex,
    "faiss-lists": lambda: FaissIndex(lists_from=1),
}
SIZE, DIMENSIONS, QUERIES = 400, 12, 7


def unit_vectors(seed: int, count: int) -> FloatArray:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


VECTORS, ASKED = unit_vectors(0, SIZE), unit_vectors(1, QUERIES)


@pytest.fixture(params=INDEXES)
def empty(request: pytest.FixtureRequest) -> VectorIndex:
    return INDEXES[request.param]()


@pytest.fixture
def index(empty: VectorIndex) -> VectorIndex:
    return empty.build(VECTORS)


def mask(*rows: int) -> BoolArray:
    allowed = np.zeros(SIZE, dtype=np.bool_)
    allowed[list(rows)] = True
    return allowed


@pytest.mark.parametrize("share", [1.0, 0.5, 0.12, 0.02])
def test_the_best_allowed_rows_come_in_order(index: VectorIndex, share: float) -> None:
    allowed = np.random.default_rng(2).random(SIZE) < share
    found = index.search(ASKED, 20, None if share == 1.0 else allowed)
    products = np.where(allowed, ASKED @ VECTORS.T, -np.inf)
    size = min(20, int(allowed.sum()))
    expected = np.argsort(-products, axis=1)[:, :size]
    np.testing.assert_array_equal(found.rows[:, :size], expected)
    np.testing.assert_allclose(found.scores[:, :size], np.take_along_axis(products, expected, axis=1), atol=1e-5)
    assert (found.rows[:, size:] == NO_ROW).all()
    assert found.rows.dtype == np.int64
    assert found.scores.dtype == np.float32


def test_each_vector_finds_itself(index: VectorIndex) -> None:
    assert (index.search(VECTORS, 1).rows[:, 0] == np.arange(SIZE)).all()


@pytest.mark.parametrize("allowed_rows", [(3,), (0, 1, 2), tuple(range(0, SIZE, 9))])
def test_a_filter_never_leaks_and_never_starves(index: VectorIndex, allowed_rows: tuple[int, ...]) -> None:
    k = 10
    found = index.search(ASKED, k, mask(*allowed_rows))
    shown = found.rows != NO_ROW
    assert np.isin(found.rows[shown], allowed_rows).all()
    assert (shown.sum(axis=1) == min(k, len(allowed_rows))).all()


def test_more_than_all_rows_are_padded(index: VectorIndex) -> None:
    found = index.search(ASKED, SIZE + 5)
    assert (np.sort(found.rows[:, :SIZE], axis=1) == np.arange(SIZE)).all()
    assert (found.rows[:, SIZE:] == NO_ROW).all()
    assert np.isneginf(found.scores[:, SIZE:]).all()


def test_nothing_allowed_gives_nothing(index: VectorIndex) -> None:
    found = index.search(ASKED, 4, mask())
    assert (found.rows == NO_ROW).all()
    assert found.rows.shape == (QUERIES, 4)
    assert np.isneginf(found.scores).all()


def test_no_vectors_and_no_queries(empty: VectorIndex, index: VectorIndex) -> None:
    assert index.search(ASKED[:0], 4).rows.shape == (0, 4)
    assert (empty.build(VECTORS[:0]).search(ASKED, 4).rows == NO_ROW).all()


def test_equal_vectors_come_by_lower_row(empty: VectorIndex) -> None:
    found = empty.build(np.ones((6, 3), dtype=np.float32)).search(np.ones((1, 3), dtype=np.float32), 6)
    assert found.rows.tolist() == [[0, 1, 2, 3, 4, 5]]


def test_memory_layout_and_precision_do_not_matter(empty: VectorIndex, index: VectorIndex) -> None:
    expected = index.search(ASKED, 5)
    strided = np.repeat(VECTORS, 2, axis=1)[:, ::2]
    columns = np.asfortranarray(ASKED).astype(np.float64)
    found = empty.build(strided).search(columns, 5)
    np.testing.assert_array_equal(found.rows, expected.rows)


def test_building_again_replaces_the_vectors(index: VectorIndex) -> None:
    found = index.build(VECTORS[:3]).search(ASKED, 10)
    assert found.rows.max() == 2


def test_searching_before_building_says_so(empty: VectorIndex) -> None:
    with pytest.raises(NotFittedError, match="index"):
        empty.search(ASKED, 3)


@pytest.mark.parametrize("shape", [(2, DIMENSIONS + 1), (DIMENSIONS,)])
def test_queries_of_another_shape_are_refused(index: VectorIndex, shape: tuple[int, ...]) -> None:
    with pytest.raises(RequestError, match=rf"queries: .*\(Q, {DIMENSIONS}\)"):
        index.search(np.zeros(shape, dtype=np.float32), 3)


def test_queries_that_are_not_finite_are_refused(index: VectorIndex) -> None:
    with pytest.raises(RequestError, match="finite"):
        index.search(np.full((1, DIMENSIONS), np.nan, dtype=np.float32), 3)


@pytest.mark.parametrize("allowed", [np.ones(SIZE - 1, dtype=np.bool_), np.ones(SIZE, dtype=np.int64)])
def test_a_filter_of_another_shape_or_type_is_refused(index: VectorIndex, allowed: BoolArray) -> None:
    with pytest.raises(RequestError, match="allowed: must be a boolean mask"):
        index.search(ASKED, 3, allowed)


def test_no_results_cannot_be_asked_for(index: VectorIndex) -> None:
    with pytest.raises(RequestError, match="at least 1"):
        index.search(ASKED, 0)


@pytest.mark.parametrize("vectors", [np.zeros(5), np.zeros((5, 0)), np.full((5, 3), np.inf)])
def test_bad_vectors_are_refused(empty: VectorIndex, vectors: FloatArray) -> None:
    with pytest.raises(DataError, match="an index takes"):
        empty.build(vectors)
