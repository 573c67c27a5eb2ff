"""The last step of a request: a product's photo, repainted toward a style, within the time that there is.

Rendering happens on few background threads. A caller waits for its picture until a deadline; then it gets the
original while rendering goes on and fills the cache, so that the next caller gets the restyled one. What several
callers want at once is rendered once.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from PIL import Image

from recsys.config import RestyleSettings
from recsys.pipeline.engines import EngineLoader, Engines
from recsys.pipeline.order import Order, cache_key, decode_style, encode_style
from recsys.pipeline.restyled import Restyled, RestyleStatus, pack, unpack
from recsys.storage.cache import DiskCache
from style.errors import BackdropError, UnknownEngineError
from style.fidelity import Limit, untouched
from style.images import Pixels, open_image, to_pixels
from style.provenance import ImageFormat, Mark, StyleCredit, encode
from style.repaint import Repainted, repaint
from style.transfer.base import Stylizer, check_strength
from style.transfer.modes import PaintMode
from style.vector import StyleVector

logger = logging.getLogger(__name__)

MAX_WIDTH = 2048


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
        self._engines = Engines(load_engine)
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
        mode: PaintMode | None = None,
        keep_colour: bool | None = None,
        width: int | None = None,
        engine: str | None = None,
        image_format: ImageFormat = ImageFormat.JPEG,
        deadline_ms: int | None = None,
        credit: StyleCredit | None = None,
    ) -> Restyled:
        """The photo repainted toward `style`, where `mode` says, at most as far as fidelity allows.

        `strength` in [0, 1], three decimals count; 0 gives the original, unmarked, and so does a photo on which the
        limits allow nothing, or that has no backdrop where only the backdrop is to be painted. `width` in pixels:
        the picture is shrunk (never enlarged) to be at most that wide and twice as high. `deadline_ms` 0: what is
        cached, or the original. None takes the setting. `credit` is written into the file. Raises ImageError where
        the photo cannot be read, VectorError for a strength outside its range, UnknownEngineError.
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
            mode=mode or self.settings.mode,
            keep_colour=self.settings.keep_colour if keep_colour is None else keep_colour,
            limits=self.settings.limits,
            width=self._width(width),
            engine=engine or self.settings.engine,
            image_format=image_format,
            credit=credit,
        )
        key = order.key()
        return self._cached(order, key) or self._in_time(order, key, until)

    def original(
        self, image: Path, *, width: int | None = None, image_format: ImageFormat = ImageFormat.JPEG
    ) -> Restyled:
        """The photo as it is, shrunk and encoded as `render` would, without metadata. Raises ImageError."""
        return Restyled.original(_pixels(image, self._width(width)), image_format, settled=True)

    def _width(self, width: int | None) -> int:
        return min(width or self.settings.size, MAX_WIDTH)

    def _in_time(self, order: Order, key: str, until: float) -> Restyled:
        pixels = _pixels(order.image, order.width)
        rendered = self._awaited(self._enqueued(order, key, pixels), until)
        return rendered or Restyled.original(pixels, order.image_format, settled=False)

    def _cached(self, order: Order, key: str) -> Restyled | None:
        version = self._engines.version(order.engine)
        packed = None if version is None else self.cache.get(cache_key(key, version))
        if version is None or packed is None:
            return None
        data, report = unpack(packed)
        return Restyled.of(data, order.image_format, RestyleStatus.CACHED, version, report)

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
        painted = _repainted(engine, pixels, order)
        data = encode(painted.pixels, order.image_format, _mark(order, engine, painted))
        self.cache.put(cache_key(key, engine.version), pack(data, painted.report))
        return Restyled.of(data, order.image_format, RestyleStatus.COMPUTED, engine.version, painted.report)


def _mark(order: Order, engine: Stylizer, painted: Repainted) -> Mark | None:
    """The mark of what was painted; None where nothing was."""
    used = painted.report.used
    if not used.largest:
        return None
    return Mark(
        engine=order.engine,
        version=engine.version,
        strength=used,
        mode=order.mode,
        keep_colour=order.keep_colour,
        model_sha256=engine.model_sha256,
        credit=order.credit,
    )


def _repainted(engine: Stylizer, pixels: Pixels, order: Order) -> Repainted:
    try:
        return repaint(engine, pixels, order.style, order.wish)
    except BackdropError:
        # Who looks at a shop is better served with the photo than with an error; the report says why.
        return Repainted(pixels, untouched(order.wish.strength, Limit.NO_BACKDROP))


def _pixels(path: Path, width: int) -> Pixels:
    image = open_image(path, short_side=width)
    image.thumbnail((width, 2 * width), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return to_pixels(image)
