"""One log in many spellings gives one result, and each row that does not count is counted."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from recsys.dataset.importers.table import Customs
from recsys.dataset.importers.values.times import DateOrder
from recsys.errors import BadRowsError, DataError
from recsys.experiments.analysis.analyze import Analysis, analyze
from recsys.experiments.analysis.decision import Advice
from recsys.experiments.analysis.log_health import Check
from recsys.experiments.analysis.log_schema import EVENTS, EXPOSURES
from recsys.experiments.analysis.log_sources import FileLog, Logs, Reading
from recsys.experiments.analysis.log_values import Kind, convert
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.metric_names import MetricName
from recsys.reports.experiment_page import analysis_json
from recsys.rng import generator
from recsys.simulation.synthetic_logs import Planted, Population, simulate_logs

Maker = Callable[..., Experiment]
Frames = tuple[pd.DataFrame, pd.DataFrame]
START, DAY = 1_790_000_000, 86_400
NOW = START + 15 * DAY


@pytest.fixture(scope="module")
def one(trial: Maker) -> Experiment:
    return trial(metrics=[{"name": "ctr"}, {"name": "conversion"}, {"name": "revenue_per_user"}], guardrails=[])


@pytest.fixture(scope="module")
def frames(one: Experiment) -> Frames:
    made = simulate_logs(one, {"mild": Planted(ctr=0.2)}, Population(users=300))
    exposures = made.exposures[["request_id", "unit", "timestamp", "experiment", "arm", "items"]]
    events = made.events[["unit", "item_id", "event", "timestamp", "amount", "request_id", "position"]].copy()
    events["amount"] = events["amount"].astype(float).round(2)
    events["event_id"] = [f"e{row}" for row in range(len(events))]
    return exposures, events.astype({"position": "Int64"})


def results(one: Experiment, exposures: Path, events: Path) -> str:
    return analysis_json(analyze(one, Logs.from_files(exposures, events), NOW))


def moments(seconds: pd.Series, form: str) -> pd.Series:
    """Times in another form."""
    utc = pd.to_datetime(seconds, unit="s", utc=True)
    if form in ("ms", "us", "ns"):
        return seconds * {"ms": 10**3, "us": 10**6, "ns": 10**9}[form]
    if form == "mixed":
        return pd.Series(
            np.where(seconds % 2 == 0, seconds.astype(str), utc.dt.strftime("%Y-%m-%dT%H:%M:%SZ")), seconds.index
        )
    zone, pattern = {
        "zone": ("Europe/Berlin", "%Y-%m-%dT%H:%M:%S%z"),
        "bigquery": ("UTC", "%Y-%m-%d %H:%M:%S UTC"),
        "plain": ("UTC", "%Y-%m-%d %H:%M:%S"),
    }[form]
    return utc.dt.tz_convert(zone).dt.strftime(pattern)


def spelled(frame: pd.DataFrame, form: str, names: dict[str, str], lists: Callable[[list[str]], str]) -> pd.DataFrame:
    random = generator(len(form) + len(names), "spellings")
    frame = frame.iloc[random.permutation(len(frame))]
    changed: dict[str, Any] = {"timestamp": moments(frame["timestamp"], form) if form != "s" else frame["timestamp"]}
    if "items" in frame:
        changed["items"] = [lists(list(items)) for items in frame["items"]]
    return frame.assign(**changed).rename(columns=names)


OTHER_NAMES = {"unit": "user_id", "arm": "Variant", "timestamp": "event_time", "experiment": "test"}
FEWER_NAMES = {"unit": "Customer ID", "arm": "group", "timestamp": "ts", "event": "event_type", "item_id": "sku"}
SPELLINGS = {
    "semicolon": (";", "zone", OTHER_NAMES, str, "utf-8", "\n"),
    "tab": ("\t", "ms", FEWER_NAMES, json.dumps, "utf-8-sig", "\r\n"),
    "bar": ("|", "bigquery", {}, lambda items: ";".join(items), "utf-8", "\n"),
    "comma": (",", "us", OTHER_NAMES, lambda items: str(np.array(items)), "utf-8-sig", "\r\n"),
    "mixed": (",", "mixed", FEWER_NAMES, str, "utf-8", "\n"),
    "plain": (";", "ns", {}, json.dumps, "utf-8", "\n"),
}


@pytest.mark.parametrize("name", [*SPELLINGS, "gzip", "jsonl", "parquet"])
def test_one_log_in_many_spellings_gives_the_same_bytes(
    one: Experiment, frames: Frames, tmp_path: Path, name: str
) -> None:
    exposures, events = frames
    wanted = analysis_json(analyze(one, Logs.from_frames(exposures, events), NOW))
    files = []
    for log, frame in (("exposures", exposures), ("events", events)):
        if name == "parquet":
            path = tmp_path / f"{log}.parquet"
            shifted = pd.to_datetime(frame["timestamp"], unit="s", utc=True).dt.tz_convert("Asia/Tokyo")
            frame.sample(frac=1.0, random_state=1).assign(timestamp=shifted).to_parquet(path)
        elif name == "jsonl":
            path = tmp_path / f"{log}.jsonl"
            rows = spelled(frame, "plain", OTHER_NAMES, str).assign(
                **{"items": frame["items"]} if log == "exposures" else {}
            )
            rows.to_json(path, orient="records", lines=True)
        else:
            sign, form, names, lists, encoding, end = SPELLINGS["semicolon" if name == "gzip" else name]
            text = spelled(frame, form, names, lists).to_csv(index=False, sep=sign, lineterminator=end)
            path = tmp_path / f"{log}.csv"
            path.write_bytes(text.encode(encoding))
            if name == "gzip":
                path = tmp_path / f"{log}.csv.gz"
                path.write_bytes(gzip.compress(text.encode(encoding)))
        files.append(path)
    assert results(one, *files) == wanted


def counted(found: Analysis) -> str:
    return next(one.words for one in found.health if one.check is Check.ROWS)


def mean(found: Analysis, metric: MetricName) -> tuple[float, float]:
    own = next(one for one in found.comparisons if one.metric is metric)
    return own.control_mean, own.arm_mean


@pytest.mark.parametrize("named", [True, False])
def test_repeated_rows_count_once(one: Experiment, frames: Frames, named: bool) -> None:
    exposures, events = frames
    if not named:
        events = events.drop(columns="event_id").drop_duplicates()
    wanted = analyze(one, Logs.from_frames(exposures, events), NOW)
    assert counted(wanted) == "Each row counts once; none was dropped or changed." or "its past only" in counted(wanted)
    twice = [pd.concat([frame, frame.iloc[::3], frame.iloc[::3]], ignore_index=True) for frame in (exposures, events)]
    found = analyze(one, Logs.from_frames(*twice), NOW)
    assert found.comparisons == wanted.comparisons
    repeats = [2 * len(frame.iloc[::3]) for frame in (exposures, events)]
    assert f"{repeats[0]:,} exposures are logged twice and count once" in counted(found)
    assert f"{repeats[1]:,} events are logged twice and count once" in counted(found)


def purchases(*rows: dict[str, Any]) -> pd.DataFrame:
    shared = {"unit": "u0", "item_id": "a", "event": "purchase", "timestamp": START + 100, "amount": 30.0}
    return pd.DataFrame([{**shared, **row} for row in rows])


def small() -> pd.DataFrame:
    """Exposures of 60 units, 30 in each arm, at `START` + 10."""
    return pd.DataFrame(
        {
            "request_id": [f"r{unit}" for unit in range(60)],
            "unit": [f"u{unit}" for unit in range(60)],
            "timestamp": START + 10,
            "experiment": "mild",
            "arm": ["now", "mild"] * 30,
            "items": [["a", "b"]] * 60,
        }
    )


@pytest.mark.parametrize(
    ("rows", "revenue", "bought", "said"),
    [
        # The same row in all columns is one purchase; two event ids are two.
        ([{}, {}], 30.0, 1, "1 events are logged twice"),
        ([{"event_id": "1"}, {"event_id": "2"}], 60.0, 1, "none was dropped"),
        ([{"event_id": "1"}, {"event_id": "1", "timestamp": START + 900}], 30.0, 1, "1 events are logged twice"),
        ([{"event_id": "1"}, {"event_id": "1", "amount": 5.0}], 35.0, 1, "1 events share an id"),
        # A column that the analysis does not know tells rows apart.
        ([{"line": "1"}, {"line": "2"}], 60.0, 1, "none was dropped"),
        # Refunds.
        ([{}, {"amount": -30.0, "timestamp": START + 200}], 0.0, 1, "1 refunds take back 30.00"),
        ([{}, {"event": "refund", "amount": 10.0, "timestamp": START + 200}], 20.0, 1, "1 refunds take back 10.00"),
        ([{}, {"event": "Returned", "amount": None, "timestamp": START + 200}], 0.0, 1, "1 refunds take back 30.00"),
        ([{"event": "refund", "amount": 10.0}], 0.0, 0, "1 units were refunded more than they paid"),
        ([{"event": "refund", "amount": None}], 0.0, 0, "1 refunds have no amount and no earlier purchase"),
        # Before the first exposure, and after the end.
        ([{"timestamp": START + 9}], 0.0, 0, "1 events before the first exposure of their unit"),
        ([{"timestamp": START - DAY}, {}], 30.0, 1, "1 events before the first exposure of their unit"),
        ([{"timestamp": NOW + 60}], 0.0, 0, "1 events after the end do not count"),
    ],
)
def test_money_counts_once_and_refunds_take_it_back(
    trial: Maker, rows: list[dict[str, Any]], revenue: float, bought: int, said: str
) -> None:
    metrics = [{"name": "revenue_per_user"}, {"name": "conversion"}]
    one = trial(metrics=metrics, guardrails=[], decision={"looks": "sequential"})
    # Enough other events, so that one late row is no clock gone wrong.
    others = pd.DataFrame(
        [
            {"unit": f"u{unit}", "item_id": "b", "event": "view", "timestamp": START + 50 + row}
            for unit in range(0, 60, 2)
            for row in range(10)
        ]
    )
    events = pd.concat([others, purchases(*rows)], ignore_index=True)
    found = analyze(one, Logs.from_frames(small(), events), NOW, assigned_here=False)
    assert found.healthy
    assert mean(found, MetricName.REVENUE_PER_USER)[0] == pytest.approx(revenue / 30, abs=1e-6)
    assert mean(found, MetricName.CONVERSION)[0] == pytest.approx(bought / 30)
    assert said in counted(found)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_purchases_with_the_sign_turned_are_no_refunds(trial: Maker, sign: float) -> None:
    one = trial(metrics=[{"name": "revenue_per_user"}], guardrails=[])
    bought = purchases(*({"unit": f"u{unit}", "amount": sign * (20.0 + unit)} for unit in range(60)))
    found = analyze(one, Logs.from_frames(small(), bought), NOW, assigned_here=False)
    assert found.healthy == (sign > 0.0)
    assert ("60 refunds, and only 0 purchases" in counted(found)) == (sign < 0.0)


def test_a_click_before_its_list_does_not_count(trial: Maker) -> None:
    one = trial(metrics=[{"name": "ctr"}], guardrails=[])
    clicks = [
        {"unit": f"u{unit}", "item_id": item, "event": "click", "timestamp": START + 20, "request_id": f"r{unit}"}
        for unit in range(60)
        for item in "ab"
    ]
    early = {"unit": "u0", "item_id": "c", "event": "click", "timestamp": START + 5, "request_id": "r0"}
    found = analyze(one, Logs.from_frames(small(), pd.DataFrame([*clicks, early])), NOW, assigned_here=False)
    assert mean(found, MetricName.CTR) == (1.0, 1.0)
    assert "1 events before the exposure that they answer do not count" in counted(found)


def test_what_was_guessed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "request_id;Customer;ts;experiment;variant;items\nr1;u1;2026-11-27T19:15:05+02:00;e1;now;['i1', 'i2']\n"
    )
    log = FileLog(path, EXPOSURES)
    (chunk,) = log.chunks()
    assert chunk.columns["items"].to_pylist() == [["i1", "i2"]]
    assert chunk.columns["timestamp"].to_pylist() == [int(pd.Timestamp("2026-11-27T17:15:05Z").timestamp())]
    assert list(log.notes) == [f"{path}: unit from 'Customer', timestamp from 'ts', arm from 'variant'"]


def clicks(units: list[str], requests: list[str] | list[None]) -> pd.DataFrame:
    return pd.DataFrame(
        {"unit": units, "item_id": "a", "event": "click", "timestamp": START + 60, "request_id": requests}
    )


def many() -> pd.DataFrame:
    """Exposures of 300 units."""
    names = {"unit": [f"u{unit}" for unit in range(300)], "request_id": [f"r{unit}" for unit in range(300)]}
    return pd.concat([small()] * 5, ignore_index=True).assign(**names)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda unit: unit, None),
        # A column of numbers with a gap is written with fractions in one log.
        (
            lambda unit: f"{unit[1:]}.0",
            "None of 300 events since the first exposure is of an exposed unit; events",
        ),
        (lambda unit: unit.upper() if int(unit[1:]) % 20 == 0 else unit, "15 of 300 events (5.00%) answer a list of"),
    ],
)
def test_ids_that_differ_between_logs_are_found(trial: Maker, change: Callable[[str], str], said: str | None) -> None:
    exposures = many()
    events = clicks([change(unit) for unit in exposures["unit"]], list(exposures["request_id"]))
    # People outside the experiment answer no list of it.
    outside = clicks([f"x{unit}" for unit in range(50)], [None] * 50)
    one = trial(metrics=[{"name": "ctr"}, {"name": "conversion"}], guardrails=[])
    logs = Logs.from_frames(exposures, events if said else pd.concat([events, outside]))
    found = analyze(one, logs, NOW, assigned_here=False)
    told = next(one for one in found.health if one.check is Check.IDS)
    assert told.sound == (said is None)
    assert (said or "300 events since the first exposure are of exposed units") in told.words


def test_a_log_without_events_is_no_finding(trial: Maker) -> None:
    one, past = trial(metrics=[{"name": "conversion"}], guardrails=[]), purchases({"timestamp": START - DAY})
    found = analyze(one, Logs.from_frames(many(), past), NOW, assigned_here=False)
    assert found.decision.advice is Advice.FIX_DATA
    assert "300 units have no event since the first exposure" in found.decision.why[1]
    assert analyze(one, Logs.from_frames(small(), past), NOW, assigned_here=False).healthy


def test_a_metric_that_is_the_same_for_all_is_no_finding(trial: Maker) -> None:
    bought = purchases(*({"unit": f"u{unit}"} for unit in range(60)))
    one = trial(metrics=[{"name": "conversion"}], guardrails=[])
    found = analyze(one, Logs.from_frames(small(), bought), NOW, assigned_here=False)
    assert found.decision.advice is Advice.FIX_DATA
    assert "the same share of users who buy" in found.decision.why[0]


def test_what_cannot_be_stated_is_not_detectable_either(trial: Maker) -> None:
    one = trial(metrics=[{"name": "conversion"}], guardrails=[])
    bought = purchases({"unit": "u1"}, {"unit": "u2"})
    found = analyze(one, Logs.from_frames(small(), bought), NOW, assigned_here=False)
    assert found.primary[0].effect.needed_units is not None
    assert found.primary[0].detectable is None
    assert "would have been found" not in " ".join(found.decision.why)


@pytest.mark.parametrize(
    ("text", "items"),
    [("[a, b]", ["a", "b"]), ("[1 2 3]", ["1", "2", "3"]), ("[a]", ["a"]), ("[]", []), ("[red hat]", None)],
)
def test_lists_of_other_systems(text: str, items: list[str] | None) -> None:
    read = convert(Kind.TEXTS, pa.array([text]), "items", Customs())
    assert read.values.to_pylist() == [items]
    assert bool(read.wrong[0]) == (items is None)


@pytest.mark.parametrize(
    ("name", "value", "cure", "reading"),
    [
        ("amount", "1.234", "--decimal ,", Reading(customs=Customs(decimal=","))),
        ("timestamp", "05/10/2026", "--dates dmy", Reading(customs=Customs(dates=DateOrder.DAY_FIRST))),
        ("user_key", "u1", "--column YOURS=unit", Reading({"user_key": "unit"})),
    ],
)
def test_named_cures_work(tmp_path: Path, name: str, value: str, cure: str, reading: Reading) -> None:
    row = {"unit": "u1", "item_id": "a", "event": "purchase", "timestamp": "2026-10-05", "amount": "2.5"} | {
        name: value
    }
    if name == "user_key":
        del row["unit"]
    path = tmp_path / "events.csv"
    pd.DataFrame([row]).to_csv(path, index=False)
    with pytest.raises(DataError, match=cure):
        list(FileLog(path, EVENTS).chunks())
    (chunk,) = FileLog(path, EVENTS, reading).chunks()
    assert chunk.columns["amount"].to_pylist() == [1234.0 if name == "amount" else 2.5]
    assert chunk.columns["timestamp"].to_pylist() == [1_791_158_400]


def test_workbooks_are_read_and_archives_named(tmp_path: Path) -> None:
    bought = purchases({"unit": "u1"}, {"unit": "u2"})
    workbook, archive = tmp_path / "events.xlsx", tmp_path / "events.csv.bz2"
    bought.to_excel(workbook, index=False)
    bought.to_csv(archive, index=False)
    (chunk,) = FileLog(workbook, EVENTS).chunks()
    assert chunk.columns["unit"].to_pylist() == ["u1", "u2"]
    assert chunk.columns["timestamp"].to_pylist() == [START + 100] * 2
    with pytest.raises(DataError, match="compressed by bzip2; unpack it"):
        list(FileLog(archive, EVENTS).chunks())


def test_refusals_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    head = "request_id,unit,timestamp,experiment,arm,items\n"
    path.write_text(head + '\n"r\n1",u1,1790000000,e1,now,"[""a""]"\nr2,u2,soon,e1,now,"[""a""]"\n')
    with pytest.raises(BadRowsError, match="row 5, column 'timestamp': 'soon' is not a time"):
        list(FileLog(path, EXPOSURES).chunks())
    path.write_text(head + 'r1,u1,1790000000,e1,now,"[a ... b]"\n')
    with pytest.raises(BadRowsError, match="row 2, column 'items'"):
        list(FileLog(path, EXPOSURES).chunks())
    path.write_text("ts,time,unit,request_id,experiment,arm,items\n1790000000,1790000000,u1,r1,e1,now,a|b\n")
    with pytest.raises(DataError, match="both 'ts' and 'time' would be 'timestamp'"):
        list(FileLog(path, EXPOSURES).chunks())
