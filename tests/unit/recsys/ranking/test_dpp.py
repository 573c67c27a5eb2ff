"""Greedy choice by the determinantal point process, against determinants themselves."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.ranking.dpp import Determinant, style_similarity
from recsys.schema import FloatArray


def _drawn(seed: int, count: int, dimensions: int) -> tuple[FloatArray, FloatArray]:
    random = np.random.default_rng(seed)
    directions = random.normal(size=(count, dimensions))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return random.random(count).astype(np.float32), directions.astype(np.float32)


def _picks(relevance: FloatArray, directions: FloatArray, limit: int, diversity: float) -> list[int]:
    gain, picked = Determinant(relevance, directions, limit, diversity), []
    for _ in range(limit):
        values = gain.values()
        values[picked] = -np.inf
        picked.append(int(values.argmax()))
        gain.take(picked[-1])
    return picked


def _picks_by_determinants(relevance: FloatArray, directions: FloatArray, limit: int, diversity: float) -> list[int]:
    theta = 1 - diversity
    quality = np.exp(theta / (2 * (1 - theta)) * relevance.astype(np.float64))
    kernel = quality[:, None] * style_similarity(directions) * quality
    picked: list[int] = []
    for _ in range(limit):
        others = [i for i in range(len(relevance)) if i not in picked]
        picked.append(max(others, key=lambda i: float(np.linalg.det(kernel[np.ix_([*picked, i], [*picked, i])]))))
    return picked


@pytest.mark.parametrize("diversity", [0.1, 0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_each_pick_gives_the_largest_determinant(seed: int, diversity: float) -> None:
    relevance, directions = _drawn(seed, count=14, dimensions=9)
    if diversity == 1.0:
        # all first items are then alike, and a tie is for the earliest: the list comes best first
        relevance = -np.sort(-relevance)
    expected = _picks_by_determinants(relevance, directions, 7, diversity)
    assert _picks(relevance, directions, 7, diversity) == expected


def test_gains_are_the_logarithm_of_the_growth_of_the_determinant() -> None:
    relevance, directions = _drawn(3, count=8, dimensions=6)
    gain = Determinant(relevance, directions, 4, 0.4)
    likeness = style_similarity(directions)
    for taken in ([], [5], [5, 2], [5, 2, 7]):
        if taken:
            gain.take(taken[-1])
        before = np.linalg.slogdet(likeness[np.ix_(taken, taken)])[1]
        for item in set(range(8)) - set(taken):
            after = np.linalg.slogdet(likeness[np.ix_([*taken, item], [*taken, item])])[1]
            assert gain.values()[item] == pytest.approx(0.6 * relevance[item] + 0.4 * (after - before), abs=1e-5)


def test_likeness_is_positive_semidefinite_and_least_for_opposites() -> None:
    _, directions = _drawn(1, count=30, dimensions=4)
    directions[3] = -directions[2]
    directions[5] = directions[4]
    directions[6:9] = 0
    likeness = style_similarity(directions)
    assert np.linalg.eigvalsh(likeness).min() > -1e-6
    assert likeness[2, 3] == pytest.approx(0.0, abs=1e-6)
    assert likeness[4, 5] == pytest.approx(1.0, abs=1e-6)
    assert (likeness[6, :3] == 0.5).all()
    assert (np.diag(likeness) == 1).all()


def test_the_same_look_comes_last_and_beyond_the_rank_relevance_decides() -> None:
    relevance = np.array([1.0, 0.9, 0.8, 0.7, 0.1], dtype=np.float32)
    looks = np.array([[1, 0]] * 4 + [[0, 1]], dtype=np.float32)
    assert _picks(relevance, looks, 5, 0.5) == [0, 4, 1, 2, 3]


def test_many_more_picks_than_dimensions_stay_finite() -> None:
    relevance, directions = _drawn(2, count=200, dimensions=8)
    picked = _picks(relevance, directions, 120, 0.7)
    assert len(set(picked)) == 120
