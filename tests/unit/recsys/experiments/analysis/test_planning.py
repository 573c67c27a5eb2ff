"""A plan asks for as many units as the test of the analysis needs, and measures baselines as the analysis does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.errors import ConfigError, DataError
from recsys.experiments.analysis.baselines import build_logs, measure_baselines
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.analysis.planning import Rules, Traffic, plan_metric
from recsys.experiments.design.definition import Experiment, Looks
from recsys.experiments.design.metric_names import MetricName
from recsys.experiments.stats.power import Baseline
from recsys.rng import generator
from recsys.simulation.synthetic_logs import Planted, Population, simulate_logs

DAY = 86_400
EQUAL = Rules({"now": 0.5, "new": 0.5}, "now", looks=Looks.FIXED)
RATE = Baseline.from_rate(0.05)
STEADY = Traffic((), 1_000.0)


def test_known_sizes() -> None:
    """5 % to 6 % at 80 % power needs 8,158 units an arm (Fleiss, without continuity correction)."""
    plan = plan_metric("conversion", RATE, EQUAL, traffic=STEADY, effect=0.2)
    assert plan.needs is not None
    assert plan.needs.units_by_arm == {"now": 8_158, "new": 8_158}
    # 16,316 units at 1,000 a day are 17 days, rounded up to weeks.
    assert plan.needs.days == 21
    assert plan_metric("conversion", RATE, replace(EQUAL, whole_weeks=False), traffic=STEADY, effect=0.2).needs == (
        replace(plan.needs, days=17)
    )
    assert len(plan.curve) == 28
    assert (plan.curve[16].units, plan.curve[16].relative) == (17_000, pytest.approx(0.196, abs=0.002))


def test_unequal_and_several_arms_and_any_look_need_more() -> None:
    def units(rules: Rules) -> int:
        needs = plan_metric("conversion", RATE, rules, effect=0.2).needs
        assert needs is not None
        return needs.units

    one = units(EQUAL)
    assert units(replace(EQUAL, shares={"now": 0.9, "new": 0.1})) > 2.5 * one
    assert units(replace(EQUAL, shares={"now": 0.25, "a": 0.25, "b": 0.5})) > 1.8 * one
    # Three equal arms: each pair is two thirds of all, tested at half the alpha.
    three = units(replace(EQUAL, shares={"now": 1 / 3, "a": 1 / 3, "b": 1 / 3}))
    pair = units(replace(EQUAL, alpha=0.025))
    assert three == pytest.approx(1.5 * pair, rel=0.001)
    assert one < units(replace(EQUAL, looks=Looks.SEQUENTIAL)) < 2.5 * one


@pytest.mark.parametrize("shares", [{"now": 0.5, "new": 0.5}, {"now": 0.9, "new": 0.1}])
def test_the_power_is_kept_in_simulation(shares: dict[str, float]) -> None:
    """4,000 experiments of the planned size: 80 % within 4 standard errors (2.5 points), with the larger error."""
    plan = plan_metric("conversion", RATE, replace(EQUAL, shares=shares), effect=0.2)
    assert plan.needs is not None
    random, runs = generator(0, "power of a plan"), 4_000
    n, m = plan.needs.units_by_arm["new"], plan.needs.units_by_arm["now"]
    t, c = random.binomial(n, 0.06, runs), random.binomial(m, 0.05, runs)
    pooled = (t + c) / (n + m)
    errors = pooled * (1 - pooled) * (1 / n + 1 / m), t / n * (1 - t / n) / n + c / m * (1 - c / m) / m
    z = (t / n - c / m) / np.sqrt(np.maximum(*errors))
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: plan_metric("ctr", RATE, EQUAL, effect=0.0), "effect is 0"),
        (lambda: plan_metric("ctr", RATE, EQUAL, effect=30.0), "leaves \\[0, 1\\]"),
        (lambda: plan_metric("ctr", lambda _: None, EQUAL, effect=0.1), "no baseline"),
        (lambda: Rules({"now": 1.0}, "now"), "two arms"),
        (lambda: Rules({"now": 0.5, "b": 0.5}, "c"), "'c' is no arm"),
        (lambda: replace(EQUAL, alpha=0.7), "alpha is 0.7"),
        (lambda: replace(EQUAL, power=0.3), "power is 0.3"),
        (lambda: Traffic((), 0.0), "units_per_day is 0"),
    ],
)
def test_what_cannot_be_planned_is_said(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        call()


def test_baselines_are_those_of_the_analysis(trial: Callable[..., Experiment]) -> None:
    one = trial(metrics=[{"name": "ctr"}, {"name": "conversion"}], guardrails=[])
    simulated = simulate_logs(one, {"mild": Planted()}, Population(users=3_000))
    found = measure_baselines(simulated.logs, [MetricName.CTR, MetricName.CONVERSION, MetricName.STYLE_DIVERSITY])
    shown = simulated.exposures
    assert found.days == -(-(shown["timestamp"].max() - shown["timestamp"].min()) // DAY)
    assert found.units == pytest.approx(3_000, abs=40)
    assert found.traffic.so_far[-1] == found.units
    early, late = (found.baselines[MetricName.CONVERSION](day) for day in (3, found.days))
    assert early is not None
    assert late is not None
    assert early.mean < late.mean < 1
    plan = plan_metric(
        MetricName.CTR, found.baselines[MetricName.CTR], Rules.from_experiment(one), traffic=found.traffic, effect=0.1
    )
    assert plan.needs is not None
    assert plan.needs.days is not None
    assert [point.absolute for point in plan.curve][-1] is not None
    # Exposures outside of any experiment are own logs, too.
    outside = simulated.exposures.assign(experiment=None, arm=None)
    again = measure_baselines(Logs.from_frames(outside, simulated.events), [MetricName.CTR])
    assert again.baselines[MetricName.CTR](7) == found.baselines[MetricName.CTR](7)
    with pytest.raises(DataError, match="one moment"):
        measure_baselines(Logs.from_frames(shown.assign(timestamp=1_790_000_000), simulated.events), [MetricName.CTR])


def test_imported_events_tell_who_comes_and_who_buys() -> None:
    days = np.repeat(np.arange(40), 10)
    users = np.arange(400)
    frame = pd.DataFrame({"user_id": [f"u{n}" for n in users], "item_id": "a", "timestamp": 1_700_000_000 + days * DAY})
    bought = frame[users % 5 == 0].assign(event="purchase")
    found = measure_baselines(
        build_logs(pd.concat([frame.assign(event="view"), bought]), 14),
        [MetricName.CONVERSION, MetricName.CTR],
        days=14,
    )
    baseline = found.baselines[MetricName.CONVERSION](14)
    assert baseline is not None
    assert baseline.mean == pytest.approx(0.2)
    assert found.traffic.per_day == pytest.approx(10, abs=1)
    assert "request_id" in found.unmeasured[MetricName.CTR]
