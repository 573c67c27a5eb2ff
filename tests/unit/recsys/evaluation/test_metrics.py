"""Known answers by hand, and properties."""

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
    average_precision,
    bootstrap_mean,
    compare,
    coverage,
    hit_rate,
    hits,
    ndcg,
    recall,
    reciprocal_rank,
)
from recsys.evaluation.protocol import METRICS
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


def test_coverage_counts_each_item_once_and_no_padding() -> None:
    assert coverage(ROWS, ITEMS) == 7 / 8


def test_negative_and_zero_entries_are_not_relevant() -> None:
    relevant = csr_matrix((np.float32([1, -5, 0]), ([0, 0, 0], [0, 1, 2])), shape=(1, ITEMS))
    np.testing.assert_allclose(recall(np.array([[1, 2]]), relevant), [0.0])
    np.testing.assert_allclose(recall(np.array([[0, 1]]), relevant), [1.0])


@pytest.mark.parametrize("name", METRICS)
def test_a_user_with_nothing_relevant_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="user 1 has no relevant item"):
        METRICS[name](ROWS[:2], relevance([[1], []]))


@pytest.mark.parametrize("name", METRICS)
def test_other_users_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="4 rankings"):
        METRICS[name](ROWS, relevance(RELEVANT[:3]))


@st.composite
def rankings(draw: st.DrawFn) -> tuple[IntArray, csr_matrix]:
    """Rankings of distinct items and, for each, at least one relevant item."""
    users, k = draw(st.integers(1, 4)), draw(st.integers(1, ITEMS))
    order = st.permutations(range(ITEMS))
    rows = np.array([draw(order)[:k] for _ in range(users)])
    wanted = st.sets(st.integers(0, ITEMS - 1), min_size=1).map(sorted)
    return rows, relevance([draw(wanted) for _ in range(users)])


@pytest.mark.parametrize("name", METRICS)
@given(case=rankings())
def test_values_are_shares(name: str, case: tuple[IntArray, csr_matrix]) -> None:
    values = METRICS[name](*case)
    assert values.shape == (len(case[0]),)
    assert ((values >= 0) & (values <= 1)).all()


@pytest.mark.parametrize("name", ["ndcg", "map", "mrr", "hit_rate"])
@given(case=rankings())
def test_the_ideal_ranking_gets_one(name: str, case: tuple[IntArray, csr_matrix]) -> None:
    rows, relevant = case
    ideal = np.argsort(-relevant.toarray(), axis=1, kind="stable")[:, : rows.shape[1]]
    np.testing.assert_allclose(METRICS[name](ideal, relevant), 1.0)
    assert (METRICS[name](rows, relevant) <= METRICS[name](ideal, relevant) + 1e-12).all()


@pytest.mark.parametrize("name", METRICS)
@given(case=rankings(), random=st.randoms(use_true_random=False))
def test_users_do_not_touch_each_other(name: str, case: tuple[IntArray, csr_matrix], random: Random) -> None:
    rows, relevant = case
    order = list(range(len(rows)))
    random.shuffle(order)
    metric = METRICS[name]
    np.testing.assert_array_equal(metric(rows[order], relevant[order]), metric(rows, relevant)[order])


def test_the_bootstrap_interval_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, size=400)
    interval = bootstrap_mean(values, seed=1)
    margin = 1.96 * values.std() / np.sqrt(400)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - margin, abs=0.15 * margin)
    assert interval.high == pytest.approx(values.mean() + margin, abs=0.15 * margin)
    assert interval == bootstrap_mean(values, seed=1)
    assert interval != bootstrap_mean(values, seed=2)


def test_a_wider_level_gives_a_wider_interval() -> None:
    values = np.random.default_rng(0).random(50)
    narrow, wide = bootstrap_mean(values, seed=1, level=0.5), bootstrap_mean(values, seed=1, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_paired_test_sees_a_small_but_steady_difference() -> None:
    random = np.random.default_rng(0)
    a = random.random(80)
    steady = compare(a + 0.01 + 0.001 * random.random(80), a, seed=3)
    assert steady.p_value < 0.001
    assert 0.01 < steady.difference.low < steady.difference.high < 0.011


def test_a_paired_test_of_equals_finds_nothing() -> None:
    values = np.random.default_rng(0).random(30)
    same = compare(values, values, seed=3)
    assert same.p_value == 1.0
    assert same.difference.mean == 0.0


def test_the_permutation_test_is_exact_for_few_users() -> None:
    # of the 2^4 = 16 sign patterns of four equal differences, 2 are as extreme as what was seen
    assert compare(np.ones(4), np.zeros(4), seed=5).p_value == pytest.approx(2 / 16, abs=0.03)


def test_swapping_the_models_turns_the_sign() -> None:
    a, b = np.random.default_rng(0).random((2, 40))
    there, back = compare(a, b, seed=2), compare(b, a, seed=2)
    assert there.p_value == back.p_value
    assert there.difference.low == pytest.approx(-back.difference.high)


def test_p_values_of_no_difference_are_not_small() -> None:
    random = np.random.default_rng(0)
    p_values = [compare(*random.random((2, 20)), seed=trial).p_value for trial in range(20)]
    assert 0.3 < np.mean(p_values) < 0.7
    assert min(p_values) > 0.01


def test_values_of_other_users_are_refused() -> None:
    with pytest.raises(DataError, match="same users"):
        compare(np.ones(3), np.ones(4), seed=0)
    with pytest.raises(DataError, match="no values"):
        compare(np.ones(0), np.ones(0), seed=0)
