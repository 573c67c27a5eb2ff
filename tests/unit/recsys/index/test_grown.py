"""An index that has grown finds what an index of all rows finds."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import RequestError
from recsys.index.exact import ExactIndex
from recsys.index.faiss_index import FaissIndex
from recsys.index.grown import GrownIndex
from recsys.ranked import NO_ROW, Ranked

RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.standard_normal((90, 8)).astype(np.float32)
QUERIES = RANDOM.standard_normal((5, 8)).astype(np.float32)


def grown(known: int = 70) -> GrownIndex:
    return GrownIndex(FaissIndex().build(VECTORS[:known]), known, VECTORS[known:])


def assert_same(found: Ranked, expected: Ranked) -> None:
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


@pytest.mark.parametrize("k", [1, 20, 90, 120])
@pytest.mark.parametrize("share", [1.0, 0.3, 0.0])
def test_it_finds_what_an_index_of_all_finds(k: int, share: float) -> None:
    allowed = np.random.default_rng(1).random(90) < share
    assert_same(grown().search(QUERIES, k, allowed), ExactIndex().build(VECTORS).search(QUERIES, k, allowed))


def test_it_may_grow_again_and_again() -> None:
    twice = GrownIndex(grown(40), 90, VECTORS[:3])
    everything = np.concatenate([VECTORS, VECTORS[:3]])
    assert_same(twice.search(QUERIES, 10), ExactIndex().build(everything).search(QUERIES, 10))
    assert not isinstance(twice._base, GrownIndex)


def test_equal_scores_go_to_the_lower_row() -> None:
    same = np.ones((4, 2), dtype=np.float32)
    index = GrownIndex(ExactIndex().build(same[:2]), 2, same[2:])
    assert index.search(same[:1], 3).rows.tolist() == [[0, 1, 2]]


def test_where_only_new_rows_are_allowed() -> None:
    allowed = np.zeros(90, dtype=bool)
    allowed[88] = True
    assert grown().search(QUERIES[:1], 2, allowed).rows.tolist() == [[88, NO_ROW]]


def test_it_can_be_built_anew_and_refuses_a_wrong_mask() -> None:
    index = grown().build(VECTORS)
    assert_same(index.search(QUERIES, 5), ExactIndex().build(VECTORS).search(QUERIES, 5))
    with pytest.raises(RequestError, match="allowed"):
        index.search(QUERIES, 5, np.ones(70, dtype=bool))


REPLACED = np.array([0, 7, 69])


def replaced_vectors() -> np.ndarray:
    everything = VECTORS.copy()
    everything[REPLACED] = np.random.default_rng(2).standard_normal((3, 8))
    return everything


@pytest.mark.parametrize("k", [1, 20, 120])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_replaced_rows_are_found_as_they_are_now(k: int, share: float) -> None:
    everything, allowed = replaced_vectors(), np.random.default_rng(1).random(90) < share
    rows = np.concatenate([REPLACED, np.arange(70, 90)])
    index = GrownIndex(FaissIndex().build(VECTORS[:70]), 70, everything[rows], REPLACED)
    assert_same(index.search(QUERIES, k, allowed), ExactIndex().build(everything).search(QUERIES, k, allowed))


def test_a_row_may_be_replaced_twice_and_after_it_came() -> None:
    once = GrownIndex(grown(), 90, -VECTORS[[7, 80]], np.array([7, 80]))
    twice = GrownIndex(once, 90, replaced_vectors()[[7]], np.array([7]))
    everything = VECTORS.copy()
    everything[80], everything[7] = -VECTORS[80], replaced_vectors()[7]
    assert_same(twice.search(QUERIES, 12), ExactIndex().build(everything).search(QUERIES, 12))
