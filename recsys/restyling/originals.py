"""Photos as they are, shrunk, stripped and encoded: what stands in where there is no time for a restyled one.

Kept in memory, so that a deadline that many callers share is met without work.
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
    """Encoded photos, at most `max_bytes` of them; the least recently used go first. Safe to share between threads."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._kept: OrderedDict[_Key, RenderResult] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, photo: Path | bytes, width: int, image_format: ImageFormat) -> RenderResult:
        """A photo at most `width` pixels wide and twice as high; of one given as bytes nothing is kept.

        Raises ImageError.
        """
        if isinstance(photo, bytes):
            return _encoded(photo, width, image_format)
        key = (*state(photo), width, image_format)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
        made = _encoded(photo, width, image_format)
        self._keep(key, made)
        return made

    def _keep(self, key: _Key, made: RenderResult) -> None:
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = made
            self._bytes += len(made.data)
            while self._bytes > self.max_bytes:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone.data)


def state(photo: Path) -> tuple[str, int, int]:
    """A file's path, time of change in ns, and size: what changes with its content. Raises ImageError."""
    try:
        status = photo.stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageError(f"{str(photo)!r}: cannot be read: {reason}") from None
    return str(photo.absolute()), status.st_mtime_ns, status.st_size


def pixels_of(photo: Path | bytes, width: int) -> Pixels:
    """A photo `(H, W, 3)` at most `width` pixels wide and twice as high, never enlarged. Raises ImageError."""
    if isinstance(photo, bytes):
        image = decode_image(photo, name="the picture", short_side=width, limits=UPLOAD_LIMITS)
    else:
        image = open_image(photo, short_side=width)
    image.thumbnail((width, 2 * width), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return to_pixels(image)


def _encoded(photo: Path | bytes, width: int, image_format: ImageFormat) -> RenderResult:
    return RenderResult.original(pixels_of(photo, width), image_format, settled=True)
