"""A log says what it lacks: above all, the probability of each choice."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import DataError
from recsys.experiments.off_policy.log import Log, check_policy
from recsys.experiments.off_policy.weights import importance_weights


def log_of(propensities: list[float], **options: object) -> Log:
    actions = ["a", "b", "a", "c"][: len(propensities)]
    return Log.from_columns(actions, propensities, [1.0, 0.0, 1.0, 0.0][: len(propensities)], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("propensity", "said"),
    [(float("nan"), r"1 are missing \(NaN\)"), (0.0, "1 are 0 or less"), (-0.1, "0 or less"), (1.2, "1 are above 1")],
)
def test_wrong_propensities_are_refused_with_a_row_and_a_cure(propensity: float, said: str) -> None:
    with pytest.raises(DataError, match=f"{said}, the first in row 2.*Log the probability of each choice"):
        log_of([0.5, 0.5, propensity, 0.5])


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(DataError, match=r"of 4, 2 are missing.*row 0.*1 are above 1.*row 3"):
        log_of([float("nan"), 0.5, float("nan"), 7.0])


def test_other_wrong_columns_are_named() -> None:
    with pytest.raises(DataError, match="lengths"):
        Log.from_columns(["a", "b"], [0.5], [1.0, 0.0])
    with pytest.raises(DataError, match="reward: 1 are not finite, the first in row 1"):
        Log.from_columns(["a", "b"], [0.5, 0.5], [1.0, float("inf")])
    with pytest.raises(DataError, match="context: 1 are not finite"):
        log_of([0.5, 0.5], contexts=[[1.0], [float("nan")]])
    with pytest.raises(DataError, match=r"codes must be in \[0, 1\)"):
        Log(np.array([0, 1]), np.full(2, 0.5), np.zeros(2), np.arange(2), np.zeros((2, 0)), ("a",))
    with pytest.raises(DataError, match="contexts have shape"):
        log_of([0.5, 0.5], contexts=[1.0, 2.0])


def test_actions_that_nobody_saw_can_be_named() -> None:
    log = log_of([0.5] * 4, names=["d"], units=["x", "y", "x", "z"])
    assert log.names == ("a", "b", "c", "d")
    assert log.actions.tolist() == [0, 1, 0, 2]
    assert log.units.tolist() == [0, 1, 0, 2]
    assert log.mix({"d": 0.25, "a": 0.75})[1].tolist() == [0.75, 0.0, 0.0, 0.25]
    assert len(log.select(log.actions == 0)) == 2
    with pytest.raises(DataError, match="'e' was never logged; logged ones: a, b, c, d"):
        log.always("e")


def test_a_policy_is_probabilities_over_the_logs_actions() -> None:
    log = log_of([0.5] * 4)
    check_policy(log.always("a"), log)
    with pytest.raises(DataError, match="shape"):
        check_policy(np.ones((4, 2)) / 2, log)
    with pytest.raises(DataError, match=r"row 0 sum to 0\.9"):
        check_policy(np.full((4, 3), 0.3), log)
    with pytest.raises(DataError, match="row 0 has a probability below 0"):
        check_policy(np.tile([1.5, -0.5, 0.0], (4, 1)), log)
    with pytest.raises(DataError, match="policy: 12 are not finite"):
        check_policy(np.full((4, 3), np.nan), log)


def test_no_overlap_at_all_is_refused() -> None:
    log = log_of([0.5] * 4, names=["d"])
    with pytest.raises(DataError, match="no overlap"):
        importance_weights(log, log.always("d"))
