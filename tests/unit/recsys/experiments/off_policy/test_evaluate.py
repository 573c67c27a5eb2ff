"""An evaluation of all estimators, and what it says in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recsys.errors import ConfigError, DataError
from recsys.experiments.off_policy.estimators import Estimator
from recsys.experiments.off_policy.evaluate import WITHOUT_MODEL, compute_terms, evaluate
from recsys.experiments.off_policy.words import conclusion, format_evaluation
from recsys.simulation.synthetic_policies import SyntheticBandit

WORLD = SyntheticBandit()
LOG = WORLD.draw_log(2_000, seed=1)
BETTER = WORLD.target_policy(LOG.contexts)
FOUND = evaluate(LOG, BETTER, seed=4)


def test_every_estimator_answers_and_the_same_seed_says_the_same() -> None:
    assert tuple(FOUND.estimates) == tuple(Estimator)
    assert FOUND.main is Estimator.DR
    assert evaluate(LOG, BETTER, seed=4) == FOUND
    for one in FOUND.estimates.values():
        assert one.value.low < one.value.value < one.value.high
        assert one.gain.value == pytest.approx(one.value.value - LOG.rewards.mean())
    tuned = {name for name, one in FOUND.estimates.items() if one.tuned}
    assert tuned == {Estimator.CLIPPED_IPS, Estimator.SWITCH_DR, Estimator.DROS}


def test_the_true_model_makes_dm_right_and_dr_sharper() -> None:
    exact = evaluate(LOG, BETTER, predictions=WORLD.expected_rewards(LOG.contexts))
    truth = WORLD.true_value()
    assert exact.estimates[Estimator.DM].value.value == pytest.approx(truth, abs=0.02)
    widths = {name: one.value.high - one.value.low for name, one in exact.estimates.items()}
    assert widths[Estimator.DR] < 0.8 * widths[Estimator.IPS]


def test_the_logs_own_policy_is_worth_what_was_logged() -> None:
    same = evaluate(LOG, WORLD.logging_policy(LOG.contexts), only=WITHOUT_MODEL)
    assert same.main is Estimator.IPS
    assert same.answer.value.value == pytest.approx(LOG.rewards.mean(), abs=1e-12)
    assert same.answer.gain.high == pytest.approx(0.0, abs=1e-12)
    assert "Not shown that the new policy differs" in conclusion(same)


def test_words_follow_the_figures() -> None:
    assert "would earn more than the logged one" in conclusion(FOUND)
    upside_down = evaluate(replace(LOG, rewards=1.0 - LOG.rewards), BETTER)
    assert "would earn less than the logged one" in conclusion(upside_down)
    told = "\n".join(format_evaluation(FOUND))
    assert all(name in told for name in Estimator)
    assert f"{FOUND.answer.value.value:.4f}" in told
    assert "DR *" in told


def test_no_conclusion_where_the_log_cannot_answer() -> None:
    wider = replace(LOG, names=(*LOG.names, "never"))
    found = evaluate(wider, wider.mix({"never": 0.5, "action 1": 0.5}))
    assert conclusion(found).startswith("No conclusion")
    assert any(line.startswith("problem: at least 50.0%") for line in format_evaluation(found))


def test_wrong_asks() -> None:
    with pytest.raises(ConfigError, match="level"):
        evaluate(LOG, BETTER, level=1.0)
    with pytest.raises(DataError, match="decisions of 1 users"):
        evaluate(replace(LOG, units=np.zeros(2_000, dtype=np.int64)), BETTER, only=[Estimator.IPS])
    with pytest.raises(DataError, match="shape"):
        evaluate(LOG, BETTER[:, :2])
    with pytest.raises(ValueError, match="reward model"):
        compute_terms(Estimator.DM, LOG.rewards, np.ones(2_000), None, LOG.units)
