"""Open the image cache that the settings name."""

from __future__ import annotations

from pathlib import Path

from recsys.storage.cache import DiskCache, ImageCache


def open_cache(folder: Path, max_bytes: int, redis_url: str = "", prefix: str = "recsys") -> ImageCache:
    """Open the cache in a folder, or on a Redis server if its URL is given.

    Args:
        folder: folder of a cache on disk.
        max_bytes: bound on all entries.
        redis_url: address of a Redis server; "" for the folder.
        prefix: prefix of the keys on the server.

    Raises:
        ConfigError: the folder or the URL cannot be used.
        MissingExtraError: the package redis is not installed.
    """
    if not redis_url:
        return DiskCache(folder, max_bytes)
    # Imported here because the package is an extra.
    from recsys.storage.redis_cache import RedisCache

    return RedisCache(redis_url, prefix, max_bytes)
