"""Relative lift: the delta method's and Fieller's intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from recsys.experiments.stats.fixed import welch
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.relative import delta_variance, relative_lift, unknown_lift


def test_the_delta_method_gives_the_published_figures() -> None:
    """GrowthBook, packages/stats/tests/frequentist/test_tests.py (MIT). At 59f39a70: uplift N(0.70732, 0.37879) in
    [-0.03526, 1.44989]. At 06b4ae4f: difference [0.04538, 0.53462] with p 0.02016 (its uplift N(0.70732, 0.30435) was
    without the control's own error)."""
    treatment, control = Moments(3461, 0.7, 6.2**2), Moments(3407, 0.41, 3.9**2)
    lift = relative_lift(treatment, control, 1.0, method="delta")
    assert lift is not None
    assert lift.value == pytest.approx(0.70732, abs=5e-6)
    assert lift.high - lift.value == pytest.approx(0.37879, abs=5e-6)
    effect = welch(treatment, control, lift="delta")
    assert effect.relative is not None
    assert (effect.relative.low, effect.relative.high) == pytest.approx((-0.03526, 1.44989), abs=5e-6)
    assert (effect.absolute.low, effect.absolute.high) == pytest.approx((0.04538, 0.53462), abs=5e-6)
    assert effect.p_value == pytest.approx(0.02016, abs=5e-6)


def test_the_variance_is_that_of_the_gradient() -> None:
    """grad' Sigma grad with a numerical gradient, and a part of the variance in common."""
    t, c, shared = Moments(50, 3.0, 4.0), Moments(60, 2.0, 5.0), 0.01
    step = 1e-6
    gradient = np.array([1 / c.mean, (t.mean / (c.mean + step) - t.mean / (c.mean - step)) / (2 * step)])
    sigma = np.diag([t.variance_of_mean, c.variance_of_mean]) + shared
    assert delta_variance(t, c, shared) == pytest.approx(gradient @ sigma @ gradient, rel=1e-8)


@pytest.mark.parametrize("shared", [0.0, 0.02])
def test_fiellers_bounds_are_where_the_test_just_rejects(shared: float) -> None:
    t, c, critical = Moments(40, 3.0, 9.0), Moments(50, 2.0, 7.0), 2.1

    def excess(lift: float) -> float:
        r = 1 + lift
        variance = t.variance_of_mean + r**2 * c.variance_of_mean + shared * (1 - r) ** 2
        return float((t.mean - r * c.mean) ** 2 - critical**2 * variance)

    bounds = relative_lift(t, c, critical, shared=shared, method="fieller")
    assert bounds is not None
    assert bounds.low == pytest.approx(brentq(excess, -1, bounds.value), rel=1e-9)
    assert bounds.high == pytest.approx(brentq(excess, bounds.value, 5), rel=1e-9)


def test_fiellers_interval_is_the_worked_example_of_the_literature() -> None:
    """Fieller's interval of a quotient as in Finney (1978): with g = q² v_c / c², bounds are
    (R ± q / c sqrt(v_t + R² v_c - g v_t)) / (1 - g) for independent means."""
    t, c, q = Moments(10, 7.0, 10.0), Moments(10, 5.0, 8.0), 2.0
    g = q**2 * 0.8 / 25
    margin = q / 5 * math.sqrt(1.0 + 1.4**2 * 0.8 - g * 1.0)
    bounds = relative_lift(t, c, q, method="fieller")
    assert bounds is not None
    assert (1 + bounds.low, 1 + bounds.high) == pytest.approx(((1.4 - margin) / (1 - g), (1.4 + margin) / (1 - g)))


def test_near_0_the_interval_is_fiellers_and_then_unbounded() -> None:
    t = Moments(100, 1.0, 1.0)
    for mean, chosen in ((1.0, "delta"), (0.5, "fieller")):
        control = Moments(100, mean, 1.0)
        assert relative_lift(t, control, 2.0) == relative_lift(t, control, 2.0, method=chosen)  # type: ignore[arg-type]
    nowhere = relative_lift(t, Moments(100, 0.15, 1.0), 2.0)
    assert nowhere is not None
    assert (nowhere.low, nowhere.high) == (-math.inf, math.inf)


def test_both_agree_far_from_0() -> None:
    t, c = Moments(10_000, 10.5, 4.0), Moments(10_000, 10.0, 4.0)
    delta, fieller = (relative_lift(t, c, 1.96, method=m) for m in ("delta", "fieller"))  # type: ignore[arg-type]
    assert delta is not None
    assert fieller is not None
    assert (delta.low, delta.high) == pytest.approx((fieller.low, fieller.high), rel=1e-3)


@pytest.mark.parametrize("mean", [0.0, -1.0])
def test_there_is_no_lift_on_nothing(mean: float) -> None:
    assert welch(Moments(50, 1.0, 1.0), Moments(50, mean, 1.0)).relative is None
    assert unknown_lift(Moments(50, 1.0, 1.0), Moments(50, mean, 1.0)) is None
