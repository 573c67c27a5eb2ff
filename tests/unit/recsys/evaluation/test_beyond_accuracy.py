"""Known answers by hand, and naive oracles."""

from __future__ import annotations

from itertools import combinations
from math import log, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsys.errors import DataError
from recsys.evaluation.beyond_accuracy import (
    calibration_error,
    coverage,
    exposure,
    gini,
    novelty,
    serendipity,
    style_diversity,
)
from recsys.evaluation.groups import style_groups

ROWS = np.array([[5, 1, 2, 7], [0, 1, 2, 3], [4, 0, 1, 2], [0, -1, -1, -1]])
NAN = float("nan")


def test_coverage_and_exposure_count_no_padding() -> None:
    assert coverage(ROWS, 8) == 7 / 8
    assert exposure(ROWS, 8).tolist() == [3, 3, 3, 1, 1, 1, 0, 1]


def test_gini_of_known_distributions() -> None:
    assert gini(np.array([4, 4, 4, 4])) == pytest.approx(0.0)
    # one of n has all: (n - 1) / n
    assert gini(np.array([0, 0, 0, 9])) == pytest.approx(3 / 4)
    # Lorenz curve of shares 1/4, 3/4: half the square minus its area, doubled
    assert gini(np.array([1, 3])) == pytest.approx(1 / 4)
    with pytest.raises(DataError, match="nothing is shown"):
        gini(np.zeros(3))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(any))
def test_gini_is_half_the_relative_mean_difference(shown: list[int]) -> None:
    count = len(shown)
    differences = sum(abs(one - other) for one in shown for other in shown)
    assert gini(np.array(shown)) == pytest.approx(differences / (2 * count * sum(shown)))


def test_novelty_is_the_mean_information_in_bits() -> None:
    touched = np.array([8, 4, 1, 0])
    rows = np.array([[0, 1], [2, 3], [1, -1], [-1, -1]])
    # an item nobody touched counts as touched by one
    np.testing.assert_allclose(novelty(rows, touched, 8), [(0 + 1) / 2, (3 + 3) / 2, 1, NAN])
    assert log2(8 / 4) == 1


def test_style_diversity_by_hand() -> None:
    vectors = np.array([[2, 0], [0, 3], [-1, 0], [0, 0], [np.inf, 0]], dtype=np.float32)
    rows = np.array([[0, 1, -1], [0, 2, 3], [0, 0, -1], [0, 1, 2], [0, 3, 4], [-1, -1, -1]])
    # right angles: 1; opposite: 2, the item without a picture left out; alike: 0; mean of 1, 2, 1; too few
    np.testing.assert_allclose(style_diversity(rows, vectors), [1, 2, 0, 4 / 3, NAN, NAN], atol=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_style_diversity_is_the_mean_over_pairs(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(9, 4)).astype(np.float32)
    vectors[random.integers(9)] = 0
    rows = np.array([random.permutation(9)[:k] for _ in range(3)])
    for row, value in zip(rows, style_diversity(rows, vectors), strict=True):
        styled = [vectors[item] / np.linalg.norm(vectors[item]) for item in row if vectors[item].any()]
        distances = [1 - float(one @ other) for one, other in combinations(styled, 2)]
        np.testing.assert_allclose(value, np.mean(distances) if distances else NAN, atol=1e-5)


GROUPS = np.array([[1, 0], [0, 1], [0.5, 0.5], [0, 0]], dtype=np.float32)


def test_calibration_by_hand() -> None:
    history = csr_matrix(np.array([[3, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, -5, 0, 2], [1, 0, 0, 0]], dtype=float))
    rows = np.array([[0, 1], [1, -1], [0, 1], [0, 1], [3, -1]])
    # p = (3/4, 1/4) and q = (1/2, 1/2); all of the other group; alike; a history in no group; a list in none
    mixed = [0.99 * 0.5 + 0.01 * 0.75, 0.99 * 0.5 + 0.01 * 0.25]
    first = 0.75 * log(0.75 / mixed[0]) + 0.25 * log(0.25 / mixed[1])
    np.testing.assert_allclose(calibration_error(rows, history, GROUPS), [first, log(100), 0, NAN, NAN], atol=1e-9)


@given(st.integers(0, 10_000))
def test_calibration_is_the_divergence_of_a_naive_oracle(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups = random.dirichlet(np.ones(3), size=6)
    history = random.integers(-2, 4, size=(2, 6)).astype(float)
    history[:, 0] = 1.0
    rows = np.array([random.permutation(6)[:3] for _ in range(2)])
    values = calibration_error(rows, csr_matrix(history), groups.astype(np.float32))
    for user in range(2):
        weights = history[user].clip(min=0)
        p = sum(weight * groups[item] for item, weight in enumerate(weights)) / weights.sum()
        q = sum(groups[item] for item in rows[user]) / 3
        expected = sum(p[g] * log(p[g] / (0.99 * q[g] + 0.01 * p[g])) for g in range(3))
        assert values[user] == pytest.approx(expected, abs=1e-5)


def test_serendipity_is_what_is_right_and_not_popular() -> None:
    relevant = csr_matrix(np.array([[1, 1, 0, 0, 1], [0, 1, 0, 0, 0]], dtype=np.float32))
    rows = np.array([[0, 1, 2, 4], [1, 0, -1, -1]])
    popular = np.array([[0, 3, 2, -1], [0, 2, -1, -1]])
    # of the hits 0, 1, 4 popularity shows 0; another user's popular items do not count
    np.testing.assert_allclose(serendipity(rows, relevant, popular), [2 / 4, 1 / 4])
    np.testing.assert_allclose(serendipity(popular, relevant, popular), [0, 0])


def test_style_groups_are_clusters_of_what_has_a_picture() -> None:
    random = np.random.default_rng(0)
    centers = np.array([[0] * 3, [9, 0, 0], [0, 9, 0], [0, 0, 9]])
    kinds = random.integers(4, size=60)
    vectors = (centers[kinds] + 0.1 * random.normal(size=(60, 3))).astype(np.float32)
    vectors[kinds == 0] = 0
    shares = style_groups(vectors, 3, seed=1)
    assert (shares.sum(axis=1) == (kinds > 0)).all()
    for kind in (1, 2, 3):
        assert len(np.unique(shares[kinds == kind], axis=0)) == 1
    np.testing.assert_array_equal(shares, style_groups(vectors, 3, seed=1))
    assert style_groups(vectors[:5], 30, seed=1).shape[1] == np.count_nonzero(kinds[:5])
    with pytest.raises(DataError, match="no item has a style vector"):
        style_groups(np.zeros((3, 2), dtype=np.float32), seed=1)
