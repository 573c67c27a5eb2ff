"""Two proportions, such as the conversion of users: the pooled z-test with Newcombe's and Katz's intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from recsys.errors import DataError
from recsys.experiments.stats.checks import check_between_0_and_1
from recsys.experiments.stats.effect import Effect, Estimate
from recsys.experiments.stats.moments import Moments


@dataclass(frozen=True, slots=True)
class Proportion:
    """Number of `successes` among `n` units of an arm; each unit counts once. Raises DataError for other counts."""

    successes: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.n or self.n == 0:
            raise DataError(
                f"{self.successes} successes of {self.n} units: count each unit once, and leave arms without units out"
            )

    @property
    def rate(self) -> float:
        """Successes / n, in [0, 1]."""
        return self.successes / self.n

    def moments(self) -> Moments:
        """Return moments of zeros and ones, for always-valid intervals and guardrails."""
        variance = self.n * self.rate * (1.0 - self.rate) / max(self.n - 1, 1)
        return Moments(self.n, self.rate, variance)


def two_proportions(treatment: Proportion, control: Proportion, *, level: float = 0.95) -> Effect:
    """Run a pooled two-sided z-test of two proportions, with intervals that also hold for small counts.

    The difference has Newcombe's hybrid score interval (1998, method 10); the lift the interval of Katz et al. (1978)
    of the log ratio with 1/2 added to each count (Walter 1975). The test and the intervals are not inversions of each
    other: near significance one may include 0 although the other is significant. Needs about 5 expected successes an
    arm; valid for one look.

    Raises:
        ConfigError: for a level outside (0, 1).
    """
    check_between_0_and_1("level", level)
    critical = -float(special.ndtri((1.0 - level) / 2.0))
    difference = treatment.rate - control.rate
    # Newcombe: from the ends of Wilson's intervals of both arms.
    low_t, high_t = _wilson(treatment, critical)
    low_c, high_c = _wilson(control, critical)
    below = math.hypot(treatment.rate - low_t, high_c - control.rate)
    above = math.hypot(high_t - treatment.rate, control.rate - low_c)
    relative = None
    if control.successes:
        # Katz: of the log ratio, with 1/2 added to each count.
        s_t, n_t, s_c, n_c = (count + 0.5 for count in (treatment.successes, treatment.n, control.successes, control.n))
        center = math.log(s_t / n_t) - math.log(s_c / n_c)
        margin = critical * math.sqrt(1.0 / s_t - 1.0 / n_t + 1.0 / s_c - 1.0 / n_c)
        lift = treatment.rate / control.rate - 1.0
        relative = Estimate(lift, math.expm1(center - margin), math.expm1(center + margin))
    pooled = (treatment.successes + control.successes) / (treatment.n + control.n)
    error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / treatment.n + 1.0 / control.n))
    return Effect(
        control=control.rate,
        treatment=treatment.rate,
        absolute=Estimate(difference, difference - below, difference + above),
        relative=relative,
        p_value=1.0 if error == 0.0 else 2.0 * float(special.ndtr(-abs(difference) / error)),
        level=level,
        method="pooled z-test of two proportions, one look",
    )


def _wilson(arm: Proportion, critical: float) -> tuple[float, float]:
    """Return the bounds of Wilson's score interval of one proportion (1927)."""
    q2 = critical**2
    center = (arm.successes + q2 / 2.0) / (arm.n + q2)
    margin = critical * math.sqrt(arm.n * arm.rate * (1.0 - arm.rate) + q2 / 4.0) / (arm.n + q2)
    return center - margin, center + margin
