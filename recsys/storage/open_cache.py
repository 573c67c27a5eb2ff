"""Open the image cache that the settings name."""

from __future__ import annotations

from pathlib import Path

from recsys.storage.cache import DiskCache, ImageCache


def open_cache(folder: Path, max_bytes: int, redis_url: str = "", prefix: str = "recsys") -> ImageCache:
    """The cache in `folder`, or that under `prefix` on the Redis server at `redis_url`, if one is named.

    Raises ConfigError for a folder or a URL that cannot be used, MissingExtraError without the package redis.
    """
    if not redis_url:
        return DiskCache(folder, max_bytes)
    # Imported here because the package is an extra.
    from recsys.storage.redis_cache import RedisCache

    return RedisCache(redis_url, prefix, max_bytes)
