"""The larger of Student's and Welch's p-values equals SciPy's to 1e-10, in the far tails, too."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from recsys.errors import ConfigError, DataError
from recsys.experiments.stats.fixed import FEWEST_VALUES, two_means
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.proportions import Proportion


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_more_careful_of_students_and_welchs_test_of_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    t = 5.0 + random.lognormal(0.2, 1 + seed / 20, size=random.integers(100, 500))
    c = 5.0 + random.lognormal(0.0, 1.0, size=random.integers(100, 500))
    effect = two_means(Moments.from_values(t), Moments.from_values(c), level=0.9)
    tests = [stats.ttest_ind(t, c, equal_var=equal) for equal in (True, False)]
    intervals = [test.confidence_interval(0.9) for test in tests]
    assert effect.p_value == pytest.approx(max(test.pvalue for test in tests), rel=1e-10)
    assert effect.absolute.low == pytest.approx(min(one.low for one in intervals), rel=1e-10)
    assert effect.absolute.high == pytest.approx(max(one.high for one in intervals), rel=1e-10)
    compared = CompareMeans(DescrStatsW(t), DescrStatsW(c))
    assert effect.p_value == pytest.approx(
        max(compared.ttest_ind(usevar=kind)[1] for kind in ("pooled", "unequal")), rel=1e-10
    )


def test_no_sale_beside_many_is_found_and_few_sales_say_nothing_yet() -> None:
    """Fisher's exact test: 18 of 1,800 against 0 of 200 is nothing (p 0.25); 180 of 18,000 against 0 of 2,000 is."""
    nothing = two_means(Proportion(0, 200).moments(), Proportion(18, 1_800).moments())
    assert nothing.p_value == 1.0
    assert nothing.absolute.high == math.inf
    assert nothing.values == pytest.approx(1.8)
    assert nothing.needed_units == math.ceil(2_000 * FEWEST_VALUES / 1.8)
    harmed = two_means(Proportion(0, 4_000).moments(), Proportion(360, 36_000).moments())
    assert harmed.needed_units is None
    assert harmed.p_value < 1e-8
    assert harmed.absolute.high < 0.0
    assert two_means(Proportion(0, 50).moments(), Proportion(0, 50).moments()).needed_units == 100 * FEWEST_VALUES


def test_one_huge_value_is_a_single_effective_value() -> None:
    random = np.random.default_rng(0)
    values = random.lognormal(size=1_000)
    values[0] = 1e6
    effect = two_means(Moments.from_values(values), Moments.from_values(random.lognormal(size=1_000)))
    assert effect.values < 1.0
    assert effect.p_value == 1.0


@pytest.mark.parametrize(("difference", "n"), [(1.0, 300), (2.0, 150), (4.0, 100)])
def test_small_p_values_do_not_underflow(difference: float, n: int) -> None:
    """1 - cdf is 0 from 1e-16 down; here p is as small as 1e-100, as 40 digits say."""
    effect = two_means(Moments(n, difference, 1.0), Moments(n, 0.0, 1.0))
    with mpmath.workdps(40):
        freedom = mpmath.mpf(2 * (n - 1))
        t2 = mpmath.mpf(difference) ** 2 / (mpmath.mpf(2) / n)
        exact = mpmath.betainc(freedom / 2, 0.5, 0, freedom / (freedom + t2), regularized=True)
    assert 0.0 < exact < 1e-16
    assert effect.p_value == pytest.approx(float(exact), rel=1e-10)


@given(
    st.tuples(st.integers(2, 10_000), st.floats(0.1, 100), st.floats(0.01, 100)),
    st.tuples(st.integers(2, 10_000), st.floats(0.1, 100), st.floats(0.01, 100)),
    st.floats(0.01, 1000),
)
def test_arms_swap_and_units_scale(a: tuple[int, float, float], b: tuple[int, float, float], unit: float) -> None:
    t, c = Moments(*a), Moments(*b)
    there, back = two_means(t, c), two_means(c, t)
    assert back.absolute.value == -there.absolute.value
    assert (back.absolute.low, back.absolute.high) == pytest.approx(
        (-there.absolute.high, -there.absolute.low), rel=1e-9
    )
    assert back.p_value == pytest.approx(there.p_value, rel=1e-12)
    scaled = two_means(*(Moments(m.n, m.mean * unit, m.variance * unit**2) for m in (t, c)))
    assert scaled.p_value == pytest.approx(there.p_value, rel=1e-9)
    assert scaled.relative is not None
    assert there.relative is not None
    assert scaled.relative.value == pytest.approx(there.relative.value, abs=1e-9)


@given(st.floats(-3, 3), st.floats(0.5, 0.999))
def test_the_interval_leaves_out_0_where_p_is_small(difference: float, level: float) -> None:
    effect = two_means(Moments(20, 5 + difference, 2.0), Moments(30, 5.0, 3.0), level=level)
    outside = effect.absolute.low > 0 or effect.absolute.high < 0
    assert outside == (effect.p_value < 1 - level)
    assert effect.relative is not None
    # The lift's interval is the same test, turned round.
    assert outside == (effect.relative.low > 0 or effect.relative.high < 0)


def test_constant_arms_say_nothing() -> None:
    effect = two_means(Moments(50, 1.0, 0.0), Moments(50, 2.0, 0.0))
    assert effect.p_value == 1.0
    assert effect.absolute.value == -1.0
    assert (effect.absolute.low, effect.absolute.high) == (-math.inf, math.inf)
    assert effect.relative is not None
    assert effect.relative.value == -0.5
    assert effect.relative.high == math.inf


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="arm 'control' has 1 unit: wait"):
        two_means(Moments(5, 1.0, 1.0), Moments(1, 1.0, 0.0))
    with pytest.raises(ConfigError, match=r"level is 95: give a number between 0 and 1"):
        two_means(Moments(5, 1.0, 1.0), Moments(5, 1.0, 1.0), level=95)
