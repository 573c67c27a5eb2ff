"""Contract of all caches of restyled images: they return the stored bytes, or nothing."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recsys.errors import ConfigError
from recsys.storage.cache import DiskCache, ImageCache
from recsys.storage.open_cache import open_cache

MAX_BYTES = 100_000


def key(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


@pytest.fixture(params=["disk", "redis"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., ImageCache]:
    """Opens the one cache of a test, as another process would."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""

    def again(max_bytes: int = MAX_BYTES) -> ImageCache:
        return open_cache(tmp_path / "cache", max_bytes, url)

    return again


@pytest.fixture
def cache(opened: Callable[..., ImageCache]) -> ImageCache:
    return opened()


def held(cache: ImageCache, count: int) -> list[int]:
    """Return which of the first `count` keys are in the cache; reading renews their time of use."""
    return [index for index in range(count) if cache.get(key(index)) is not None]


def test_each_kind_is_chosen_by_the_url(tmp_path: Path, redis_url: str) -> None:
    assert isinstance(open_cache(tmp_path, 1000), DiskCache)
    assert type(open_cache(tmp_path, 1000, redis_url)).__name__ == "RedisCache"


def test_what_was_put_comes_back_also_elsewhere(cache: ImageCache, opened: Callable[..., ImageCache]) -> None:
    cache.put(key("a"), b"picture\0\r\n\xff")
    cache.put(key("empty"), b"")
    assert opened().get(key("a")) == b"picture\0\r\n\xff"
    assert opened().get(key("empty")) == b""
    assert opened().get(key("b")) is None


def test_the_last_write_wins(cache: ImageCache) -> None:
    cache.put(key("a"), b"old")
    cache.put(key("a"), b"new")
    assert cache.get(key("a")) == b"new"


def test_the_bound_holds_whatever_is_written(cache: ImageCache) -> None:
    for index in range(250):
        cache.put(key(index), bytes(1000 + index))
    kept = held(cache, 250)
    assert MAX_BYTES // 2 < sum(1000 + index for index in kept) <= MAX_BYTES
    assert kept == list(range(kept[0], 250))


def test_writing_one_key_again_and_again_takes_no_room(cache: ImageCache) -> None:
    cache.put(key("first"), bytes(1000))
    for size in range(0, 60_000, 1_000):
        cache.put(key("same"), bytes(size))
    assert cache.get(key("first")) == bytes(1000)


def test_the_least_recently_used_goes_first(cache: ImageCache) -> None:
    for index in range(9):
        cache.put(key(index), bytes(10_000))
        time.sleep(0.005)
    assert cache.get(key(0)) is not None
    for index in (9, 10):
        cache.put(key(index), bytes(10_000))
    kept = held(cache, 11)
    assert 0 in kept
    assert 1 not in kept
    assert {8, 9, 10} <= set(kept)


def test_what_is_larger_than_the_cache_is_not_kept(cache: ImageCache) -> None:
    cache.put(key("small"), b"small")
    cache.put(key("large"), bytes(MAX_BYTES))
    assert cache.get(key("large")) is None
    assert cache.get(key("small")) == b"small"


@pytest.mark.parametrize("bad", ["", "a", "../" + "a" * 61, "A" * 64, "g" * 64, key("a") + "\n"])
def test_a_key_that_is_no_hash_is_refused(cache: ImageCache, bad: str) -> None:
    for use in (cache.get, lambda name: cache.put(name, b""), lambda name: cache.exclusive(name).__enter__()):
        with pytest.raises(ValueError, match="64 hexadecimal"):
            use(bad)


def test_a_cache_that_could_hold_nothing_is_refused(opened: Callable[..., ImageCache]) -> None:
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        opened(0)


def test_threads_share_a_cache(cache: ImageCache) -> None:
    def hammer(seed: int) -> int:
        wrong = 0
        for step in range(60):
            index = (step * 7 + seed * 13) % 40
            cache.put(key(index), bytes([index]) * (3_000 + index))
            other = (index + seed) % 40
            wrong += cache.get(key(other)) not in (None, bytes([other]) * (3_000 + other))
        return wrong

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(hammer, range(4))) == 0


def _make_once(folder: Path, url: str, marks: Path) -> None:
    cache = open_cache(folder, MAX_BYTES, url)
    for index in range(5):
        with cache.exclusive(key(index)):
            if cache.get(key(index)) is None:
                with (marks / str(index)).open("a") as file:
                    file.write("made\n")
                time.sleep(0.02)
                cache.put(key(index), b"made")


@pytest.mark.parametrize("kind", ["disk", "redis"])
def test_processes_make_each_thing_once(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("redis_url") if kind == "redis" else ""
    marks = tmp_path / "marks"
    marks.mkdir()
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(_make_once, [(tmp_path / "cache", url, marks)] * 3)
    assert [(marks / str(index)).read_text() for index in range(5)] == ["made\n"] * 5


def test_other_keys_do_not_wait_and_a_fault_inside_lets_go(cache: ImageCache) -> None:
    with pytest.raises(RuntimeError), cache.exclusive(key("a")), cache.exclusive(key("b")):
        raise RuntimeError
    started = time.monotonic()
    with cache.exclusive(key("a")), cache.exclusive(key("b")):
        pass
    assert time.monotonic() - started < 2
