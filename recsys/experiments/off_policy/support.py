"""Whether a log can answer for a policy: overlap, how much of it carries the weight, and what was never tried."""

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
"""A mean weight is called wrong beyond this interval: one log in a thousand by chance."""


@dataclass(frozen=True, slots=True)
class Support:
    """What stands behind an estimate.

    `decisions` and `people` in the log; `effective`: Kish's sample size (sum w)² / sum w² (Kish 1965), the number of
    decisions of the new policy itself that would say about as much; `attainable`: what it is at most in expectation,
    infinite where that is not known (`attainable_size`); `largest` weight; `top_share`: of all weight, what the
    heaviest 1 % carry of those decisions that have any; `mean_weight` with its 99.9 % interval, which holds 1
    where propensities are right and nothing is out of reach; `never_tried`: actions that the policy wants and the log
    does not have, with the policy's mean probability of each; `untried`: of what the policy would do, the share known
    to have been impossible in the log: those actions, and everything else where a choice was certain. A lower bound, as
    logs tell the propensity of what was chosen alone.
    """

    decisions: int
    people: int
    effective: float
    attainable: float
    largest: float
    top_share: float
    mean_weight: Estimate
    never_tried: tuple[tuple[str, float], ...]
    untried: float

    @property
    def reliable(self) -> float:
        """The smaller of `effective`, by weights that came up, and `attainable`, by those that may."""
        return min(self.effective, self.attainable)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the log cannot answer, in words with a cure; empty where it can."""
        found = []
        if self.untried > MOST_UNTRIED:
            names = ", ".join(f"{name} ({share:.1%})" for name, share in self.never_tried[:5])
            found.append(
                f"at least {self.untried:.1%} of what the new policy would do was never tried"
                + (f": {names}" if names else ", as other choices were certain")
                + "; let exploration try it, or ask about a policy nearer to the log"
            )
        low, high = self.mean_weight.low, self.mean_weight.high
        if not low <= 1.0 <= high:
            found.append(
                f"weights have the mean {self.mean_weight.value:.3f} ({low:.3f} to {high:.3f}) instead of 1: "
                + ("part of what the new policy would do was out of reach" if high < 1.0 else "")
                + (", or " if high < 1.0 else "")
                + "the logged propensities are not those that were used, or what is logged depends on the choice"
            )
        if self.reliable < FEW_EFFECTIVE:
            found.append(
                f"the effective sample size is {self.reliable:.0f} of {self.decisions}; below {FEW_EFFECTIVE} "
                "intervals are not to be relied upon: log more, explore more, or ask about a policy nearer to the log"
            )
        if self.top_share > MOST_IN_TOP:
            found.append(f"1 % of decisions carry {self.top_share:.0%} of the weight: a few of them decide; log more")
        return tuple(found)


def support_of(log: Log, policy: Values, weights: Values) -> Support:
    """What stands behind `policy` (n, A), whose importance weights are `weights` (n,)."""
    wanted = policy.mean(axis=0)
    absent = np.bincount(log.actions, minlength=len(log.names)) == 0
    order = sorted(np.flatnonzero(absent & (wanted > 0.0)), key=lambda action: -wanted[action])
    never_tried = tuple((log.names[action], float(wanted[action])) for action in order)
    chosen = policy[np.arange(len(log)), log.actions]
    impossible = np.where(log.propensities == 1.0, 1.0 - chosen, policy[:, absent].sum(axis=1))
    attainable = attainable_size(chosen, 1.0 - chosen, log.propensities)
    return measured(weights, log.units, attainable, float(impossible.mean()), never_tried)


def measured(
    weights: Values,
    units: IntArray,
    attainable: float = math.inf,
    untried: float = 0.0,
    never_tried: tuple[tuple[str, float], ...] = (),
) -> Support:
    """Support by weights (n,) of people `units` (n,), with what else is known of what may come up."""
    total = float(weights.sum())
    top = max(1, round(TOP * np.count_nonzero(weights)))
    return Support(
        decisions=len(weights),
        people=len(np.unique(units)),
        effective=total**2 / float(weights @ weights),
        attainable=attainable,
        largest=float(weights.max()),
        top_share=float(np.partition(weights, -top)[-top:].sum()) / total,
        mean_weight=by_influence(mean_terms(weights), units, WEIGHT_LEVEL),
        never_tried=never_tried,
        untried=untried,
    )


def attainable_size(chosen: Values, other: Values, propensities: Values) -> float:
    """What the effective sample size is at most in expectation, from the policy's probability of what was `chosen` (n,)
    and of all `other` actions (n,).

    A log that next to never tries what the policy wants can by luck show no large weight, and then looks fine. But
    what was left to all other actions is known, and by Cauchy & Schwarz the mean square of weights in a context is at
    least pi(a)² / p + (1 - pi(a))² / (1 - p). The bound is n over the mean of that, of choices that were not certain.
    """
    random = propensities < 1.0
    if not random.any():
        return math.inf
    p = propensities[random]
    squares = chosen[random] ** 2 / p + other[random] ** 2 / (1.0 - p)
    return len(propensities) / float(squares.mean())


def mean_terms(values: Values) -> Terms:
    """The mean of `values` (n,) as terms."""
    return Terms(values, np.zeros((len(values), 1)), np.ones((len(values), 1)))
