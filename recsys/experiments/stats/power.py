"""Planning of experiments: number of units, smallest effect, and days.

Normal approximation of the tests in `fixed` and `sequential` (Chow, Shao & Wang 2008, sections 3.2 and 4.2), with any
share of units in the treatment. Below some 50 units an arm it asks for about one unit too few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special
from scipy.optimize import brentq

from recsys.errors import ConfigError
from recsys.experiments.stats.checks import check_between_0_and_1
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.sequential import boundary, planned_boundary, planned_power


@dataclass(frozen=True, slots=True)
class Baseline:
    """Metric of the control: `mean`, `variance` of a unit's value, and `binary` if units are 0 or 1.

    For a ratio take `Baseline.from_moments(JointMoments.from_columns(numerators, denominators).ratio().marginal())`.
    """

    mean: float
    variance: float
    binary: bool = False

    @classmethod
    def from_moments(cls, moments: Moments) -> Baseline:
        """Build from moments of a mean or of a linearized ratio."""
        return cls(moments.mean, moments.variance)

    @classmethod
    def from_rate(cls, rate: float) -> Baseline:
        """Build from a rate in (0, 1), whose variance changes with the effect; raise ConfigError for other rates."""
        check_between_0_and_1("rate", rate)
        return cls(rate, rate * (1.0 - rate), binary=True)


@dataclass(frozen=True, slots=True)
class Design:
    """Design of the test.

    `alpha`: Type-I error. `power`: the chance to find the effect. `two_sided`: or only in the direction of the effect.
    `share`: of units in the treatment, in (0, 1). `correlation`: of the metric with its covariate within arms, which
    CUPED turns into 1 - correlation² of the variance (Deng et al. 2013, eq. 5). `look_any_day`: with
    `sequential.always_valid`, two-sided; the power is that of all looks until the planned size is reached.
    `open_end`: without a declared end; then the power is that of the look at the planned size, for which it is tuned.
    Raises ConfigError for numbers out of range.
    """

    alpha: float = 0.05
    power: float = 0.8
    two_sided: bool = True
    share: float = 0.5
    correlation: float = 0.0
    look_any_day: bool = False
    open_end: bool = False

    def __post_init__(self) -> None:
        for name in ("alpha", "power", "share"):
            check_between_0_and_1(name, getattr(self, name))
        if not -1.0 < self.correlation < 1.0:
            raise ConfigError(f"correlation is {self.correlation}: give a number between -1 and 1, both excluded")
        if self.look_any_day and not self.two_sided:
            raise ConfigError("look_any_day is two-sided: set two_sided to true")

    @property
    def critical(self) -> float:
        """Critical value: standard errors by which the estimate at the planned size must differ from 0."""
        if self.look_any_day:
            level = 1.0 - self.alpha
            tuned = boundary(1.0, tightest_at=1.0, level=level) if self.open_end else planned_boundary(1.0, level)
            return float(tuned)
        return -float(special.ndtri(self.alpha / 2.0 if self.two_sided else self.alpha))

    @property
    def quantile(self) -> float:
        """Standard errors by which the true effect must be beyond the critical value to be found with the power."""
        if not self.look_any_day or self.open_end:
            return float(special.ndtri(self.power))
        return float(brentq(lambda beyond: self.find_beyond(beyond) - self.power, -30.0, 30.0))

    def find_beyond(self, errors: float) -> float:
        """Return the probability to find an effect, in its direction, that is `errors` beyond the critical value."""
        if not self.look_any_day or self.open_end:
            return float(special.ndtr(errors))
        return planned_power(self.critical + errors, 1.0 - self.alpha)


@dataclass(frozen=True, slots=True)
class Size:
    """Number of units that each arm needs."""

    treatment: int
    control: int

    @property
    def total(self) -> int:
        """Number of units of both arms."""
        return self.treatment + self.control


@dataclass(frozen=True, slots=True)
class Detectable:
    """Smallest effect found with the design's power: in the metric's unit, and relative to its mean."""

    absolute: float
    relative: float | None


_PLAIN = Design()


def compute_power(baseline: Baseline, effect: float, units: int, design: Design = _PLAIN) -> float:
    """Compute the probability that an absolute `effect` (either sign) is found with `units` of both arms.

    One-sided tests look in the effect's own direction; two-sided ones count the wrong direction, too.
    """
    null, own = _deviations(baseline, effect, design)
    root = math.sqrt(units)
    found = design.find_beyond((abs(effect) * root - design.critical * null) / own)
    if not design.two_sided:
        return found
    return found + design.find_beyond((-abs(effect) * root - design.critical * null) / own)


def sample_size(baseline: Baseline, effect: float, design: Design = _PLAIN) -> Size:
    """Compute the units needed to find an absolute `effect` (a lift times `baseline.mean`) with the design's power.

    units = ((critical s_0 + quantile s_1) / effect)², s the deviations per unit of the difference without and with the
    effect; each arm's share is rounded up.

    Raises:
        ConfigError: for an effect of 0, or one that leaves [0, 1].
    """
    if effect == 0.0:
        raise ConfigError("an effect of 0 is never found: give the smallest effect that matters")
    null, own = _deviations(baseline, effect, design)
    units = ((design.critical * null + design.quantile * own) / effect) ** 2
    return Size(_round_up(units * design.share), _round_up(units * (1.0 - design.share)))


def smallest_effect(baseline: Baseline, units: int, design: Design = _PLAIN) -> Detectable:
    """Compute the minimum detectable effect (MDE), a rise, with `units` of both arms.

    Raises:
        ConfigError: if not even a rise to 100 % would be found.
    """
    quantile = design.quantile

    def missing(effect: float) -> float:
        null, own = _deviations(baseline, effect, design)
        return (design.critical * null + quantile * own) / math.sqrt(units) - effect

    if not baseline.binary:
        effect = missing(0.0)
    else:
        largest = 1.0 - baseline.mean
        if missing(largest) > 0.0:
            raise ConfigError(f"{units} units find no rise of a rate of {baseline.mean:g}: plan more units")
        effect = float(brentq(missing, 0.0, largest, xtol=1e-15, rtol=1e-12))
    return Detectable(effect, effect / baseline.mean if baseline.mean > 0.0 else None)


def days_needed(units: int, new_units_per_day: float, *, whole_weeks: bool = True) -> int:
    """Compute the days until `units` have come in at `new_units_per_day` (new ones only; returning ones are counted).

    `whole_weeks`: rounded up to weeks, so that every day of the week counts alike. If new units become fewer every
    day, as in a shop of regular customers, it takes longer.

    Raises:
        ConfigError: for a rate that is not above 0.
    """
    if not new_units_per_day > 0.0:
        raise ConfigError(f"new_units_per_day is {new_units_per_day}: give how many new units come in a day, above 0")
    days = max(_round_up(units / new_units_per_day), 1)
    return math.ceil(days / 7) * 7 if whole_weeks else days


def _deviations(baseline: Baseline, effect: float, design: Design) -> tuple[float, float]:
    """Return sqrt(units) times the standard error of the difference, without and with the effect."""
    t, c = design.share, 1.0 - design.share
    left = 1.0 - design.correlation**2
    if not baseline.binary:
        deviation = math.sqrt(left * baseline.variance * (1.0 / t + 1.0 / c))
        return deviation, deviation
    rate = baseline.mean + effect
    if not 0.0 <= rate <= 1.0:
        raise ConfigError(f"an effect of {effect:g} on a rate of {baseline.mean:g} leaves [0, 1]: give a smaller one")
    pooled = t * rate + c * baseline.mean
    null = pooled * (1.0 - pooled) * (1.0 / t + 1.0 / c)
    own = rate * (1.0 - rate) / t + baseline.variance / c
    # The test takes the larger of the pooled and the own errors, see `fixed.two_means`.
    return math.sqrt(left * max(null, own)), math.sqrt(left * own)


def _round_up(units: float) -> int:
    """Round up to a whole number, ignoring rounding errors of floats just above one."""
    return math.ceil(units * (1.0 - 1e-12))
