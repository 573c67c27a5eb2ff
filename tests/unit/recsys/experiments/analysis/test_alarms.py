"""Harm of an arm and a wrong split raise an alarm, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from recsys.experiments.analysis.alarms import AlarmKind, find_alarms
from recsys.experiments.design.definition import Experiment
from recsys.simulation.synthetic_logs import Planted, Population, simulate_logs

Maker = Callable[..., Experiment]
START, DAY = 1_790_000_000, 86_400
NOW = START + 15 * DAY


def watched(trial: Maker) -> Experiment:
    return trial(
        metrics=[{"name": "ctr"}, {"name": "conversion"}],
        guardrails=[{"metric": "dwell", "margin": 0.05}],
        decision={"looks": "fixed", "end_at": START + 15 * DAY},
    )


def test_harm_is_an_alarm_for_the_primary_metric_and_guardrails_only(trial: Maker) -> None:
    one = watched(trial)
    logs = simulate_logs(one, {"mild": Planted(ctr=-0.5, conversion=-0.9, dwell=-0.5)}, Population(users=2_500)).logs
    found = find_alarms(one, logs, NOW)
    assert [(alarm.kind, alarm.arm, alarm.metric) for alarm in found] == [
        (AlarmKind.HARM, "mild", "ctr"),
        (AlarmKind.HARM, "mild", "dwell"),
    ]
    assert found[0].id == f"mild/{START}/harm/ctr/mild"
    assert "is worse than the control's: −" in found[0].words
    assert found[0].p_value <= 0.01
    assert [alarm.id for alarm in find_alarms(one, logs, NOW + DAY)] == [alarm.id for alarm in found]


def test_gains_and_nothing_are_no_alarm(trial: Maker) -> None:
    one = watched(trial)
    for lifts in (Planted(), Planted(ctr=0.6, dwell=0.5)):
        assert not find_alarms(one, simulate_logs(one, {"mild": lifts}, Population(users=2_500)).logs, NOW)


def test_a_wrong_split_is_an_alarm(trial: Maker) -> None:
    one = watched(trial)
    simulated = simulate_logs(one, {}, Population(users=2_500))
    rows = simulated.exposures
    lost = rows.loc[rows["arm"] == "mild", "unit"].unique()[::4]
    found = find_alarms(one, replace(simulated, exposures=rows[~rows["unit"].isin(lost)]).logs, NOW)
    assert [alarm.kind for alarm in found] == [AlarmKind.SPLIT]
    assert "not split as declared" in found[0].words
    assert found[0].id == f"mild/{START}/split"
