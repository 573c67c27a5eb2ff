"""Non-inferiority: margins, verdicts, p-values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from recsys.errors import ConfigError, DataError
from recsys.experiments.stats.fixed import two_means
from recsys.experiments.stats.guardrails import guardrail, non_inferiority_p_value
from recsys.experiments.stats.moments import Moments


def arm(mean: float, n: int = 10_000) -> Moments:
    return Moments(n, mean, 25.0)


@pytest.mark.parametrize(
    ("treatment", "control", "verdict"),
    [
        (arm(10.1), arm(10.0), "safe"),
        (arm(9.95), arm(10.0), "safe"),
        (arm(9.8, 1_000_000), arm(10.0, 1_000_000), "safe"),  # surely worse, and surely by less than 3 %
        (arm(9.5), arm(10.0), "harmed"),
        (arm(9.9, 500), arm(10.0, 500), "unclear"),
    ],
)
def test_verdicts(treatment: Moments, control: Moments, verdict: str) -> None:
    effect = two_means(treatment, control)
    assert guardrail(effect, 0.03).verdict == verdict
    assert guardrail(effect, 0.3, relative=False).verdict == verdict


def test_lower_is_better_turns_it_round() -> None:
    slower, faster = two_means(arm(10.5), arm(10.0)), two_means(arm(9.5), arm(10.0))
    assert guardrail(slower, 0.01, higher_is_better=False).verdict == "harmed"
    assert guardrail(faster, 0.01, higher_is_better=False).verdict == "safe"
    assert guardrail(slower, 0.01).verdict == "safe"
    assert guardrail(slower, 0.01).harm.value == pytest.approx(-0.05)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_the_p_value_is_that_of_shifted_data(relative: bool, higher_is_better: bool) -> None:
    random = np.random.default_rng(0)
    t, c = random.normal(10.0, 3.0, 200), random.normal(10.2, 2.0, 300)
    margin = 0.05 if relative else 0.5
    sign = 1 if higher_is_better else -1
    worst = c * (1 - sign * margin) if relative else c - sign * margin
    expected = stats.ttest_ind(t, worst, equal_var=False, alternative="greater" if higher_is_better else "less").pvalue
    own = non_inferiority_p_value(
        Moments.from_values(t), Moments.from_values(c), margin, relative=relative, higher_is_better=higher_is_better
    )
    assert own == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("mean", np.linspace(9.0, 10.5, 31))
def test_p_and_verdict_agree(mean: float) -> None:
    treatment, control = arm(float(mean), 2_000), arm(10.0, 2_000)
    safe = guardrail(two_means(treatment, control), 0.3, relative=False).verdict == "safe"
    assert safe == (non_inferiority_p_value(treatment, control, 0.3, relative=False) < 0.025)


def test_bad_input_is_named() -> None:
    effect = two_means(arm(1.0), arm(-1.0))
    with pytest.raises(DataError, match="give an absolute margin"):
        guardrail(effect, 0.01)
    for margin in (0.0, -0.1, float("nan")):
        with pytest.raises(ConfigError, match="largest harm"):
            guardrail(effect, margin)
    assert non_inferiority_p_value(Moments(5, 1.0, 0.0), Moments(5, 1.0, 0.0), 0.1) == 1.0
