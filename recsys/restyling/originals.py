"""Originals: photos without restyling, shrunk, stripped of metadata and encoded.

They are cached in memory, so that a deadline that many callers share is met without work.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from PIL import Image

from recsys.restyling.render_result import RenderResult
from style.errors import ImageError
from style.images import UPLOAD_LIMITS, Pixels, decode_image, open_image, to_pixels
from style.provenance.mark import ImageFormat

MAX_BYTES = 32 * 2**20

_Key = tuple[str, int, int, int, ImageFormat]


class Originals:
    """Cache of encoded photos. The least recently used go first. Safe to share between threads.

    Args:
        max_bytes: Size of the cache.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._cached: OrderedDict[_Key, RenderResult] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, photo: Path | bytes, width: int, image_format: ImageFormat) -> RenderResult:
        """Return a photo, at most `width` pixels wide and twice as high. A photo given as bytes is not cached.

        Raises:
            ImageError: The photo cannot be read.
        """
        if isinstance(photo, bytes):
            return RenderResult.from_photo(read_photo(photo, width), image_format)
        key = (*file_state(photo), width, image_format)
        with self._lock:
            cached = self._cached.get(key)
            if cached is not None:
                self._cached.move_to_end(key)
                return cached
        # Encoded outside the lock; if another thread was quicker, its image stays.
        original = RenderResult.from_photo(read_photo(photo, width), image_format)
        with self._lock:
            if key not in self._cached:
                self._cached[key] = original
                self._bytes += len(original.data)
                while self._bytes > self.max_bytes:
                    _, evicted = self._cached.popitem(last=False)
                    self._bytes -= len(evicted.data)
        return original


def file_state(photo: Path) -> tuple[str, int, int]:
    """Return a file's path, time of change in ns, and size. They change with its content. Raises ImageError."""
    try:
        status = photo.stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageError(f"{str(photo)!r}: cannot be read: {reason}") from None
    return str(photo.absolute()), status.st_mtime_ns, status.st_size


def read_photo(photo: Path | bytes, width: int) -> Pixels:
    """Return a photo `(H, W, 3)`, at most `width` pixels wide and twice as high, never enlarged. Raises ImageError."""
    if isinstance(photo, bytes):
        image = decode_image(photo, name="the photo", short_side=width, limits=UPLOAD_LIMITS)
    else:
        image = open_image(photo, short_side=width)
    image.thumbnail((width, 2 * width), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return to_pixels(image)
