"""CUPED: the regression within arms, whatever the fill of missing covariates."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from recsys.errors import DataError
from recsys.experiments.stats.cuped import adjust, fill_missing
from recsys.experiments.stats.fixed import two_means
from recsys.experiments.stats.moments import JointMoments, Moments, Values


def drawn(n: int, seed: int, effect: float) -> tuple[Values, Values]:
    random = np.random.default_rng(seed)
    x = random.gamma(2.0, 3.0, size=n)
    return 5 + 0.8 * x + random.normal(size=n) + effect, x


def test_it_is_the_regression_on_the_covariate_within_arms() -> None:
    """theta and the effect are those of statsmodels' OLS of y on arm and covariate (analysis of covariance)."""
    (y_t, x_t), (y_c, x_c) = drawn(300, 1, 0.5), drawn(200, 2, 0.0)
    adjusted = adjust([JointMoments.from_columns(y_t, x_t), JointMoments.from_columns(y_c, x_c)])
    treated = np.repeat([1.0, 0.0], [300, 200])
    design = np.column_stack([np.ones(500), treated, np.concatenate([x_t, x_c])])
    fit = sm.OLS(np.concatenate([y_t, y_c]), design).fit()
    treatment, control = adjusted.arms
    assert adjusted.coefficients[0] == pytest.approx(fit.params[2], rel=1e-10)
    assert treatment.mean - control.mean == pytest.approx(fit.params[1], rel=1e-10)
    effect = two_means(treatment, control, shared=adjusted.shared)
    assert effect.p_value < 1e-3 * two_means(Moments.from_values(y_t), Moments.from_values(y_c)).p_value
    # OLS has one variance for both arms, this has one each
    assert treatment.variance_of_mean + control.variance_of_mean == pytest.approx(fit.bse[1] ** 2, rel=0.05)


def test_the_variance_left_is_1_minus_the_squared_correlation() -> None:
    y, x = drawn(1000, 3, 0.0)
    adjusted = adjust([JointMoments.from_columns(y, x)])
    left = 1 - np.corrcoef(y, x)[0, 1] ** 2
    assert adjusted.variance_left == pytest.approx(left, rel=1e-10)
    # One coefficient is estimated from 999 degrees of freedom.
    assert adjusted.arms[0].variance == pytest.approx(left * y.var(ddof=1) * 999 / 998, rel=1e-10)
    assert adjusted.arms[0].mean == pytest.approx(y.mean(), rel=1e-12)
    assert adjusted.shared == pytest.approx((1 - left) * y.var(ddof=1) / 1000, rel=1e-10)


@pytest.mark.parametrize("fill", [0.0, 7.0, -100.0])
def test_new_users_are_adjusted_by_their_own_mean_whatever_is_filled_in(fill: float) -> None:
    arms = []
    for seed in (4, 5):
        y, x = drawn(400, seed, 0.0)
        x[::4] = np.nan
        y[::4] -= 6.0
        arms.append((y, x))
    own = adjust([JointMoments.from_columns(y, fill_missing(x)) for y, x in arms])
    other = adjust([JointMoments.from_columns(y, np.nan_to_num(x, nan=fill), np.isnan(x)) for y, x in arms])
    for a, b in zip(own.arms, other.arms, strict=True):
        assert (a.mean, a.variance) == pytest.approx((b.mean, b.variance), rel=1e-9)
    known_alone = adjust([JointMoments.from_columns(y, np.nan_to_num(x, nan=np.nanmean(x))) for y, x in arms])
    assert own.variance_left < 0.7 * known_alone.variance_left


def test_useless_covariates_change_nothing() -> None:
    y, x = drawn(100, 6, 0.0)
    constant = adjust([JointMoments.from_columns(y, np.ones(100))])
    assert constant.variance_left == 1.0
    assert constant.arms[0].variance == pytest.approx(y.var(ddof=1))
    few = adjust([JointMoments.from_columns([1.0, 2.0, 5.0], [1.0, 3.0, 2.0], [4.0, 1.0, 1.0])])
    assert few.arms[0].variance == pytest.approx(np.var([1.0, 2.0, 5.0], ddof=1))
    once, twice = adjust([JointMoments.from_columns(y, x)]), adjust([JointMoments.from_columns(y, x, 2 * x)])
    assert twice.arms[0].variance == pytest.approx(once.arms[0].variance, rel=1e-9)
    assert adjust([JointMoments.from_columns(np.ones(9), np.arange(9.0))]).variance_left == 1.0


