"""A disk cache of restyled pictures: bounded in bytes, shared by threads and processes, never trusted blindly.

Each entry is one file named by its key: a header with the SHA-256 of the content, then the content. Files are
renamed into place, and what does not match its header is a miss. Recency is the file's modification time, which a
hit renews. Files of other names are left alone.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from recsys.errors import ConfigError

logger = logging.getLogger(__name__)

_MAGIC = b"recsys-cache-1\n"
_HEADER_BYTES = len(_MAGIC) + hashlib.sha256().digest_size
_KEY = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{16}\.tmp")
_ABANDONED_AFTER_S = 3600.0


class DiskCache:
    """Bytes by key in one folder, at most `max_bytes` of files; the least recently used go first.

    Several processes may share a folder: each looks at the whole folder again after having written an eighth of
    the room that it last saw, hence the bound holds for up to eight busy writers. Faults of the disk are logged
    and cost a miss, never a request.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        if max_bytes < 1:
            raise ConfigError(f"max_bytes of a cache must be at least 1, got {max_bytes}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be used as cache folder: {error.strerror}") from None
        self.folder = folder
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._allowance = 0

    def get(self, key: str) -> bytes | None:
        """The bytes under `key` (64 hexadecimal digits), or None. Raises ValueError for any other key."""
        path = self._path(key)
        try:
            entry = path.read_bytes()
        except OSError:
            return None
        content = _content(entry)
        with suppress(OSError):
            if content is None:
                path.unlink()
            else:
                os.utime(path)
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep `content` under `key`; what is larger than the whole cache is not kept."""
        path = self._path(key)
        entry = _MAGIC + hashlib.sha256(content).digest() + content
        if len(entry) > self.max_bytes:
            return
        temporary = self.folder / f".{key}.{secrets.token_hex(8)}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # No fsync: what a power cut tears fails its checksum, and a lost entry is only rendered again.
            temporary.write_bytes(entry)
            temporary.replace(path)
            self._make_room(len(entry))
        except OSError as error:
            logger.warning("cache entry not kept: %s", error.strerror)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"a cache key is 64 hexadecimal digits, got {key!r}")
        return self.folder / key

    def _make_room(self, written: int) -> None:
        with self._lock:
            self._allowance -= written
            if self._allowance < 0:
                self._allowance = (self.max_bytes - self._evict()) // 8

    def _evict(self) -> int:
        """Delete the oldest entries where the bound is passed; returns the bytes that stay."""
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
        """(modification time in ns, name, bytes) of each entry; abandoned temporary files are swept away."""
        oldest = time.time() - _ABANDONED_AFTER_S
        with os.scandir(self.folder) as found:
            for file in found:
                # Another process may delete it between the listing and the look.
                with suppress(FileNotFoundError):
                    if _KEY.fullmatch(file.name) and file.is_file(follow_symlinks=False):
                        status = file.stat(follow_symlinks=False)
                        yield status.st_mtime_ns, file.name, status.st_size
                    elif _TEMPORARY.fullmatch(file.name) and file.stat().st_mtime < oldest:
                        Path(file.path).unlink()


def _content(entry: bytes) -> bytes | None:
    content = entry[_HEADER_BYTES:]
    sound = entry[:_HEADER_BYTES] == _MAGIC + hashlib.sha256(content).digest()
    return content if sound else None
