"""Renderer: restyle photos in the time that a request allows.

A few background threads render. A caller waits for its image until the deadline of the request, then gets the
original, which is ready by then. Rendering continues and fills the cache, so that the next caller gets the restyled
image. Equal requests at the same time are rendered once, also if they come from several processes.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

from recsys.config import RestyleSettings
from recsys.dataset.project import Project
from recsys.errors import ProjectError
from recsys.restyling.deadlines import Deadlines
from recsys.restyling.engines import EngineLoader, Engines
from recsys.restyling.originals import Originals, read_photo
from recsys.restyling.render_request import RenderRequest, cache_key
from recsys.restyling.render_result import RenderResult, RestyleStatus, pack, unpack
from recsys.restyling.target import StyleTarget
from recsys.storage.cache import ImageCache
from recsys.storage.open_cache import open_cache
from style.errors import BackdropError, UnknownEngineError
from style.fidelity import Limit, unpainted_report
from style.preprocess.recipe import NO_RECIPE, Recipe
from style.provenance.mark import Mark, encode
from style.restyle import RestyledPhoto, restyle_photo
from style.transfer.base import Follows, Stylizer

logger = logging.getLogger(__name__)

PATIENCE_MS = 600_000
"""Deadline of callers that need the restyled image, in milliseconds."""


class Renderer:
    """Renders, caches and bounds. Safe to share between threads. Close it, or use it in a `with` statement.

    Args:
        settings: Defaults of render requests, and the engine that `warm_up` loads.
        cache: Cache of restyled images.
        load_engine: Function that loads an engine by name, on first use and outside of the caller's thread. Default:
            `style.transfer.registry.load_stylizer` with one thread, which leaves the other cores to ranking.
        workers: Threads that render.
        max_waiting: Renders that may wait for a worker, and callers that may wait for a render. Callers beyond that
            get the original at once.
        readers: Threads that read the cache and photos for `submit`.
        recipe: Preprocessing of photos before they are painted.
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
        """Finish running renders, drop waiting ones, whose callers get originals, and accept no more requests."""
        # Readers first: they would request further renders.
        self._readers.shutdown(wait=True)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._deadlines.close()

    def warm_up(self) -> None:
        """Load the default engine, so that the first caller does not wait for it. `fault` tells if that failed."""
        wait([self._pool.submit(self._engines.get, self.settings.engine)])

    def fault(self) -> str | None:
        """Return why the default engine cannot be used, or None if no fault is known."""
        return self._engines.fault(self.settings.engine)

    def render(self, request: RenderRequest) -> RenderResult:
        """Render an image, and wait for it until the deadline of the request.

        The answer is the original if the request asks for it, if the limits of fidelity allow nothing, if only the
        background is to be painted and there is none, or if the deadline passes.

        Raises:
            ImageError: The photo cannot be read.
            UnknownEngineError: There is no such engine.
        """
        answer: Future[RenderResult] = Future()
        self._serve(request, time.monotonic() + request.deadline_ms / 1000, answer)
        return answer.result()

    def render_or_raise(self, request: RenderRequest) -> RenderResult:
        """Render an image without a deadline.

        Raises:
            ImageError: The photo cannot be read.
            UnknownEngineError: There is no such engine.
            ProjectError: The image could not be restyled.
        """
        result = self.render(replace(request, deadline_ms=PATIENCE_MS))
        if not result.settled:
            name = "the photo" if isinstance(request.photo, bytes) else request.photo
            raise ProjectError(f"{name}: could not be restyled; the log says why")
        return result

    def submit(self, request: RenderRequest) -> Future[RenderResult]:
        """Render an image without blocking a thread; an event loop can await it (`asyncio.wrap_future`).

        The future has its result soon after the deadline at the latest, and cannot be canceled. It carries the errors
        of `render`.
        """
        until = time.monotonic() + request.deadline_ms / 1000
        answer: Future[RenderResult] = Future()
        answer.set_running_or_notify_cancel()

        def serve() -> None:
            try:
                self._serve(request, until, answer)
            except Exception as error:
                answer.set_exception(error)

        self._readers.submit(serve)
        return answer

    def _serve(self, request: RenderRequest, until: float, answer: Future[RenderResult]) -> None:
        """Make sure that `answer` gets a result: now, when the image is rendered, or at `until`."""
        if request.target is None or request.is_original:
            _resolve(answer, self._original(request))
            return
        key = request.key()
        cached = self._read_cache(request, key)
        if cached is not None:
            _resolve(answer, cached)
            return
        # The original is encoded before it is needed: at a deadline that many callers share, there is no time for it.
        original = replace(self._original(request), settled=False)
        rendering = self._enqueue(request, request.target, key)
        if rendering is None or not self._callers.acquire(blocking=False):
            _resolve(answer, original)
            return
        answer.add_done_callback(lambda _: self._callers.release())
        rendering.add_done_callback(lambda done: _resolve_rendering(answer, done, original))
        self._deadlines.at(until, lambda: _resolve(answer, original))

    def _original(self, request: RenderRequest) -> RenderResult:
        return self._originals.get(request.photo, request.width, request.image_format)

    def _read_cache(self, request: RenderRequest, key: str) -> RenderResult | None:
        version = self._engines.version(request.engine) if request.is_cacheable else None
        packed = None if version is None else self.cache.get(cache_key(key, version))
        if version is None or packed is None:
            return None
        data, report = unpack(packed)
        return RenderResult.from_rendering(data, request.image_format, RestyleStatus.CACHED, version, report)

    def _enqueue(self, request: RenderRequest, target: StyleTarget, key: str) -> Future[RenderResult] | None:
        """Return the running render of a request, or start it. None if too many wait, or after `close`."""
        with self._lock:
            running = self._running.get(key)
            if running is not None:
                return running
            if len(self._running) >= self._max_running:
                return None
            try:
                rendering = self._pool.submit(self._render_once, request, target, key)
            except RuntimeError:
                return None
            self._running[key] = rendering

        def forget(_: Future[RenderResult]) -> None:
            with self._lock:
                del self._running[key]

        # Outside the lock: if the render is already over, the callback runs in this thread.
        rendering.add_done_callback(forget)
        return rendering

    def _render_once(self, request: RenderRequest, target: StyleTarget, key: str) -> RenderResult:
        """Render an image on a worker, unless another process has rendered it."""
        engine = self._engines.get(request.engine)
        try:
            if not request.is_cacheable:
                return _paint(request, target, engine)[1]
            key_in_cache = cache_key(key, engine.version)
            with self.cache.exclusive(key_in_cache):
                # Another process, or a render that ended since the caller looked, may have filled the cache.
                cached = self._read_cache(request, key)
                if cached is not None:
                    return cached
                packed, result = _paint(request, target, engine)
                self.cache.put(key_in_cache, packed)
                return result
        except Exception:
            logger.exception("an image could not be restyled")
            raise


