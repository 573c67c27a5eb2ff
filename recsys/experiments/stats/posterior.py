"""Result of a Bayesian comparison of two arms."""

from __future__ import annotations

from dataclasses import dataclass

from recsys.experiments.stats.effect import Estimate


@dataclass(frozen=True, slots=True)
class Posterior:
    """Treatment against control, given data and prior.

    `absolute`, `relative`: center and equal-tailed credible interval of treatment - control, and of
    treatment / control - 1 (None if the control is too near 0). `chance_to_win`, `chance_to_lose`: probabilities
    that the difference is above and below 0; each is computed by itself, so that neither underflows to 1 minus the
    other. `loss_if_shipped`: the expected loss E[max(control - treatment, 0)] of choosing treatment, `loss_if_kept`
    that of staying with control, both in the metric's unit. If lower is better, the two of each pair swap roles.
    """

    absolute: Estimate
    relative: Estimate | None
    chance_to_win: float
    chance_to_lose: float
    loss_if_shipped: float
    loss_if_kept: float
    level: float
    method: str
