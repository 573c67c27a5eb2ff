"""All estimators of one policy from one log, with support and intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from recsys.experiments.off_policy import estimators as by
from recsys.experiments.off_policy.estimators import Estimator, Predicted, Terms
from recsys.experiments.off_policy.intervals import by_bootstrap, by_influence
from recsys.experiments.off_policy.log import Log, Values
from recsys.experiments.off_policy.reward_model import FOLDS, RewardModel, cross_fitted
from recsys.experiments.off_policy.support import Support, mean_terms, support_of
from recsys.experiments.off_policy.tuning import Tuned, limits_of, shrinking_limits_of, tuned
from recsys.experiments.off_policy.weights import clipped, importance_weights, shrunk, switched
from recsys.experiments.stats.checks import check_between_0_and_1
from recsys.experiments.stats.effect import Estimate
from recsys.schema import IntArray

ALL = tuple(Estimator)
WITHOUT_MODEL = (Estimator.IPS, Estimator.CLIPPED_IPS, Estimator.SNIPS)


@dataclass(frozen=True, slots=True)
class Estimated:
    """One estimator's answer.

    `value` with the interval by its influence function, wider where weights are bounded by the bias that this may
    bring; `bootstrap`: percentiles over people, which know of no bias; `gain` over what was logged, as `value`; all in
    the reward's unit. `tuned`: how the bound of weights was chosen, where there is one.
    """

    value: Estimate
    bootstrap: Estimate
    gain: Estimate
    tuned: Tuned | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A policy's value by each estimator, `logged` being what the log's own policy earned, a mean a decision.

    `main` is the estimator to read. Where `support` has problems no estimate is to be acted upon.
    """

    logged: Estimate
    estimates: Mapping[Estimator, Estimated]
    main: Estimator
    support: Support
    level: float

    @property
    def answer(self) -> Estimated:
        """By the main estimator."""
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
    """What `policy` (n, A), the probability of each action in each logged context, would have earned.

    `only`: the estimators wanted; `main` (default DR, else the first of them) is the one to read. `predictions` (n, A):
    a reward model's own, if it saw nothing of these people; by default `model` is cross-fitted in `folds`. The same
    seed gives the same figures. Raises DataError for what is no policy and without any overlap, ConfigError for a level
    outside (0, 1).
    """
    check_between_0_and_1("level", level)
    weights = importance_weights(log, policy)
    names = tuple(Estimator(name) for name in only)
    predicted = None
    if not set(names) <= set(WITHOUT_MODEL):
        q = predictions
        if q is None:
            q = cross_fitted(log, model, folds=min(folds, len(np.unique(log.units))), seed=seed)
        predicted = Predicted.of(log, policy, q)
    built = {name: terms_of(name, log.rewards, weights, predicted, log.units) for name in names}
    chosen = main or (Estimator.DR if Estimator.DR in built else names[0])
    return with_intervals(
        built, log.rewards, log.units, support_of(log, policy, weights), chosen, level=level, seed=seed
    )


def terms_of(
    name: Estimator, rewards: Values, weights: Values, predicted: Predicted | None, units: IntArray
) -> tuple[Terms, Tuned | None]:
    """One estimator's terms, its bound of weights tuned where it has one; `predicted` for those with a reward model."""
    if name is Estimator.IPS:
        return by.ips(rewards, weights), None
    if name is Estimator.SNIPS:
        return by.snips(rewards, weights), None
    if name is Estimator.CLIPPED_IPS:
        how = tuned(
            lambda limit: by.clipped_ips(rewards, weights, limit),
            lambda limit: (clipped(weights, limit) - weights) * rewards,
            units,
            limits=limits_of(weights),
        )
        return by.clipped_ips(rewards, weights, how.best.limit), how
    if predicted is None:
        raise ValueError(f"{name} needs a reward model's predictions")
    return _with_model(name, rewards, weights, predicted, units)


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
    """Terms made an evaluation; `rewards` (n,) are what the log's own policy earned."""
    resampled = by_bootstrap([terms for terms, _ in built.values()], units, seed=seed, level=level)
    estimates = {}
    for (name, (terms, how)), bootstrap in zip(built.items(), resampled, strict=True):
        bias = 0.0 if how is None else how.best.bias
        value, gain = (by_influence(one, units, level, bias=bias) for one in (terms, terms.less(rewards)))
        estimates[name] = Estimated(value, bootstrap, gain, how)
    logged = by_influence(mean_terms(rewards), units, level)
    return Evaluation(logged, estimates, main, support, level)


def _with_model(
    name: Estimator, rewards: Values, weights: Values, predicted: Predicted, units: IntArray
) -> tuple[Terms, Tuned | None]:
    if name is Estimator.DM:
        return by.direct_method(predicted), None
    if name is Estimator.DR:
        return by.doubly_robust(rewards, weights, predicted), None
    if name is Estimator.SNDR:
        return by.self_normalized_dr(rewards, weights, predicted), None
    bound, limits = (
        (switched, limits_of(weights)) if name is Estimator.SWITCH_DR else (shrunk, shrinking_limits_of(weights))
    )
    residuals = rewards - predicted.taken

    def build(limit: float) -> Terms:
        return by.doubly_robust(rewards, bound(weights, limit), predicted)

    how = tuned(build, lambda limit: (bound(weights, limit) - weights) * residuals, units, limits=limits)
    return build(how.best.limit), how
