from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import DataError, RequestError
from recsys.evaluation import protocol
from recsys.evaluation.metrics import ACCURACY
from recsys.evaluation.protocol import evaluate
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
    assert set(result.summary) == {f"{name}@2" for name in (*ACCURACY, "coverage")}


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


def test_items_that_may_not_be_recommended_are_neither_shown_nor_missed() -> None:
    result = evaluate(ascending, TRAIN, TEST, k=2, items=np.array([True, True, True, False]))
    # user 1 also wants item 3, which is not to be had; user 4 wants nothing else
    assert result.users.tolist() == [0, 1, 3]
    assert result.rows.tolist() == [[2, -1], [1, -1], [2, 1]]
    assert result.per_user["recall"].tolist() == [1, 1, 0]


def test_scores_held_at_once_are_bounded_by_the_catalog_s_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def spied(users: IntArray) -> FloatArray:
        sizes.append(len(users))
        return ascending(users)

    monkeypatch.setattr(protocol, "_SCORES_HELD", 8)
    evaluate(spied, TRAIN, TEST, k=2)
    assert sizes == [2, 2]
    monkeypatch.setattr(protocol, "_SCORES_HELD", 1)
    evaluate(spied, TRAIN, TEST, k=2)
    assert sizes[2:] == [1, 1, 1, 1]


def wide(users: IntArray) -> FloatArray:
    return np.tile(np.arange(200, dtype=np.float32), (len(users), 1))


def test_sampled_negatives_are_marked_and_make_the_task_easier() -> None:
    train, test = csr_matrix((40, 200), dtype=np.float32), csr_matrix(np.eye(40, 200, 100, dtype=np.float32))
    full = evaluate(wide, train, test, k=10)
    easy = evaluate(wide, train, test, k=10, sampled=9, seed=3)
    assert full.sampled is None
    assert easy.sampled == 9
    assert set(easy.summary) == {f"{name}@10 (sampled 9)" for name in (*ACCURACY, "coverage")}
    # ten candidates, of which the relevant one is always shown
    assert easy.summary["recall@10 (sampled 9)"] == 1.0
    assert full.summary["recall@10"] == 0.0
    # about 70 % of the nine others score higher: the relevant item's rank is 1 + binomial(9, ~0.3 to 0.5)
    assert 0.2 < easy.summary["mrr@10 (sampled 9)"] < 0.5


def test_sampled_negatives_are_neither_viewed_nor_relevant_and_come_from_the_seed() -> None:
    train = csr_matrix(np.pad(np.ones((5, 20), dtype=np.float32), ((0, 0), (0, 180))))
    test = csr_matrix(np.eye(5, 200, 50, dtype=np.float32))
    one, same, other = (evaluate(wide, train, test, k=30, sampled=9, seed=seed) for seed in (1, 1, 2))
    assert ((one.rows >= 0).sum(axis=1) == 10).all()
    assert not ((one.rows >= 0) & (one.rows < 20)).any()
    np.testing.assert_array_equal(one.rows, same.rows)
    assert (one.rows != other.rows).any()
    # drawn for each user alone, so whoever else is asked does not matter
    np.testing.assert_array_equal(
        evaluate(wide, train, test, np.array([3]), k=30, sampled=9, seed=1).rows[0], one.rows[3]
    )


def test_more_negatives_than_there_are_is_the_full_ranking() -> None:
    full, sampled = evaluate(ascending, TRAIN, TEST, k=3), evaluate(ascending, TRAIN, TEST, k=3, sampled=99)
    np.testing.assert_array_equal(full.rows, sampled.rows)
    with pytest.raises(RequestError, match="sampled: must be at least 1"):
        evaluate(ascending, TRAIN, TEST, sampled=0)


def test_progress_counts_everybody_asked() -> None:
    steps: list[int] = []
    result = evaluate(ascending, TRAIN, TEST, k=2, batch=2, progress=steps.append)
    assert steps[0] == result.skipped
    assert sum(steps) == TRAIN.shape[0]
    assert max(steps[1:]) == 2
