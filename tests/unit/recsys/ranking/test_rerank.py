from __future__ import annotations

import numpy as np
import pytest

from recsys.ranking.calibrate import TargetMix
from recsys.ranking.rerank import Reranking, best_pool, rerank
from recsys.schema import Reranker

SCORES = np.array([1.0, 0.9, 0.8, 0.1], dtype=np.float32)
LOOKS = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)
VARIED = pytest.mark.parametrize("reranker", [Reranker.MMR, Reranker.DPP])


def test_the_pool_is_the_best_in_order_and_equal_ones_keep_theirs() -> None:
    assert best_pool(SCORES[::-1].copy(), 3).tolist() == [3, 2, 1, 0]
    assert best_pool(np.ones(4, dtype=np.float32), 1).tolist() == [0, 1, 2, 3]
    assert len(best_pool(np.ones(300, dtype=np.float32), 10)) == 50
    assert len(best_pool(np.ones(300, dtype=np.float32), 20)) == 100


@pytest.mark.parametrize("reranker", list(Reranker))
def test_without_diversity_the_order_stays(reranker: Reranker) -> None:
    assert rerank(SCORES, LOOKS, 3, Reranking(reranker)).tolist() == [0, 1, 2]


def test_without_a_reranker_diversity_changes_nothing() -> None:
    assert rerank(SCORES, LOOKS, 3, Reranking(Reranker.NONE, 0.9)).tolist() == [0, 1, 2]


@VARIED
def test_diversity_fetches_the_other_look_second(reranker: Reranker) -> None:
    assert rerank(SCORES, LOOKS, 3, Reranking(reranker, 0.5)).tolist() == [0, 2, 1]


@VARIED
def test_the_best_is_always_first(reranker: Reranker) -> None:
    for diversity in (0.0, 0.3, 0.9, 1.0):
        assert rerank(SCORES, LOOKS, 4, Reranking(reranker, diversity))[0] == 0


@pytest.mark.parametrize("reranker", list(Reranker))
def test_more_is_asked_than_there_is(reranker: Reranker) -> None:
    assert sorted(rerank(SCORES, LOOKS, 10, Reranking(reranker, 0.3))) == [0, 1, 2, 3]
    assert rerank(SCORES[:0], LOOKS[:0], 10, Reranking(reranker, 0.3)).tolist() == []


@VARIED
@pytest.mark.parametrize("limit", [1, 2])
def test_equal_scores_keep_their_order(reranker: Reranker, limit: int) -> None:
    flat = np.ones(4, dtype=np.float32)
    picked = rerank(flat, np.zeros((4, 2), dtype=np.float32), limit, Reranking(reranker, 0.5))
    assert picked.tolist() == list(range(limit))


def test_marginal_relevance_by_hand() -> None:
    scores = np.array([1.0, 0.5, 0.0], dtype=np.float32)
    looks = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)
    # after the first: 0.5 (1 - d) - 0.8 d for the second, -0 for the third; even at d = 5 / 13
    assert rerank(scores, looks, 2, Reranking(Reranker.MMR, 0.38)).tolist() == [0, 1]
    assert rerank(scores, looks, 2, Reranking(Reranker.MMR, 0.39)).tolist() == [0, 2]


@pytest.mark.parametrize("reranker", list(Reranker))
def test_calibration_works_with_any_reranker(reranker: Reranker) -> None:
    scores = np.linspace(1, 0, 20).astype(np.float32)
    groups = np.repeat(np.eye(2, dtype=np.float32), 10, axis=0)
    mix = TargetMix(np.array([0.7, 0.3], dtype=np.float32), groups, np.ones(20, dtype=np.float32))
    looks = np.zeros((20, 2), dtype=np.float32)
    without = rerank(scores, looks, 10, Reranking(reranker, 0.1), [mix])
    assert (without < 10).sum() == 10
    calibrated = rerank(scores, looks, 10, Reranking(reranker, 0.1, calibration=0.99), [mix])
    assert (calibrated < 10).sum() == 7
    # within a group the better ones
    assert sorted(calibrated.tolist()) == [0, 1, 2, 3, 4, 5, 6, 10, 11, 12]
