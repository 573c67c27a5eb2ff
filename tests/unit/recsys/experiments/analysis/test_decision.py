"""The words of a decision do not contradict the test that it rests on."""

from __future__ import annotations

from recsys.experiments.analysis.decision import effect_words
from recsys.experiments.stats.effect import Effect, Estimate
from recsys.experiments.stats.fixed import two_means
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.proportions import Proportion


def told(treatment: float) -> tuple[Effect, str]:
    effect = two_means(Moments(1_000, treatment, 1.0), Moments(1_000, 1.0, 1.0))
    return effect, effect_words(effect)


def test_at_the_brink_the_lift_says_what_was_tested() -> None:
    for treatment, found in ((1.0875, False), (1.089, True)):
        effect, words = told(treatment)
        assert effect.relative is not None
        assert (effect.p_value <= 0.05) == (effect.relative.low > 0) == (effect.absolute.low > 0) == found
        assert words.startswith(f"+{100 * (treatment - 1):.2f} % (95 % interval ")


def test_clear_and_absent_differences_are_told_as_lifts() -> None:
    for treatment in (1.0, 1.3):
        effect, words = told(treatment)
        assert isinstance(effect.relative, Estimate)
        assert words.startswith(f"+{100 * (treatment - 1):.2f} % (95 % interval ")


def test_an_unknown_interval_is_not_printed_as_infinite() -> None:
    for mean in (0.0, 1.0):
        constant = Moments(50, mean, 0.0)
        words = effect_words(two_means(constant, constant))
        assert "inf" not in words
        assert "interval is not known yet" in words


def test_few_values_say_how_many_units_are_needed() -> None:
    arm = Proportion(5, 1_000).moments()
    assert "is not known yet; it needs about 8,000 units of both arms)" in effect_words(two_means(arm, arm))
