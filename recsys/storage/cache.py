"""Caches of restyled images: bounded in bytes, shared by threads and processes, verified on every read.

`DiskCache`: each entry is one file named by its key. Files are renamed into place; one that does not match its header
is a miss. The time of the last use is the file's modification time, which a hit renews. Files of other names are left
alone. Beside the folder there are up to 256 empty files for locks. `recsys.storage.redis_cache.RedisCache` does the
same on a server that several machines share.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from recsys.errors import ConfigError

logger = logging.getLogger(__name__)

_MAGIC = b"recsys-cache-1\n"
_HEADER_BYTES = len(_MAGIC) + hashlib.sha256().digest_size
_KEY = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{16}\.tmp")
_ABANDONED_AFTER_S = 3600.0


class ImageCache(Protocol):
    """Bytes by key (64 hexadecimal digits; ValueError for any other), within a bound; the least recently used go.

    Errors are logged and cost a miss, never a request. Safe to share between threads.
    """

    def get(self, key: str) -> bytes | None:
        """Return the bytes under `key`, or None."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Store `content` under `key`, unless it is larger than the whole cache."""
        ...

    def exclusive(self, key: str) -> AbstractContextManager[None]:
        """Hold the lock of `key`: at most one process is within such a block, if the lock can be had.

        The others wait, and then find in the cache what the first one stored.
        """
        ...


def check_key(key: str) -> None:
    """Raise ValueError unless `key` is 64 hexadecimal digits."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"a cache key is 64 hexadecimal digits, got {key!r}")


def seal(content: bytes) -> bytes:
    """Build an entry: a header with the SHA-256 of the content, then the content."""
    return _MAGIC + hashlib.sha256(content).digest() + content


def unseal(entry: bytes) -> bytes | None:
    """Return the content of an entry of `seal`, or None if it is damaged."""
    content = entry[_HEADER_BYTES:]
    intact = entry[:_HEADER_BYTES] == _MAGIC + hashlib.sha256(content).digest()
    return content if intact else None


def check_bound(max_bytes: int) -> None:
    """Raise ConfigError for a cache that could hold nothing."""
    if max_bytes < 1:
        raise ConfigError(f"max_bytes of a cache must be at least 1, got {max_bytes}")


class DiskCache:
    """Bytes by key in one folder, at most `max_bytes` of files; the least recently used go first.

    Several processes may share a folder. Each scans the whole folder again after writing an eighth of the free space
    that it last saw, so the bound holds for up to eight busy writers. Disk errors are logged and cost a miss, never a
    request.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        check_bound(max_bytes)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be used as cache folder: {error.strerror}") from None
        self.folder = folder
        self._locks = folder.with_name(f"{folder.name}.locks")
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._allowance = 0

    def get(self, key: str) -> bytes | None:
        """Return the bytes under `key` (64 hexadecimal digits), or None. Raises ValueError for any other key."""
        path = self._path(key)
        try:
            entry = path.read_bytes()
        except OSError:
            return None
        content = unseal(entry)
        with suppress(OSError):
            if content is None:
                path.unlink()
            else:
                os.utime(path)
        return content

    def put(self, key: str, content: bytes) -> None:
        """Store `content` under `key`, unless it is larger than the whole cache."""
        path = self._path(key)
        entry = seal(content)
        if len(entry) > self.max_bytes:
            return
        temporary = self.folder / f".{key}.{secrets.token_hex(8)}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # No fsync: after a power cut a torn entry fails its checksum, and is rendered again.
            temporary.write_bytes(entry)
            temporary.replace(path)
            self._make_room(len(entry))
        except OSError as error:
            logger.warning("cache entry not stored: %s", error.strerror)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    @contextmanager
    def exclusive(self, key: str) -> Iterator[None]:
        """Hold the lock of `key`; see `ImageCache`. The system releases the lock of a process that dies."""
        check_key(key)
        descriptor = None
        try:
            self._locks.mkdir(parents=True, exist_ok=True)
            # 256 files for all keys: two keys that share one wait for each other, which is harmless.
            descriptor = os.open(self._locks / key[:2], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            logger.warning("cache lock not held: %s", error.strerror)
        try:
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _path(self, key: str) -> Path:
        check_key(key)
        return self.folder / key

    def _make_room(self, written: int) -> None:
        with self._lock:
            self._allowance -= written
            if self._allowance < 0:
                self._allowance = (self.max_bytes - self._evict()) // 8

    def _evict(self) -> int:
        """Delete the oldest entries if the bound is exceeded; return the bytes that stay."""
        entries = sorted(self._entries())
        total = sum(size for _, _, size in entries)
        # Down to nine tenths, so that a full cache is not scanned again at every write.
        target = self.max_bytes if total <= self.max_bytes else self.max_bytes * 9 // 10
        for _, name, size in entries:
            if total <= target:
                break
            (self.folder / name).unlink(missing_ok=True)
            total -= size
        return total

    def _entries(self) -> Iterator[tuple[int, str, int]]:
        """Yield (modification time in ns, name, bytes) of each entry; delete abandoned temporary files."""
        oldest = time.time() - _ABANDONED_AFTER_S
        with os.scandir(self.folder) as files:
            for file in files:
                # Another process may delete the file after it was listed.
                with suppress(FileNotFoundError):
                    if _KEY.fullmatch(file.name) and file.is_file(follow_symlinks=False):
                        status = file.stat(follow_symlinks=False)
                        yield status.st_mtime_ns, file.name, status.st_size
                    elif _TEMPORARY.fullmatch(file.name) and file.stat().st_mtime < oldest:
                        Path(file.path).unlink()
