"""What an experiment declares is checked whole: each mistake is named with its key and its cure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from recsys.experiments.design.definition import Experiment, Looks, Status, UnitKind
from recsys.experiments.design.fields import list_problems
from recsys.experiments.design.metric_names import Direction, MetricName


def _problem(raw: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        Experiment.model_validate(raw)
    return "; ".join(list_problems(caught.value))


def test_what_is_left_out_has_its_default(experiment: Callable[..., Experiment]) -> None:
    one = experiment()
    assert (one.unit, one.salt, one.status, one.coverage) == (UnitKind.USER, "mild", Status.DRAFT, 1.0)
    assert (one.primary.name, one.primary.direction) == (MetricName.CTR, Direction.INCREASE)
    assert (one.decision.alpha, one.decision.power, one.decision.looks) == (0.05, 0.8, Looks.SEQUENTIAL)
    assert one.shares == {"mild": 0.5, "now": 0.5}
    assert one.other_arms == ("mild",)


def test_shares_are_weights_in_proportion(experiment: Callable[..., Experiment]) -> None:
    one = experiment(arms={"now": {"weight": 3}, "b": {"weight": 1}, "qa": {"weight": 0}})
    assert one.shares == {"b": 0.25, "now": 0.75, "qa": 0.0}


def test_times_carry_their_zone(experiment: Callable[..., Experiment], declared: Callable[..., Any]) -> None:
    one = experiment(status="running", started_at="2026-11-21T10:30:00+01:00")
    assert one.started_at == 1_795_253_400
    assert "2026-11-21T10:30:00Z for UTC" in _problem(declared(status="running", started_at="2026-11-21T10:30:00"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metrics": [{"name": "clicks"}]}, ("metrics.0.name", "'ctr'", "'conversion'")),
        ({"metrics": []}, ("metrics", "at least 1")),
        ({"metrics": [{"name": "ctr"}, {"name": "ctr"}]}, ("ctr is named twice",)),
        ({"guardrails": [{"metric": "ctr", "margin": 0.1}]}, ("ctr is named twice", "guardrail")),
        ({"guardrails": [{"metric": "dwell", "margin": -0.1}]}, ("guardrails.0.margin", "greater than 0")),
        ({"guardrails": [{"metric": "dwell", "margin": 2}]}, ("margin 2", "0.02 for 2 %", "absolute")),
        ({"arms": {"now": {"weight": -1}, "b": {}}}, ("arms.now.weight", "greater than or equal to 0")),
        ({"arms": {"now": {"weight": float("nan")}, "b": {}}}, ("arms.now.weight",)),
        ({"arms": {"now": {"weight": 0}, "b": {"weight": 0}}}, ("arms: all weights are 0", "at least two")),
        ({"arms": {"now": {}, "b": {"weight": 0}}}, ("only 'now'", "nothing to compare")),
        ({"arms": {"now": {"weight": 0}, "b": {}, "c": {}}}, ("control: 'now' has weight 0",)),
        ({"arms": {"now": {}}}, ("arms", "at least 2")),
        ({"arms": {"now": {}, "B C": {}}}, ("arms.B C", "pattern")),
        ({"control": "noww"}, ("control: unknown arm 'noww' (did you mean 'now'?)", "now, mild")),
        ({"forced": {"u1": "other"}}, ("forced: unknown arm 'other'", "now, mild")),
        ({"arms": {"now": {}, "b": {"overrides": {"strenght": 1}}}}, ("unknown override 'strenght'", "'strength'")),
        ({"arms": {"now": {}, "b": {"wait": 1}}}, ("arms.b", "unknown key 'wait'", "weight")),
        ({"coverage": 1.1}, ("coverage", "less than or equal to 1")),
        ({"covrage": 1}, ("unknown key 'covrage' (did you mean 'coverage'?)",)),
        ({"unit": "cookie"}, ("unit", "'user' or 'session'")),
        ({"namespace": {"name": "n", "segments": [[5, 3]]}}, ("namespace.segments", "write [3, 5]")),
        ({"namespace": {"name": "n", "segments": [[0, 9], [9, 20]]}}, ("[0, 9] and [9, 20] overlap",)),
        ({"namespace": {"name": "n", "segments": [[0, 1000]]}}, ("less than 1000",)),
        ({"namespace": {"name": "n", "segments": []}}, ("namespace.segments",)),
        ({"holdout": {"share": 1.0}}, ("holdout.share", "less than 1")),
        ({"decision": {"alpha": 0}}, ("decision.alpha",)),
        ({"decision": {"minimum_days": 0}}, ("decision.minimum_days",)),
        ({"decision": {"looks": "weekly"}}, ("decision.looks", "'sequential' or 'fixed'")),
        ({"decision": {"end_at": "2027-01-10"}}, ("decision.end_at", "no time zone", "2027-01-10T00:00:00Z")),
        ({"decision": {"end_at": date(2027, 1, 10)}}, ("decision.end_at", "no time zone", "2027-01-10T00:00:00Z")),
        ({"decision": {"end_at": "soon"}}, ("decision.end_at", "'soon' is no date", "+01:00")),
        ({"decision": {"planned_units": 1}}, ("decision.planned_units",)),
        ({"decision": {"minimal_effect": 0}}, ("decision.minimal_effect",)),
        ({"status": "running"}, ("status: running", "`recsys experiment start`")),
        ({"started_at": 5}, ("a draft has neither",)),
        ({"status": "stopped", "started_at": 5, "stopped_at": 4}, ("stopped_at: is before",)),
        ({"title": ""}, ("title",)),
        ({"key": "../up"}, ("key", "pattern")),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(
    declared: Callable[..., Any], changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    problem = _problem(declared(**changes))
    assert all(word in problem for word in words), problem


def test_ids_of_people_are_not_told(declared: Callable[..., Any]) -> None:
    assert "anna@example.org" not in _problem(declared(forced={"anna@example.org": "other"}))


def test_segments_are_sorted_and_have_a_share(experiment: Callable[..., Experiment]) -> None:
    namespace = experiment(namespace={"name": "n", "segments": [[500, 599], [0, 199]]}).namespace
    assert namespace is not None
    assert namespace.segments == ((0, 199), (500, 599))
    assert namespace.share == 0.3


def test_a_look_declares_its_end(experiment: Callable[..., Experiment]) -> None:
    dated = experiment(decision={"looks": "fixed", "end_at": "2027-01-10T01:00:00+01:00"}).decision
    assert dated.end_at == 1_799_539_200
    assert dated.monitoring is Looks.FIXED
    assert experiment(decision={"looks": "fixed", "planned_units": 4000}).decision.monitoring is Looks.FIXED
    # A file of an older version may lack the end: it is read at any time instead.
    assert experiment(decision={"looks": "fixed"}).decision.monitoring is Looks.SEQUENTIAL
    assert experiment(decision={"looks": "any"}).decision.looks is Looks.SEQUENTIAL
