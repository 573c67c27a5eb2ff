"""Estimators by hand, and to the last digit as the Open Bandit Pipeline computes them."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.experiments.off_policy import estimators as by
from recsys.experiments.off_policy.estimators import Predicted, Terms
from recsys.experiments.off_policy.intervals import standard_error
from recsys.experiments.off_policy.log import Log, Values
from recsys.experiments.off_policy.tuning import tune_limit
from recsys.experiments.off_policy.weights import NO_LIMIT, clip, importance_weights, shrink, switch

# Provenance: obp 0.5.5 (PyPI), classes of obp.ope.estimators with estimate_policy_value and, for the errors,
# _estimate_mse_score(use_bias_upper_bound=False), called with these arrays; limits (its lambda_) are 1.
REWARDS = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0])
ACTIONS = np.array([2, 0, 1, 2, 0, 2, 0, 1, 2, 0, 1, 0])
PROPENSITIES = np.array([0.3, 0.46, 0.5, 0.54, 0.9, 0.73, 0.6, 0.89, 0.27, 0.23, 0.59, 0.14])
POLICY = np.array(
    [
        [0.03, 0.59, 0.38],
        [0.69, 0.15, 0.16],
        [0.68, 0.3, 0.02],
        [0.15, 0.52, 0.33],
        [0.6, 0.0, 0.4],
        [0.07, 0.1, 0.83],
        [0.2, 0.55, 0.25],
        [0.83, 0.05, 0.12],
        [0.09, 0.44, 0.47],
        [0.08, 0.24, 0.68],
        [0.07, 0.09, 0.84],
        [0.36, 0.51, 0.13],
    ]
)
Q = np.array(
    [
        [0.61, 0.64, 0.68],
        [0.15, 0.44, 0.24],
        [0.4, 0.1, 0.97],
        [0.22, 0.67, 0.3],
        [0.87, 0.66, 0.13],
        [0.85, 0.94, 0.9],
        [0.57, 0.15, 0.19],
        [0.93, 0.55, 0.18],
        [0.88, 0.64, 0.57],
        [0.38, 0.41, 0.24],
        [0.04, 0.88, 0.47],
        [0.55, 0.32, 0.75],
    ]
)
LOG = Log(ACTIONS, PROPENSITIES, REWARDS, np.arange(12), np.zeros((12, 0)), ("a", "b", "c"))
WEIGHTS = importance_weights(LOG, POLICY)
PREDICTED = Predicted.from_model(LOG, POLICY, Q)
RESIDUALS = REWARDS - PREDICTED.taken


@pytest.mark.parametrize(
    ("terms", "golden"),
    [
        (by.ips(REWARDS, WEIGHTS), 0.7238493875480176),
        (by.clipped_ips(REWARDS, WEIGHTS, 1.0), 0.5175925925925926),
        (by.snips(REWARDS, WEIGHTS), 0.7908414604773172),
        (by.direct_method(PREDICTED), 0.5049750000000001),
        (by.doubly_robust(REWARDS, WEIGHTS, PREDICTED), 0.7432600248820972),
        (by.self_normalized_dr(REWARDS, WEIGHTS, PREDICTED), 0.7653132420837246),
        (by.switch_dr(REWARDS, WEIGHTS, PREDICTED, 1.0), 0.5800139750161843),
        (by.dr_os(REWARDS, WEIGHTS, PREDICTED, 1.0), 0.5983888883709202),
    ],
    ids=["IPS", "clipped IPS", "SNIPS", "DM", "DR", "SNDR", "Switch-DR", "DRos"],
)
def test_values_are_those_of_the_open_bandit_pipeline(terms: Terms, golden: float) -> None:
    assert terms.value == pytest.approx(golden, rel=1e-12)


@pytest.mark.parametrize(
    ("terms", "missed", "golden"),
    [
        (by.clipped_ips(REWARDS, WEIGHTS, 1.0), (clip(WEIGHTS, 1.0) - WEIGHTS) * REWARDS, 0.05694594354027282),
        (
            by.switch_dr(REWARDS, WEIGHTS, PREDICTED, 1.0),
            (switch(WEIGHTS, 1.0) - WEIGHTS) * RESIDUALS,
            0.03200596558970362,
        ),
        (
            by.dr_os(REWARDS, WEIGHTS, PREDICTED, 1.0),
            (shrink(WEIGHTS, 1.0) - WEIGHTS) * RESIDUALS,
            0.02515318234369663,
        ),
    ],
    ids=["clipped IPS", "Switch-DR", "DRos"],
)
def test_estimated_errors_are_those_of_the_open_bandit_pipeline(terms: Terms, missed: Values, golden: float) -> None:
    """But for the variance, which here is divided by n - 1 instead of n."""
    found = tune_limit(lambda _: terms, lambda _: missed, LOG.units, limits=[1.0], caution=0.0).best
    assert found.variance * 11 / 12 + found.bias**2 == pytest.approx(golden, rel=1e-12)


def test_by_hand() -> None:
    """Two decisions: the action of probability 1/2 twice as likely under the policy, the other half as likely."""
    rewards, weights = np.array([1.0, 4.0]), np.array([2.0, 0.5])
    predicted = Predicted(np.array([0.0, 2.0]), np.array([1.0, 2.0]))
    assert by.ips(rewards, weights).value == (2 * 1 + 0.5 * 4) / 2
    assert by.clipped_ips(rewards, weights, 1.0).value == (1 + 2) / 2
    assert by.snips(rewards, weights).value == (2 + 2) / 2.5
    assert by.direct_method(predicted).value == 1.5
    assert by.doubly_robust(rewards, weights, predicted).value == 1.5 + (2 * 1 + 0.5 * 2) / 2
    assert by.self_normalized_dr(rewards, weights, predicted).value == 1.5 + 3 / 2.5
    assert by.switch_dr(rewards, weights, predicted, 1.0).value == 1.5 + (0.5 * 2) / 2
    assert by.dr_os(rewards, weights, predicted, 4.0).value == pytest.approx(1.5 + (1 + 2 / 4.25 * 2) / 2)


def test_limits_lead_from_the_direct_method_to_doubly_robust() -> None:
    plain, model = by.doubly_robust(REWARDS, WEIGHTS, PREDICTED).value, by.direct_method(PREDICTED).value
    for build in (by.switch_dr, by.dr_os):
        assert build(REWARDS, WEIGHTS, PREDICTED, NO_LIMIT).value == plain
        assert build(REWARDS, WEIGHTS, PREDICTED, 0.0).value == pytest.approx(model)
    assert by.clipped_ips(REWARDS, WEIGHTS, NO_LIMIT).value == by.ips(REWARDS, WEIGHTS).value
    assert (shrink(WEIGHTS, 2.0) <= WEIGHTS).all()


def test_what_moves_with_a_constant_added_to_rewards() -> None:
    shift = 100.0
    assert by.snips(REWARDS + shift, WEIGHTS).value == pytest.approx(by.snips(REWARDS, WEIGHTS).value + shift)
    moved = by.ips(REWARDS + shift, WEIGHTS).value - by.ips(REWARDS, WEIGHTS).value
    assert moved == pytest.approx(shift * WEIGHTS.mean())


@pytest.mark.parametrize("name", ["ips", "snips", "sndr"])
def test_influence_is_what_leaving_a_decision_out_does(name: str) -> None:
    """To first order, V less V without decision i is influence_i / n; here with 4,000 decisions."""
    random = np.random.default_rng(3)
    rewards, weights = random.random(4_000), random.gamma(1.0, 1.0, 4_000)
    predicted = Predicted(random.random(4_000), random.random(4_000))

    def build(kept: Values) -> Terms:
        part = Predicted(predicted.taken[kept], predicted.policy[kept])
        return {
            "ips": lambda: by.ips(rewards[kept], weights[kept]),
            "snips": lambda: by.snips(rewards[kept], weights[kept]),
            "sndr": lambda: by.self_normalized_dr(rewards[kept], weights[kept], part),
        }[name]()

    everything = np.ones(4_000, dtype=bool)
    whole = build(everything)
    assert whole.influence.mean() == pytest.approx(0.0, abs=1e-12)
    for left_out in range(5):
        without = everything.copy()
        without[left_out] = False
        step = (whole.value - build(without).value) * 4_000
        assert step == pytest.approx(whole.influence[left_out], rel=0.01, abs=0.002)


def test_the_gain_knows_that_both_are_of_the_same_people() -> None:
    terms = by.ips(REWARDS, np.ones(12)).minus(REWARDS)
    assert terms.value == pytest.approx(0.0)
    assert standard_error(terms.influence, LOG.units) == pytest.approx(0.0, abs=1e-15)
