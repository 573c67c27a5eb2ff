"""Intervals, paired tests and their correction: known answers, and that chance is called chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recsys.errors import DataError
from recsys.evaluation import significance
from recsys.evaluation.significance import (
    compare,
    holm,
    mean_interval,
    mean_intervals,
    paired_p_values,
    resamples,
)


def test_for_symmetric_values_the_interval_is_students() -> None:
    half = np.random.default_rng(0).normal(0.0, 0.1, size=200)
    values = 0.5 + np.concatenate([half, -half])
    interval = mean_interval(values)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert interval.mean == pytest.approx(0.5)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_skewed_values_widen_the_interval_toward_the_long_tail() -> None:
    values = np.random.default_rng(0).exponential(0.1, size=60)
    interval, plain = mean_interval(values), stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert interval.low == pytest.approx(plain.low)
    # Hall (1992): the root of t + a t² + a² t³ / 3 + a / 2 = -2.001, a = skewness / (3 sqrt(60))
    a = float(((values - values.mean()) ** 3).mean()) / values.std(ddof=1) ** 3 / (3 * np.sqrt(60))
    t = (values.mean() - interval.high) / (values.std(ddof=1) / np.sqrt(60))
    assert t + a * t**2 + a**2 * t**3 / 3 + a / 2 == pytest.approx(stats.t.ppf(0.025, 59))
    assert interval.high > plain.high


def test_with_few_values_but_zeros_only_the_range_is_known() -> None:
    # None of 20 users has a hit: at most 1 - 0.025 ** (1 / 20) of users have one
    nothing = mean_interval(np.zeros(20))
    assert (nothing.mean, nothing.low) == (0.0, 0.0)
    assert nothing.high == pytest.approx(1 - 0.025 ** (1 / 20))
    hits = mean_interval(np.array([1.0] * 3 + [0.0] * 17))
    exact = stats.binomtest(3, 20).proportion_ci(0.95, "exact")
    assert (hits.low, hits.high) == pytest.approx((exact.low, exact.high))
    same = mean_interval(np.zeros(20), signed=True)
    assert (same.low, same.high) == pytest.approx((-nothing.high, nothing.high))
    # Novelty is in bits: the range ends at the largest value.
    bits = mean_interval(np.array([8.0, 8.0, 8.0]))
    assert (bits.low, bits.high) == pytest.approx((8.0 * 0.025 ** (1 / 3), 8.0))


def test_a_wider_level_gives_a_wider_interval() -> None:
    values = np.random.default_rng(0).random(50)
    narrow, wide = mean_interval(values, level=0.5), mean_interval(values, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


@given(
    st.lists(st.sampled_from([-0.5, -0.2, 0.0, 0.0, 0.0, 0.1, 0.4, 0.9]), min_size=2, max_size=40),
    st.sampled_from([0.1, 0.05, 0.01]),
)
def test_an_interval_leaves_out_0_if_and_only_if_the_p_value_is_below(values: list[float], alpha: float) -> None:
    differences = np.array(values)
    p_value = float(paired_p_values(differences[:, None])[0])
    if abs(p_value - alpha) < 1e-9:
        return
    found = mean_interval(differences, signed=True, level=1 - alpha)
    assert (p_value < alpha) == (found.low > 0.0 or found.high < 0.0)


def test_a_paired_test_sees_a_small_but_steady_difference() -> None:
    random = np.random.default_rng(0)
    a = random.random(80)
    steady = compare(a + 0.01 + 0.001 * random.random(80), a)
    assert steady.p_value < 0.001
    assert 0.01 < steady.difference.low < steady.difference.high < 0.011


def test_a_paired_test_of_equals_finds_nothing() -> None:
    values = np.random.default_rng(0).random(30)
    same = compare(values, values)
    assert same.p_value == 1.0
    assert same.difference.mean == 0.0


def test_few_users_show_nothing_even_if_all_agree() -> None:
    # All four gain 1; gains and losses have exact intervals of their own, (0.398, 1) and (0, 0.602)
    found = compare(np.ones(4), np.zeros(4))
    assert found.difference.low == pytest.approx(0.025 ** (1 / 4) - (1 - 0.025 ** (1 / 4)))
    # At alpha = 2 / 2^4 both bounds meet at 1 / 2
    assert found.p_value == pytest.approx(2 / 16)


def test_swapping_the_models_turns_the_sign() -> None:
    a, b = np.random.default_rng(0).random((2, 40))
    there, back = compare(a, b), compare(b, a)
    assert there.p_value == back.p_value
    assert there.difference.low == pytest.approx(-back.difference.high)


def test_p_values_of_no_difference_are_not_small() -> None:
    random = np.random.default_rng(0)
    p_values = [compare(*random.random((2, 20))).p_value for _ in range(20)]
    assert 0.3 < np.mean(p_values) < 0.7
    assert min(p_values) > 0.01


def test_values_of_other_users_are_refused() -> None:
    with pytest.raises(DataError, match="same users"):
        compare(np.ones(3), np.ones(4))
    with pytest.raises(DataError, match="no values"):
        compare(np.ones(0), np.ones(0))


def test_resamples_draw_as_many_users_as_there_are_and_all_alike() -> None:
    counts = np.vstack(list(resamples(50, seed=1)))
    assert counts.shape == (significance.RESAMPLES, 50)
    assert (counts.sum(axis=1) == 50).all()
    # each user is drawn once a resample on average, with variance 49 / 50
    assert np.abs(counts.mean(axis=0) - 1).max() < 5 * np.sqrt(0.98 / significance.RESAMPLES)


def test_memory_of_resamples_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(significance, "_CELLS", 100)
    chunks = list(resamples(30, seed=1))
    assert max(len(counts) for counts in chunks) == 3
    assert sum(len(counts) for counts in chunks) == significance.RESAMPLES


def test_users_for_whom_a_metric_is_not_defined_are_left_out() -> None:
    values = np.random.default_rng(0).random((200, 2))
    holes = values.copy()
    holes[::2, 0] = np.nan
    assert mean_intervals(holes) == [mean_interval(values[1::2, 0]), mean_interval(values[:, 1])]
    assert paired_p_values(holes - 0.5)[0] == paired_p_values(values[1::2] - 0.5)[0]
    with pytest.raises(DataError, match="no values"):
        mean_interval(np.full(3, np.nan))


def test_holm_by_hand() -> None:
    # sorted: 0.01 x 4, 0.02 x 3, 0.03 x 2 = 0.06, 0.04 x 1 is raised to 0.06
    np.testing.assert_allclose(holm(np.array([0.03, 0.01, 0.04, 0.02])), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.6, 0.7])), [1.0, 1.0])
    assert len(holm(np.array([]))) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_order_and_corrects_the_smallest_like_bonferroni(p_values: list[float]) -> None:
    plain = np.array(p_values)
    corrected = holm(plain)
    assert (corrected >= plain).all()
    assert corrected.min() == pytest.approx(min(1.0, plain.min() * len(plain)))
    assert (np.diff(corrected[np.argsort(plain, kind="stable")]) >= 0).all()


@pytest.mark.parametrize(("users", "hits"), [(20, 0.3), (50, 0.15)])
def test_few_users_with_many_zeros_are_covered(users: int, hits: float) -> None:
    """Both for a mean and for a paired difference; a bootstrap's percentiles reach 88 and 92 %."""
    random = np.random.default_rng(1)
    shape = (users, 400)
    some, most = (np.where(random.random(shape) < rate, random.beta(1.2, 4.0, shape), 0.0) for rate in (hits, 2 * hits))
    truth = hits * 1.2 / 5.2
    found = {"mean": mean_intervals(some), "difference": mean_intervals(most - some, signed=True)}
    for name, intervals in found.items():
        # 400 intervals: the standard error of a coverage of 95 % is 1.1 points
        assert np.mean([one.low <= truth <= one.high for one in intervals]) >= 0.94, name
