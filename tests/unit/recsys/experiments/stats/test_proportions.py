"""Counts of successes: their moments, and counts that cannot be."""

from __future__ import annotations

import pytest

from recsys.errors import DataError
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.proportions import Proportion


def test_moments_are_those_of_zeros_and_ones() -> None:
    own, counted = Proportion(3, 10).moments(), Moments.from_values([1] * 3 + [0] * 7)
    assert own.variance == pytest.approx(counted.variance)
    assert own.sizes == counted.sizes


@pytest.mark.parametrize(("successes", "n"), [(5, 4), (-1, 4), (0, 0)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(DataError, match="count each unit once"):
        Proportion(successes, n)
