from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys.errors import RequestError
from recsys.ranked import NO_ROW, top_k

FEW_VALUES = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, np.nan])


def test_known_answer() -> None:
    scores = np.array([[0.1, 0.9, 0.5, 0.9], [3.0, 1.0, np.nan, -np.inf]], dtype=np.float32)
    ranked = top_k(scores, 3)
    assert ranked.rows.tolist() == [[1, 3, 2], [0, 1, NO_ROW]]
    np.testing.assert_array_equal(ranked.scores, np.float32([[0.9, 0.9, 0.5], [3.0, 1.0, -np.inf]]))


def test_a_tie_at_the_last_place_goes_to_the_lower_row() -> None:
    scores = np.zeros((1, 1_000), dtype=np.float32)
    scores[0, 500] = 1.0
    assert top_k(scores, 4).rows.tolist() == [[500, 0, 1, 2]]


def test_a_mask_for_all_and_a_mask_for_each() -> None:
    scores = np.array([[1, 2, 3], [3, 2, 1]], dtype=np.float32)
    assert top_k(scores, 2, np.array([True, True, False])).rows.tolist() == [[1, 0], [0, 1]]
    each = np.array([[True, False, False], [False, False, True]])
    assert top_k(scores, 2, each).rows.tolist() == [[0, NO_ROW], [2, NO_ROW]]


def test_nothing_to_rank() -> None:
    assert top_k(np.empty((2, 0), dtype=np.float32), 2).rows.tolist() == [[NO_ROW] * 2] * 2
    assert top_k(np.empty((0, 5), dtype=np.float32), 2).rows.shape == (0, 2)


@pytest.mark.parametrize("k", [0, -3])
def test_a_k_below_one_is_refused(k: int) -> None:
    with pytest.raises(RequestError, match=f"k: must be at least 1, not {k}"):
        top_k(np.zeros((1, 3), dtype=np.float32), k)


@given(arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=FEW_VALUES), st.integers(1, 12))
def test_it_is_the_definition(scores: np.ndarray, k: int) -> None:
    ranked = top_k(scores.copy(), k)
    for row, found in zip(scores, ranked.rows, strict=True):
        usable = [column for column in range(len(row)) if row[column] > -np.inf]
        expected = sorted(usable, key=lambda column: (-row[column], column))[:k]
        assert found.tolist() == expected + [NO_ROW] * (k - len(expected))


WIDE = arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(80, 400)), elements=st.floats(-9, 9, width=16))


@given(WIDE, st.integers(1, 12), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([-np.inf, np.nan, 3.0]))
def test_many_columns_are_ranked_like_few(scores: np.ndarray, k: int, share: float, instead: float) -> None:
    scores[np.random.default_rng(0).random(scores.shape) < share] = instead
    found = top_k(scores, k)
    usable = np.where(np.isnan(scores), np.float32(-np.inf), scores)
    order = np.argsort(-usable, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(usable, order, axis=1)
    np.testing.assert_array_equal(found.rows, np.where(best > -np.inf, order, NO_ROW))
    np.testing.assert_array_equal(found.scores, best)
