"""Sufficient statistics: those of NumPy, merged as if never parted; ratios by the delta method."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recsys.errors import DataError
from recsys.experiments.stats.moments import JointMoments, Moments, expected_values

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=30)


def test_moments_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).lognormal(size=500)
    moments = Moments.from_values(values)
    assert moments.n == 500
    assert moments.mean == pytest.approx(values.mean(), rel=1e-14)
    assert moments.variance == pytest.approx(values.var(ddof=1), rel=1e-13)
    assert moments.variance_of_mean == pytest.approx(values.var(ddof=1) / 500, rel=1e-13)


@given(NUMBERS, NUMBERS)
def test_parts_merge_to_the_whole(left: list[float], right: list[float]) -> None:
    merged, whole = Moments.from_values(left) + Moments.from_values(right), Moments.from_values(left + right)
    scale = max(map(abs, left + right), default=1.0) + 1.0
    assert merged.n == whole.n
    assert merged.mean == pytest.approx(whole.mean, abs=1e-12 * scale)
    assert merged.variance == pytest.approx(whole.variance, abs=1e-12 * scale**2)


def test_merging_keeps_digits_where_the_mean_is_large() -> None:
    values = 1e9 + np.random.default_rng(0).normal(size=1000)
    merged = Moments.from_values(values[:300]) + Moments.from_values(values[300:])
    # a sum of squares less a square of sums would have no digit left: 1e18 * 2e-16 = 222
    assert merged.variance == pytest.approx(values.var(ddof=1), rel=1e-6)


def test_joint_moments_merge_with_covariances() -> None:
    table = np.random.default_rng(1).normal(size=(200, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 2.0]])
    merged = (
        JointMoments.from_columns(table[:50])
        + JointMoments.from_columns(table[50:51])
        + JointMoments.from_columns(table[51:])
    )
    np.testing.assert_allclose(merged.means, table.mean(axis=0), atol=1e-14)
    np.testing.assert_allclose(merged.covariance, np.cov(table.T), rtol=1e-12, atol=1e-14)
    assert merged.marginal(2).variance == pytest.approx(table[:, 2].var(ddof=1))


def test_the_ratio_is_that_of_sums_with_the_variance_of_cluster_robust_regression() -> None:
    """Clicks of requests, regressed on the treatment with errors clustered by person, is the same thing (Deng et al.
    2018, section 3.2); statsmodels divides by n where unbiased variances divide by n - 1."""
    random = np.random.default_rng(2)
    arms, rows = [], []
    for arm, n in enumerate((300, 400)):
        requests = random.poisson(4, size=n) + 1
        clicks = random.binomial(requests, random.beta(2, 6, size=n))
        arms.append(JointMoments.from_columns(clicks, requests).ratio().marginal())
        for person, (c, r) in enumerate(zip(clicks, requests, strict=True)):
            rows += [(i < c, arm, arm * 1000 + person) for i in range(r)]
        assert arms[arm].mean == pytest.approx(clicks.sum() / requests.sum(), rel=1e-12)
    clicked, treated, person = np.array(rows, dtype=float).T
    fit = sm.OLS(clicked, sm.add_constant(treated)).fit(
        cov_type="cluster", cov_kwds={"groups": person.astype(int), "use_correction": False}
    )
    control, treatment = arms
    biased = control.variance_of_mean * 299 / 300 + treatment.variance_of_mean * 399 / 400
    assert treatment.mean - control.mean == pytest.approx(fit.params[1], rel=1e-10)
    assert biased == pytest.approx(fit.bse[1] ** 2, rel=1e-10)
    z = (treatment.mean - control.mean) / math.sqrt(treatment.variance_of_mean + control.variance_of_mean)
    assert 2 * stats.norm.sf(abs(z)) == pytest.approx(fit.pvalues[1], rel=0.02)


def test_covariates_of_a_ratio_are_those_of_its_linearized_values() -> None:
    random = np.random.default_rng(3)
    n, d, x = random.poisson(3, 400), random.poisson(9, 400) + 1, random.normal(size=400)
    joint = JointMoments.from_columns(n, d, x).ratio()
    ratio = n.sum() / d.sum()
    linear = ratio + (n - ratio * d) / d.mean()
    np.testing.assert_allclose(joint.covariance, np.cov(linear, x), rtol=1e-11)
    np.testing.assert_allclose(joint.means, [ratio, x.mean()], rtol=1e-12)


def test_what_cannot_be_counted_is_named() -> None:
    with pytest.raises(DataError, match=r"2 values are not finite.*fill or drop"):
        Moments.from_values([1.0, np.nan, np.inf])
    with pytest.raises(DataError, match=r"lengths \[1, 2\]"):
        JointMoments.from_columns([1.0, 2.0], [1.0])
    with pytest.raises(DataError, match="denominator of a ratio is 0"):
        JointMoments.from_columns([1.0, 2.0], [0.0, 0.0]).ratio()


def test_effective_values_count_ones_and_discount_small_values() -> None:
    ones = Moments.from_values([1.0] * 30 + [0.0] * 970)
    assert ones.sizes[0].effective == pytest.approx(30)
    assert expected_values(ones, Moments.from_values([0.0] * 1000)) == pytest.approx(15)
    assert expected_values(Moments.from_values([0.0] * 1000), Moments.from_values([0.0] * 500)) == 0.0
    # One list of 5,000 beside 999 of 10: the arm's ratio rests on little more than one unit.
    lists = JointMoments.from_columns([1.0] * 1000, [5_000.0] + [10.0] * 999).ratio()
    assert lists.sizes[1].effective == pytest.approx(14_990**2 / (25e6 + 99_900))
    assert expected_values(lists.marginal(), lists.marginal()) == pytest.approx(lists.sizes[1].effective)
