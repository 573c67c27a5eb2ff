from __future__ import annotations

import numpy as np

from recsys.schema import FloatArray
from recsys.training.blend import ascend


def closeness(target: FloatArray) -> object:
    def quality(weights: FloatArray) -> float:
        return -float(np.abs(weights / max(float(weights.max()), 1e-9) - target).sum())

    return quality


def test_ascent_finds_the_top_of_a_smooth_hill() -> None:
    target = np.array([1.0, 0.3, 0.1], dtype=np.float32)
    found = ascend(closeness(target), np.ones(3, dtype=np.float32))  # type: ignore[arg-type]
    assert np.abs(found / found.max() - target).max() < 0.1


def test_a_weight_that_says_nothing_keeps_its_place() -> None:
    found = ascend(lambda weights: 1.0, np.array([1.0, 0.5], dtype=np.float32))
    assert found.tolist() == [1.0, 0.5]


def test_weights_never_turn_negative() -> None:
    found = ascend(lambda weights: -float(weights[1]), np.ones(2, dtype=np.float32))
    assert found.tolist() == [1.0, 0.0]
