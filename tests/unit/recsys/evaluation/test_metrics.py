"""Known answers by hand, a naive oracle, and properties."""

from __future__ import annotations

from math import log2
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsys.errors import DataError
from recsys.evaluation.metrics import (
    ACCURACY,
    average_precision,
    capped_recall,
    hit_rate,
    hits,
    ndcg,
    precision,
    recall,
    reciprocal_rank,
)
from recsys.schema import IntArray

ITEMS = 8
# ranks 2 and 3 hit, of three relevant; nothing hits; one relevant item on top; padded after one miss
ROWS = np.array([[5, 1, 2, 7], [0, 1, 2, 3], [4, 0, 1, 2], [0, -1, -1, -1]])
RELEVANT = [[1, 2, 6], [6], [4], [7, 3]]


def relevance(items: list[list[int]]) -> csr_matrix:
    dense = np.zeros((len(items), ITEMS), dtype=np.float32)
    for user, wanted in enumerate(items):
        dense[user, wanted] = 1.0
    return csr_matrix(dense)


def test_hits() -> None:
    expected = [[0, 1, 1, 0], [0] * 4, [1, 0, 0, 0], [0] * 4]
    assert hits(ROWS, relevance(RELEVANT)).astype(int).tolist() == expected


def test_padding_never_hits_the_last_item_of_the_user_before() -> None:
    rows = np.array([[0, 1], [-1, -1]])
    assert not hits(rows, relevance([[ITEMS - 1], [3]])).any()


def test_recall_divides_by_all_relevant_items() -> None:
    np.testing.assert_allclose(recall(ROWS, relevance(RELEVANT)), [2 / 3, 0, 1, 0])
    np.testing.assert_allclose(recall(np.array([[1]]), relevance([[0, 1, 2, 3]])), [1 / 4])


def test_hit_rate() -> None:
    np.testing.assert_array_equal(hit_rate(ROWS, relevance(RELEVANT)), [1, 0, 1, 0])


def test_ndcg() -> None:
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    expected = [(1 / log2(3) + 1 / log2(4)) / ideal, 0, 1, 0]
    np.testing.assert_allclose(ndcg(ROWS, relevance(RELEVANT)), expected)


def test_the_ideal_of_ndcg_ends_at_k() -> None:
    np.testing.assert_allclose(ndcg(np.array([[0, 1]]), relevance([[0, 1, 2, 3]])), [1.0])


def test_reciprocal_rank() -> None:
    np.testing.assert_allclose(reciprocal_rank(ROWS, relevance(RELEVANT)), [1 / 2, 0, 1, 0])


def test_average_precision() -> None:
    np.testing.assert_allclose(average_precision(ROWS, relevance(RELEVANT)), [(1 / 2 + 2 / 3) / 3, 0, 1, 0])


def test_average_precision_reaches_one_where_more_is_relevant_than_shown() -> None:
    np.testing.assert_allclose(average_precision(np.array([[0, 7]]), relevance([[0, 1, 2, 3]])), [1 / 2])
    np.testing.assert_allclose(average_precision(np.array([[0, 1]]), relevance([[0, 1, 2, 3]])), [1.0])


def test_capped_recall_divides_by_what_could_be_reached() -> None:
    np.testing.assert_allclose(capped_recall(np.array([[1, 7]]), relevance([[0, 1, 2, 3]])), [1 / 2])
    np.testing.assert_allclose(capped_recall(ROWS, relevance(RELEVANT)), [2 / 3, 0, 1, 0])


def test_precision_counts_empty_places_as_misses() -> None:
    np.testing.assert_allclose(precision(ROWS, relevance(RELEVANT)), [2 / 4, 0, 1 / 4, 0])
    np.testing.assert_allclose(precision(np.array([[3, -1]]), relevance([[3]])), [1 / 2])


