"""Normal posterior of an effect, from a proper Normal prior on the absolute effect or on the relative lift."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import special

from recsys.errors import ConfigError, DataError
from recsys.experiments.stats.checks import check_arms, check_between_0_and_1
from recsys.experiments.stats.effect import Estimate
from recsys.experiments.stats.moments import Moments
from recsys.experiments.stats.posterior import Posterior
from recsys.experiments.stats.relative import LARGEST_G, delta_variance

Scale = Literal["relative", "absolute"]


@dataclass(frozen=True, slots=True)
class NormalPrior:
    """Prior of the effect: `mean` and `deviation` on `scale`.

    On "relative" they are shares of the control's mean (0.05 is 5 %), on "absolute" in the metric's unit. The default
    expects that two of three experiments change a metric by less than 10 %. The prior is proper: the deviation is
    finite and above 0. Raises ConfigError otherwise.
    """

    mean: float = 0.0
    deviation: float = 0.1
    scale: Scale = "relative"

    def __post_init__(self) -> None:
        if not (0.0 < self.deviation < math.inf and math.isfinite(self.mean)):
            raise ConfigError(
                f"prior N({self.mean}, {self.deviation}²) is not proper: give a finite mean and a deviation above 0"
            )

    def on(self, scale: Scale, control_mean: float) -> NormalPrior:
        """Convert to another scale: an absolute effect is a lift times the control's mean.

        The control's mean is taken as known; beside the prior's own width its error is small.

        Raises:
            DataError: if it is not above 0, because a lift has no meaning then.
        """
        if scale == self.scale:
            return self
        if control_mean <= 0.0:
            raise DataError(
                f"a prior on the {self.scale} effect cannot be put on the {scale} one for a control's mean of "
                f"{control_mean:g}: give an absolute prior for this metric"
            )
        factor = control_mean if scale == "absolute" else 1.0 / control_mean
        return NormalPrior(self.mean * factor, self.deviation * factor, scale)


_DEFAULT = NormalPrior()


def normal_posterior(
    treatment: Moments,
    control: Moments,
    prior: NormalPrior = _DEFAULT,
    *,
    level: float = 0.95,
    shared: float = 0.0,
) -> Posterior:
    """Compute the posterior of the difference of two means, in closed form: precisions add.

    Source: Gelman et al. 2013, section 2.5.

    The likelihood is the central limit theorem's Normal of the difference, or of the lift with the delta method's
    variance; `prior` is rescaled to each. Chances and losses are those of the difference. E[max(-D, 0)] for
    D ~ N(m, s²) is s phi(m / s) - m Phi(-m / s). The relative estimate is None if the control's mean is so near 0
    that the delta method fails. With a prior that is right it holds at any look; a wide prior is no protection
    against frequent looks.

    Raises:
        DataError: for an arm of fewer than 2 units or without variance.
    """
    check_between_0_and_1("level", level)
    check_arms(treatment=treatment, control=control)
    variance = treatment.variance_of_mean + control.variance_of_mean
    if variance == 0.0:
        raise DataError("all values of both arms are equal: a Normal posterior needs spread; wait for more data")
    critical = -float(special.ndtri((1.0 - level) / 2.0))
    mean, deviation = _update(treatment.mean - control.mean, variance, prior.on("absolute", control.mean))
    z = mean / deviation
    return Posterior(
        absolute=Estimate(mean, mean - critical * deviation, mean + critical * deviation),
        relative=_relative(treatment, control, prior, critical, shared),
        chance_to_win=float(special.ndtr(z)),
        chance_to_lose=float(special.ndtr(-z)),
        loss_if_shipped=deviation * _mean_beyond(z),
        loss_if_kept=deviation * _mean_beyond(-z),
        level=level,
        method=f"Normal posterior, {prior.scale} prior N({prior.mean:g}, {prior.deviation:g}²)",
    )


def _relative(
    treatment: Moments, control: Moments, prior: NormalPrior, critical: float, shared: float
) -> Estimate | None:
    if control.mean <= 0.0 or critical**2 * control.variance_of_mean > LARGEST_G * control.mean**2:
        return None
    lift = treatment.mean / control.mean - 1.0
    variance = delta_variance(treatment, control, shared)
    mean, deviation = _update(lift, variance, prior.on("relative", control.mean))
    return Estimate(mean, mean - critical * deviation, mean + critical * deviation)


def _update(estimate: float, variance: float, prior: NormalPrior) -> tuple[float, float]:
    """Return mean and deviation of the posterior; the data weigh prior variance / (prior + data variance)."""
    spread = prior.deviation**2
    weight = spread / (spread + variance)
    return prior.mean + weight * (estimate - prior.mean), math.sqrt(weight * variance)


def _mean_beyond(z: float) -> float:
    """Return E[max(-X, 0)] of X ~ N(z, 1): phi(z) - z Phi(-z), Phi(-z) / phi(z) = sqrt(pi / 2) erfcx(z / sqrt 2)."""
    if z <= 0.0:
        return -z + _mean_beyond(-z) if z < 0.0 else 1.0 / math.sqrt(2.0 * math.pi)
    mills = math.sqrt(math.pi / 2.0) * float(special.erfcx(z / math.sqrt(2.0)))
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return max(density * (1.0 - z * mills), 0.0)