def _paint(request: RenderRequest, target: StyleTarget, engine: Stylizer) -> tuple[bytes, RenderResult]:
    """Paint, mark and encode an image; return the bytes for the cache and the result."""
    pixels = request.recipe(read_photo(request.photo, request.width))
    try:
        painted = restyle_photo(engine, pixels, target.style.vector, request.options)
    except BackdropError:
        # A visitor of a shop is better served with the photo than with an error; the report says why.
        painted = RestyledPhoto(pixels, unpainted_report(request.options.strength, Limit.NO_BACKDROP))
    report = painted.report
    mark = None
    # An image on which nothing was painted is an original and has no mark.
    if report.used.largest:
        mark = Mark(
            engine=request.engine,
            version=engine.version,
            strength=report.used,
            mode=request.mode,
            keep_color=request.keep_color,
            model_sha256=engine.model_sha256,
            credit=target.credit if engine.follows is Follows.ALL else engine.credit,
        )
    data = encode(painted.pixels, request.image_format, mark)
    result = RenderResult.from_rendering(data, request.image_format, RestyleStatus.COMPUTED, engine.version, report)
    return pack(data, report), result


def _resolve(answer: Future[RenderResult], result: RenderResult) -> None:
    # The first result is the answer; later ones are dropped.
    with suppress(InvalidStateError):
        answer.set_result(result)


def _resolve_rendering(answer: Future[RenderResult], done: Future[RenderResult], original: RenderResult) -> None:
    """Pass a render on. If it was dropped, or failed, which its thread has logged, the answer is the original."""
    error = None if done.cancelled() else done.exception()
    if isinstance(error, UnknownEngineError):
        with suppress(InvalidStateError):
            answer.set_exception(error)
    else:
        _resolve(answer, original if done.cancelled() or error is not None else done.result())


def open_render_cache(project: Project) -> ImageCache:
    """Open the project's cache of restyled images: files, or the Redis server that the settings name.

    The service and the command line share it.

    Raises:
        ConfigError: The address of the server is wrong.
        MissingExtraError: The extra for Redis is not installed.
    """
    settings = project.settings
    max_bytes = settings.restyle.cache_mb * 2**20
    return open_cache(project.cache / "restyled", max_bytes, settings.storage.redis, f"recsys:{settings.name}")
