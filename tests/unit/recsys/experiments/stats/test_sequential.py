"""Confidence sequences: their boundary, tuning and p-values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from scipy.optimize import minimize_scalar

from recsys.errors import ConfigError
from recsys.experiments.stats.fixed import two_means
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.proportions import Proportion
from recsys.experiments.stats.sequential import (
    always_valid,
    boundary,
    p_values,
    planned_boundary,
    planned_p_values,
    planned_power,
    running_p_values,
)


def test_the_boundary_is_that_of_the_paper() -> None:
    """Waudby-Smith et al. (2024), theorem 2.2: radius = s sqrt(2 (t r² + 1) / (t² r²) ln(sqrt(t r² + 1) / alpha)), with
    the r that is best at 1,000 found by search."""

    def radius(rho: float, t: float) -> float:
        return math.sqrt(2 * (t * rho**2 + 1) / (t**2 * rho**2) * math.log(math.sqrt(t * rho**2 + 1) / 0.05))

    best = minimize_scalar(
        lambda rho: radius(rho, 1000.0), bounds=(1e-4, 1.0), method="bounded", options={"xatol": 1e-9}
    )
    for t in (100.0, 1000.0, 20_000.0):
        own = float(boundary(t, tightest_at=1000)) / math.sqrt(t)
        assert own == pytest.approx(radius(best.x, t), rel=1e-6)


def test_it_is_the_mixture_sequential_ratio_test() -> None:
    """Johari et al. (2022), eq. 12: 1 / p = sqrt(V / (V + T)) exp(T D² / (2 V (V + T))) for a Normal mixture of
    variance T and an estimate D of variance V."""
    units, tightest, z = 5_000.0, 2_000.0, 3.7
    x = 8.211968061878816 * units / tightest  # -W(-0.05² / e) - 1 on the lower branch
    variance = 0.3
    mixture = x * variance
    difference = z * math.sqrt(variance)
    ratio = math.sqrt(variance / (variance + mixture)) * math.exp(
        mixture * difference**2 / (2 * variance * (variance + mixture))
    )
    assert float(p_values(z, units, tightest_at=tightest)) == pytest.approx(1 / ratio, rel=1e-6)


@given(st.floats(0.5, 8), st.integers(200, 10**7), st.integers(100, 10**6), st.sampled_from([0.9, 0.95, 0.99]))
def test_p_and_interval_agree(z: float, units: int, tightest: int, level: float) -> None:
    edge = float(boundary(units, tightest_at=tightest, level=level))
    at_edge = float(p_values(edge, units, tightest_at=tightest, level=level))
    assert at_edge == pytest.approx(1 - level, rel=1e-9)
    p_value = float(p_values(z, units, tightest_at=tightest, level=level))
    if abs(z - edge) > 1e-6:
        assert (z > edge) == (p_value < 1 - level)


def test_looking_any_day_has_its_price() -> None:
    t, c = Moments(5_000, 1.1, 4.0), Moments(5_000, 1.0, 4.0)
    once, any_day = two_means(t, c), always_valid(t, c, tightest_at=10_000)
    assert any_day.absolute.value == once.absolute.value
    width = (any_day.absolute.high - any_day.absolute.low) / (once.absolute.high - once.absolute.low)
    assert 1.4 < width < 1.6
    assert any_day.p_value > once.p_value
    assert any_day.relative is not None
    assert once.relative is not None
    assert any_day.relative.low < once.relative.low


def test_it_is_narrowest_where_it_is_tuned() -> None:
    units = np.geomspace(100, 1e6, 50)
    other = np.array([boundary(units, tightest_at=at) for at in (200, 5_000, 500_000)])
    for at in units:
        assert (
            float(boundary(at, tightest_at=at)) <= np.array([np.interp(at, units, row) for row in other]).min() + 1e-3
        )


def test_too_few_values_say_nothing() -> None:
    few = always_valid(Proportion(19, 5_000).moments(), Proportion(19, 5_000).moments(), tightest_at=1000)
    constant = always_valid(Moments(5_000, 9.0, 0.0), Moments(5_000, 1.0, 0.0), tightest_at=1000)
    early = always_valid(Moments(5_000, 9.0, 1.0), Moments(5_000, 9.0, 1.0), tightest_at=1000, progress=1e-9)
    for effect in (few, constant, early):
        assert effect.p_value == 1.0
        assert effect.absolute.low == -math.inf
        assert effect.relative is not None
        assert effect.relative.high == math.inf


ARM = st.builds(Moments, st.integers(2, 5_000), st.floats(0.01, 10.0), st.floats(0.01, 50.0))


@given(ARM, ARM, st.none() | st.floats(0.01, 20.0), st.floats(0.8, 0.995))
def test_any_look_never_says_more_than_one(t: Moments, c: Moments, progress: float | None, level: float) -> None:
    any_look = always_valid(t, c, tightest_at=1_000, progress=progress, level=level)
    once = two_means(t, c, level=level)
    assert any_look.p_value >= once.p_value
    assert any_look.absolute.low <= once.absolute.low
    assert any_look.absolute.high >= once.absolute.high
    assert any_look.relative is not None
    if abs(any_look.p_value - (1 - level)) > 1e-9:
        found = any_look.p_value < 1 - level
        assert found == (not any_look.absolute.low <= 0.0 <= any_look.absolute.high)
        assert found == (not any_look.relative.low <= 0.0 <= any_look.relative.high)


@given(st.floats(0.02, 50.0), st.floats(0.8, 0.999), st.floats(0.0, 9.0))
def test_p_and_interval_agree_with_a_declared_end(progress: float, level: float, z: float) -> None:
    edge = planned_boundary(progress, level)
    assert float(planned_p_values(edge, progress)) == pytest.approx(1 - level, rel=1e-6)
    if abs(z - edge) > 1e-6:
        assert (z > edge) == (planned_p_values(z, progress) < 1 - level)
    assert planned_p_values(z, progress) >= 2 * special.ndtr(-z) * (1 - 1e-12)


def test_the_planned_boundary_is_crossed_as_often_as_it_says() -> None:
    """Brownian motions of 2,000 steps up to the end and 2,000 in reciprocal time after it: 5 % at most (steps miss
    peaks, so a little less); with an effect, the power of 20 looks."""
    random = np.random.default_rng(15)
    steps, runs = 2_000, 4_000
    time = np.arange(1, steps + 1) / steps
    crossed = np.zeros(runs, dtype=bool)
    up = random.normal(scale=steps**-0.5, size=(runs, steps)).cumsum(axis=1)
    # In reciprocal time the later part is a motion that ends at the same point.
    later = random.normal(scale=steps**-0.5, size=(runs, steps)).cumsum(axis=1)
    later += (up[:, -1] - later[:, -1])[:, None] * time
    for motion, progress in ((up, time), (later, 1.0 / time)):
        crossed |= (np.abs(motion) / np.sqrt(time) > planned_boundary(progress)).any(axis=1)
    assert 0.038 <= crossed.mean() <= 0.055
    looks = slice(steps // 20 - 1, None, steps // 20)
    moved = (up[:, looks] + 3.0 * time[looks]) / np.sqrt(time[looks])
    found = (moved > planned_boundary(time[looks])).any(axis=1).mean()
    assert found == pytest.approx(planned_power(3.0), abs=0.02)


def test_the_running_p_value_never_rises() -> None:
    np.testing.assert_array_equal(running_p_values([1.0, 0.2, 0.4, 0.01, 0.5]), [1.0, 0.2, 0.2, 0.01, 0.01])


def test_bad_input_is_named() -> None:
    with pytest.raises(ConfigError, match="tightest_at is 0"):
        boundary(100, tightest_at=0)
    with pytest.raises(ConfigError, match="level is 1"):
        boundary(100, tightest_at=100, level=1.0)
    with pytest.raises(ConfigError, match=r"progress is 0\.0: give"):
        planned_boundary(0.0)
