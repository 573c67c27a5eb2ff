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
    assert adjusted.arms[0].variance == pytest.approx(left * y.var(ddof=1), rel=1e-10)
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
