"""Cache of restyled images on a Redis server, which several machines may share.

Scripts enforce the bound; each runs as one step on the server. They store, under the same prefix, the time of last use
and the size of each entry, and the sum of all sizes. So the server needs no `maxmemory` for this cache, and may hold
other data. If it has a `maxmemory` that evicts, entries go sooner, which only costs misses. Entries also expire, so
that nothing stays forever if the server loses the sum. Scripts use computed keys: this works with one server, not with
a cluster.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from recsys.errors import ConfigError, MissingExtraError
from recsys.storage.cache import check_bound, check_key, seal, unseal

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.exceptions import LockError, RedisError
    from redis.retry import Retry
except ModuleNotFoundError:
    raise MissingExtraError("redis", "redis") from None

logger = logging.getLogger(__name__)

TIMEOUT_S = 0.05
"""Longest wait for an answer of the server; an image has a few tens of kilobytes."""
REST_S = 5.0
"""Pause after a server did not answer, so that it delays one request and not all."""
EXPIRY_S = 7 * 24 * 3600
MAX_LOCK_S = 10.0
_LOCK_POLL_S = 0.01

# KEYS: entry, times of use, sizes, their sum. ARGV: name, and below also entry, bound, seconds, prefix.
_GET = """
local entry = redis.call('GET', KEYS[1])
if entry then
  local now = redis.call('TIME')
  redis.call('ZADD', KEYS[2], 'XX', now[1] * 1000000 + now[2], ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return entry
"""
_PUT = """
local now = redis.call('TIME')
local size = #ARGV[2]
local change = size - tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0)
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[4])
redis.call('ZADD', KEYS[2], now[1] * 1000000 + now[2], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], size)
local total = redis.call('INCRBY', KEYS[4], change)
while total > tonumber(ARGV[3]) do
  local oldest = redis.call('ZPOPMIN', KEYS[2])[1]
  if not oldest then
    redis.call('SET', KEYS[4], 0)
    break
  end
  total = redis.call('DECRBY', KEYS[4], redis.call('HGET', KEYS[3], oldest) or 0)
  redis.call('HDEL', KEYS[3], oldest)
  redis.call('DEL', ARGV[5] .. oldest)
end
"""
_DROP = """
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DECRBY', KEYS[4], redis.call('HGET', KEYS[3], ARGV[1]) or 0)
redis.call('HDEL', KEYS[3], ARGV[1])
"""


class RedisCache:
    """Bytes by key under one prefix, at most `max_bytes` of entries; the least recently used go first.

    A server that is away, slow or full costs a miss: this is logged once, and the server is not asked for `REST_S`.
    Raises ConfigError for an invalid URL; the server itself may be away.
    """

    def __init__(self, url: str, prefix: str, max_bytes: int) -> None:
        check_bound(max_bytes)
        try:
            # Without a retry: asking a cache twice is slower than rendering.
            self._client = redis.Redis.from_url(
                url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
            )
        except ValueError:
            # The message has neither the URL nor the reason, as both may hold a password.
            raise ConfigError("storage.redis: not a URL like redis://:password@host:6379/0") from None
        self.max_bytes = max_bytes
        self._entries = f"{prefix}:restyled:"
        self._books = [f"{prefix}:restyled-{name}" for name in ("used", "sizes", "bytes")]
        self._get, self._put, self._drop = map(self._client.register_script, (_GET, _PUT, _DROP))
        self._lock = threading.Lock()
        self._away_until = 0.0
        self._away = False

    def get(self, key: str) -> bytes | None:
        """Return the bytes under `key` (64 hexadecimal digits), or None. Raises ValueError for any other key."""
        check_key(key)
        entry = self._run(self._get, key, EXPIRY_S)
        if entry is None:
            return None
        content = unseal(entry)
        if content is None:
            self._run(self._drop, key)
        return content

    def put(self, key: str, content: bytes) -> None:
        """Store `content` under `key`, unless it is larger than the whole cache."""
        check_key(key)
        entry = seal(content)
        if len(entry) <= self.max_bytes:
            self._run(self._put, key, entry, self.max_bytes, EXPIRY_S, self._entries)

    @contextmanager
    def exclusive(self, key: str) -> Iterator[None]:
        """Hold the lock of `key`; see `ImageCache`. Wait at most `MAX_LOCK_S`: then the server releases the lock."""
        check_key(key)
        lock = self._client.lock(
            f"{self._entries}{key}:lock", timeout=MAX_LOCK_S, blocking_timeout=MAX_LOCK_S, sleep=_LOCK_POLL_S
        )
        acquired = False
        if not self._is_resting():
            try:
                acquired = bool(lock.acquire())
            except RedisError as error:
                self._note_failure(error)
        try:
            yield
        finally:
            if acquired:
                # If the lock has expired or the server is gone, it is free already.
                with suppress(LockError, RedisError):
                    lock.release()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _run(self, script: Any, key: str, *arguments: object) -> Any:
        if self._is_resting():
            return None
        try:
            answer = script(keys=[self._entries + key, *self._books], args=[key, *arguments])
        except RedisError as error:
            self._note_failure(error)
            return None
        if self._away:
            with self._lock:
                back, self._away = self._away, False
            if back:
                logger.info("Redis serves the cache again")
        return answer

    def _is_resting(self) -> bool:
        return time.monotonic() < self._away_until

    def _note_failure(self, error: RedisError) -> None:
        with self._lock:
            self._away_until = time.monotonic() + REST_S
            first, self._away = not self._away, True
        if first:
            logger.warning("Redis does not serve the cache, images are rendered again: %s", type(error).__name__)
