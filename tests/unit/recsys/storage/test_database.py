from __future__ import annotations

import redis
from sqlalchemy import text

from recsys.storage.database import Database


def test_a_new_database_of_each_kind_is_empty(database: Database) -> None:
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM events")).scalar() == 0


def test_postgres_flushes_to_the_disk(postgres_url: str) -> None:
    database = Database.open(postgres_url)
    with database.reading() as connection:
        assert connection.execute(text("SHOW fsync")).scalar() == "on"
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
    database.close()


def test_redis_holds_nothing(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


def test_redis_holds_nothing_after_another_test(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
