"""Support: figures by hand, and every way in which a log cannot answer, by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recsys.experiments.off_policy.log import Log
from recsys.experiments.off_policy.support import Support, compute_support, measure_support
from recsys.experiments.off_policy.weights import importance_weights
from recsys.simulation.synthetic_policies import SyntheticBandit


def support(log: Log, policy: dict[str, float]) -> Support:
    table = log.mix(policy)
    return compute_support(log, table, importance_weights(log, table))


def test_by_hand() -> None:
    found = measure_support(np.array([1.0] * 98 + [0.0, 102.0]), np.arange(100), np.ones(100))
    assert found.decisions == found.users == 100
    assert found.effective == pytest.approx(200.0**2 / (98 + 102.0**2))
    assert found.largest == 102.0
    assert found.top_share == pytest.approx(102.0 / 200.0)
    assert found.mean_weight.value == 2.0
    assert found.untried == 0.0
    assert found.rewards == pytest.approx(found.effective)
    assert found.top_reward == pytest.approx(102.0 / 200.0)


def test_a_good_log_has_no_problem() -> None:
    world = SyntheticBandit()
    log = world.draw_log(3_000, seed=1)
    policy = world.target_policy(log.contexts, 1.0)
    found = compute_support(log, policy, importance_weights(log, policy))
    assert found.problems == ()
    assert found.effective > 1_000


def test_an_action_never_tried_is_named_with_how_much_it_is_wanted() -> None:
    log = SyntheticBandit().draw_log(2_000, seed=1)
    log = replace(log, names=(*log.names, "holiday"))
    found = support(log, {"action 0": 0.8, "holiday": 0.2})
    assert found.never_tried == (("holiday", pytest.approx(0.2)),)
    assert found.untried == pytest.approx(0.2)
    assert "20.0% of the new policy's choices were never tried: holiday (20.0%)" in found.problems[0]


def test_choices_that_were_certain_leave_the_rest_out_of_reach() -> None:
    """Half of the decisions had no chance: there, the log could not have shown what the policy wants."""
    actions = ["a"] * 500 + ["a", "b"] * 250
    log = Log.from_columns(actions, [1.0] * 500 + [0.5] * 500, [0.0] * 1_000)
    found = support(log, {"b": 1.0})
    assert found.untried == pytest.approx(0.5)
    assert found.mean_weight.value == pytest.approx(0.5)
    assert "because other choices were certain" in found.problems[0]
    assert "mean 0.500" in found.problems[1]
    assert "was impossible in the log" in found.problems[1]


def test_wrong_propensities_show_in_the_mean_weight() -> None:
    log = SyntheticBandit().draw_log(3_000, seed=1)
    wrong = replace(log, propensities=np.sqrt(log.propensities))
    found = support(wrong, {"action 0": 1.0})
    assert any("propensities are not those that were used" in problem for problem in found.problems)


def test_luck_does_not_hide_that_the_log_next_to_never_tries_what_is_wanted() -> None:
    """One choice in 10,000 is b, and none of 1,000 was: all weights are those of a, and even."""
    log = Log.from_columns(["a"] * 1_000, [0.9999] * 1_000, [1.0] * 1_000, names=["b"])
    found = support(log, {"a": 0.5, "b": 0.5})
    assert found.effective == pytest.approx(1_000)
    assert found.attainable == pytest.approx(1_000 / (0.25 / 0.9999 + 0.25 / 0.0001))
    assert any("effective sample size is 0 of 1000" in problem for problem in found.problems)


def test_the_attainable_size_bounds_the_expected_one() -> None:
    world = SyntheticBandit(seed=2)
    log = world.draw_log(50_000, seed=1)
    policy = world.target_policy(log.contexts)
    found = compute_support(log, policy, importance_weights(log, policy))
    squares = (policy**2 / world.logging_policy(log.contexts)).sum(axis=1).mean()
    assert found.attainable >= 50_000 / squares
    assert found.effective == pytest.approx(50_000 / squares, rel=0.1)


def test_few_effective_decisions_and_heavy_ones_are_named() -> None:
    found = measure_support(np.array([1e-3] * 5_000 + [400.0] * 10), np.arange(5_010), np.ones(5_010))
    assert any("effective sample size is 10 of 5010" in problem for problem in found.problems)
    assert any("1 % of decisions carry 100%" in problem for problem in found.problems)


def test_rewards_that_few_users_have_are_named_with_what_is_needed() -> None:
    """Weights are even, but one order of 3,000 decides; without it 24 users buy for the same price."""
    rewards = np.zeros(2_000)
    rewards[:24] = 20.0
    even = measure_support(np.ones(2_000), np.arange(2_000), rewards)
    assert even.rewards == pytest.approx(24.0)
    assert even.problems == ()
    rewards[0] = 3_000.0
    huge = measure_support(np.ones(2_000), np.arange(2_000), rewards)
    sums = 3_000.0 + 23 * 20.0
    assert huge.rewards == pytest.approx(sums**2 / (3_000.0**2 + 23 * 20.0**2))
    (problem,) = huge.problems
    assert f"the largest is {3_000.0 / sums:.0%} of the weighted sum" in problem
    assert "log about 22,577 users" in problem
    (problem,) = measure_support(np.ones(2_000), np.arange(2_000), np.zeros(2_000)).problems
    assert "has a reward other than 0" in problem
    assert "at least 15 users" in problem


def test_losses_count_by_their_size() -> None:
    rewards = np.where(np.arange(200) % 2, 5.0, -5.0)
    assert measure_support(np.ones(200), np.arange(200), rewards).rewards == pytest.approx(200.0)
