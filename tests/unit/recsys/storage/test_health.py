"""Stores are reached, or it is said why not; no password is repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from recsys.errors import ConfigError, DataError
from recsys.storage.health import check_database, check_redis
from tests.servers import redis_server


@pytest.mark.parametrize(
    ("reach", "url", "kind", "says"),
    [
        (check_database, "no url secret", ConfigError, "not a URL of SQLite or PostgreSQL"),
        (check_database, "oracle://a:secret@h/x", ConfigError, "not a URL of SQLite or PostgreSQL"),
        (check_database, "sqlite://", ConfigError, "name a file"),
        (check_database, "postgresql+psycopg://a:secret@127.0.0.1:1/x", DataError, "at 127.0.0.1:1, database x"),
        (check_redis, "http://secret", ConfigError, "not a URL like redis://"),
        (check_redis, "redis://:secret@127.0.0.1:1/0", DataError, "at 127.0.0.1:1"),
    ],
)
def test_what_cannot_be_reached_is_named(
    reach: Callable[[str], str], url: str, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says) as error:
        reach(url)
    assert "secret" not in str(error.value)


def test_a_file_is_only_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "live" / "live.db"
    assert check_database(f"sqlite:///{file}") == f"SQLite, {file}, which the service creates"
    assert not file.parent.exists()
    file.parent.mkdir()
    file.touch()
    assert check_database(f"sqlite:///{file}") == f"SQLite, {file}"


@pytest.fixture
def redis_port() -> Iterator[int]:
    """Yield the port of a server that wants the password `secret`."""
    with redis_server("secret") as url:
        port = urlsplit(url).port
        assert port is not None
        yield port


def test_a_redis_server_answers_to_the_right_password(redis_port: int) -> None:
    assert check_redis(f"redis://:secret@127.0.0.1:{redis_port}/0").endswith(f"at 127.0.0.1:{redis_port}")
    with pytest.raises(DataError, match="check host and password"):
        check_redis(f"redis://:wrong@127.0.0.1:{redis_port}/0")
