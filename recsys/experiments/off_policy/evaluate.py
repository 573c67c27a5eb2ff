"""Estimates of one policy from one log by all estimators, with support and intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from recsys.experiments.off_policy import estimators as by
from recsys.experiments.off_policy.estimators import Estimator, Predicted, Terms
from recsys.experiments.off_policy.intervals import by_influence
from recsys.experiments.off_policy.log import Log, Values
from recsys.experiments.off_policy.reward_model import FOLDS, RewardModel, cross_fit
from recsys.experiments.off_policy.support import Support, compute_support, mean_terms
from recsys.experiments.off_policy.tuning import Tuned, candidate_limits, shrinkage_limits, tune_limit
from recsys.experiments.off_policy.weights import clip, importance_weights, shrink, switch
from recsys.experiments.stats.checks import check_between_0_and_1
from recsys.experiments.stats.effect import Estimate
from recsys.schema import IntArray

ALL = tuple(Estimator)
WITHOUT_MODEL = (Estimator.IPS, Estimator.CLIPPED_IPS, Estimator.SNIPS)


@dataclass(frozen=True, slots=True)
class Estimated:
    """Result of one estimator.

    `value` with its interval, wider by the possible bias if weights are bounded; `gain` over the logged policy, as
    `value`; both in the reward's unit. `tuned`: choice of the bound of weights, if there is one.
    """

    value: Estimate
    gain: Estimate
    tuned: Tuned | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Value of a policy by all estimators; `logged` is the mean reward per decision of the log's own policy.

    `main` is the estimator to read. If `support` has problems, do not act upon any estimate.
    """

    logged: Estimate
    estimates: Mapping[Estimator, Estimated]
    main: Estimator
    support: Support
    level: float

    @property
    def answer(self) -> Estimated:
        """Result of the main estimator."""
        return self.estimates[self.main]


def evaluate(
    log: Log,
    policy: Values,
    *,
    only: Iterable[Estimator] = ALL,
    main: Estimator | None = None,
    model: RewardModel | None = None,
    predictions: Values | None = None,
    folds: int = FOLDS,
    level: float = 0.95,
    seed: int = 0,
) -> Evaluation:
    """Estimate the reward of `policy` from a log. The same seed gives the same results.

    Args:
        log: logged decisions.
        policy: probability of each action in each logged context (n, A).
        only: estimators to compute.
        main: estimator to read; by default DR, else the first one.
        model: kind of reward model, cross-fitted in `folds`.
        predictions: predictions (n, A) of a reward model that was not fitted on these users.
        folds: number of folds.
        level: level of the intervals.
        seed: seed of folds and resamples.

    Raises:
        DataError: if `policy` is no policy, or if there is no overlap.
        ConfigError: if the level is outside (0, 1).
    """
    check_between_0_and_1("level", level)
    weights = importance_weights(log, policy)
    names = tuple(Estimator(name) for name in only)
    predicted = None
    if not set(names) <= set(WITHOUT_MODEL):
        q = predictions
        if q is None:
            q = cross_fit(log, model, folds=min(folds, len(np.unique(log.units))), seed=seed)
        predicted = Predicted.from_model(log, policy, q)
    built = {name: compute_terms(name, log.rewards, weights, predicted, log.units) for name in names}
    chosen = main or (Estimator.DR if Estimator.DR in built else names[0])
    return with_intervals(
        built, log.rewards, log.units, compute_support(log, policy, weights), chosen, level=level, seed=seed
    )


def compute_terms(
    name: Estimator, rewards: Values, weights: Values, predicted: Predicted | None, units: IntArray
) -> tuple[Terms, Tuned | None]:
    """Compute one estimator's terms, with a tuned bound of weights if it has one; `predicted` for reward models."""
    if name is Estimator.IPS:
        return by.ips(rewards, weights), None
    if name is Estimator.SNIPS:
        return by.snips(rewards, weights), None
    if name is Estimator.CLIPPED_IPS:
        how = tune_limit(
            lambda limit: by.clipped_ips(rewards, weights, limit),
            lambda limit: (clip(weights, limit) - weights) * rewards,
            units,
            limits=candidate_limits(weights),
        )
        return by.clipped_ips(rewards, weights, how.best.limit), how
    if predicted is None:
        raise ValueError(f"{name} needs a reward model's predictions")
    if name is Estimator.DM:
        return by.direct_method(predicted), None
    if name is Estimator.DR:
        return by.doubly_robust(rewards, weights, predicted), None
    if name is Estimator.SNDR:
        return by.self_normalized_dr(rewards, weights, predicted), None
    bound, limits = (
        (switch, candidate_limits(weights)) if name is Estimator.SWITCH_DR else (shrink, shrinkage_limits(weights))
    )
    residuals = rewards - predicted.taken

    def build(limit: float) -> Terms:
        return by.doubly_robust(rewards, bound(weights, limit), predicted)

    how = tune_limit(build, lambda limit: (bound(weights, limit) - weights) * residuals, units, limits=limits)
    return build(how.best.limit), how


def with_intervals(
    built: Mapping[Estimator, tuple[Terms, Tuned | None]],
    rewards: Values,
    units: IntArray,
    support: Support,
    main: Estimator,
    *,
    level: float,
    seed: int,
) -> Evaluation:
    """Build an evaluation from terms; `rewards` (n,) are those of the log's own policy."""
    estimates = {}
    for name, (terms, how) in built.items():
        bias = 0.0 if how is None else how.best.bias
        value, gain = (
            by_influence(one, units, level, bias=bias, rewards=rewards, seed=seed)
            for one in (terms, terms.minus(rewards))
        )
        estimates[name] = Estimated(value, gain, how)
    logged = by_influence(mean_terms(rewards), units, level, rewards=rewards, seed=seed)
    return Evaluation(logged, estimates, main, support, level)
