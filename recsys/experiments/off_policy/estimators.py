"""Estimators of a policy's value V = E[ sum over a of pi(a | x) q(x, a) ], q(x, a) being the mean reward of a in x.

Each gives `Terms`, from which value, influence function and bootstrap follow alike. Notation: n logged decisions
(x_i, a_i, p_i, r_i), w_i = pi(a_i | x_i) / p_i, q̂ a fitted reward model, q̂_pi(x) = sum over a of pi(a | x) q̂(x, a).

All assume that the log really used p_i, that the log could choose each action that the policy can choose (overlap),
that rewards depend only on context and action (no interference between decisions), and that contexts are distributed
as they will be for the new policy. Some logs have only users who answered, such as ratings. If answering depends on the
action, only SNIPS stays right: its ratio is of rewards to answers. Other facts in Dudík, Erhan, Langford & Li (2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from recsys.experiments.off_policy.log import Log, Values
from recsys.experiments.off_policy.weights import clip, shrink, switch


class Estimator(StrEnum):
    """Estimators by their usual names."""

    IPS = "IPS"
    CLIPPED_IPS = "clipped IPS"
    SNIPS = "SNIPS"
    DM = "DM"
    DR = "DR"
    SNDR = "SNDR"
    SWITCH_DR = "Switch-DR"
    DROS = "DRos"


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """V = mean(base) + sum over k of sum(corrections[:, k]) / sum(normalizers[:, k]).

    `base` (n,), `corrections` (n, K), `normalizers` (n, K), one row per decision. For lists: one row per list, and k is
    its position.
    """

    base: Values
    corrections: Values
    normalizers: Values

    @property
    def value(self) -> float:
        """Value V."""
        return float(self.base.mean() + (self.corrections.sum(axis=0) / self.normalizers.sum(axis=0)).sum())

    @property
    def influence(self) -> Values:
        """Influence of each decision on V, times n: (n,), of mean 0. Ratios are linearized (delta method)."""
        ratios = self.corrections.sum(axis=0) / self.normalizers.sum(axis=0)
        linear = (self.corrections - ratios * self.normalizers) / self.normalizers.mean(axis=0)
        return np.asarray(self.base - self.base.mean() + linear.sum(axis=1))

    def minus(self, rewards: Values) -> Terms:
        """Return terms of the gain: V minus the mean of the logged `rewards` (n,), which are correlated with V."""
        return Terms(self.base - rewards, self.corrections, self.normalizers)


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Predictions of the reward model: `taken` (n,) of the logged actions, `policy` (n,) its mean q̂_pi(x_i)."""

    taken: Values
    policy: Values

    @classmethod
    def from_model(cls, log: Log, policy: Values, q: Values) -> Self:
        """Build from q̂ of all actions, (n, A), and the policy (n, A)."""
        return cls(q[np.arange(len(log)), log.actions], np.einsum("ia,ia->i", policy, q))


def ips(rewards: Values, weights: Values) -> Terms:
    """Return inverse propensity scores (IPS): mean(w r).

    Unbiased under the assumptions above, whatever the rewards. Its variance grows with E[w² r²], so it fails by chance
    if few decisions carry all weight (`Support.effective`), and moves with a constant added to rewards.
    Horvitz & Thompson (1952); Li, Chu, Langford & Wang (2011).
    """
    return _one_ratio(np.zeros_like(rewards), weights * rewards, np.ones_like(weights))


def clipped_ips(rewards: Values, weights: Values, limit: float) -> Terms:
    """Return IPS with bounded weights: mean(min(w, limit) r).

    Bias E[(min(w, limit) - w) r], at most 0 for rewards of 0 or more: actions that the policy takes more than `limit`
    times as often as the log count too little. Fails if the best actions are rare ones. Ionides (2008); Bottou et al.
    (2013, section 4.3).
    """
    return ips(rewards, clip(weights, limit))


def snips(rewards: Values, weights: Values) -> Terms:
    """Return self-normalized IPS: sum(w r) / sum(w).

    Consistent, bias of order 1 / n; stays within the range of rewards and does not move with a constant added to them.
    Without overlap it silently is the value among tried actions: `Support.mean_weight` says so.
    Hájek (1971); Swaminathan & Joachims (2015, eq. 9).
    """
    return _one_ratio(np.zeros_like(rewards), weights * rewards, weights)


def direct_method(predicted: Predicted) -> Terms:
    """Return the direct method: mean(q̂_pi(x)).

    Needs no propensities; as wrong as its model, and the model is least certain if the policy differs from the log. The
    interval is over contexts only: it ignores the error of the model, so its coverage is below its level.
    Beygelzimer & Langford (2009).
    """
    zeros = np.zeros_like(predicted.policy)
    return _one_ratio(predicted.policy, zeros, zeros + 1.0)


def doubly_robust(rewards: Values, weights: Values, predicted: Predicted) -> Terms:
    """Return the doubly robust estimate: mean(q̂_pi(x) + w (r - q̂(x, a))).

    Unbiased with right propensities whatever the model, if that was fitted on other users (cross-fitting); the better
    the model, the smaller the variance. Fails like IPS if weights are few and large. Dudík, Langford & Li (2011,
    eq. 2).
    """
    return _one_ratio(predicted.policy, weights * (rewards - predicted.taken), np.ones_like(weights))


def self_normalized_dr(rewards: Values, weights: Values, predicted: Predicted) -> Terms:
    """Return the self-normalized doubly robust estimate: mean(q̂_pi(x)) + sum(w (r - q̂(x, a))) / sum(w).

    As DR, with the bias of order 1 / n and the smaller variance of SNIPS. Thomas & Brunskill (2016, section 5);
    Kallus & Uehara (2019).
    """
    return _one_ratio(predicted.policy, weights * (rewards - predicted.taken), weights)


def switch_dr(rewards: Values, weights: Values, predicted: Predicted, limit: float) -> Terms:
    """Return Switch-DR: mean(q̂_pi(x) + w [w <= limit] (r - q̂(x, a))).

    Uses only the model if weights are above `limit`: 0 is DM, infinity DR. Bias E[w [w > limit] (q̂ - r)]: fails
    if the model is wrong for these. Wang, Agarwal & Dudík (2017, eq. 8 with DR as the base).
    """
    return doubly_robust(rewards, switch(weights, limit), predicted)


def dr_os(rewards: Values, weights: Values, predicted: Predicted, limit: float) -> Terms:
    """Return DR with optimistic shrinkage: mean(q̂_pi(x) + limit w / (w² + limit) (r - q̂(x, a))).

    The weights that minimize a bound of the mean squared error; `limit` (lambda) 0 is DM, infinity DR. Its bias is
    small if the model is good; it fails like Switch-DR. Su et al. (2020, section 4.1).
    """
    return doubly_robust(rewards, shrink(weights, limit), predicted)


def _one_ratio(base: Values, corrections: Values, normalizers: Values) -> Terms:
    return Terms(base, corrections[:, None], normalizers[:, None])
