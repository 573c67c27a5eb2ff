"""Start, ramp, stop: who is assigned stays, and what would move them is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recsys.errors import ExperimentError
from recsys.experiments.design.definition import Action, Experiment, Status
from recsys.experiments.design.lifecycle import config_drift, ramp, start, stop

Maker = Callable[..., Experiment]
NAMESPACE = {"name": "n", "segments": [[0, 99]]}


def test_a_life(experiment: Maker) -> None:
    draft = experiment(coverage=0.1, namespace=NAMESPACE)
    last = stop(ramp(ramp(start(draft, 10), 20, coverage=0.5), 30, segments=((0, 199),)), 40)
    assert (last.status, last.started_at, last.stopped_at, last.coverage) == (Status.STOPPED, 10, 40, 0.5)
    assert [(change.at, change.action, change.coverage) for change in last.history] == [
        (10, Action.START, 0.1),
        (20, Action.RAMP, 0.5),
        (30, Action.RAMP, 0.5),
        (40, Action.STOP, 0.5),
    ]
    assert [change.segments for change in last.history] == [((0, 99),), ((0, 99),), ((0, 199),), ((0, 199),)]
    assert config_drift(last) is None


def test_what_the_state_forbids(experiment: Maker) -> None:
    draft = experiment(coverage=0.5)
    running = start(draft, 10)
    stopped = stop(running, 20)
    refused: tuple[tuple[Callable[[], Experiment], str], ...] = (
        (lambda: start(running, 20), "running already"),
        (lambda: start(stopped, 30), "copy its file to a new key"),
        (lambda: stop(draft, 20), "start it first"),
        (lambda: stop(stopped, 30), "new key"),
        (lambda: ramp(draft, 20, coverage=1), "start it first"),
        (lambda: ramp(running, 20, coverage=0.4), "stay in it; to expose no more units, stop"),
        (lambda: ramp(running, 20, coverage=1.5), "and 1"),
        (lambda: ramp(running, 20, segments=((0, 1),)), "has no namespace"),
        (lambda: ramp(running, 5, coverage=0.6), "clock"),
    )
    for call, words in refused:
        with pytest.raises(ExperimentError, match=words):
            call()


def test_segments_are_only_added(experiment: Maker) -> None:
    running = start(experiment(namespace=NAMESPACE), 10)
    with pytest.raises(ExperimentError, match="must include the present ones, 0-99"):
        ramp(running, 20, segments=((50, 500),))
    with pytest.raises(ExperimentError, match="overlap"):
        ramp(running, 20, segments=((0, 99), (50, 500)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"salt": "other"}, "salt: changed from 'mild' to 'other'"),
        ({"arms": {"now": {"weight": 2}, "mild": {"overrides": {"strength": 0.3}}}}, "now (weight 1) to mild"),
        ({"arms": {"now": {}, "mild": {"overrides": {"strength": 0.3}}, "c": {}}}, "arms: changed"),
        ({"arms": {"now": {}, "mild": {"overrides": {"strength": 0.4}}}}, "arms.mild.overrides: changed"),
        ({"unit": "session"}, "unit: changed from 'user' to 'session'"),
        ({"control": "mild"}, "control: changed"),
        ({"namespace": {"name": "other", "segments": [[0, 99]]}}, "namespace: changed from 'n' to 'other'"),
        ({"holdout": {"share": 0.1}}, "holdout: changed"),
        ({"coverage": 0.9}, "recsys experiment ramp"),
        ({"namespace": {"name": "n", "segments": [[0, 100]]}}, "recsys experiment ramp"),
        ({"history": []}, "the history has no start"),
        ({"status": "draft", "started_at": None}, "restore the status"),
    ],
)
def test_what_would_move_units_in_mid_run_is_named(experiment: Maker, changes: dict[str, Any], words: str) -> None:
    running = start(experiment(namespace=NAMESPACE, coverage=0.5), 10)
    changed = Experiment.model_validate({**dict(running), **changes})
    problem = config_drift(changed)
    assert problem is not None
    assert words in problem


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Other"},
        {"arms": {"mild": {"overrides": {"strength": 0.3}, "description": "said better"}, "now": {}}},
        {"forced": {"u1": "mild"}},
        {"guardrails": [{"metric": "dwell", "margin": 0.1}]},
    ],
)
def test_what_moves_nobody_may_change(experiment: Maker, changes: dict[str, Any]) -> None:
    running = start(experiment(), 10)
    assert config_drift(Experiment.model_validate({**dict(running), **changes})) is None


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        ({"looks": "fixed"}, "'fixed' looks once.*end_at.*planned_units.*looks = 'sequential'"),
        ({"looks": "fixed", "end_at": 10}, "1970-01-01T00:00:10Z is past.*give a later date"),
        ({"end_at": 5}, "is past"),
    ],
)
def test_an_end_that_cannot_come_is_refused(experiment: Maker, decision: dict[str, Any], words: str) -> None:
    with pytest.raises(ExperimentError, match=words):
        start(experiment(decision=decision), 10)


@pytest.mark.parametrize("change", [{"end_at": 200}, {"planned_units": 60}, {"alpha": 0.2}, {"looks": "sequential"}])
def test_a_look_does_not_move_after_the_start(experiment: Maker, change: dict[str, Any]) -> None:
    declared = {"looks": "fixed", "end_at": 100, "planned_units": 50}
    running = start(experiment(decision=declared), 10)
    assert config_drift(running) is None
    moved = Experiment.model_validate({**dict(running), "decision": {**declared, **change}})
    found = config_drift(moved)
    assert found is not None
    assert "look: changed" in found
    assert "choose when to look" in found
    # Histories of older versions do not record it.
    split = moved.history[0].split
    assert split is not None
    old = moved.history[0].model_copy(update={"split": split.model_copy(update={"look": ""})})
    assert config_drift(moved.model_copy(update={"history": (old,)})) is None
