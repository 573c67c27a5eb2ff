"""Support of a policy by a log: overlap, concentration of weights, and actions that were never tried."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from recsys.experiments.off_policy.estimators import Terms
from recsys.experiments.off_policy.intervals import by_influence, per_unit
from recsys.experiments.off_policy.log import Log, Values
from recsys.experiments.stats.effect import Estimate
from recsys.schema import IntArray

TOP = 0.01
FEW_EFFECTIVE = 100
FEW_REWARDS = 15
"""Fewest effective rewards: with fewer, intervals are not reliable if rewards have heavy tails."""
MOST_IN_TOP = 0.5
MOST_UNTRIED = 0.01
WEIGHT_LEVEL = 0.999
"""Level of the interval of the mean weight: one log in a thousand is outside by chance."""


@dataclass(frozen=True, slots=True)
class Support:
    """Support of an estimate by the log.

    Attributes:
        decisions: number of logged decisions.
        users: number of logged users.
        effective: Kish's effective sample size (sum w)² / sum w² (Kish 1965): about as many decisions of the new policy
            itself would be equally informative.
        attainable: largest expected effective sample size, infinite if unknown (`attainable_size`).
        largest: largest weight.
        top_share: share of all weight on the heaviest 1 % of decisions with a positive weight.
        mean_weight: mean weight with its 99.9 % interval, which contains 1 if propensities are right and all actions
            of the policy are possible in the log.
        never_tried: actions of the policy that are not in the log, with the policy's mean probability of each.
        untried: share of the policy's choices that were impossible in the log: those actions, and all other actions if
            a choice was certain. It is a lower bound, because logs have only the propensity of the chosen action.
        rewards: effective number of users with a reward, (sum e)² / sum e², e being a user's sum of weight times
            absolute reward; 0 without any reward.
        top_reward: share of the largest one of these sums, in [0, 1].
    """

    decisions: int
    users: int
    effective: float
    attainable: float
    largest: float
    top_share: float
    mean_weight: Estimate
    never_tried: tuple[tuple[str, float], ...]
    untried: float
    rewards: float
    top_reward: float

    @property
    def reliable(self) -> float:
        """Smaller one of `effective`, from observed weights, and `attainable`, from possible ones."""
        return min(self.effective, self.attainable)

    @property
    def problems(self) -> tuple[str, ...]:
        """Reasons why the log cannot answer, with cures; empty if it can."""
        found = []
        if self.untried > MOST_UNTRIED:
            names = ", ".join(f"{name} ({share:.1%})" for name, share in self.never_tried[:5])
            found.append(
                f"at least {self.untried:.1%} of the new policy's choices were never tried"
                + (f": {names}" if names else ", because other choices were certain")
                + "; let exploration try them, or evaluate a policy nearer to the log"
            )
        low, high = self.mean_weight.low, self.mean_weight.high
        if not low <= 1.0 <= high:
            found.append(
                f"weights have the mean {self.mean_weight.value:.3f} ({low:.3f} to {high:.3f}) instead of 1: "
                + ("part of the new policy's choices was impossible in the log" if high < 1.0 else "")
                + (", or " if high < 1.0 else "")
                + "the logged propensities are not those that were used, or logging depends on the choice"
            )
        if self.reliable < FEW_EFFECTIVE:
            found.append(
                f"the effective sample size is {self.reliable:.0f} of {self.decisions}; below {FEW_EFFECTIVE} "
                "intervals are not reliable: log more, explore more, or evaluate a policy nearer to the log"
            )
        if self.top_share > MOST_IN_TOP:
            found.append(f"1 % of decisions carry {self.top_share:.0%} of the weight: a few of them decide; log more")
        if self.rewards == 0.0:
            found.append(
                "no decision that the new policy could have made has a reward other than 0: log until at least "
                f"{FEW_REWARDS} users have one"
            )
        elif self.rewards < FEW_REWARDS:
            found.append(
                f"rewards are as uneven as those of {self.rewards:.1f} users with equal ones (the largest is "
                f"{self.top_reward:.0%} of the weighted sum); below {FEW_REWARDS} intervals are not reliable: "
                f"log about {math.ceil(self.users * FEW_REWARDS / self.rewards):,} users, or cap rewards"
            )
        return tuple(found)


def compute_support(log: Log, policy: Values, weights: Values) -> Support:
    """Compute the support of `policy` (n, A) with importance weights `weights` (n,)."""
    wanted = policy.mean(axis=0)
    absent = np.bincount(log.actions, minlength=len(log.names)) == 0
    order = sorted(np.flatnonzero(absent & (wanted > 0.0)), key=lambda action: -wanted[action])
    never_tried = tuple((log.names[action], float(wanted[action])) for action in order)
    chosen = policy[np.arange(len(log)), log.actions]
    impossible = np.where(log.propensities == 1.0, 1.0 - chosen, policy[:, absent].sum(axis=1))
    attainable = attainable_size(chosen, 1.0 - chosen, log.propensities)
    return measure_support(weights, log.units, log.rewards, attainable, float(impossible.mean()), never_tried)


def measure_support(
    weights: Values,
    units: IntArray,
    rewards: Values,
    attainable: float = math.inf,
    untried: float = 0.0,
    never_tried: tuple[tuple[str, float], ...] = (),
) -> Support:
    """Compute support from weights and rewards (n,) of users `units` (n,); the rest is as in `Support`."""
    total = float(weights.sum())
    earned = per_unit((weights * np.abs(rewards))[:, None], units)[:, 0]
    # The sum of squares of tiny rewards may underflow, so they are scaled by the largest one first.
    shares = earned / max(float(earned.max()), np.finfo(np.float64).tiny)
    some = bool(shares.any())
    top = max(1, round(TOP * np.count_nonzero(weights)))
    return Support(
        decisions=len(weights),
        users=len(np.unique(units)),
        effective=total**2 / float(weights @ weights),
        attainable=attainable,
        largest=float(weights.max()),
        top_share=float(np.partition(weights, -top)[-top:].sum()) / total,
        mean_weight=by_influence(mean_terms(weights), units, WEIGHT_LEVEL),
        never_tried=never_tried,
        untried=untried,
        rewards=float(shares.sum() ** 2 / (shares @ shares)) if some else 0.0,
        top_reward=float(shares.max() / shares.sum()) if some else 0.0,
    )


def attainable_size(chosen: Values, other: Values, propensities: Values) -> float:
    """Compute an upper bound of the expected effective sample size.

    `chosen` (n,) is the policy's probability of the logged action, `other` (n,) that of all other actions. If the log
    almost never takes the policy's actions, it may have no large weight by chance, although support is poor. But the
    probability of all other actions is known. By Cauchy-Schwarz the mean square of weights in a context is at least
    pi(a)² / p + (1 - pi(a))² / (1 - p). The bound is n over the mean of that, for choices that were not certain.
    """
    random = propensities < 1.0
    if not random.any():
        return math.inf
    p = propensities[random]
    squares = chosen[random] ** 2 / p + other[random] ** 2 / (1.0 - p)
    return len(propensities) / float(squares.mean())


def mean_terms(values: Values) -> Terms:
    """Return the mean of `values` (n,) as terms."""
    return Terms(values, np.zeros((len(values), 1)), np.ones((len(values), 1)))