def test_negative_and_zero_entries_are_not_relevant() -> None:
    relevant = csr_matrix((np.float32([1, -5, 0]), ([0, 0, 0], [0, 1, 2])), shape=(1, ITEMS))
    np.testing.assert_allclose(recall(np.array([[1, 2]]), relevant), [0.0])
    np.testing.assert_allclose(recall(np.array([[0, 1]]), relevant), [1.0])


@pytest.mark.parametrize("name", ACCURACY)
def test_a_user_with_nothing_relevant_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="user 1 has no relevant item"):
        ACCURACY[name](ROWS[:2], relevance([[1], []]))


@pytest.mark.parametrize("name", ACCURACY)
def test_other_users_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="4 rankings"):
        ACCURACY[name](ROWS, relevance(RELEVANT[:3]))


@st.composite
def rankings(draw: st.DrawFn) -> tuple[IntArray, csr_matrix]:
    """Rankings of distinct items and, for each, at least one relevant item."""
    users, k = draw(st.integers(1, 4)), draw(st.integers(1, ITEMS))
    order = st.permutations(range(ITEMS))
    rows = np.array([draw(order)[:k] for _ in range(users)])
    wanted = st.sets(st.integers(0, ITEMS - 1), min_size=1).map(sorted)
    return rows, relevance([draw(wanted) for _ in range(users)])


def oracle(name: str, ranked: list[int], wanted: set[int]) -> float:
    """The definitions, read out loud for one user."""
    k, found = len(ranked), [item in wanted for item in ranked]
    if name == "recall":
        return sum(found) / len(wanted)
    if name == "capped_recall":
        return sum(found) / min(k, len(wanted))
    if name == "precision":
        return sum(found) / k
    if name == "hit_rate":
        return 1.0 if sum(found) else 0.0
    if name == "mrr":
        return next((1 / rank for rank, hit in enumerate(found, start=1) if hit), 0.0)
    if name == "map":
        precisions = [sum(found[:rank]) / rank for rank, hit in enumerate(found, start=1) if hit]
        return sum(precisions) / min(k, len(wanted))
    gain = sum(1 / log2(rank + 1) for rank, hit in enumerate(found, start=1) if hit)
    return gain / sum(1 / log2(rank + 1) for rank in range(1, min(k, len(wanted)) + 1))


@pytest.mark.parametrize("name", ACCURACY)
@given(case=rankings())
def test_a_naive_oracle_agrees(name: str, case: tuple[IntArray, csr_matrix]) -> None:
    rows, relevant = case
    expected = [oracle(name, row.tolist(), set(relevant[user].indices.tolist())) for user, row in enumerate(rows)]
    np.testing.assert_allclose(ACCURACY[name](rows, relevant), expected)


@pytest.mark.parametrize("name", ACCURACY)
@given(case=rankings())
def test_values_are_shares(name: str, case: tuple[IntArray, csr_matrix]) -> None:
    values = ACCURACY[name](*case)
    assert values.shape == (len(case[0]),)
    assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("name", ["ndcg", "map", "mrr", "hit_rate"])
@given(case=rankings())
def test_the_ideal_ranking_gets_one(name: str, case: tuple[IntArray, csr_matrix]) -> None:
    rows, relevant = case
    ideal = np.argsort(-relevant.toarray(), axis=1, kind="stable")[:, : rows.shape[1]]
    np.testing.assert_allclose(ACCURACY[name](ideal, relevant), 1.0)
    assert (ACCURACY[name](rows, relevant) <= ACCURACY[name](ideal, relevant) + 1e-12).all()


@pytest.mark.parametrize("name", ACCURACY)
@given(case=rankings(), random=st.randoms(use_true_random=False))
def test_users_do_not_touch_each_other(name: str, case: tuple[IntArray, csr_matrix], random: Random) -> None:
    rows, relevant = case
    order = list(range(len(rows)))
    random.shuffle(order)
    metric = ACCURACY[name]
    np.testing.assert_array_equal(metric(rows[order], relevant[order]), metric(rows, relevant)[order])
