"""Beta posteriors: published values, closed forms and symmetry."""

from __future__ import annotations

import math

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recsys.errors import ConfigError
from recsys.experiments.stats.bayes_beta import BetaPrior, beta_posterior
from recsys.experiments.stats.proportions import Proportion


def test_the_published_losses() -> None:
    """GrowthBook, packages/stats/tests/bayesian/test_tests.py at 0aac0ba4 (MIT): risk [0.03872, 0.01912]."""
    posterior = beta_posterior(Proportion(51, 100), Proportion(49, 100))
    assert posterior.loss_if_kept == pytest.approx(0.03872, abs=5e-6)
    assert posterior.loss_if_shipped == pytest.approx(0.01912, abs=5e-6)


@pytest.mark.parametrize(("t", "c"), [((51, 100), (49, 100)), ((3, 20), (0, 30)), ((120, 4000), (150, 4000))])
def test_the_chance_to_win_is_the_closed_form(t: tuple[int, int], c: tuple[int, int]) -> None:
    """Miller (2014), Formulas for Bayesian A/B testing, eq. 6: the sum over i < a_t of
    B(a_c + i, b_c + b_t) / ((b_t + i) B(1 + i, b_t) B(a_c, b_c)), in 60 digits."""
    posterior = beta_posterior(Proportion(*t), Proportion(*c))
    a_t, b_t, a_c, b_c = t[0] + 1, t[1] - t[0] + 1, c[0] + 1, c[1] - c[0] + 1
    with mpmath.workdps(60):
        exact = mpmath.fsum(
            mpmath.beta(a_c + i, b_c + b_t) / ((b_t + i) * mpmath.beta(1 + i, b_t) * mpmath.beta(a_c, b_c))
            for i in range(a_t)
        )
    assert posterior.chance_to_win == pytest.approx(float(exact), rel=1e-10)
    assert posterior.chance_to_lose == pytest.approx(float(1 - exact), rel=1e-10)


def test_a_sure_thing_keeps_its_digits() -> None:
    posterior = beta_posterior(Proportion(300, 1000), Proportion(100, 1000))
    with mpmath.workdps(60):
        exact = mpmath.fsum(
            mpmath.beta(301 + i, 701 + 901) / ((901 + i) * mpmath.beta(1 + i, 901) * mpmath.beta(301, 701))
            for i in range(101)
        )
    assert float(exact) < 1e-25
    assert posterior.chance_to_lose == pytest.approx(float(exact), rel=1e-8)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(0, 500), st.integers(1, 500)),
    st.tuples(st.integers(0, 500), st.integers(1, 500)),
    st.sampled_from([BetaPrior(), BetaPrior(0.5, 0.5), BetaPrior(5.0, 95.0)]),
)
def test_what_must_hold(t: tuple[int, int], c: tuple[int, int], prior: BetaPrior) -> None:
    treatment, control = (Proportion(s, s + f) for s, f in (t, c))
    there, back = beta_posterior(treatment, control, prior), beta_posterior(control, treatment, prior)
    assert there.chance_to_win + there.chance_to_lose == pytest.approx(1.0, abs=1e-10)
    assert there.chance_to_win == pytest.approx(back.chance_to_lose, abs=1e-12)
    assert there.loss_if_kept - there.loss_if_shipped == pytest.approx(there.absolute.value, abs=1e-10)
    assert (there.absolute.low, there.absolute.high) == pytest.approx(
        (-back.absolute.high, -back.absolute.low), abs=1e-8
    )
    assert there.relative is not None
    assert there.relative.low < there.relative.value < there.relative.high
    # the interval leaves out 0 where the chance says so, on either scale
    assert (there.absolute.low > 0) == (there.relative.low > 0) == (there.chance_to_lose < 0.025)


def test_intervals_are_of_the_right_probability() -> None:
    posterior = beta_posterior(Proportion(30, 200), Proportion(20, 210), level=0.9)
    t, c = stats.beta(31, 171), stats.beta(21, 191)
    assert posterior.relative is not None
    for bound, tail in ((posterior.absolute.low, 0.05), (posterior.absolute.high, 0.95)):
        assert c.expect(lambda x, b=bound: t.cdf(x + b)) == pytest.approx(tail, abs=1e-7)
    for bound, tail in (
        (posterior.relative.low, 0.05),
        (posterior.relative.value, 0.5),
        (posterior.relative.high, 0.95),
    ):
        assert c.expect(lambda x, b=bound: t.cdf(x * (1 + b))) == pytest.approx(tail, abs=1e-7)


def test_a_million_units_are_the_normal_limit() -> None:
    posterior = beta_posterior(Proportion(50_500, 1_000_000), Proportion(50_000, 1_000_000))
    error = math.sqrt((0.0505 * 0.9495 + 0.05 * 0.95) / 1e6)
    assert posterior.chance_to_win == pytest.approx(stats.norm.cdf(0.0005 / error), abs=1e-4)
    assert posterior.absolute.high == pytest.approx(0.0005 + 1.96 * error, rel=1e-3)


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (0.0, 1.0), (1.0, -1.0), (1.0, math.inf)])
def test_improper_priors_are_refused(a: float, b: float) -> None:
    with pytest.raises(ConfigError, match="not proper"):
        BetaPrior(a, b)
