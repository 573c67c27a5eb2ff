from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import DataError, RequestError
from recsys.evaluation.protocol import METRICS, evaluate
from recsys.models.popularity import PopularityModel
from recsys.schema import FloatArray, IntArray

TRAIN = csr_matrix(np.array([[5, 5, 0, 0], [5, 0, -5, 0], [5, 0, 0, 0], [0, 0, 0, 5], [0, 0, 0, 0]], dtype=np.float32))
TEST = csr_matrix(np.array([[0, 0, 5, 0], [0, 5, 0, 5], [0, 0, 0, -5], [5, 0, 0, 0], [0, 0, 0, 5]], dtype=np.float32))


def ascending(users: IntArray) -> FloatArray:
    """Item 3 first, item 0 last, for everybody."""
    return np.tile(np.arange(4, dtype=np.float32), (len(users), 1))


def test_known_answer() -> None:
    result = evaluate(ascending, TRAIN, TEST, k=2)
    # user 2 only dislikes in the test; the others see their unviewed items from the right
    assert result.users.tolist() == [0, 1, 3, 4]
    assert result.skipped == 1
    assert result.rows.tolist() == [[3, 2], [3, 1], [2, 1], [3, 2]]
    assert result.per_user["recall"].tolist() == [1, 1, 0, 1]
    assert result.per_user["mrr"].tolist() == [0.5, 1, 0, 1]
    assert result.coverage == 3 / 4
    assert result.summary["recall@2"] == 0.75
    assert result.summary["coverage@2"] == 3 / 4
    assert set(result.summary) == {f"{name}@2" for name in (*METRICS, "coverage")}


def test_all_items_are_ranked_when_viewed_ones_are_kept() -> None:
    result = evaluate(ascending, TRAIN, TEST, k=4, filter_viewed=False)
    assert (result.rows == [3, 2, 1, 0]).all()
    assert result.per_user["mrr"].tolist() == [1 / 2, 1, 1 / 4, 1]


def test_what_may_not_be_shown_is_not_missed() -> None:
    again = TEST.tolil()
    again[0, 0] = 5.0
    filtered = evaluate(ascending, TRAIN, csr_matrix(again), k=2)
    assert filtered.per_user["recall"][0] == 1.0
    kept = evaluate(ascending, TRAIN, csr_matrix(again), k=2, filter_viewed=False)
    assert kept.per_user["recall"][0] == 0.5


def test_only_the_users_asked_for_are_measured() -> None:
    result = evaluate(ascending, TRAIN, TEST, np.array([4, 2, 0]), k=1)
    assert result.users.tolist() == [4, 0]
    assert result.skipped == 1
    assert result.per_user["recall"].tolist() == [1, 0]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_batches_do_not_matter(batch: int) -> None:
    model = PopularityModel().fit(TRAIN)
    whole, parts = evaluate(model, TRAIN, TEST, k=3), evaluate(model, TRAIN, TEST, k=3, batch=batch)
    np.testing.assert_array_equal(whole.rows, parts.rows)
    assert whole.summary == parts.summary


def test_a_model_is_measured_by_its_scores() -> None:
    model = PopularityModel().fit(TRAIN)
    assert evaluate(model, TRAIN, TEST, k=2).summary == evaluate(model.scores, TRAIN, TEST, k=2).summary


def test_a_score_function_keeps_its_scores() -> None:
    kept = ascending(np.arange(5))
    evaluate(lambda users: kept[: len(users)], TRAIN, TEST, k=2)
    np.testing.assert_array_equal(kept, ascending(np.arange(5)))


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(DataError, match="none of 1 users"):
        evaluate(ascending, TRAIN, TEST, np.array([2]), k=2)


def test_matrices_of_other_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="same users and items"):
        evaluate(ascending, TRAIN, TEST[:4], k=2)


def test_a_k_below_one_is_refused() -> None:
    with pytest.raises(RequestError, match="k: must be at least 1"):
        evaluate(ascending, TRAIN, TEST, k=0)
