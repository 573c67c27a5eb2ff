"""Verdicts become a log: what was certain is left out, arms are named, policies are read by arm and by person."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.errors import DataError
from recsys.experiments.off_policy.estimators import Estimator
from recsys.experiments.off_policy.restyling import (
    action_name,
    always,
    build_policy,
    collect_ratings,
    evaluate_restyling,
)

FEEDBACK = pd.DataFrame(
    [
        ("u1", "taste", 0.6, 1.0, True, 1),
        ("u1", "taste", 0.3, 0.1, True, 3),
        ("u1", "taste", 0.6, 0.9, False, 2),
        ("u2", "style:x", 0.0, 0.5, True, 1),
        ("u2", "taste", 0.3, 0.5, False, 2),
    ],
    columns=["user_id", "action", "strength", "propensity", "satisfied", "timestamp"],
)
RATINGS = collect_ratings(FEEDBACK)


def test_a_log_of_what_chance_had_a_part_in() -> None:
    log = RATINGS.log
    assert RATINGS.certain == 1
    assert RATINGS.users == ("u1", "u2")
    assert log.names == ("original", "taste at 0.3", "taste at 0.6")
    # by time: u2's original, u1 dissatisfied at 0.6, u2 at 0.3, u1 satisfied at 0.3
    assert log.actions.tolist() == [0, 2, 1, 1]
    assert log.rewards.tolist() == [1.0, 0.0, 0.0, 1.0]
    assert log.units.tolist() == [1, 0, 1, 0]
    # what was said before, verdicts that were certain included
    np.testing.assert_allclose(np.expm1(log.contexts[:, 0]), [0, 1, 1, 2])
    np.testing.assert_allclose(log.contexts[:, 1], [1 / 2, 2 / 3, 2 / 3, 2 / 4])


def test_nothing_random_and_no_propensity_are_refused() -> None:
    with pytest.raises(DataError, match=r"all 1 ratings are of images that were shown with certainty.*exploration"):
        collect_ratings(FEEDBACK.iloc[:1])
    with pytest.raises(DataError, match="no column 'propensity'"):
        collect_ratings(FEEDBACK.drop(columns="propensity"))
    with pytest.raises(DataError, match="1 are missing"):
        collect_ratings(FEEDBACK.assign(propensity=[1.0, 0.1, np.nan, 0.5, 0.5]))


def test_one_arm_for_everybody() -> None:
    log, policy = always(RATINGS, "taste", 0.3)
    assert policy.sum(axis=0).tolist() == [0.0, 4.0, 0.0]
    found = evaluate_restyling(log, policy)
    assert found.main is Estimator.SNIPS
    # weights 2 (dissatisfied) and 10 (satisfied)
    assert found.answer.value.value == pytest.approx(10 / 12)
    with pytest.raises(DataError, match=r"'taste at 0\.9' was never logged; logged ones: original, taste at 0\.3"):
        always(RATINGS, "taste", 0.9)
    assert action_name("style:x", 0.0) == "original"


def test_policies_as_tables() -> None:
    table = pd.DataFrame({"action": ["taste", "style:x"], "strength": [0.3, 0.9], "probability": [0.75, 0.25]})
    log, policy = build_policy(RATINGS, table)
    assert log.names == ("original", "style:x at 0.9", "taste at 0.3", "taste at 0.6")
    assert policy[0].tolist() == [0.0, 0.25, 0.75, 0.0]
    assert [log.names[action] for action in log.actions] == ["original", "taste at 0.6", "taste at 0.3", "taste at 0.3"]
    assert evaluate_restyling(log, policy).support.never_tried == (("style:x at 0.9", 0.25),)
    own = pd.DataFrame(
        {"user_id": ["u2", "u1"], "action": ["taste"] * 2, "strength": [0.3, 0.6], "probability": [1.0, 1.0]}
    )
    log, policy = build_policy(RATINGS, own)
    wanted = [log.names[action] for action in policy.argmax(axis=1)]
    assert wanted == ["taste at 0.3", "taste at 0.6", "taste at 0.3", "taste at 0.6"]


def test_wrong_policies() -> None:
    table = pd.DataFrame({"action": ["taste", "taste"], "strength": [0.3, 0.6], "probability": [0.5, 0.4]})
    with pytest.raises(DataError, match="sum to 1"):
        build_policy(RATINGS, table)
    with pytest.raises(DataError, match=r"two rows for 'taste at 0\.3'"):
        build_policy(RATINGS, table.assign(strength=0.3))
    with pytest.raises(DataError, match="lacks 1 of 2 users"):
        build_policy(RATINGS, table.assign(user_id="u1", probability=0.5))
