"""The last step of a request: a product's photo, repainted toward a style, within the time that there is.

Rendering happens on few background threads. A caller waits for its picture until a deadline; then it gets the
original, which is ready by then, while rendering goes on and fills the cache, so that the next caller gets the
restyled one. What several callers want at once is rendered once, also where they ask other processes.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from recsys.config import RestyleSettings
from recsys.dataset.project import Project
from recsys.restyling.deadlines import Deadlines
from recsys.restyling.engines import EngineLoader, Engines
from recsys.restyling.originals import Originals, pixels_of
from recsys.restyling.render_request import RenderRequest, cache_key, decode_style, encode_style
from recsys.restyling.render_result import RenderResult, RestyleStatus, pack, unpack
from recsys.storage.cache import ImageCache
from recsys.storage.open_cache import open_cache
from style.credit import StyleCredit
from style.errors import BackdropError, UnknownEngineError
from style.fidelity import Limit, untouched
from style.images import Pixels
from style.modes import PaintMode, check_strength
from style.preprocess.recipe import NO_RECIPE, Recipe
from style.provenance.mark import ImageFormat, Mark, encode
from style.repaint import Repainted, repaint
from style.transfer.base import Follows, Stylizer
from style.vector import StyleVector

logger = logging.getLogger(__name__)

MAX_WIDTH = 2048


class Renderer:
    """Renders, caches and bounds. Safe to share between threads; close it (or leave its `with`) when done.

    `load_engine` makes an engine by name, on first use and off the caller's thread; by default
    `style.transfer.registry.load_stylizer` with one thread, which leaves the other cores to ranking. At most
    `max_waiting` renders wait for one of `workers` threads and at most as many callers wait for a render; who comes
    on top of that gets the original at once. `readers` threads look into the cache and read photos for `submit`.
    Photos go through `recipe` before they are painted; originals do not.
    """

    def __init__(
        self,
        settings: RestyleSettings,
        cache: ImageCache,
        *,
        load_engine: EngineLoader | None = None,
        workers: int = 1,
        max_waiting: int = 16,
        readers: int = 2,
        recipe: Recipe = NO_RECIPE,
    ) -> None:
        self.settings = settings
        self.recipe = recipe
        self.cache = cache
        self._engines = Engines(load_engine)
        self._originals = Originals()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="restyle")
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="photos")
        self._deadlines = Deadlines()
        self._max_running = workers + max_waiting
        self._callers = threading.BoundedSemaphore(max_waiting)
        self._running: dict[str, Future[RenderResult]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let running renders end, drop waiting ones, whose callers get originals, and take no more."""
        # First who would still ask for renders.
        self._readers.shutdown(wait=True)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._deadlines.close()

    def warm_up(self) -> None:
        """Load the default engine, so that the first caller need not wait for it; `fault` says whether that failed."""
        wait([self._pool.submit(self._engines.get, self.settings.engine)])

    def fault(self) -> str | None:
        """Why the default engine cannot be used, or None as long as nothing is known against it."""
        return self._engines.fault(self.settings.engine)

    def render(
        self,
        photo: Path | bytes,
        style: StyleVector,
        *,
        strength: float | None = None,
        mode: PaintMode | None = None,
        keep_color: bool | None = None,
        width: int | None = None,
        engine: str | None = None,
        image_format: ImageFormat = ImageFormat.JPEG,
        deadline_ms: int | None = None,
        credit: StyleCredit | None = None,
    ) -> RenderResult:
        """The photo repainted toward `style`, where `mode` says, at most as far as fidelity allows.

        `photo`: a file, or one's bytes, of which nothing is kept. `strength` in [0, 1], three decimals count;
        0 gives the original, unmarked, and so does a photo on which the limits allow nothing, or that has no backdrop
        where only the backdrop is to be painted. `width` in pixels: the picture is shrunk (never enlarged) to be at
        most that wide and twice as high. `deadline_ms` 0: what is cached, or the original. None takes the setting.
        `credit` is written into the file. Raises ImageError where the photo cannot be read, VectorError for a strength
        outside its range, UnknownEngineError.
        """
        until = self._until(deadline_ms)
        order = self._order(photo, style, strength, mode, keep_color, width, engine, image_format, credit)
        answer: Future[RenderResult] = Future()
        self._serve(order, until, answer)
        return answer.result()

    def submit(
        self,
        photo: Path | bytes,
        style: StyleVector,
        *,
        strength: float | None = None,
        mode: PaintMode | None = None,
        keep_color: bool | None = None,
        width: int | None = None,
        engine: str | None = None,
        image_format: ImageFormat = ImageFormat.JPEG,
        deadline_ms: int | None = None,
        credit: StyleCredit | None = None,
    ) -> Future[RenderResult]:
        """Like `render`, but at once, and no thread waits: an event loop can await it (`asyncio.wrap_future`).

        The future has its result soon after the deadline at the latest; it cannot be cancelled. It carries ImageError
        and UnknownEngineError; VectorError is raised here.
        """
        until = self._until(deadline_ms)
        order = self._order(photo, style, strength, mode, keep_color, width, engine, image_format, credit)
        answer: Future[RenderResult] = Future()
        answer.set_running_or_notify_cancel()
        self._readers.submit(self._served, order, until, answer)
        return answer

    def original(
        self, photo: Path | bytes, *, width: int | None = None, image_format: ImageFormat = ImageFormat.JPEG
    ) -> RenderResult:
        """The photo as it is, shrunk and encoded as `render` would, without metadata. Raises ImageError."""
        return self._originals.get(photo, self._width(width), image_format)

    def submit_original(
        self, photo: Path | bytes, *, width: int | None = None, image_format: ImageFormat = ImageFormat.JPEG
    ) -> Future[RenderResult]:
        """Like `original`, but at once: the future carries the picture, or ImageError."""
        return self._readers.submit(self.original, photo, width=width, image_format=image_format)

    def _width(self, width: int | None) -> int:
        return min(width or self.settings.size, MAX_WIDTH)

    def _until(self, deadline_ms: int | None) -> float:
        return time.monotonic() + (self.settings.deadline_ms if deadline_ms is None else deadline_ms) / 1000

    def _order(
        self,
        photo: Path | bytes,
        style: StyleVector,
        strength: float | None,
        mode: PaintMode | None,
        keep_color: bool | None,
        width: int | None,
        engine: str | None,
        image_format: ImageFormat,
        credit: StyleCredit | None,
    ) -> RenderRequest:
        amount = self.settings.strength if strength is None else strength
        check_strength(amount)
        return RenderRequest(
            photo=photo,
            # What is rendered is what the key says, so that no answer depends on who asked first.
            style=decode_style(encode_style(style)),
            strength=round(amount, 3),
            mode=mode or self.settings.mode,
            keep_color=self.settings.keep_color if keep_color is None else keep_color,
            limits=self.settings.limits,
            width=self._width(width),
            engine=engine or self.settings.engine,
            image_format=image_format,
            credit=credit,
            recipe=self.recipe,
        )

    def _served(self, order: RenderRequest, until: float, answer: Future[RenderResult]) -> None:
        try:
            self._serve(order, until, answer)
        except Exception as error:
            answer.set_exception(error)

    def _serve(self, order: RenderRequest, until: float, answer: Future[RenderResult]) -> None:
        """See to it that `answer` has a result: now, when the picture is rendered, or at `until`."""
        if not order.strength:
            _give(answer, self.original(order.photo, width=order.width, image_format=order.image_format))
            return
        key = order.key()
        if (cached := self._cached(order, key)) is not None:
            _give(answer, cached)
            return
        # Made before it is needed: at a deadline that many share there is no time for it.
        original = replace(self._originals.get(order.photo, order.width, order.image_format), settled=False)
        rendering = self._enqueued(order, key)
        if rendering is None or not self._callers.acquire(blocking=False):
            _give(answer, original)
            return
        answer.add_done_callback(lambda _: self._callers.release())
        rendering.add_done_callback(lambda done: _give_rendered(answer, done, original))
        self._deadlines.at(until, lambda: _give(answer, original))

    def _cached(self, order: RenderRequest, key: str) -> RenderResult | None:
        version = self._engines.version(order.engine) if order.kept else None
        packed = None if version is None else self.cache.get(cache_key(key, version))
        if version is None or packed is None:
            return None
        data, report = unpack(packed)
        return RenderResult.of(data, order.image_format, RestyleStatus.CACHED, version, report)

    def _enqueued(self, order: RenderRequest, key: str) -> Future[RenderResult] | None:
        """The render of this order, begun now or by an earlier caller; None where too many wait, or after `close`."""
        with self._lock:
            running = self._running.get(key)
            if running is not None:
                return running
            if len(self._running) >= self._max_running:
                return None
            try:
                future = self._pool.submit(self._produce, order, key)
            except RuntimeError:
                return None
            self._running[key] = future
        # Outside the lock: a render that is already over runs this in the calling thread.
        future.add_done_callback(lambda _: self._forget(key))
        return future

    def _forget(self, key: str) -> None:
        with self._lock:
            del self._running[key]

    def _produce(self, order: RenderRequest, key: str) -> RenderResult:
        engine = self._engines.get(order.engine)
        try:
            if not order.kept:
                return self._rendered(order, None, engine)
            kept_as = cache_key(key, engine.version)
            with self.cache.exclusive(kept_as):
                # Another process, or a render that ended since the caller looked, may have filled the cache.
                return self._cached(order, key) or self._rendered(order, kept_as, engine)
        except Exception:
            logger.exception("a picture could not be restyled")
            raise

    def _rendered(self, order: RenderRequest, kept_as: str | None, engine: Stylizer) -> RenderResult:
        painted = _repainted(engine, order.recipe(pixels_of(order.photo, order.width)), order)
        data = encode(painted.pixels, order.image_format, _mark(order, engine, painted))
        if kept_as is not None:
            self.cache.put(kept_as, pack(data, painted.report))
        return RenderResult.of(data, order.image_format, RestyleStatus.COMPUTED, engine.version, painted.report)


