"""Intervals are those of textbooks in simple cases, and people count, not decisions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recsys.experiments.off_policy import estimators as by
from recsys.experiments.off_policy.intervals import by_bootstrap, by_influence, standard_error
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
    boots = [by_bootstrap([mean_terms(np.tile(VALUES, n))], np.tile(ALONE, n), seed=1)[0] for n in (1, 2)]
    assert (boots[0].low, boots[0].high) == pytest.approx((boots[1].low, boots[1].high), rel=1e-12)


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


def test_bootstrap_is_seeded_paired_and_near_the_influence_functions() -> None:
    weights = RANDOM.gamma(1.0, 1.0, 400)
    terms = [by.ips(VALUES, weights), by.snips(VALUES, weights), by.snips(VALUES, weights)]
    first, again = (by_bootstrap(terms, ALONE, seed=2) for _ in range(2))
    assert first == again
    assert first[1] == first[2]
    assert first != by_bootstrap(terms, ALONE, seed=3)
    for one, boot in zip(terms, first, strict=True):
        influence = by_influence(one, ALONE)
        assert boot.value == influence.value
        assert boot.high - boot.low == pytest.approx(influence.high - influence.low, rel=0.1)
