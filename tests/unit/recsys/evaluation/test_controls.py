"""Controls keep all of the style vectors but what they say of their item."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.evaluation.controls import Control, control_vectors, random_style, shuffled_style
from recsys.schema import FloatArray

GROUPS = np.arange(200) % 3


def style() -> FloatArray:
    """200 unit vectors that say their group, every fifth missing."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(200, 8)) + 5 * np.eye(8)[GROUPS]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[::5] = 0
    return vectors.astype(np.float32)


@pytest.mark.parametrize("control", Control)
def test_controls_come_from_the_seed_and_keep_who_has_a_picture(control: Control) -> None:
    vectors, before = style(), style()
    one, same, other = (control_vectors(vectors, control, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(vectors, before)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one.any(axis=1), vectors.any(axis=1))
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), np.linalg.norm(vectors, axis=1), atol=1e-6)


def test_shuffled_vectors_are_the_same_ones_elsewhere() -> None:
    vectors, shuffled = style(), shuffled_style(style(), seed=1)
    assert sorted(map(bytes, shuffled)) == sorted(map(bytes, vectors))
    assert (shuffled == vectors).all(axis=1)[vectors.any(axis=1)].sum() < 10


def test_within_groups_each_group_keeps_its_vectors() -> None:
    vectors, shuffled = style(), shuffled_style(style(), seed=1, groups=GROUPS)
    for group in range(3):
        own = np.flatnonzero(group == GROUPS)
        assert sorted(map(bytes, shuffled[own])) == sorted(map(bytes, vectors[own]))
    assert (shuffled != vectors).any()
    with pytest.raises(DataError, match="not one for each"):
        shuffled_style(vectors, seed=1, groups=GROUPS[:5])


def test_random_vectors_say_nothing_of_the_ones_they_replace() -> None:
    vectors = style()
    pictured = vectors.any(axis=1)
    cosines = (vectors * random_style(vectors, seed=1)).sum(axis=1)[pictured]
    # cosines of random directions in 8 dimensions: mean 0, standard deviation 1 / sqrt(8)
    assert abs(cosines.mean()) < 5 / np.sqrt(8 * pictured.sum())
    assert cosines.std() == pytest.approx(1 / np.sqrt(8), rel=0.2)


def test_no_vector_at_all_stays_so() -> None:
    nothing = np.zeros((4, 3), dtype=np.float32)
    for control in Control:
        assert not control_vectors(nothing, control, seed=1).any()
