"""Two proportions equal statsmodels to 1e-10."""

from __future__ import annotations

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from recsys.errors import DataError
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.proportions import Proportion, two_proportions


@pytest.mark.parametrize("treatment", [Proportion(56, 70), Proportion(1, 40), Proportion(900, 10_000)])
@pytest.mark.parametrize("control", [Proportion(48, 80), Proportion(3, 41), Proportion(5_000, 10_000)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_it_is_the_z_test_of_statsmodels(treatment: Proportion, control: Proportion, level: float) -> None:
    effect = two_proportions(treatment, control, level=level)
    counts = (treatment.successes, treatment.n, control.successes, control.n)
    p_value = proportions_ztest([treatment.successes, control.successes], [treatment.n, control.n])[1]
    assert effect.p_value == pytest.approx(p_value, rel=1e-10)
    newcombe = confint_proportions_2indep(*counts, method="newcomb", compare="diff", alpha=1 - level)
    assert (effect.absolute.low, effect.absolute.high) == pytest.approx(newcombe, rel=1e-10)
    katz = confint_proportions_2indep(*counts, method="log-adjusted", compare="ratio", alpha=1 - level)
    assert effect.relative is not None
    assert (1 + effect.relative.low, 1 + effect.relative.high) == pytest.approx(katz, rel=1e-10)


def test_newcombes_own_example() -> None:
    """Newcombe (1998), table II, (a) 56/70 - 48/80, method 10: 0.0524 to 0.3339."""
    effect = two_proportions(Proportion(56, 70), Proportion(48, 80))
    assert effect.absolute.value == pytest.approx(0.2)
    assert (effect.absolute.low, effect.absolute.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_no_success_at_all_leaves_room() -> None:
    effect = two_proportions(Proportion(0, 100), Proportion(0, 100))
    assert effect.p_value == 1.0
    assert effect.relative is None
    assert effect.absolute.low == pytest.approx(-effect.absolute.high)
    assert 0.03 < effect.absolute.high < 0.04


def test_moments_are_those_of_zeros_and_ones() -> None:
    assert Proportion(3, 10).moments().variance == pytest.approx(Moments.from_values([1] * 3 + [0] * 7).variance)


@pytest.mark.parametrize(("successes", "n"), [(5, 4), (-1, 4), (0, 0)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(DataError, match="count each unit once"):
        Proportion(successes, n)