def _give(answer: Future[RenderResult], picture: RenderResult) -> None:
    # Whatever comes first is the answer.
    with suppress(InvalidStateError):
        answer.set_result(picture)


def _give_rendered(answer: Future[RenderResult], done: Future[RenderResult], original: RenderResult) -> None:
    """Pass a render on; where it failed, which its own thread has logged, or was dropped, the original stands in."""
    error = None if done.cancelled() else done.exception()
    if isinstance(error, UnknownEngineError):
        with suppress(InvalidStateError):
            answer.set_exception(error)
    else:
        _give(answer, original if done.cancelled() or error is not None else done.result())


def _mark(order: RenderRequest, engine: Stylizer, painted: Repainted) -> Mark | None:
    """The mark of what was painted; None where nothing was."""
    used = painted.report.used
    if not used.largest:
        return None
    return Mark(
        engine=order.engine,
        version=engine.version,
        strength=used,
        mode=order.mode,
        keep_color=order.keep_color,
        model_sha256=engine.model_sha256,
        credit=order.credit if engine.follows is Follows.ALL else engine.credit,
    )


def _repainted(engine: Stylizer, pixels: Pixels, order: RenderRequest) -> Repainted:
    try:
        return repaint(engine, pixels, order.style, order.wish)
    except BackdropError:
        # Who looks at a shop is better served with the photo than with an error; the report says why.
        return Repainted(pixels, untouched(order.wish.strength, Limit.NO_BACKDROP))


def render_cache(project: Project) -> ImageCache:
    """The project's cache of restyled pictures, which the service shares: files, or the Redis that the settings name.

    Raises ConfigError and MissingExtraError like `recsys.storage.cache.open_cache`.
    """
    settings = project.settings
    max_bytes = settings.restyle.cache_mb * 2**20
    return open_cache(project.cache / "restyled", max_bytes, settings.storage.redis, f"recsys:{settings.name}")
