"""An analysis finds what was planted, nothing where nothing was, and no winner in logs that are not sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys.errors import ConfigError, DataError, ExperimentError
from recsys.experiments.analysis.analyze import Analysis, analyze
from recsys.experiments.analysis.comparisons import Role
from recsys.experiments.analysis.decision import Advice
from recsys.experiments.analysis.log_health import Check
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.analysis.style_diversity import StyleVariety
from recsys.experiments.design.definition import Experiment, Status
from recsys.experiments.design.lifecycle import stop
from recsys.experiments.design.metric_names import MetricName
from recsys.rng import generator
from recsys.schema import EventKind, ItemId, UserId
from recsys.simulation.synthetic_logs import Planted, Population, SimulatedLogs, simulate_logs
from recsys.storage.database import Database
from recsys.storage.live.events import Event, EventStore
from recsys.storage.live.exposures import Exposure, ExposureLog
from recsys.storage.live.feedback import FeedbackStore, Rating

Maker = Callable[..., Experiment]
START, DAY = 1_790_000_000, 86_400
NOW = START + 15 * DAY
PEOPLE = Population(users=4_000)
LIFTS = Planted(ctr=0.2, add_to_cart=0.3, conversion=0.4, amount=0.2, dwell=0.1, satisfaction=0.2, style_diversity=0.1)
EXPECTED = {
    MetricName.CTR: 0.2,
    MetricName.ADD_TO_CART: 0.3,
    MetricName.CONVERSION: 0.4,
    MetricName.REVENUE_PER_USER: 1.4 * 1.2 - 1,
    MetricName.DWELL: 0.1,
    MetricName.SATISFACTION: 0.2,
    MetricName.STYLE_DIVERSITY: 0.1,
}


def with_lift(trial: Maker, lifts: Planted, people: Population = PEOPLE, **changes: Any) -> Analysis:
    experiment = trial(**changes)
    return analyze(experiment, simulate_logs(experiment, {"mild": lifts}, people).logs, NOW)


@pytest.fixture(scope="module")
def simulated(trial: Maker) -> SimulatedLogs:
    return simulate_logs(trial(), {"mild": LIFTS}, PEOPLE)


@pytest.fixture(scope="module")
def found(trial: Maker, simulated: SimulatedLogs) -> Analysis:
    return analyze(trial(), simulated.logs, NOW)


@pytest.mark.parametrize("metric", MetricName)
def test_a_planted_lift_is_in_its_interval(found: Analysis, metric: MetricName) -> None:
    one = next(one for one in found.comparisons if one.metric is metric)
    lift = one.effect.relative
    assert lift is not None
    # Half the interval is 1.96 standard errors; 3 of them leave one honest analysis of 50 with 7 metrics out.
    error = (lift.high - lift.low) / 2 / 1.96
    assert abs(lift.value - EXPECTED[metric]) < 3 * error
    assert one.better or metric is MetricName.DWELL


def test_it_ships_what_is_better(found: Analysis) -> None:
    assert found.healthy
    assert (found.decision.advice, found.decision.arm) == (Advice.SHIP, "mild")
    assert "is better than the control's" in found.decision.why[0]
    assert [one.guardrail.verdict for one in found.comparisons if one.guardrail] == ["safe"]
    # Days begin at midnight UTC, and the experiment began in the middle of one.
    assert len(found.over_time) == 16
    assert found.over_time[-1].units == sum(found.units.values())


def test_a_past_that_says_something_leaves_less_variance(found: Analysis) -> None:
    left = {one.metric: one.variance_left for one in found.comparisons}
    assert left[MetricName.CTR] < 0.95
    assert left[MetricName.STYLE_DIVERSITY] == 1.0


def test_nothing_planted_nothing_found(trial: Maker) -> None:
    found = with_lift(trial, Planted())
    assert found.healthy
    assert not [one for one in found.comparisons if one.better or one.worse]
    assert not [one for one in found.segments if one.p_corrected <= 0.05]
    assert found.decision.advice is Advice.STOP
    assert "would have been found" in " ".join(found.decision.why)


def test_harm_stops(trial: Maker) -> None:
    found = with_lift(trial, Planted(ctr=-0.3))
    assert found.decision.advice is Advice.STOP
    assert "is worse than the control's" in found.decision.why[0]


def test_a_broken_guardrail_stops_a_winner(trial: Maker) -> None:
    found = with_lift(trial, Planted(ctr=0.3, dwell=-0.3))
    assert found.primary[0].better
    assert found.decision.advice is Advice.STOP
    assert "is broken by mild" in " ".join(found.decision.why)


def test_an_unsettled_guardrail_waits(trial: Maker) -> None:
    guardrails = [{"metric": "revenue_per_user", "margin": 0.01}]
    found = with_lift(
        trial, Planted(ctr=0.3), metrics=[{"name": "ctr"}], guardrails=guardrails, decision={"looks": "sequential"}
    )
    assert found.decision.advice is Advice.KEEP_GOING
    assert "is not settled for mild" in " ".join(found.decision.why)


def test_sequential_intervals_are_wider(trial: Maker, simulated: SimulatedLogs, found: Analysis) -> None:
    any_look = analyze(trial(decision={"looks": "sequential"}), simulated.logs, NOW)
    for one, other in zip(any_look.comparisons, found.comparisons, strict=True):
        wide, narrow = one.effect.absolute, other.effect.absolute
        assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)
    assert any_look.tightest_at == 14 * np.count_nonzero(_first_seen(simulated) < _first_seen(simulated).min() + DAY)


def test_nothing_is_decided_before_the_minimum(trial: Maker, simulated: SimulatedLogs) -> None:
    any_look = trial(decision={"looks": "sequential"})
    early = analyze(any_look, simulated.logs, NOW, until=START + 10 * DAY)
    assert early.decision.advice is Advice.KEEP_GOING
    assert early.decision.why[0].startswith("10.0 of at least 14 days")


def test_what_lies_in_the_future_is_a_clock_gone_wrong(trial: Maker, simulated: SimulatedLogs) -> None:
    found = analyze(trial(), simulated.logs, START + 10 * DAY)
    assert "are after this analysis" in " ".join(found.decision.why)
    with pytest.raises(ConfigError, match="until"):
        analyze(trial(), simulated.logs, NOW, until=NOW + 1)


def test_logs_as_they_were(trial: Maker, simulated: SimulatedLogs) -> None:
    """Looking back at a day gives what was seen on that day."""
    until = START + 10 * DAY
    parts = (
        frame[frame["timestamp"] <= until].reset_index(drop=True)
        for frame in (simulated.exposures, simulated.events, simulated.feedback)
    )
    then = analyze(trial(), Logs.from_frames(*parts), until)
    assert replace(analyze(trial(), simulated.logs, NOW, until=until), now=until) == then
    assert then.comparisons


def test_a_stopped_experiment_ends_at_its_stop(trial: Maker, simulated: SimulatedLogs) -> None:
    stopped = stop(trial(), START + 14 * DAY)
    assert stopped.status is Status.STOPPED
    now, later = (analyze(stopped, simulated.logs, NOW + days * DAY) for days in (0, 300))
    assert replace(now, now=0) == replace(later, now=0)


def test_several_treatments_are_corrected(trial: Maker) -> None:
    arms = {"now": {}, "mild": {"overrides": {"strength": 0.3}}, "none": {"overrides": {"restyle": False}}}
    experiment = trial(arms=arms, decision={"looks": "sequential"})
    logs = simulate_logs(experiment, {"mild": Planted(ctr=0.3)}, Population(users=6_000)).logs
    found = analyze(experiment, logs, NOW)
    primary = {one.arm: one for one in found.primary}
    assert set(primary) == {"mild", "none"}
    assert primary["mild"].better
    assert primary["mild"].p_corrected == pytest.approx(2 * primary["mild"].effect.p_value)
    assert not primary["none"].better
    assert found.decision.arm == "mild"


def test_revenue_is_winsorized(trial: Maker, simulated: SimulatedLogs) -> None:
    events = simulated.events.copy()
    after = (events["event"] == "purchase") & (events["timestamp"] > START)
    events.loc[events.index[after][0], "amount"] = 1e7
    found = analyze(trial(), Logs.from_frames(simulated.exposures, events, simulated.feedback), NOW)
    revenue = next(one for one in found.comparisons if one.metric is MetricName.REVENUE_PER_USER)
    assert revenue.cap is not None
    assert revenue.arm_mean < 100


def test_the_order_of_rows_says_nothing(trial: Maker, simulated: SimulatedLogs, found: Analysis) -> None:
    random = generator(0, "order of rows")
    parts = [
        frame.iloc[random.permutation(len(frame))].reset_index(drop=True)
        for frame in (simulated.exposures, simulated.events, simulated.feedback)
    ]
    assert analyze(trial(), Logs.from_frames(*parts), NOW) == found


def test_files_give_the_same(trial: Maker, simulated: SimulatedLogs, found: Analysis, tmp_path: Path) -> None:
    assert analyze(trial(), simulated.write(tmp_path), NOW) == found


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'live.db'}")
    yield opened
    opened.close()


def test_a_database_gives_the_same(trial: Maker, database: Database) -> None:
    metrics = [{"name": name} for name in ("ctr", "conversion", "revenue_per_user", "satisfaction")]
    experiment = trial(metrics=metrics)
    simulated = simulate_logs(experiment, {"mild": LIFTS}, Population(users=600))
    _store(database, simulated)
    exposures = simulated.exposures.drop(columns=["platform", "style_diversity"])
    wanted = analyze(experiment, Logs.from_frames(exposures, simulated.events, simulated.feedback), NOW)
    assert analyze(experiment, Logs.from_database(database), NOW) == wanted
    assert wanted.comparisons


def _store(database: Database, simulated: SimulatedLogs) -> None:
    log = ExposureLog(database, capacity=len(simulated.exposures))
    for row in simulated.exposures.itertuples():
        items = tuple(map(ItemId, row.items))
        arms = {} if row.arm is None else {row.experiment: row.arm}
        log.append(
            Exposure(
                row.request_id,
                UserId(row.unit),
                row.timestamp,
                "v",
                items,
                (1.0,) * len(items),
                (None,) * len(items),
                arms,
            )
        )
    log.close()
    plain = simulated.events.astype(object).where(simulated.events.notna(), None)
    EventStore(database).append(
        [
            Event(
                f"e{number}", UserId(row.unit), ItemId(row.item_id), EventKind(row.event), row.timestamp,
                row.amount, row.dwell_s, row.request_id, row.position,
            )
            for number, row in enumerate(plain.itertuples())
        ],
        NOW,
    )  # fmt: skip
    for number, row in enumerate(simulated.feedback.itertuples()):
        FeedbackStore(database).append(
            Rating(f"f{number}", row.unit, "i1", "taste", 0.5, 1.0, bool(row.satisfied), None, "v", row.timestamp)
        )


def test_variety_may_come_from_style_vectors(trial: Maker, simulated: SimulatedLogs, tmp_path: Path) -> None:
    items = sorted({item for items in simulated.exposures["items"] for item in items})
    vectors = generator(0, "style vectors of a test").normal(size=(len(items), 8)).astype(np.float32)
    pd.DataFrame({"item_id": items, "vector": list(vectors)}).to_parquet(tmp_path / "vectors.parquet")
    exposures = simulated.exposures.drop(columns="style_diversity")
    logs = Logs.from_frames(exposures, simulated.events)
    experiment = trial(metrics=[{"name": "style_diversity"}])
    found = analyze(experiment, logs, NOW, diversity=StyleVariety.from_file(tmp_path / "vectors.parquet"))
    assert found.primary[0].control_mean == pytest.approx(1.0, abs=0.05)
    without = analyze(experiment, logs, NOW)
    assert without.decision.advice is Advice.FIX_DATA
    assert "style vectors" in without.decision.why[0]


def _dropped(logs: SimulatedLogs) -> SimulatedLogs:
    """Every fifth exposure of one arm is lost, with what it led to, where it was the only one of a person."""
    rows = logs.exposures
    units = rows.loc[rows["arm"] == "mild", "unit"].unique()[::5]
    return replace(logs, exposures=rows[~rows["unit"].isin(units)])


def _crossed(logs: SimulatedLogs) -> SimulatedLogs:
    rows = logs.exposures.copy()
    again = rows[rows["arm"] == "now"].drop_duplicates("unit").iloc[::20]
    other = again.assign(arm="mild", request_id=again["request_id"] + "x")
    return replace(logs, exposures=pd.concat([rows, other], ignore_index=True))


def _unlike(logs: SimulatedLogs) -> SimulatedLogs:
    """Whoever clicked before is not logged in one arm: assignment depends on people."""
    rows, events = logs.exposures, logs.events
    past = events.loc[(events["timestamp"] < START) & (events["event"] == "click"), "unit"].value_counts()
    keen = past.index[past >= past.quantile(0.9)]
    return replace(logs, exposures=rows[~(rows["unit"].isin(keen) & (rows["arm"] == "mild"))])


def _lost(logs: SimulatedLogs) -> SimulatedLogs:
    return replace(logs, exposures=logs.exposures[np.arange(len(logs.exposures)) % 10 != 9])


def _clocks(logs: SimulatedLogs) -> SimulatedLogs:
    events = logs.events.copy()
    late = events.index[events["request_id"].notna()][::10]
    events.loc[late, "timestamp"] -= 3600
    return replace(logs, events=events)


def _outside(logs: SimulatedLogs) -> SimulatedLogs:
    rows = logs.exposures.copy()
    rows.loc[rows.index[::20], "timestamp"] -= 30 * DAY
    return replace(logs, exposures=rows)


def _positions(logs: SimulatedLogs) -> SimulatedLogs:
    return replace(logs, events=logs.events.assign(position=logs.events["position"] + 10))


def _swapped(logs: SimulatedLogs) -> SimulatedLogs:
    """A tenth of people were assigned by another salt, evenly."""
    rows = logs.exposures.copy()
    units = pd.Series(rows["unit"].unique())[::10]
    other = rows["unit"].isin(units)
    rows.loc[other, "arm"] = rows.loc[other, "arm"].map({"now": "mild", "mild": "now"})
    return replace(logs, exposures=rows)


def _one_arm(logs: SimulatedLogs) -> SimulatedLogs:
    return replace(logs, exposures=logs.exposures[logs.exposures["arm"] != "now"])


@pytest.mark.parametrize(
    ("spoil", "check", "said"),
    [
        (_dropped, Check.SPLIT, "sample ratio mismatch"),
        (_crossed, Check.MULTIPLE, "are in several arms, first exposures, row"),
        (_unlike, Check.BALANCE, "differed already"),
        (_lost, Check.EXPOSURES, "exposures were lost"),
        (_clocks, Check.CLOCKS, "before the exposure that they answer, first events, row"),
        (_outside, Check.CLOCKS, "before the start or after the end, first exposures, row 0"),
        (_positions, Check.POSITIONS, "beyond the end of the list"),
        (_swapped, Check.ASSIGNMENT, "split was changed"),
        (_one_arm, Check.ARMS, "No unit in arm 'now'"),
    ],
)
def test_a_defect_is_caught_and_hides_the_winner(
    trial: Maker, simulated: SimulatedLogs, spoil: Callable[[SimulatedLogs], SimulatedLogs], check: Check, said: str
) -> None:
    found = analyze(trial(), spoil(simulated).logs, NOW)
    caught = {finding.check: finding.words for finding in found.health if not finding.sound}
    assert said in caught[check]
    assert found.decision.advice is Advice.FIX_DATA
    assert found.decision.arm is None
    assert said in " ".join(found.decision.why)
    assert (found.comparisons, found.over_time, found.segments) == ((), (), ())


def test_a_changed_file_is_caught(trial: Maker, simulated: SimulatedLogs) -> None:
    running = trial()
    arms = {**running.arms, "mild": running.arms["mild"].model_copy(update={"weight": 3.0})}
    found = analyze(running.model_copy(update={"arms": arms}), simulated.logs, NOW)
    assert "arms: changed from" in {one.check: one.words for one in found.health}[Check.DECLARATION]
    assert found.decision.advice is Advice.FIX_DATA


def test_arms_of_another_assignment(trial: Maker, simulated: SimulatedLogs) -> None:
    found = analyze(trial(), _swapped(simulated).logs, NOW, assigned_here=False)
    assert Check.ASSIGNMENT not in {finding.check for finding in found.health}
    assert found.healthy


def test_few_defects_are_told_and_borne(trial: Maker, simulated: SimulatedLogs) -> None:
    rows = simulated.exposures
    again = rows[rows["arm"] == "now"].drop_duplicates("unit").iloc[:5]
    both = pd.concat([rows, again.assign(arm="mild", request_id="x" + again["request_id"])], ignore_index=True)
    found = analyze(trial(), replace(simulated, exposures=both).logs, NOW)
    assert found.healthy
    assert "5 of 4,000 units" in {one.check: one.words for one in found.health}[Check.MULTIPLE]
    assert sum(found.units.values()) == 3_995


def test_forced_units_are_no_part(trial: Maker, simulated: SimulatedLogs) -> None:
    unit = str(simulated.exposures["unit"].iloc[0])
    found = analyze(trial(forced={unit: "mild"}), simulated.logs, NOW)
    assert (found.forced, sum(found.units.values())) == (1, 3_999)


def test_what_cannot_be_analyzed(trial: Maker, experiment: Maker, simulated: SimulatedLogs) -> None:
    with pytest.raises(ExperimentError, match="is a draft"):
        analyze(experiment(), simulated.logs, NOW)
    with pytest.raises(ExperimentError, match="clock"):
        analyze(trial(), simulated.logs, START - 1)
    with pytest.raises(DataError, match="no exposure of experiment 'other'"):
        analyze(trial(key="other"), simulated.logs, NOW)


def test_roles(found: Analysis) -> None:
    roles = {one.metric: one.role for one in found.comparisons}
    assert roles[MetricName.CTR] is Role.PRIMARY
    assert roles[MetricName.DWELL] is Role.GUARDRAIL
    assert roles[MetricName.CONVERSION] is Role.SECONDARY


def _first_seen(simulated: SimulatedLogs) -> np.ndarray:
    return simulated.exposures.groupby("unit")["timestamp"].min().to_numpy()
