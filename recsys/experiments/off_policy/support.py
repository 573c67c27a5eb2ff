"""Support of a policy by a log: overlap, concentration of weights, and actions that were never tried."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from recsys.experiments.off_policy.estimators import Terms
from recsys.experiments.off_policy.intervals import by_influence
from recsys.experiments.off_policy.log import Log, Values
from recsys.experiments.stats.effect import Estimate
from recsys.schema import IntArray

TOP = 0.01
FEW_EFFECTIVE = 100
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
    return measure_support(weights, log.units, attainable, float(impossible.mean()), never_tried)


def measure_support(
    weights: Values,
    units: IntArray,
    attainable: float = math.inf,
    untried: float = 0.0,
    never_tried: tuple[tuple[str, float], ...] = (),
) -> Support:
    """Compute support from weights (n,) of users `units` (n,); other arguments are as in `Support`."""
    total = float(weights.sum())
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
