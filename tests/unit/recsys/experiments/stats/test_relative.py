"""Relative lift: Fieller's intervals, and the delta method's variance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from recsys.experiments.stats.fixed import two_means
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.relative import QuotientVariance, delta_variance, find_lift, unknown_lift


def test_the_delta_method_gives_the_published_figures() -> None:
    """GrowthBook, packages/stats/tests/frequentist/test_tests.py (MIT), at 59f39a70: uplift N(0.70732, 0.37879)."""
    treatment, control = Moments(3461, 0.7, 6.2**2), Moments(3407, 0.41, 3.9**2)
    assert math.sqrt(delta_variance(treatment, control)) == pytest.approx(0.37879, abs=5e-6)
    lift = find_lift(treatment, control, QuotientVariance.from_own(treatment, control), 0.01)
    assert lift.value == pytest.approx(0.70732, abs=5e-6)
    # So near the estimate the delta method and Fieller's interval are the same.
    assert (lift.high - lift.low) / 0.02 == pytest.approx(0.37879, rel=1e-3)


def test_the_variance_is_that_of_the_gradient() -> None:
    """grad' Sigma grad with a numerical gradient, and a part of the variance in common."""
    t, c, shared = Moments(50, 3.0, 4.0), Moments(60, 2.0, 5.0), 0.01
    step = 1e-6
    gradient = np.array([1 / c.mean, (t.mean / (c.mean + step) - t.mean / (c.mean - step)) / (2 * step)])
    sigma = np.diag([t.variance_of_mean, c.variance_of_mean]) + shared
    assert delta_variance(t, c, shared) == pytest.approx(gradient @ sigma @ gradient, rel=1e-8)


@pytest.mark.parametrize("shared", [0.0, 0.02])
@pytest.mark.parametrize("pooled", [False, True])
def test_bounds_are_where_the_test_just_rejects(shared: float, pooled: bool) -> None:
    t, c, critical = Moments(40, 3.0, 9.0), Moments(50, 2.0, 7.0), 2.1

    def excess(lift: float) -> float:
        r = 1 + lift
        own, other = t.variance, c.variance
        if pooled:
            other = (39 * t.variance / r + 49 * c.variance) / 88
            own = r * other
        variance = own / 40 + r**2 * other / 50 + shared * (1 - r) ** 2
        return float((t.mean - r * c.mean) ** 2 - critical**2 * variance)

    variance = QuotientVariance.from_pooled if pooled else QuotientVariance.from_own
    bounds = find_lift(t, c, variance(t, c, shared), critical)
    assert bounds.low == pytest.approx(brentq(excess, -0.999, bounds.value), rel=1e-9)
    assert bounds.high == pytest.approx(brentq(excess, bounds.value, 5), rel=1e-9)


def test_fiellers_interval_is_the_worked_example_of_the_literature() -> None:
    """Fieller's interval of a quotient as in Finney (1978): with g = q² v_c / c², bounds are
    (R ± q / c sqrt(v_t + R² v_c - g v_t)) / (1 - g) for independent means."""
    t, c, q = Moments(10, 7.0, 10.0), Moments(10, 5.0, 8.0), 2.0
    g = q**2 * 0.8 / 25
    margin = q / 5 * math.sqrt(1.0 + 1.4**2 * 0.8 - g * 1.0)
    bounds = find_lift(t, c, QuotientVariance.from_own(t, c), q)
    assert (1 + bounds.low, 1 + bounds.high) == pytest.approx(((1.4 - margin) / (1 - g), (1.4 + margin) / (1 - g)))


def test_a_control_near_0_leaves_a_bound_open() -> None:
    t, c = Moments(100, 1.0, 1.0), Moments(100, 0.15, 1.0)
    above = find_lift(t, c, QuotientVariance.from_own(t, c), 2.0)
    assert above.low > 0.0
    assert above.high == math.inf
    nowhere = find_lift(c, c, QuotientVariance.from_own(c, c), 2.0)
    assert (nowhere.low, nowhere.high) == (-math.inf, math.inf)


ARM = st.builds(Moments, st.integers(20, 5_000), st.floats(0.01, 10.0), st.floats(0.01, 50.0))


@given(ARM, ARM)
def test_lift_difference_and_p_value_always_agree(t: Moments, c: Moments) -> None:
    effect = two_means(t, c)
    assert effect.relative is not None
    if abs(effect.p_value - 0.05) > 1e-9:
        assert (effect.p_value < 0.05) == (not effect.absolute.low <= 0.0 <= effect.absolute.high)
        assert (effect.p_value < 0.05) == (not effect.relative.low <= 0.0 <= effect.relative.high)


@pytest.mark.parametrize("mean", [0.0, -1.0])
def test_there_is_no_lift_on_nothing(mean: float) -> None:
    assert two_means(Moments(50, 1.0, 1.0), Moments(50, mean, 1.0)).relative is None
    assert unknown_lift(Moments(50, 1.0, 1.0), Moments(50, mean, 1.0)) is None
