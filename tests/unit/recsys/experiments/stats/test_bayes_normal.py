"""Normal posteriors: conjugate updating, and priors on the lift put on the right scale."""

from __future__ import annotations

import math

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from recsys.errors import ConfigError, DataError
from recsys.experiments.stats.bayes_normal import NormalPrior, normal_posterior
from recsys.experiments.stats.moments import Moments

TREATMENT, CONTROL = Moments(1000, 21.0, 100.0), Moments(1000, 20.0, 100.0)


def test_the_posterior_is_prior_times_likelihood() -> None:
    prior = NormalPrior(0.5, 0.8, "absolute")
    posterior = normal_posterior(TREATMENT, CONTROL, prior)

    def density(x: float) -> float:
        return float(stats.norm.pdf(x, 0.5, 0.8) * stats.norm.pdf(1.0, x, math.sqrt(0.2)))

    total, mean, win, lost = (
        integrate.quad(lambda x, f=f: f(x) * density(x), -5, 6, points=[0.0], epsabs=1e-13)[0]
        for f in (lambda _: 1.0, lambda x: x, lambda x: float(x > 0), lambda x: max(-x, 0.0))
    )
    assert posterior.absolute.value == pytest.approx(mean / total, rel=1e-8)
    assert posterior.chance_to_win == pytest.approx(win / total, rel=1e-8)
    assert posterior.loss_if_shipped == pytest.approx(lost / total, rel=1e-7)
    assert posterior.loss_if_kept - posterior.loss_if_shipped == pytest.approx(posterior.absolute.value, rel=1e-12)


@pytest.mark.parametrize("unit", [0.01, 1.0, 1000.0])
def test_a_prior_on_the_lift_does_not_depend_on_the_unit(unit: float) -> None:
    """The same data in cents must give the same lift and chances: an absolute prior that is taken for a relative one,
    or the other way round, does not."""
    arms = [Moments(m.n, m.mean * unit, m.variance * unit**2) for m in (TREATMENT, CONTROL)]
    posterior, plain = normal_posterior(*arms), normal_posterior(TREATMENT, CONTROL)
    assert posterior.relative is not None
    assert plain.relative is not None
    assert posterior.relative.value == pytest.approx(plain.relative.value, rel=1e-12)
    assert posterior.chance_to_win == pytest.approx(plain.chance_to_win, rel=1e-12)
    assert posterior.absolute.high == pytest.approx(plain.absolute.high * unit, rel=1e-12)
    assert posterior.loss_if_shipped == pytest.approx(plain.loss_if_shipped * unit, rel=1e-9)


def test_absolute_and_relative_priors_of_one_belief_agree() -> None:
    absolute = normal_posterior(TREATMENT, CONTROL, NormalPrior(1.0, 2.0, "absolute"))
    relative = normal_posterior(TREATMENT, CONTROL, NormalPrior(0.05, 0.1, "relative"))
    assert absolute.absolute.low == pytest.approx(relative.absolute.low, rel=1e-12)
    assert absolute.chance_to_win == pytest.approx(relative.chance_to_win, rel=1e-12)
    assert absolute.relative is not None
    assert relative.relative is not None
    assert absolute.relative.low == pytest.approx(relative.relative.low, rel=1e-12)
    assert relative.relative.value * CONTROL.mean == pytest.approx(relative.absolute.value, rel=0.01)


def test_a_firm_prior_wins_over_few_data_and_a_wide_one_leaves_them() -> None:
    firm = normal_posterior(TREATMENT, CONTROL, NormalPrior(0.0, 1e-4))
    wide = normal_posterior(TREATMENT, CONTROL, NormalPrior(0.0, 1e4))
    assert abs(firm.absolute.value) < 1e-4
    assert wide.absolute.value == pytest.approx(1.0, rel=1e-6)
    half = 1.959963984540054 * math.sqrt(0.2)
    assert (wide.absolute.low, wide.absolute.high) == pytest.approx((1 - half, 1 + half), rel=1e-6)


@given(st.floats(-30, 30))
def test_chances_and_losses_keep_their_digits_in_the_tails(z: float) -> None:
    prior = NormalPrior(0.0, 1e9, "absolute")
    posterior = normal_posterior(Moments(2, z, 1.0), Moments(2, 0.0, 1.0), prior)
    with mpmath.workdps(40):
        x = mpmath.mpf(z)
        loss = mpmath.npdf(x) - x * mpmath.ncdf(-x)
        lose = mpmath.ncdf(-x)
    assert posterior.loss_if_shipped == pytest.approx(float(loss), rel=1e-9)
    assert posterior.chance_to_lose == pytest.approx(float(lose), rel=1e-9)


def test_swapped_arms_swap_chances() -> None:
    prior = NormalPrior(0.0, 1.0, "absolute")
    there, back = normal_posterior(TREATMENT, CONTROL, prior), normal_posterior(CONTROL, TREATMENT, prior)
    assert back.chance_to_win == there.chance_to_lose
    assert back.loss_if_shipped == there.loss_if_kept


def test_near_0_there_is_no_relative_estimate() -> None:
    prior = NormalPrior(0.0, 1.0, "absolute")
    assert normal_posterior(TREATMENT, Moments(1000, 0.5, 100.0), prior).relative is None
    assert normal_posterior(TREATMENT, Moments(1000, -1.0, 100.0), prior).relative is None


def test_bad_input_is_named() -> None:
    for mean, deviation in ((0.0, 0.0), (0.0, math.inf), (math.nan, 1.0), (0.0, -1.0)):
        with pytest.raises(ConfigError, match="not proper"):
            NormalPrior(mean, deviation)
    with pytest.raises(DataError, match="give an absolute prior"):
        normal_posterior(TREATMENT, Moments(1000, -1.0, 100.0))
    with pytest.raises(DataError, match="needs spread"):
        normal_posterior(Moments(10, 1.0, 0.0), Moments(10, 1.0, 0.0))
