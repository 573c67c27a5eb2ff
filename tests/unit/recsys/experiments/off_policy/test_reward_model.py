"""Reward models see nothing of whom they are asked about, and are right where the truth is of their kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recsys.errors import ConfigError
from recsys.experiments.off_policy.log import Log
from recsys.experiments.off_policy.reward_model import RewardModel, cross_fit
from recsys.simulation.synthetic_policies import SyntheticBandit

WORLD = SyntheticBandit(bend=0.0)


@pytest.mark.parametrize("kind", [None, *RewardModel])
def test_every_kind_finds_the_rates(kind: RewardModel | None) -> None:
    log = WORLD.draw_log(6_000, seed=1)
    truth = WORLD.expected_rewards(log.contexts)
    found = cross_fit(log, kind, seed=2)
    assert found.shape == truth.shape
    assert np.abs(found - truth).mean() < (0.03 if kind in (None, RewardModel.LOGISTIC) else 0.12)
    assert np.abs(found - truth).mean() < 0.7 * np.abs(log.rewards.mean() - truth).mean()
    np.testing.assert_array_equal(found, cross_fit(log, kind, seed=2))


@pytest.mark.parametrize("kind", list(RewardModel))
def test_a_persons_own_rewards_do_not_count(kind: RewardModel) -> None:
    log = WORLD.draw_log(300, seed=3, per_user=3)
    person = log.units == 7
    other = replace(log, rewards=np.where(person, 1.0 - log.rewards, log.rewards))
    before, after = (cross_fit(one, kind, seed=1) for one in (log, other))
    np.testing.assert_array_equal(before[person], after[person])
    assert not np.array_equal(before, after)


def test_rewards_beyond_0_and_1() -> None:
    log = WORLD.draw_log(2_000, seed=1)
    amounts = replace(log, rewards=5.0 + 10.0 * log.contexts[:, 0] + log.actions)
    found = cross_fit(amounts)
    np.testing.assert_allclose(found, 5.0 + 10.0 * log.contexts[:, :1] + np.arange(5), atol=0.2)
    with pytest.raises(ConfigError, match="use ridge or boosting"):
        cross_fit(amounts, RewardModel.LOGISTIC)
    assert np.abs(cross_fit(amounts, RewardModel.BOOSTING) - found).mean() < 2.0


def test_what_cannot_be_learned_is_constant() -> None:
    log = Log.from_columns(["a", "b"] * 10, [0.5] * 20, [1.0] * 20, names=["c"])
    np.testing.assert_array_equal(cross_fit(log), np.ones((20, 3)))


def test_an_action_that_is_absent_gets_a_figure() -> None:
    log = WORLD.draw_log(500, seed=1)
    wider = replace(log, names=(*log.names, "new"))
    assert np.isfinite(cross_fit(wider)).all()
    plain = replace(wider, contexts=np.zeros((500, 0)))
    assert cross_fit(plain).shape == (500, 6)


@pytest.mark.parametrize("folds", [1, 11])
def test_folds_out_of_range(folds: int) -> None:
    with pytest.raises(ConfigError, match="folds"):
        cross_fit(WORLD.draw_log(10, seed=1), folds=folds)
