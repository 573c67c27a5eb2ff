"""The last step of a request: a product's photo, repainted toward a style, within the time that there is.

Rendering happens on few background threads. A caller waits for its picture until a deadline; then it gets the
original while rendering goes on and fills the cache, so that the next caller gets the restyled one. What several
callers want at once is rendered once.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from recsys import __version__
from recsys.config import RestyleSettings
from recsys.storage.cache import DiskCache
from style.errors import ImageError, UnknownEngineError, VectorError
from style.images import Pixels, open_image, to_pixels
from style.mask import product_mask
from style.provenance import ImageFormat, Mark, StyleCredit, encode
from style.transfer.base import Stylizer, check_strength
from style.vector import StyleVector

logger = logging.getLogger(__name__)

MAX_WIDTH = 2048
EngineLoader = Callable[[str], Stylizer]
# 128 bytes in base64, without the padding sign.
_ENCODED_STYLE = re.compile(r"[A-Za-z0-9_-]{171}")


class RestyleStatus(StrEnum):
    """Where the bytes come from: rendered now, rendered before, or the photo as it is."""

    COMPUTED = "computed"
    CACHED = "cached"
    ORIGINAL = "original"


@dataclass(frozen=True, slots=True)
class Restyled:
    """An encoded picture.

    `etag` is the SHA-256 of `data` in hexadecimal. `engine` is the engine's version, None for an original.
    `settled` is False where an original stands in for a restyled picture that could not be had in time: asking
    again may give another answer.
    """

    data: bytes
    media_type: str
    status: RestyleStatus
    etag: str
    engine: str | None
    strength: float
    settled: bool


@dataclass(frozen=True, slots=True)
class Order:
    """One picture to render, every choice made. `style` holds only vectors that `encode_style` keeps exactly."""

    image: Path
    style: StyleVector
    strength: float
    width: int
    engine: str
    image_format: ImageFormat
    credit: StyleCredit | None


class Restyler:
    """Renders, caches and bounds. Safe to share between threads; close it (or leave its `with`) when done.

    `load_engine` makes an engine by name, on first use and off the caller's thread; by default
    `style.transfer.registry.load_stylizer`. At most `max_waiting` renders wait for one of `workers` threads and at
    most as many callers wait for a render; who comes on top of that gets the original at once.
    """

    def __init__(
        self,
        settings: RestyleSettings,
        cache: DiskCache,
        *,
        load_engine: EngineLoader | None = None,
        workers: int = 1,
        max_waiting: int = 16,
    ) -> None:
        self.settings = settings
        self.cache = cache
        self._engines = _Engines(load_engine or _load_registered)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="restyle")
        self._max_running = workers + max_waiting
        self._callers = threading.BoundedSemaphore(max_waiting)
        self._running: dict[str, Future[Restyled]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Restyler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let running renders end, drop waiting ones, and take no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def warm_up(self) -> None:
        """Begin to load the default engine in the background, so that the first caller need not wait for it."""
        self._pool.submit(self._engines.get, self.settings.engine)

    def fault(self) -> str | None:
        """Why the default engine cannot be used, or None as long as nothing is known against it."""
        return self._engines.fault(self.settings.engine)

    def render(
        self,
        image: Path,
        style: StyleVector,
        *,
        strength: float | None = None,
        width: int | None = None,
        engine: str | None = None,
        image_format: ImageFormat = ImageFormat.JPEG,
        deadline_ms: int | None = None,
        credit: StyleCredit | None = None,
    ) -> Restyled:
        """The photo repainted toward `style`; on a plain backdrop, only the product is.

        `strength` in [0, 1], three decimals count; 0 gives the original, unmarked. `width` in pixels: the picture
        is shrunk (never enlarged) to be at most that wide and twice as high. `deadline_ms` 0: what is cached, or
        the original. None takes the setting. `credit` is written into the file. Raises ImageError where the photo
        cannot be read, VectorError for a strength outside its range, UnknownEngineError.
        """
        until = time.monotonic() + (self.settings.deadline_ms if deadline_ms is None else deadline_ms) / 1000
        amount = self.settings.strength if strength is None else strength
        check_strength(amount)
        if round(amount, 3) == 0:
            return self.original(image, width=width, image_format=image_format)
        order = Order(
            image=image,
            # What is rendered is what the key says, so that no answer depends on who asked first.
            style=decode_style(encode_style(style)),
            strength=round(amount, 3),
            width=self._width(width),
            engine=engine or self.settings.engine,
            image_format=image_format,
            credit=credit,
        )
        key = _order_key(order)
        return self._cached(order, key) or self._in_time(order, key, until)

    def original(
        self, image: Path, *, width: int | None = None, image_format: ImageFormat = ImageFormat.JPEG
    ) -> Restyled:
        """The photo as it is, shrunk and encoded as `render` would, without metadata. Raises ImageError."""
        return _original(_pixels(image, self._width(width)), image_format, settled=True)

    def _width(self, width: int | None) -> int:
        return min(width or self.settings.size, MAX_WIDTH)

    def _in_time(self, order: Order, key: str, until: float) -> Restyled:
        pixels = _pixels(order.image, order.width)
        rendered = self._awaited(self._enqueued(order, key, pixels), until)
        return rendered or _original(pixels, order.image_format, settled=False)

    def _cached(self, order: Order, key: str) -> Restyled | None:
        version = self._engines.version(order.engine)
        data = None if version is None else self.cache.get(_cache_key(key, version))
        return None if data is None else _restyled(data, order, RestyleStatus.CACHED, version)

    def _enqueued(self, order: Order, key: str, pixels: Pixels) -> Future[Restyled] | None:
        """The render of this order, begun now or by an earlier caller; None where too many wait already."""
        with self._lock:
            running = self._running.get(key)
            if running is not None:
                return running
            if len(self._running) >= self._max_running:
                return None
            future = self._pool.submit(self._produce, order, key, pixels)
            self._running[key] = future
        # Outside the lock: a render that is already over runs this in the calling thread.
        future.add_done_callback(lambda _: self._forget(key))
        return future

    def _forget(self, key: str) -> None:
        with self._lock:
            del self._running[key]

    def _awaited(self, future: Future[Restyled] | None, until: float) -> Restyled | None:
        if future is None or not self._callers.acquire(blocking=False):
            return None
        try:
            return future.result(timeout=max(0.0, until - time.monotonic()))
        except UnknownEngineError:
            raise
        except Exception:
            # Too late, or the engine failed, which its own thread has logged: the original stands in.
            return None
        finally:
            self._callers.release()

    def _produce(self, order: Order, key: str, pixels: Pixels) -> Restyled:
        engine = self._engines.get(order.engine)
        try:
            # Another process, or a render that ended since the caller looked, may have filled the cache.
            return self._cached(order, key) or self._rendered(order, key, pixels, engine)
        except Exception:
            logger.exception("a picture could not be restyled")
            raise

    def _rendered(self, order: Order, key: str, pixels: Pixels, engine: Stylizer) -> Restyled:
        painted = engine.restyle(pixels, order.style, order.strength, product_mask(pixels))
        mark = Mark(order.engine, engine.version, order.strength, order.credit)
        data = encode(painted, order.image_format, mark)
        self.cache.put(_cache_key(key, engine.version), data)
        return _restyled(data, order, RestyleStatus.COMPUTED, engine.version)


def encode_style(style: StyleVector) -> str:
    """A style vector as 171 URL-safe characters: 8 bits a number, relative to the largest.

    The cosine to the vector that `decode_style` gives back is above 0.999; encoding that one again gives the same
    text.
    """
    largest = np.abs(style.values).max()
    numbers = np.rint(style.values / largest * 127).astype(np.int8)
    return base64.urlsafe_b64encode(numbers.tobytes()).decode().rstrip("=")


def decode_style(text: str) -> StyleVector:
    """The style vector in a text of `encode_style`. Raises VectorError where it is none."""
    if not _ENCODED_STYLE.fullmatch(text):
        raise VectorError(
            f"an encoded style vector has 171 characters of A-Z a-z 0-9 - _, got {len(text)}: {text[:8]!r}"
        )
    return StyleVector.of(np.frombuffer(base64.urlsafe_b64decode(text + "="), dtype=np.int8))


class _Engines:
    """Engines by name, each loaded once, on the thread that first needs it; one that fails is not tried again."""

    def __init__(self, load: EngineLoader) -> None:
        self._load = load
        self._loaded: dict[str, Stylizer] = {}
        self._faults: dict[str, Exception] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Stylizer:
        with self._lock:
            if name in self._faults:
                raise self._faults[name].with_traceback(None)
            if name not in self._loaded:
                self._loaded[name] = self._first(name)
            return self._loaded[name]

    def version(self, name: str) -> str | None:
        engine = self._loaded.get(name)
        return None if engine is None else engine.version

    def fault(self, name: str) -> str | None:
        return str(self._faults[name]) if name in self._faults else None

    def _first(self, name: str) -> Stylizer:
        try:
            return self._load(name)
        except Exception as error:
            self._faults[name] = error
            logger.error("the engine %s cannot be loaded, photos are served as they are: %s", name, error)
            raise


def _load_registered(name: str) -> Stylizer:
    # Imported on first use: the registry brings torch, which retrieving and ranking never need.
    from style.transfer.registry import load_stylizer

    return load_stylizer(name)


def _order_key(order: Order) -> str:
    try:
        status = order.image.stat()
    except OSError as error:
        raise ImageError(f"{order.image}: cannot be read: {error.strerror}") from None
    parts = (
        str(order.image.absolute()),
        status.st_mtime_ns,
        status.st_size,
        encode_style(order.style),
        order.strength,
        order.width,
        order.engine,
        order.image_format,
        None if order.credit is None else (order.credit.style_id, order.credit.licence),
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _cache_key(order_key: str, engine_version: str) -> str:
    # Masking and encoding change with this package's version, painting with the engine's.
    return hashlib.sha256(json.dumps([order_key, engine_version, __version__]).encode()).hexdigest()


def _pixels(path: Path, width: int) -> Pixels:
    image = open_image(path, short_side=width)
    image.thumbnail((width, 2 * width), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return to_pixels(image)


def _original(pixels: Pixels, image_format: ImageFormat, *, settled: bool) -> Restyled:
    data = encode(pixels, image_format, None)
    return Restyled(data, image_format.media_type, RestyleStatus.ORIGINAL, _etag(data), None, 0.0, settled)


def _restyled(data: bytes, order: Order, status: RestyleStatus, engine: str | None) -> Restyled:
    return Restyled(data, order.image_format.media_type, status, _etag(data), engine, order.strength, settled=True)


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
