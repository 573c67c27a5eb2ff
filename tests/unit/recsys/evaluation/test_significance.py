"""Intervals, paired tests and their correction: known answers, and that chance is called chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import DataError
from recsys.evaluation import significance
from recsys.evaluation.significance import (
    bootstrap_mean,
    bootstrap_means,
    compare,
    holm,
    permutation_p_values,
    resamples,
)


def test_the_bootstrap_interval_is_that_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, size=400)
    interval = bootstrap_mean(values, seed=1)
    margin = 1.96 * values.std() / np.sqrt(400)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - margin, abs=0.15 * margin)
    assert interval.high == pytest.approx(values.mean() + margin, abs=0.15 * margin)
    assert interval == bootstrap_mean(values, seed=1)
    assert interval != bootstrap_mean(values, seed=2)


def test_a_wider_level_gives_a_wider_interval() -> None:
    values = np.random.default_rng(0).random(50)
    narrow, wide = bootstrap_mean(values, seed=1, level=0.5), bootstrap_mean(values, seed=1, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_paired_test_sees_a_small_but_steady_difference() -> None:
    random = np.random.default_rng(0)
    a = random.random(80)
    steady = compare(a + 0.01 + 0.001 * random.random(80), a, seed=3)
    assert steady.p_value < 0.001
    assert 0.01 < steady.difference.low < steady.difference.high < 0.011


def test_a_paired_test_of_equals_finds_nothing() -> None:
    values = np.random.default_rng(0).random(30)
    same = compare(values, values, seed=3)
    assert same.p_value == 1.0
    assert same.difference.mean == 0.0


def test_the_permutation_test_is_exact_for_few_users() -> None:
    # of the 2^4 = 16 sign patterns of four equal differences, 2 are as extreme as what was seen
    assert compare(np.ones(4), np.zeros(4), seed=5).p_value == pytest.approx(2 / 16, abs=0.03)


def test_swapping_the_models_turns_the_sign() -> None:
    a, b = np.random.default_rng(0).random((2, 40))
    there, back = compare(a, b, seed=2), compare(b, a, seed=2)
    assert there.p_value == back.p_value
    assert there.difference.low == pytest.approx(-back.difference.high)


def test_p_values_of_no_difference_are_not_small() -> None:
    random = np.random.default_rng(0)
    p_values = [compare(*random.random((2, 20)), seed=trial).p_value for trial in range(20)]
    assert 0.3 < np.mean(p_values) < 0.7
    assert min(p_values) > 0.01


def test_values_of_other_users_are_refused() -> None:
    with pytest.raises(DataError, match="same users"):
        compare(np.ones(3), np.ones(4), seed=0)
    with pytest.raises(DataError, match="no values"):
        compare(np.ones(0), np.ones(0), seed=0)


def test_resamples_draw_as_many_users_as_there_are_and_all_alike() -> None:
    counts = np.vstack(list(resamples(50, seed=1)))
    assert counts.shape == (significance.RESAMPLES, 50)
    assert (counts.sum(axis=1) == 50).all()
    # each user is drawn once a resample on average, with variance 49 / 50
    assert np.abs(counts.mean(axis=0) - 1).max() < 5 * np.sqrt(0.98 / significance.RESAMPLES)


def test_memory_is_bounded_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random((30, 3))
    whole, p_whole = bootstrap_means(values, seed=1), permutation_p_values(values - 0.5, seed=1)
    monkeypatch.setattr(significance, "_CELLS", 100)
    assert max(len(counts) for counts in resamples(30, seed=1)) == 3
    for one, other in zip(whole, bootstrap_means(values, seed=1), strict=True):
        np.testing.assert_allclose([one.mean, one.low, one.high], [other.mean, other.low, other.high])
    np.testing.assert_allclose(p_whole, permutation_p_values(values - 0.5, seed=1))


def test_columns_are_measured_as_if_alone() -> None:
    values = np.random.default_rng(0).random((40, 2))
    together = bootstrap_means(values, seed=1)
    for column, interval in zip(values.T, together, strict=True):
        alone = bootstrap_mean(column, seed=1)
        np.testing.assert_allclose([interval.mean, interval.low, interval.high], [alone.mean, alone.low, alone.high])


def test_users_for_whom_a_metric_is_not_defined_are_left_out() -> None:
    values = np.random.default_rng(0).random(200)
    holes = values.copy()
    holes[::2] = np.nan
    interval, kept = bootstrap_mean(holes, seed=1), bootstrap_mean(values[1::2], seed=1)
    assert interval.mean == pytest.approx(kept.mean)
    assert interval.high - interval.low == pytest.approx(kept.high - kept.low, rel=0.2)
    differences = np.where(np.isnan(holes), np.nan, 0.1)
    assert permutation_p_values(differences[:, None], seed=1)[0] == pytest.approx(1 / (1 + significance.RESAMPLES))
    with pytest.raises(DataError, match="no values"):
        bootstrap_mean(np.full(3, np.nan), seed=1)


def test_one_user_with_a_value_has_an_interval_of_that_value() -> None:
    interval = bootstrap_mean(np.array([np.nan, 0.25, np.nan]), seed=1)
    assert (interval.mean, interval.low, interval.high) == (0.25, 0.25, 0.25)


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


def test_nominal_intervals_cover_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    # 100 experiments with 60 users each, side by side: about 95 of 100 intervals hold the true mean
    intervals = bootstrap_means(random.exponential(size=(60, 100)), seed=3)
    assert 86 <= sum(interval.low <= 1.0 <= interval.high for interval in intervals) <= 100
