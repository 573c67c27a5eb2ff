"""A server that hangs: reads end in seconds, further ones fail at once, and all goes on when it is back."""

from __future__ import annotations

import time

import psycopg
import pytest

from recsys.errors import StorageError
from recsys.storage import database as database_module
from recsys.storage import postgres
from recsys.storage.database import Database
from recsys.storage.live.user_state import UserStates


def test_a_locked_table_does_not_hold_readers(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "READ_S", 0.5)
    monkeypatch.setattr(database_module, "AWAY_AFTER_S", 0.4)
    monkeypatch.setattr(database_module, "AWAY_S", 0.4)
    database = Database.open(postgres_url)
    states = UserStates(database)
    assert states.read("kim").last_event == 0
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as other:
        # VACUUM FULL takes the same lock.
        other.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        with pytest.raises(StorageError):
            states.read("kim")
        assert 0.4 < time.monotonic() - started < 8
        with pytest.raises(StorageError, match="does not answer"):
            states.read("kim")
    time.sleep(0.5)
    assert states.read("kim").last_event == 0
    with database.reading(whole_log=True), database.writing():
        pass
    database.close()


def test_statements_have_a_limit_each(postgres_url: str) -> None:
    with postgres.connect((postgres_url.replace("+psycopg", ""),), {}) as connection:
        connection.limit_s = 0.2
        with pytest.raises(psycopg.OperationalError, match=r"within 0\.2 s"):
            connection.execute("SELECT pg_sleep(5)")
        assert connection.closed


def test_an_error_of_the_caller_does_not_count_as_a_slow_server(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "AWAY_AFTER_S", 0.0)
    database = Database.open(postgres_url)
    with pytest.raises(LookupError), database.reading():
        raise LookupError
    assert UserStates(database).read("kim").last_event == 0
    database.close()
