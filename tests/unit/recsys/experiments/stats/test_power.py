"""Planning equals statsmodels and published tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower, TTestIndPower

from recsys.errors import ConfigError
from recsys.experiments.stats.moments import JointMoments
from recsys.experiments.stats.power import Baseline, Design, compute_power, days_needed, sample_size, smallest_effect

MEAN = Baseline(10.0, 25.0)


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_power_is_that_of_statsmodels(two_sided: bool, share: float) -> None:
    design = Design(alpha=0.05, two_sided=two_sided, share=share)
    expected = NormalIndPower().power(
        effect_size=0.3 / 5.0,
        nobs1=8_000 * share,
        ratio=(1 - share) / share,
        alpha=0.05,
        alternative="two-sided" if two_sided else "larger",
    )
    assert compute_power(MEAN, 0.3, 8_000, design) == pytest.approx(expected, rel=1e-10)


def test_it_asks_for_a_unit_less_than_students_t_where_units_are_few() -> None:
    """R's power.t.test(delta = 1, power = 0.9) is 22.02; statsmodels agrees; Normal quantiles give 21.01."""
    students = TTestIndPower().solve_power(effect_size=1.0, alpha=0.05, power=0.9)
    assert students == pytest.approx(22.0211, abs=1e-3)
    assert sample_size(Baseline(0.0, 1.0), 1.0, Design(power=0.9)).control == math.ceil(21.0149)


def test_proportions_are_those_of_r() -> None:
    """R's power.prop.test(p1 = 0.5, p2 = 0.75, power = 0.9): n = 76.7 in each arm; and with n = 50: power 0.740."""
    assert sample_size(Baseline.from_rate(0.5), 0.25, Design(power=0.9)).control == 77
    assert compute_power(Baseline.from_rate(0.5), 0.25, 100) == pytest.approx(0.740, abs=5e-4)


@given(st.floats(0.01, 0.9), st.floats(0.1, 0.9), st.booleans(), st.floats(0.55, 0.99), st.floats(-0.9, 0.9))
def test_size_power_and_effect_are_inversions(
    effect: float, share: float, binary: bool, power: float, correlation: float
) -> None:
    design = Design(power=power, share=share, correlation=correlation)
    baseline = Baseline.from_rate(0.08) if binary else MEAN
    size = sample_size(baseline, effect, design)
    assert compute_power(baseline, effect, size.total, design) >= power - 0.02 * binary
    assert size.treatment == pytest.approx(size.total * share, abs=1.0)
    found = smallest_effect(baseline, size.total, design)
    assert found.absolute <= effect * (1 + 1e-9)
    assert found.relative == pytest.approx(found.absolute / baseline.mean)
    if size.total > 1000:
        assert found.absolute == pytest.approx(effect, rel=2e-3)
        assert compute_power(baseline, effect, size.total, design) == pytest.approx(power, abs=0.01)


def test_cuped_saves_the_squared_correlation() -> None:
    plain, adjusted = sample_size(MEAN, 0.1), sample_size(MEAN, 0.1, Design(correlation=0.7))
    assert adjusted.total / plain.total == pytest.approx(1 - 0.49, rel=1e-3)


def test_looking_any_day_costs_units() -> None:
    once = sample_size(MEAN, 0.1).total
    planned, open_end = (sample_size(MEAN, 0.1, Design(look_any_day=True, open_end=end)).total for end in (False, True))
    assert open_end / once == pytest.approx(((3.0354 + 0.8416) / (1.95996 + 0.8416)) ** 2, rel=0.01)
    assert 1.3 < planned / once < 1.35
    assert compute_power(MEAN, 0.1, planned, Design(look_any_day=True)) == pytest.approx(0.8, abs=1e-3)


def test_one_side_needs_fewer_units() -> None:
    ratio = sample_size(MEAN, 0.1, Design(two_sided=False)).total / sample_size(MEAN, 0.1).total
    assert ratio == pytest.approx(((1.64485 + 0.84162) / (1.95996 + 0.84162)) ** 2, rel=1e-3)


def test_ratios_are_planned_by_their_linearized_variance() -> None:
    random = np.random.default_rng(0)
    requests = random.poisson(5, 5000) + 1
    clicks = random.binomial(requests, 0.2)
    baseline = Baseline.from_moments(JointMoments.from_columns(clicks, requests).ratio().marginal())
    size = sample_size(baseline, 0.05 * baseline.mean)
    # independent clicks: as many requests as a proportion needs, six a person
    alone = sample_size(Baseline(0.2, 0.16), 0.01)
    assert size.total * 6 == pytest.approx(alone.total, rel=0.1)


def test_days() -> None:
    assert days_needed(10_000, 1_000) == 14
    assert days_needed(10_000, 1_000, whole_weeks=False) == 10
    assert days_needed(10_001, 1_000, whole_weeks=False) == 11
    assert days_needed(1, 1_000) == 7


def test_bad_input_is_named() -> None:
    with pytest.raises(ConfigError, match="effect of 0"):
        sample_size(MEAN, 0.0)
    with pytest.raises(ConfigError, match=r"leaves \[0, 1\]"):
        sample_size(Baseline.from_rate(0.9), 0.2)
    with pytest.raises(ConfigError, match="plan more units"):
        smallest_effect(Baseline.from_rate(0.9), 4)
    with pytest.raises(ConfigError, match="new_units_per_day"):
        days_needed(10, 0.0)
    with pytest.raises(ConfigError, match="share is 1"):
        Design(share=1.0)
    with pytest.raises(ConfigError, match="correlation is 1"):
        Design(correlation=1.0)
    with pytest.raises(ConfigError, match="two_sided to true"):
        Design(look_any_day=True, two_sided=False)
