"""Two likenesses in one score."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.ranking.similar import combine_similarities

EVERYWHERE = np.ones(4, dtype=np.bool_)


def test_each_counts_in_its_own_deviations() -> None:
    one = np.array([1.0, 2.0, 3.0, 4.0], dtype=np.float32)
    parts = combine_similarities([(one, EVERYWHERE), (100 * one[::-1] + 7, EVERYWHERE)])
    np.testing.assert_allclose(parts[0], (one - 2.5) / one.std() / 2, rtol=1e-5)
    np.testing.assert_allclose(parts.sum(axis=0), 0.0, atol=1e-6)


def test_what_is_unknown_is_average() -> None:
    known = np.array([True, True, True, False])
    parts = combine_similarities(
        [(np.array([1.0, 2.0, 3.0, 1e6], dtype=np.float32), known), (np.zeros(4, np.float32), ~EVERYWHERE)]
    )
    assert parts[0, 3] == parts[0, 1] == 0
    assert parts[0, 2] == pytest.approx(-parts[0, 0])
    assert not parts[1].any()


def test_where_all_are_alike_nothing_is_told() -> None:
    assert not combine_similarities([(np.ones(4, np.float32), EVERYWHERE)]).any()
