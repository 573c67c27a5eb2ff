"""Health: sample ratio, pre-period, multiple exposures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.oneway import anova_oneway

from recsys.errors import ConfigError, DataError
from recsys.experiments.stats.health import multiple_exposures, pre_period_imbalance, sample_ratio
from recsys.experiments.stats.moments import Moments


@pytest.mark.parametrize(
    ("counts", "weights"),
    [((821_588, 815_482), (0.5, 0.5)), ((100, 210, 290), (1, 2, 3)), ((90, 10_000), (0.01, 0.99))],
)
def test_it_is_the_chi_square_of_scipy(counts: tuple[int, ...], weights: tuple[float, ...]) -> None:
    result = sample_ratio(counts, weights)
    expected = stats.chisquare(counts, np.array(weights) / sum(weights) * sum(counts))
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert result.freedom == len(counts) - 1


def test_the_example_of_the_literature() -> None:
    """Kohavi, Tang & Xu (2020), Trustworthy Online Controlled Experiments, p. 45 and p. 219: 821,588 users against
    815,482 in a 50/50 split has a p-value of 1.8e-6."""
    result = sample_ratio((821_588, 815_482), (1, 1))
    assert result.p_value == pytest.approx(1.8e-6, rel=0.03)
    assert result.mismatch


def test_arms_of_weight_0_add_no_freedom() -> None:
    """Chi-square 12.5 on 1 degree of freedom is p 0.0004, an alarm; on 3, with arms of weight 0 counted, 0.006."""
    counts, weights = (10_250, 9_750, 0, 0), (0.5, 0.5, 0.0, 0.0)
    result = sample_ratio(counts, weights)
    assert result.freedom == 1
    assert result.mismatch
    assert result.p_value == pytest.approx(stats.chi2.sf(12.5, 1), rel=1e-10)
    assert stats.chi2.sf(12.5, 3) > 0.005
    assert result.strays == ()
    assert result.expected == (10_000.0, 10_000.0, 0.0, 0.0)


def test_a_unit_in_an_arm_of_weight_0_is_an_alarm_of_its_own() -> None:
    result = sample_ratio((10_000, 10_000, 1), (0.5, 0.5, 0.0))
    assert result.p_value == 1.0
    assert result.strays == (2,)
    assert result.mismatch


def test_a_huge_mismatch_keeps_its_digits() -> None:
    result = sample_ratio((12_000, 8_000), (1, 1))
    assert 0.0 < result.p_value < 1e-170
    assert result.p_value == pytest.approx(stats.chi2.sf(800.0, 1), rel=1e-10)


def test_an_empty_arm_is_a_mismatch_and_a_single_one_is_not() -> None:
    assert sample_ratio((1000, 0), (0.5, 0.5)).mismatch
    assert sample_ratio((1000,), (1.0,)).p_value == 1.0
    assert sample_ratio((1000, 0), (1.0, 0.0)).p_value == 1.0
    assert sample_ratio((0, 5), (1.0, 0.0)).mismatch


def test_bad_splits_are_named() -> None:
    with pytest.raises(ConfigError, match="weights of 0 or more"):
        sample_ratio((1, 2), (0.5, -0.5))
    with pytest.raises(ConfigError, match="not all 0"):
        sample_ratio((1, 2), (0.0, 0.0))
    with pytest.raises(DataError, match="2 counts for 3 weights"):
        sample_ratio((1, 2), (1, 1, 1))
    with pytest.raises(DataError, match="count each exposed unit"):
        sample_ratio((0, 0), (1, 1))


def test_imbalance_is_the_more_careful_analysis_of_variance() -> None:
    random = np.random.default_rng(0)
    groups = [random.gamma(2, scale, size=n) for scale, n in ((3.0, 200), (3.3, 150), (2.5, 400))]
    result = pre_period_imbalance([Moments.from_values(g) for g in groups])
    expected = anova_oneway(groups, use_var="unequal", welch_correction=True)
    assert result.statistic == pytest.approx(expected.statistic, rel=1e-10)
    usual = anova_oneway(groups, use_var="equal")
    assert result.p_value == pytest.approx(max(expected.pvalue, usual.pvalue), rel=1e-10)
    assert result.freedom[1] == pytest.approx(expected.df_denom, rel=1e-10)


def test_two_arms_are_the_more_careful_t_test() -> None:
    a, b = Moments(300, 5.0, 4.0), Moments(400, 6.0, 9.0)
    result = pre_period_imbalance([a, b])
    tests = [stats.ttest_ind_from_stats(5.0, 2.0, 300, 6.0, 3.0, 400, equal_var=equal) for equal in (True, False)]
    assert result.p_value == pytest.approx(max(test.pvalue for test in tests), rel=1e-10)
    assert result.imbalanced


def test_nothing_known_before_is_no_imbalance() -> None:
    assert not pre_period_imbalance([Moments(100, 0.0, 0.0), Moments(100, 0.0, 0.0)]).imbalanced
    assert pre_period_imbalance([]).p_value == 1.0


def test_units_in_two_arms_are_found() -> None:
    units = np.array([0, 0, 1, 2, 2, 2, 3, 0], dtype=np.int64)
    arms = np.array([0, 0, 1, 0, 1, 2, 1, 0], dtype=np.int64)
    found = multiple_exposures(units, arms)
    assert found.units == 4
    assert found.multiple.tolist() == [2]
    assert found.share == 0.25
    assert found.alarm
    assert not multiple_exposures(units, arms, largest_share=0.3).alarm


def test_a_million_exposures_are_counted_as_by_a_dictionary() -> None:
    random = np.random.default_rng(1)
    units = random.integers(0, 200_000, size=1_000_000)
    arms = np.where(random.random(1_000_000) < 0.001, 1 - units % 2, units % 2)
    seen: dict[int, set[int]] = {}
    for unit, arm in zip(units.tolist(), arms.tolist(), strict=True):
        seen.setdefault(unit, set()).add(arm)
    found = multiple_exposures(units, arms)
    assert found.units == len(seen)
    assert found.multiple.tolist() == sorted(unit for unit, own in seen.items() if len(own) > 1)


def test_bad_exposures_are_named() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert multiple_exposures(none, none).units == 0
    with pytest.raises(DataError, match="the arm of each"):
        multiple_exposures(np.array([1, 2]), np.array([0]))
    with pytest.raises(DataError, match="count from 0"):
        multiple_exposures(np.array([1, -2]), np.array([0, 0]))
