"""One cap for all arms, which no few values can move."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.experiments.stats.winsorize import Cap, most_cut, pooled_cap, winsorize


def test_the_cap_is_the_largest_value_that_is_not_cut() -> None:
    values = np.concatenate([np.zeros(900), np.arange(1.0, 201.0)])
    assert pooled_cap(values) == 195.0
    capped = winsorize(values, 195.0)
    assert capped.max() == 195.0
    assert np.count_nonzero(capped == 195.0) == 6
    np.testing.assert_array_equal(capped[:1_095], values[:1_095])


@pytest.mark.parametrize("buyers", [50, 200, 1_001, 4_000])
@pytest.mark.parametrize("huge", [1e4, 1e6, 1e12])
def test_the_size_of_five_huge_values_does_not_move_the_cap(buyers: int, huge: float) -> None:
    usual = np.arange(1.0, buyers + 1.0)
    assert pooled_cap(np.concatenate([usual, huge * np.arange(1, 6)])) == float(buyers)


def test_a_cap_cuts_a_thousandth_of_many_and_a_tenth_of_few() -> None:
    assert [most_cut(count) for count in (2, 10, 11, 41, 5_000, 20_000)] == [1, 1, 2, 5, 5, 20]
    assert most_cut(20_000, tail=0.005) == 100
    assert pooled_cap(np.array([0.0, 3.0, 1e9])) == 3.0
    assert pooled_cap(np.array([0.0, 3.0])) == np.inf
    assert pooled_cap(np.zeros(5)) == np.inf
    assert pooled_cap(np.array([3.0, 4.0]), slack=2.0) == 6.0


def test_a_cap_says_what_it_did() -> None:
    values, arm = np.array([0.0, 10.0, 20.0, 100.0]), np.array([0, 0, 1, 1])
    cap = Cap.from_values(values, 20.0, arm, arms=3)
    assert (cap.value, cap.positive, cap.cut) == (20.0, 3, 1)
    assert cap.removed == 80.0 / 130.0
    assert cap.bias == (0.0, 40.0, 0.0)


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="NaN"):
        pooled_cap(np.array([1.0, np.nan]))
