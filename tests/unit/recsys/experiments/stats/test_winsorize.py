"""One cap for all arms."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import ConfigError, DataError
from recsys.experiments.stats.winsorize import pooled_cap, winsorize


def test_the_cap_is_a_percentile_of_all_arms_together() -> None:
    values = np.arange(101.0)
    assert pooled_cap(values, 0.9) == 90.0
    capped = winsorize(values, 90.0)
    assert capped.max() == 90.0
    assert np.count_nonzero(capped == 90.0) == 11
    np.testing.assert_array_equal(capped[:90], values[:90])


def test_of_values_above_zero_alone() -> None:
    values = np.concatenate([np.zeros(900), np.arange(1.0, 102.0)])
    assert pooled_cap(values, 0.5) == 0.0
    assert pooled_cap(values, 0.5, above_zero=True) == 51.0
    assert pooled_cap(np.zeros(5), 0.5, above_zero=True) == np.inf


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="NaN"):
        pooled_cap(np.array([1.0, np.nan]), 0.5)
    with pytest.raises(ConfigError, match="percentile is 99"):
        pooled_cap(np.ones(3), 99)
