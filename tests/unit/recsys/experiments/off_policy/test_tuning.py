"""Weights are bounded where that pays, and left alone where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.experiments.off_policy import estimators as by
from recsys.experiments.off_policy.log import Values
from recsys.experiments.off_policy.tuning import Tuned, candidate_limits, shrinkage_limits, tune_limit
from recsys.experiments.off_policy.weights import NO_LIMIT, clip


def tuned_clip(rewards: Values, weights: Values, caution: float = 1.0) -> Tuned:
    return tune_limit(
        lambda limit: by.clipped_ips(rewards, weights, limit),
        lambda limit: (clip(weights, limit) - weights) * rewards,
        np.arange(len(rewards)),
        limits=candidate_limits(weights),
        caution=caution,
    )


def test_one_monstrous_weight_is_clipped() -> None:
    random = np.random.default_rng(1)
    rewards = (random.random(1_000) < 0.5).astype(float)
    weights = random.uniform(0.5, 1.5, 1_000)
    assert tuned_clip(rewards, weights).best.limit > 1.4
    monstrous = weights.copy()
    monstrous[0], rewards[0] = 300.0, 1.0
    found = tuned_clip(rewards, monstrous, caution=0.0)
    assert found.best.limit < 300.0
    assert found.best.variance < found.candidates[0].variance
    assert found.candidates[0].limit == NO_LIMIT
    assert found.candidates[0].bias == 0.0


def test_the_best_has_the_smallest_error_and_caution_adds_bias() -> None:
    random = np.random.default_rng(2)
    rewards, weights = random.random(500), random.lognormal(0.0, 1.5, 500)
    bold, careful = (tuned_clip(rewards, weights, caution) for caution in (0.0, 3.0))
    for found in (bold, careful):
        assert found.best.error == min(one.error for one in found.candidates)
        assert found.best.error == pytest.approx(found.best.variance + found.best.bias**2)
    assert all(a.bias <= b.bias for a, b in zip(bold.candidates, careful.candidates, strict=True))
    assert careful.best.limit >= bold.best.limit


def test_limits_fall_from_none_and_know_the_weights() -> None:
    weights = np.array([0.0, 0.0, 1.0, 2.0, 3.0, 10.0])
    limits = candidate_limits(weights)
    assert limits[0] == NO_LIMIT
    assert limits == sorted(limits, reverse=True)
    assert min(limits) == 2.5  # the median of what is above 0
    assert shrinkage_limits(weights)[-1] == 2.5**2
