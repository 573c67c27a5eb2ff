from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from recsys.schema import ItemId, UserId
from recsys.storage.database import Database
from recsys.storage.live.exposures import Exposure, ExposureLog


@pytest.fixture
def log(database: Database) -> Iterator[ExposureLog]:
    opened = ExposureLog(database, every_s=0.01)
    yield opened
    opened.close()


def exposure(request_id: str, user: str | None = "anna") -> Exposure:
    return Exposure(
        request_id=request_id,
        user_id=None if user is None else UserId(user),
        timestamp=2**40,
        model_version="0123456789abcdef",
        items=(ItemId("mug"), ItemId("Ünï 👗")),
        propensities=(1.0, 0.1),
        pictures=(None, {"action": "taste", "strength": 0.6, "propensity": 0.9}),
        arms={"ranking": "b"},
    )


def test_what_was_shown_comes_back_whole(log: ExposureLog) -> None:
    for each in (exposure("r1"), exposure("r2", None), exposure("r1", "bert")):
        log.append(each)
    assert log.flush()
    assert log.request_exposures("r1") == [exposure("r1"), exposure("r1", "bert")]
    assert log.request_exposures("r2") == [exposure("r2", None)]
    assert log.request_exposures("r3") == []
    assert (log.written, log.dropped, log.waiting) == (3, 0, 0)


def test_they_are_written_without_being_asked(log: ExposureLog) -> None:
    log.append(exposure("r1"))
    until = time.monotonic() + 10
    while not log.written and time.monotonic() < until:
        time.sleep(0.01)
    assert log.request_exposures("r1") == [exposure("r1")]


def test_closing_writes_all_and_ends_the_thread(database: Database) -> None:
    before = threading.active_count()
    log = ExposureLog(database, every_s=60.0)
    for number in range(2_500):
        log.append(exposure(f"r{number}"))
    started = time.monotonic()
    log.close()
    assert time.monotonic() - started < 30
    assert threading.active_count() == before
    assert database.rows("SELECT count(*) FROM exposures", ()) == [(2_500,)]
    with pytest.raises(ValueError, match="closed"):
        log.append(exposure("late"))
    log.close()


def test_a_request_never_waits_for_the_database(database: Database, database_url: str) -> None:
    other = Database.open(database_url)
    log = ExposureLog(database, capacity=50, every_s=0.01)
    with other.writing():
        log.append(exposure("first"))
        time.sleep(0.1)  # the thread has taken it, and waits for the other writer
        started = time.monotonic()
        for number in range(70):
            log.append(exposure(f"r{number}"))
        assert time.monotonic() - started < 0.5
        assert (log.dropped, log.waiting) == (20, 50)
    log.close()
    other.close()
    kept = database.rows("SELECT request_id FROM exposures ORDER BY seq", ())
    assert [request_id for (request_id,) in kept] == ["first", *(f"r{number}" for number in range(20, 70))]


def test_erasure_takes_what_is_stored_and_what_waits(database: Database) -> None:
    log = ExposureLog(database, every_s=60.0)
    for request_id, user in (("r1", "anna"), ("r2", "bert"), ("r3", None)):
        log.append(exposure(request_id, user))
    assert log.flush()
    log.append(exposure("r4", "anna"))
    log.append(exposure("r5", "bert"))
    assert log.erase(UserId("anna")) == 2
    log.close()
    kept = database.rows("SELECT request_id FROM exposures ORDER BY seq", ())
    assert kept == [("r2",), ("r3",), ("r5",)]


def test_frames_come_in_chunks(log: ExposureLog) -> None:
    for number in range(7):
        log.append(exposure(f"r{number}"))
    log.flush()
    frames = list(log.frames(rows=3))
    assert [len(frame) for frame in frames] == [3, 3, 1]
    seqs = [seq for frame in frames for seq in frame["seq"]]
    assert seqs == sorted(set(seqs))
    row = frames[0].iloc[0]
    assert list(frames[0].columns) == ["seq", *(name for name in Exposure.__slots__ if name != "encoded")]
    assert (row["items"], row["propensities"], row["arms"]) == (["mug", "Ünï 👗"], [1.0, 0.1], {"ranking": "b"})
    middle = [each for frame in log.frames(after=seqs[1], through=seqs[4]) for each in frame["request_id"]]
    assert middle == ["r2", "r3", "r4"]
    assert list(log.frames(after=seqs[-1])) == []


def test_a_log_has_room_for_something(database: Database) -> None:
    with pytest.raises(ValueError, match="capacity"):
        ExposureLog(database, capacity=0)
