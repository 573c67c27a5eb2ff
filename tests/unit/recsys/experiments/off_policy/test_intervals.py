"""Intervals are those of textbooks in simple cases, and people count, not decisions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recsys.experiments.off_policy import estimators as by
from recsys.experiments.off_policy.intervals import by_influence, standard_error
from recsys.experiments.off_policy.log import Values
from recsys.experiments.off_policy.support import mean_terms

RANDOM = np.random.default_rng(5)
VALUES = RANDOM.gamma(2.0, 1.0, 400)
ALONE = np.arange(400)


def test_a_plain_mean_has_students_interval() -> None:
    found = by_influence(mean_terms(VALUES), ALONE)
    expected = stats.ttest_1samp(VALUES, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert found.value == VALUES.mean()


def test_a_ratio_has_the_delta_methods_error() -> None:
    weights = RANDOM.gamma(1.0, 1.0, 400)
    ratio = (weights * VALUES).sum() / weights.sum()
    error = np.sqrt(((weights * (VALUES - ratio)) ** 2).sum()) / weights.sum()
    found = standard_error(by.snips(VALUES, weights).influence, ALONE)
    assert found == pytest.approx(error * np.sqrt(400 / 399), rel=1e-12)


def test_a_person_who_repeats_themselves_adds_nothing() -> None:
    once = by_influence(mean_terms(VALUES), ALONE)
    twice = by_influence(mean_terms(np.tile(VALUES, 2)), np.tile(ALONE, 2))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high), rel=1e-12)
    tails = [
        by_influence(mean_terms(rewards), units, rewards=rewards, seed=1)
        for rewards, units in ((VALUES, ALONE), (np.tile(VALUES, 2), np.tile(ALONE, 2)))
    ]
    assert (tails[0].low, tails[0].high) == pytest.approx((tails[1].low, tails[1].high), rel=1e-9)


def test_codes_of_people_may_have_gaps_and_any_order() -> None:
    gaps = RANDOM.permutation(10_000)[:400]
    assert standard_error(VALUES - VALUES.mean(), gaps) == pytest.approx(standard_error(VALUES - VALUES.mean(), ALONE))


def test_bias_widens_as_the_folded_normal_asks() -> None:
    """Where the bias is large beside the error, the interval is one-sided beyond it: bias + 1.645 errors."""
    many = np.tile(VALUES, 500)
    units = np.arange(len(many))
    plain = by_influence(mean_terms(many), units)
    error = standard_error(many - many.mean(), units)
    widths = [by_influence(mean_terms(many), units, bias=bias * error).high - many.mean() for bias in (0.0, 1.0, 8.0)]
    assert widths[0] == plain.high - many.mean()
    one = widths[1] / error
    assert stats.norm.cdf(one - 1.0) - stats.norm.cdf(-one - 1.0) == pytest.approx(0.95, abs=1e-5)
    assert widths[2] / error == pytest.approx(8.0 + 1.6449, abs=1e-3)


def orders(users: int, share: float, sigma: float, trial: int) -> Values:
    """Draw revenue of users: a `share` of them buy, amounts are lognormal with deviation `sigma` of the logarithm."""
    random = np.random.default_rng([users, trial])
    return np.where(random.random(users) < share, random.lognormal(0.0, sigma, users), 0.0)


def test_tails_widen_only_the_side_of_the_long_tail() -> None:
    rewards = orders(2_000, 0.05, 1.5, trial=1)
    plain, heavy = (by_influence(mean_terms(rewards), np.arange(2_000), rewards=r) for r in (None, rewards))
    assert heavy == by_influence(mean_terms(rewards), np.arange(2_000), rewards=rewards)
    assert heavy.value == plain.value
    assert heavy.low == pytest.approx(plain.low, rel=0.02)
    assert heavy.high > plain.high + 0.2 * (plain.high - plain.value)
    turned = by_influence(mean_terms(-rewards), np.arange(2_000), rewards=rewards)
    assert turned.high == pytest.approx(-plain.low, rel=0.02)
    assert turned.low < -plain.high - 0.2 * (plain.high - plain.value)


def test_even_rewards_leave_the_interval_near_students() -> None:
    rewards = (RANDOM.random(20_000) < 0.3).astype(float)
    plain, same = (by_influence(mean_terms(rewards), np.arange(20_000), rewards=r) for r in (None, rewards))
    assert same.high - same.low == pytest.approx(plain.high - plain.low, rel=0.05)


def test_heavy_tails_are_covered() -> None:
    """A mean of 2,000 users of whom 6 % buy: t covers 87 % of 200 logs, whose standard error is 1.5 points."""
    truth = 0.06 * np.exp(1.5**2 / 2)
    covered = {"t": 0, "tails": 0}
    for trial in range(200):
        rewards = orders(2_000, 0.06, 1.5, trial)
        for name, given in (("t", None), ("tails", rewards)):
            found = by_influence(mean_terms(rewards), np.arange(2_000), rewards=given)
            covered[name] += found.low <= truth <= found.high
    assert covered["t"] < 0.91 * 200
    assert covered["tails"] >= 0.935 * 200
