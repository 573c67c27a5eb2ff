"""The Redis cache: its books on a real server, and what a server that is away costs."""

from __future__ import annotations

import hashlib
import logging
import socket
import subprocess
import sys
import threading
import time

import pytest
import redis

from recsys.errors import ConfigError
from recsys.storage import redis_cache
from recsys.storage.redis_cache import RedisCache


def key(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


@pytest.fixture
def server(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url)


@pytest.fixture
def cache(redis_url: str) -> RedisCache:
    return RedisCache(redis_url, "shop", 50_000)


def entry_of(name: object) -> str:
    return f"shop:restyled:{key(name)}"


@pytest.mark.parametrize("place", [3, 20, -1])
def test_a_flipped_bit_is_a_miss_and_goes_from_the_books(cache: RedisCache, server: redis.Redis, place: int) -> None:
    cache.put(key("a"), b"picture" * 100)
    entry = bytearray(server.get(entry_of("a")))  # type: ignore[arg-type]
    entry[place] ^= 1
    server.set(entry_of("a"), bytes(entry))
    assert cache.get(key("a")) is None
    assert not server.exists(entry_of("a"))
    assert int(server.get("shop:restyled-bytes")) == 0  # type: ignore[arg-type]


def test_the_books_say_what_is_there(cache: RedisCache, server: redis.Redis) -> None:
    for index in range(200):
        cache.put(key(index % 120), bytes(500 + 13 * index))
    sizes = [server.strlen(name) for name in server.keys("shop:restyled:*")]
    assert sum(sizes) == int(server.get("shop:restyled-bytes")) <= 50_000  # type: ignore[arg-type]
    assert len(sizes) == server.zcard("shop:restyled-used") == server.hlen("shop:restyled-sizes") > 5


def test_what_the_server_took_away_by_itself_is_a_miss_and_room_again(cache: RedisCache, server: redis.Redis) -> None:
    for index in range(5):
        cache.put(key(index), bytes(9_000))
    server.delete(*server.keys("shop:restyled:*"))
    assert [cache.get(key(index)) for index in range(5)] == [None] * 5
    for index in range(5):
        cache.put(key(index), bytes(9_000))
    assert all(cache.get(key(index)) is not None for index in range(5))
    server.delete("shop:restyled-used", "shop:restyled-sizes", "shop:restyled-bytes")
    for index in range(10, 30):
        cache.put(key(index), bytes(9_000))
    assert cache.get(key(29)) == bytes(9_000)


def test_entries_expire_and_a_hit_renews_them(cache: RedisCache, server: redis.Redis) -> None:
    cache.put(key("a"), b"picture")
    assert redis_cache.EXPIRY_S - 60 < server.ttl(entry_of("a")) <= redis_cache.EXPIRY_S
    server.expire(entry_of("a"), 100)
    cache.get(key("a"))
    assert server.ttl(entry_of("a")) > 100


def test_prefixes_are_apart(cache: RedisCache, redis_url: str, server: redis.Redis) -> None:
    server.set("somebody", "else")
    other = RedisCache(redis_url, "other", 50_000)
    cache.put(key("a"), b"mine")
    other.put(key("a"), b"theirs")
    for index in range(100):
        other.put(key(index), bytes(5_000))
    assert cache.get(key("a")) == b"mine"
    assert server.get("somebody") == b"else"


def test_a_server_that_is_away_costs_misses_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cache = RedisCache(f"redis://:secret@127.0.0.1:{port}/0", "shop", 50_000)
    for index in range(20):
        cache.put(key(index), b"picture")
        assert cache.get(key(index)) is None
        with cache.exclusive(key(index)):
            pass
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "secret" not in caplog.text


def test_a_server_that_says_nothing_costs_one_request_its_time(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cache = RedisCache(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", "shop", 50_000)
        started = time.monotonic()
        for index in range(100):
            assert cache.get(key(index)) is None
        assert time.monotonic() - started < 20 * redis_cache.TIMEOUT_S
    assert len(caplog.records) == 1


def test_a_server_that_comes_back_serves_again(
    cache: RedisCache, server: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_cache, "REST_S", 0.0)
    caplog.set_level(logging.INFO, "recsys.storage.redis_cache")
    cache.put(key("a"), b"picture")
    server.config_set("maxclients", 1)
    server.client_kill_filter(skipme=True, _type="normal")
    assert cache.get(key("a")) is None
    server.config_set("maxclients", 1000)
    assert cache.get(key("a")) == b"picture"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_server_without_room_costs_misses(
    cache: RedisCache, server: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put(key("a"), b"picture")
    server.config_set("maxmemory", 1)
    try:
        cache.put(key("b"), bytes(10_000))
    finally:
        server.config_set("maxmemory", 0)
    assert "OutOfMemoryError" in caplog.text
    assert cache.get(key("b")) is None


def test_a_lock_of_the_dead_runs_out(cache: RedisCache, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_cache, "MAX_LOCK_S", 0.3)
    dead = cache.exclusive(key("a"))
    dead.__enter__()
    entered = threading.Event()

    def wait() -> None:
        with RedisCache(redis_url, "shop", 50_000).exclusive(key("a")):
            entered.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert entered.wait(5)
    thread.join()
    dead.__exit__(None, None, None)


@pytest.mark.parametrize(
    "url", ["localhost", "http://secret@localhost", "redis://user:secret/x@host", "redis://h:secret"]
)
def test_a_url_that_is_none_is_named_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^storage\.redis: not a URL") as refused:
        RedisCache(url, "shop", 50_000)
    assert "secret" not in str(refused.value)


def test_without_the_package_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from pathlib import Path\n"
        "from recsys.errors import MissingExtraError\n"
        "from recsys.storage.open_cache import open_cache\n"
        "try: open_cache(Path('x'), 10, 'redis://localhost')\n"
        "except MissingExtraError as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "redis is not installed: pip install 'style-recsys[redis]'\n"