def test_ratios_are_adjusted_by_their_linearized_values() -> None:
    random = np.random.default_rng(7)
    taste, size = random.beta(2, 6, size=2000), 2000
    before, during = random.poisson(20, size) + 1, random.poisson(20, size) + 1
    clicks_before, clicks = random.binomial(before, taste), random.binomial(during, taste)
    joint = JointMoments.from_columns(clicks, during, clicks_before, before).ratio()
    adjusted = adjust([joint])
    assert adjusted.variance_left < 0.5
    assert adjusted.arms[0].mean == pytest.approx(clicks.sum() / during.sum())


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="at least one covariate"):
        adjust([JointMoments.from_columns([1.0, 2.0])])
    with pytest.raises(DataError, match="no arm has two units"):
        adjust([JointMoments.from_columns([1.0], [2.0])])


def test_several_covariates_are_the_analysis_of_covariance() -> None:
    """With equal variances in both arms, the standard error is that of OLS, which counts the coefficients."""
    random = np.random.default_rng(8)
    x, treated = random.normal(size=(60, 4)), np.arange(60) % 2 == 1
    y = x @ [1.0, -0.5, 0.2, 0.0] + random.normal(size=60)
    parts = [JointMoments.from_columns(y[own], x[own]) for own in (treated, ~treated)]
    treatment, control = adjust(parts).arms
    fit = sm.OLS(y, np.column_stack([np.ones(60), treated, x])).fit()
    assert treatment.mean - control.mean == pytest.approx(fit.params[1], rel=1e-10)
    assert (treatment.variance + control.variance) / 2 == pytest.approx(fit.mse_resid, rel=1e-10)


def false_findings(n: int, small: int, trials: int, *, sigma: float, seed: int = 9) -> tuple[float, float]:
    """Return the share of A/A tests with p <= 0.05, and the mean variance left, with four covariates."""
    random = np.random.default_rng(seed)
    found, left = 0, 0.0
    for _ in range(trials):
        visits = random.negative_binomial(1, 0.2, n)
        known = visits > 0
        spent = np.where(known, random.gamma(0.3, 10.0, n), 0.0)
        since = np.where(known, random.uniform(0.0, 28.0, n) / np.sqrt(visits + 1.0), 0.0)
        size = random.lognormal(0.0, sigma, n) * (1.0 + 0.2 * visits + 0.05 * spent) * np.exp(-0.03 * since)
        covariates = np.column_stack([spent, visits, since, ~known])
        own = random.permutation(n) < small
        adjusted = adjust([JointMoments.from_columns(size[side], covariates[side]) for side in (own, ~own)])
        found += two_means(*adjusted.arms, shared=adjusted.shared).p_value <= 0.05
        left += adjusted.variance_left / trials
    return found / trials, left


def test_four_covariates_keep_the_error_rate_with_unequal_arms() -> None:
    """95 : 5; the standard error of 5 % over 400 tests is 1.1 points."""
    rate, left = false_findings(1_500, 75, 400, sigma=0.5)
    assert rate <= 0.05 + 2 * 0.011
    assert left < 0.7


@pytest.mark.statistics_grid
@pytest.mark.timeout(900)
@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5])
@pytest.mark.parametrize(("n", "small"), [(400, 200), (600, 30), (4_000, 200), (4_000, 3_800), (4_000, 400)])
def test_error_rates_of_cuped(n: int, small: int, sigma: float) -> None:
    """The standard error of 5 % over 2,000 tests is 0.5 points."""
    assert false_findings(n, small, 2_000, sigma=sigma)[0] <= 0.055 + 2 * 0.005
