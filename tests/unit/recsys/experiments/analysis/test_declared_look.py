"""The only look is at the declared end: before it nothing decides, after it nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from recsys.errors import ConfigError
from recsys.experiments.analysis.analyze import Analysis, analyze
from recsys.experiments.analysis.decision import Advice, needs_words
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.design.definition import Experiment, Looks
from recsys.experiments.design.lifecycle import stop
from recsys.experiments.design.metric_names import MetricName
from recsys.reports.experiment_page import render_experiment
from recsys.simulation.synthetic_logs import Planted, Population, SimulatedLogs, simulate_logs

Maker = Callable[..., Experiment]
START, DAY = 1_790_000_000, 86_400
CTR = [{"name": MetricName.CTR}]


@pytest.fixture(scope="module")
def shop(trial: Maker) -> Callable[..., Experiment]:
    return lambda **decision: trial(metrics=CTR, guardrails=[], decision=decision)


@pytest.fixture(scope="module")
def better(shop: Callable[..., Experiment]) -> SimulatedLogs:
    return simulate_logs(shop(), {"mild": Planted(ctr=0.5)}, Population(users=1_500))


def seen(experiment: Experiment, simulated: SimulatedLogs, days: float) -> Analysis:
    """Analyze what was logged by then, as a shop that asks on this day would."""
    now = int(START + days * DAY)
    parts: list[Any] = [
        None if frame is None else frame[frame["timestamp"] <= now].reset_index(drop=True)
        for frame in (simulated.exposures, simulated.events, simulated.feedback)
    ]
    return analyze(experiment, Logs.from_frames(*parts), now)


@pytest.mark.parametrize("end", [{"end_at": START + 9 * DAY}, {"planned_units": 900, "minimum_days": 1}])
def test_one_look_at_the_declared_end(
    shop: Callable[..., Experiment], better: SimulatedLogs, end: dict[str, Any]
) -> None:
    one = shop(looks="fixed", **end)
    looks = {day: seen(one, better, day) for day in (2, 5, 9, 11, 15)}
    reached = [day for day, found in looks.items() if found.look.reached]
    assert reached
    assert reached[0] > 2
    for day, found in looks.items():
        if day not in reached:
            assert found.decision.advice is Advice.KEEP_GOING
            assert found.decision.why[0].startswith("The only look is ")
            assert not any(comparison.better for comparison in found.comparisons)
            assert "any look" in found.comparisons[0].effect.method
            assert 0 < found.look.progress < 1
    at_end = looks[reached[0]]
    assert (at_end.decision.advice, at_end.decision.arm) == (Advice.SHIP, "mild")
    assert "Nothing after it counts" in at_end.decision.why[-1]
    for day in reached[1:]:
        assert replace(looks[day], now=0) == replace(at_end, now=0)
    if "planned_units" in end:
        assert sum(at_end.units.values()) == 900
    else:
        assert at_end.until == end["end_at"]


def test_the_first_of_two_ends_counts(shop: Callable[..., Experiment], better: SimulatedLogs) -> None:
    one = shop(looks="fixed", end_at=START + 9 * DAY, planned_units=10**6)
    assert not seen(one, better, 8).look.reached
    assert "whichever comes first" in seen(one, better, 8).decision.why[0]
    assert seen(one, better, 9).look.at == START + 9 * DAY


def test_units_wait_for_the_minimum_of_days(shop: Callable[..., Experiment], better: SimulatedLogs) -> None:
    one = shop(looks="fixed", planned_units=10, minimum_days=7)
    assert not seen(one, better, 6.9).look.reached
    assert seen(one, better, 7).look.at == START + 7 * DAY


def test_a_stop_before_the_end_is_no_look(shop: Callable[..., Experiment], better: SimulatedLogs) -> None:
    stopped = stop(shop(looks="fixed", end_at=START + 15 * DAY), START + 12 * DAY)
    found = seen(stopped, better, 12)
    assert (found.decision.advice, found.decision.arm) == (Advice.STOP, None)
    assert "stopped before its declared end (80% of the way)" in found.decision.why[0]


def test_without_an_end_any_look_is_analyzed_and_said(shop: Callable[..., Experiment], better: SimulatedLogs) -> None:
    old = shop(looks="sequential")
    split = old.history[0].split
    assert split is not None
    start = old.history[0].model_copy(update={"split": split.model_copy(update={"look": ""})})
    decision = old.decision.model_copy(update={"looks": Looks.FIXED})
    old = old.model_copy(update={"decision": decision, "history": (start,)})
    found = seen(old, better, 15)
    assert found.look.looks is Looks.SEQUENTIAL
    assert "any look" in found.comparisons[0].effect.method
    assert "names no end" in found.decision.why[-1]


def test_harm_is_told_before_the_look(shop: Callable[..., Experiment]) -> None:
    one = shop(looks="fixed", end_at=START + 15 * DAY)
    harmful = simulate_logs(one, {"mild": Planted(ctr=-0.7)}, Population(users=1_500))
    found = seen(one, harmful, 8)
    assert found.decision.advice is Advice.KEEP_GOING
    assert "mild seems harmful already" in found.decision.why[1]


def test_any_look_has_a_last_one_if_declared(shop: Callable[..., Experiment], better: SimulatedLogs) -> None:
    one = shop(looks="any", end_at=START + 9 * DAY)
    last, later = seen(one, better, 9), seen(one, better, 15)
    assert last.look.reached
    assert replace(last, now=0) == replace(later, now=0)


def test_the_declared_size_tunes(shop: Callable[..., Experiment], better: SimulatedLogs) -> None:
    one = shop(looks="any", planned_units=5_000)
    assert seen(one, better, 9).tightest_at == 5_000
    with pytest.raises(ConfigError, match="declares 5000"):
        analyze(one, better.logs, START + 15 * DAY, planned_units=4_000)


def test_a_single_unit_waits_and_names_its_arm(shop: Callable[..., Experiment], better: SimulatedLogs) -> None:
    one = shop(looks="any")
    rows = better.exposures
    units = {name: rows.loc[rows["arm"] == name, "unit"].unique() for name in ("now", "mild")}
    kept = pd.concat([rows[rows["unit"].isin(units["now"][:8])], rows[rows["unit"] == units["mild"][0]]])
    few = replace(better, exposures=kept.reset_index(drop=True))
    found = seen(one, few, 15)
    assert found.decision.advice is Advice.KEEP_GOING
    assert "Arm 'mild' has 1 unit so far" in found.decision.why[0]


def test_what_few_units_cannot_carry_is_told_in_units_and_days(shop: Callable[..., Experiment]) -> None:
    one = shop(looks="any")
    few = simulate_logs(one, {}, Population(users=120))
    (primary,) = seen(one, few, 3).primary
    assert primary.effect.needed_units is not None
    assert primary.needed_days is not None
    assert 0 < primary.needed_days < 100
    words = needs_words(primary.effect, primary.needed_days)
    assert (
        words
        == f"needs about {primary.effect.needed_units:,} units of both arms, about {primary.needed_days} more days"
    )
    page = render_experiment(seen(one, few, 3), ".md", plots=False)
    assert words in page
    assert "inf" not in page.replace("information", "")


def test_too_few_units_for_any_statement_are_no_futile_effect(trial: Maker) -> None:
    one = trial(metrics=[{"name": "conversion"}], guardrails=[], decision={"looks": "any"})
    none = simulate_logs(one, {}, Population(users=120))
    events = none.events[none.events["event"] != "purchase"].reset_index(drop=True)
    found = seen(one, replace(none, events=events), 15)
    assert found.decision.advice is Advice.STOP
    assert "too few units come in to state anything about the primary metric, share of" in found.decision.why[0]
