from __future__ import annotations

import numpy as np
import pytest

from recsys.pipeline.rerank import diversify

SCORES = np.array([1.0, 0.9, 0.8, 0.1], dtype=np.float32)
LOOKS = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)


def test_without_diversity_the_order_is_the_scores() -> None:
    assert diversify(SCORES[::-1].copy(), LOOKS, 3, 0.0).tolist() == [3, 2, 1]


def test_diversity_fetches_the_other_look_second() -> None:
    assert diversify(SCORES, LOOKS, 3, 0.5).tolist() == [0, 2, 1]


def test_the_best_is_always_first() -> None:
    for diversity in (0.0, 0.3, 0.9, 1.0):
        assert diversify(SCORES, LOOKS, 4, diversity)[0] == 0


def test_more_is_asked_than_there_is() -> None:
    assert sorted(diversify(SCORES, LOOKS, 10, 0.3)) == [0, 1, 2, 3]


def test_what_does_not_fit_is_not_fetched_for_variety() -> None:
    scores = np.linspace(1, 0, 300).astype(np.float32)
    looks = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (300, 1))
    looks[200:] = [0.0, 1.0]
    assert diversify(scores, looks, 10, 1.0).max() < 50


@pytest.mark.parametrize("limit", [1, 2])
def test_equal_scores_keep_their_order(limit: int) -> None:
    flat = np.ones(4, dtype=np.float32)
    assert diversify(flat, np.zeros((4, 2), dtype=np.float32), limit, 0.5).tolist() == list(range(limit))
