"""The disk cache: its folder, whatever else is in it, and what becomes of damaged files."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recsys.errors import ConfigError
from recsys.storage.cache import DiskCache


def key(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.fixture
def cache(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path / "cache", max_bytes=100_000)


@pytest.mark.parametrize("torn", [slice(0, 0), slice(0, 10), slice(0, 40), slice(0, -1)])
def test_a_torn_file_is_a_miss_and_goes(cache: DiskCache, torn: slice) -> None:
    cache.put(key("a"), b"picture" * 100)
    path = cache.folder / key("a")
    path.write_bytes(path.read_bytes()[torn])
    assert cache.get(key("a")) is None
    assert not path.exists()


def test_a_flipped_bit_is_a_miss(cache: DiskCache) -> None:
    cache.put(key("a"), b"picture" * 100)
    path = cache.folder / key("a")
    for position in (3, 20, -1):
        cache.put(key("a"), b"picture" * 100)
        entry = bytearray(path.read_bytes())
        entry[position] ^= 1
        path.write_bytes(entry)
        assert cache.get(key("a")) is None


def test_a_folder_in_the_place_of_an_entry_is_a_miss(cache: DiskCache, caplog: pytest.LogCaptureFixture) -> None:
    (cache.folder / key("a")).mkdir()
    cache.put(key("a"), b"picture")
    assert cache.get(key("a")) is None
    assert "cache entry not stored" in caplog.text
    assert [path.name for path in cache.folder.iterdir()] == [key("a")]


def test_the_folder_may_be_deleted_at_any_time(cache: DiskCache) -> None:
    cache.folder.rmdir()
    assert cache.get(key("a")) is None
    cache.put(key("a"), b"picture")
    assert cache.get(key("a")) == b"picture"


def test_the_bound_holds_after_every_write(cache: DiskCache) -> None:
    for index in range(300):
        cache.put(key(index), bytes(1000 + index))
        assert size_of(cache.folder) <= cache.max_bytes
    assert size_of(cache.folder) > cache.max_bytes // 2
    assert cache.get(key(299)) == bytes(1299)


def test_the_least_recently_used_goes_first(cache: DiskCache) -> None:
    names = [key(index) for index in range(9)]
    long_ago = time.time() - 1000
    for index, name in enumerate(names):
        cache.put(name, bytes(10_000))
        os.utime(cache.folder / name, (long_ago + index, long_ago + index))
    assert cache.get(names[0]) is not None
    cache.put(key("new"), bytes(15_000))
    kept = {path.name for path in cache.folder.iterdir()}
    assert names[0] in kept
    assert names[1] not in kept
    assert {names[8], key("new")} <= kept


def test_foreign_files_stay_and_abandoned_temporary_files_go(cache: DiskCache) -> None:
    foreign = cache.folder / "README"
    foreign.write_bytes(bytes(cache.max_bytes))
    abandoned, fresh = (cache.folder / f".{key('a')}.{digit * 16}.tmp" for digit in "01")
    for path in (abandoned, fresh):
        path.write_bytes(b"half")
    os.utime(abandoned, (0, 0))
    for index in range(20):
        cache.put(key(index), bytes(9_000))
    assert foreign.exists()
    assert fresh.exists()
    assert not abandoned.exists()
    assert cache.get(key(19)) == bytes(9_000)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ConfigError, match=r"cache: cannot be used"):
        DiskCache(tmp_path / "cache", max_bytes=1000)
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        DiskCache(tmp_path, max_bytes=0)


def _hammer(folder: Path, seed: int) -> int:
    """Writes and reads of 40 shared keys; returns how many answers were wrong."""
    cache = DiskCache(folder, max_bytes=100_000)
    wrong = 0
    for step in range(150):
        index = (step * 7 + seed * 13) % 40
        content = bytes([index]) * (3_000 + index)
        cache.put(key(index), content)
        found = cache.get(key((index + seed) % 40))
        expected = bytes([(index + seed) % 40]) * (3_000 + (index + seed) % 40)
        wrong += found not in (None, expected)
    return wrong


def test_threads_share_a_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(_hammer, [tmp_path] * 4, range(4))) == 0
    assert size_of(tmp_path) <= 100_000


def test_processes_share_a_folder(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert sum(pool.starmap(_hammer, [(tmp_path, 1), (tmp_path, 2)])) == 0
    assert size_of(tmp_path) <= 100_000
