"""Logs are read alike from frames, Parquet, CSV and a database, and what is wrong in them is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from recsys.errors import BadRowsError, DataError
from recsys.experiments.analysis.log_schema import EVENTS, EXPOSURES
from recsys.experiments.analysis.log_sources import FileLog, Logs, Source
from recsys.experiments.design.definition import UnitKind
from recsys.schema import EventKind, ItemId, UserId
from recsys.storage.database import Database
from recsys.storage.live.events import Event, EventStore
from recsys.storage.live.exposures import Exposure, ExposureLog

START = 1_790_000_000
Frames = tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture
def frames() -> Frames:
    exposures = pd.DataFrame(
        {
            "request_id": ["r1", "r2"],
            "unit": ["u1", None],
            "timestamp": [START, START + 1],
            "experiment": ["mild", None],
            "arm": ["now", None],
            "items": [["a", "b"], ["c"]],
            "propensities": [[1.0, 1.0], [1.0]],
        }
    )
    events = pd.DataFrame(
        {
            "user_id": ["u1", "u1"],
            "item_id": ["a", "b"],
            "event": ["click", "purchase"],
            "timestamp": [START + 3, START + 4],
            "amount": [None, 9.5],
            "request_id": ["r1", None],
            "position": pd.array([1, None], dtype="Int64"),
        }
    )
    return exposures, events


def rows(source: Source) -> list[dict[str, Any]]:
    """All rows, with the columns of the schema that the log has."""
    return [
        dict(zip(chunk.columns, values, strict=True))
        for chunk in source.chunks()
        for values in zip(*(column.to_pylist() for column in chunk.columns.values()), strict=True)
    ]


def as_csv(frame: pd.DataFrame, path: Path) -> Path:
    lists = {name: frame[name].map(json.dumps) for name in ("items", "propensities") if name in frame}
    frame.assign(**lists).to_csv(path, index=False)
    return path


def test_files_give_what_frames_give(frames: Frames, tmp_path: Path) -> None:
    exposures, events = frames
    wanted = Logs.from_frames(exposures, events)
    assert rows(wanted.exposures)[0]["items"] == ["a", "b"]
    assert rows(wanted.events)[0] == {
        "unit": "u1", "item_id": "a", "event": "click", "timestamp": START + 3, "amount": None, "request_id": "r1",
        "position": 1,
    }  # fmt: skip
    exposures.to_parquet(tmp_path / "exposures.parquet")
    events.to_parquet(tmp_path / "events.parquet")
    parquet = Logs.from_files(tmp_path / "exposures.parquet", tmp_path / "events.parquet")
    csv = Logs.from_files(as_csv(exposures, tmp_path / "exposures.csv"), as_csv(events, tmp_path / "events.csv"))
    for logs in (parquet, csv):
        assert rows(logs.exposures) == rows(wanted.exposures)
        assert rows(logs.events) == rows(wanted.events)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("timestamp", "yesterday", "'yesterday' is not a time"),
        ("timestamp", "1003", "'1003' is not a time of an event: it would be before 1990"),
        ("timestamp", "-5", "'-5' is not a time"),
        ("timestamp", "", "is empty"),
        ("user_id", "", "is empty"),
        ("event", "glance", "'glance' is none of view, click"),
        ("amount", "1e999", "1e999"),
        ("amount", "a lot", "'a lot'"),
        ("dwell_s", "-1", "'-1' is below 0"),
        ("position", "0", "'0' is below 1"),
        ("position", "1.5", "is not a whole number"),
    ],
)
def test_a_wrong_value_is_named(frames: Frames, tmp_path: Path, column: str, value: str, said: str) -> None:
    events = frames[1].astype(object)
    events.loc[1, column] = value
    path = as_csv(events, tmp_path / "events.csv")
    with pytest.raises(BadRowsError) as found:
        rows(FileLog(path, EVENTS))
    problem = found.value.problems[0]
    assert (problem.file, problem.row, problem.field) == (path, 3, "unit" if column == "user_id" else column)
    assert said in str(found.value)


def test_a_wrong_value_in_parquet_is_named(frames: Frames, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    frames[1].assign(position=[1.0, 1.5]).to_parquet(path)
    with pytest.raises(BadRowsError, match=r"events.parquet, row 2, column 'position': 1.5 is not a whole number"):
        rows(FileLog(path, EVENTS))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda frame: frame.drop(columns="arm"), "no column 'arm'"),
        (lambda frame: frame.assign(items=5), "expected a list of texts"),
    ],
)
def test_a_wrong_table_is_named(
    frames: Frames, tmp_path: Path, spoil: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    spoil(frames[0]).to_parquet(tmp_path / "exposures.parquet")
    with pytest.raises(DataError, match=said):
        rows(FileLog(tmp_path / "exposures.parquet", EXPOSURES))


def test_what_is_no_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("unit\n")
    (tmp_path / "log.parquet").write_text("unit\n")
    for name, said in (
        ("log.txt", "a header but no rows"),
        ("log.parquet", "cannot be read"),
        ("none.csv", "no such file"),
    ):
        with pytest.raises(DataError, match=said):
            rows(FileLog(tmp_path / name, EVENTS))


def test_sessions_of_the_live_data_are_units_too(database: Database) -> None:
    log, events = ExposureLog(database), EventStore(database)
    for request_id, user, session in (("r1", "anna", "s1"), ("r2", None, "s2"), ("r3", "bert", None)):
        log.append(
            Exposure(
                request_id=request_id,
                user_id=None if user is None else UserId(user),
                timestamp=10,
                model_version="v1",
                items=(ItemId("mug"),),
                propensities=(1.0,),
                pictures=(None,),
                arms={"trial": "on"},
                session_id=session,
                platform="web",
                category="cup",
            )
        )
    log.close()
    told = (("e1", "r1", None), ("e2", None, "s9"), ("e3", None, None), ("e4", "r3", None))
    events.append(
        [
            Event(name, UserId("anna"), ItemId("mug"), EventKind.CLICK, 11, request_id=request, session_id=session)
            for name, request, session in told
        ],
        12,
    )
    visits = Logs.from_database(database, UnitKind.SESSION)
    assert values(visits.exposures, "unit") == ["s1", "s2", None]
    assert values(visits.exposures, "platform") == ["web"] * 3
    # An event that tells no session is of the one whose list it answers, or of none.
    assert values(visits.events, "unit") == ["s1", "s9"]
    people = Logs.from_database(database)
    assert values(people.exposures, "unit") == ["anna", None, "bert"]
    assert values(people.events, "unit") == ["anna"] * 4


def values(source: Source, column: str) -> list[object]:
    return [value for chunk in source.chunks() for value in chunk.columns[column].to_pylist()]
