"""Model host: the current bundle with the live changes of the catalog, swapped together while requests run.

A request takes `host.current` once and uses that snapshot to its end. A new bundle is loaded, verified and warmed up
next to the current one, and replaces it by one assignment. If it fails a check, the current one keeps serving. Each
process follows `current.json`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recsys.bundle.store import CURRENT, current_version, make_current
from recsys.bundle.versions import versions
from recsys.errors import BundleError
from recsys.ranking.request import Request
from recsys.schema import UserId
from recsys.serving.background import Background, release_memory
from recsys.serving.model_loader import ItemSource, Loader
from recsys.serving.model_loader import Served as Served

logger = logging.getLogger(__name__)

RECENT_REQUESTS = 32
"""Number of recent requests that warm up a new bundle."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Version that is not served, and the reason."""

    version: str
    reason: str


class ModelHost:
    """Owner of the served model. Any thread may use `current`, `rejection` and `remember`."""

    def __init__(
        self, bundles: Path, image_root: Path, items: ItemSource | None = None, poll_interval_s: float = 0.25
    ) -> None:
        """Load the current bundle, or the newest other one if it is rejected, so that a restart serves the same model.

        Args:
            bundles: Folder of bundles.
            image_root: Folder to which paths of images are relative.
            items: Live changes of the catalog, if any.
            poll_interval_s: Seconds between two polls for changes, once `start` was called.

        Raises:
            BundleError: There is no bundle, or none that can be served.
        """
        self._bundles, self._poll_interval_s = bundles, poll_interval_s
        self.loader = Loader(bundles, image_root, items, self._log_once)
        self._recent: deque[Request] = deque(maxlen=RECENT_REQUESTS)
        self._swapping = threading.Lock()
        self._background = Background("model-host", self._run)
        self._logged: dict[str, str] = {}
        self._rejection: Rejection | None = None
        self._swaps = 0
        self._stamp = self._pointer_stamp()
        self._current: Served = self._load_first()

    @property
    def current(self) -> Served:
        """Served model. A request reads it once, so that no answer mixes two models."""
        return self._current

    @property
    def rejection(self) -> Rejection | None:
        """Version that was rejected last, None once another one was served."""
        return self._rejection

    @property
    def swaps(self) -> int:
        """Number of changes of the served model."""
        return self._swaps

    @property
    def recent_requests(self) -> tuple[Request, ...]:
        """Recent requests, to warm up a bundle."""
        return tuple(self._recent)

    def remember(self, request: Request) -> None:
        """Keep a request in memory for the warm-up of the next bundle; older ones are dropped."""
        self._recent.append(request)

    def forget(self, user_id: UserId) -> None:
        """Delete the requests of a user."""
        for request in [request for request in tuple(self._recent) if request.user_id == user_id]:
            with suppress(ValueError):
                self._recent.remove(request)

    def activate(self, version: str) -> Served:
        """Serve a version here and, by `current.json`, in all processes of the project.

        Raises:
            BundleError: The version is rejected; nothing has changed.
        """
        with self._swapping:
            prepared = self._load(version)
            # A kill before this line leaves the old version current, after it the new one.
            make_current(self._bundles, version)
            self._stamp = self._pointer_stamp()
            self._swap(prepared)
        release_memory()
        return prepared

    def poll(self) -> None:
        """Follow `current.json`, and add changed items.

        Never raises. Each distinct error is logged once; the current model keeps serving. A rejected version is not
        tried again until `current.json` changes.
        """
        for step in (self._follow_pointer, self._follow_items):
            try:
                with self._swapping:
                    step()
                self._logged.pop(step.__name__, None)
            except Exception as error:
                self._log_once(step.__name__, f"{type(error).__name__}: {error}")

    def start(self) -> None:
        """Poll in a background thread until `close`."""
        self._background.start()

    def close(self) -> None:
        """Stop polling; a swap that has started is finished first."""
        self._background.close()

    def _run(self) -> None:
        released_at = self._swaps
        while not self._background.ends_within(self._poll_interval_s):
            self.poll()
            # By the next poll, requests that use the previous model have ended.
            if self._swaps != released_at:
                released_at = self._swaps
                self._background.ends_within(self._poll_interval_s)
                release_memory()

    def _load_first(self) -> Served:
        try:
            version = current_version(self._bundles)
            return self._load(version)
        except BundleError as error:
            for other in versions(self._bundles):
                if other.current:
                    continue
                try:
                    served = self._load(other.version)
                except BundleError:
                    continue
                self._rejection = Rejection(
                    next((v.version for v in versions(self._bundles) if v.current), ""), str(error)
                )
                logger.error("%s; version %s is served instead", error, other.version)
                return served
            raise

    def _load(self, version: str) -> Served:
        """Load a version and warm it up. Raises BundleError after recording the rejection."""
        try:
            return self.loader.load(version, self.recent_requests)
        except BundleError as error:
            self._rejection = Rejection(version, str(error))
            raise

    def _follow_pointer(self) -> None:
        stamp = self._pointer_stamp()
        if stamp == self._stamp:
            return
        try:
            version = current_version(self._bundles)
            prepared = None if version == self._current.version else self._load(version)
        except BundleError:
            self._stamp = stamp
            raise
        # The stamp was taken before the file was read, so a later write is seen by the next poll.
        self._stamp = stamp
        if prepared is not None:
            self._swap(prepared)

    def _follow_items(self) -> None:
        updated = self.loader.update(self._current)
        if updated is not self._current:
            self._current = updated
            self._swaps += 1

    def _swap(self, served: Served) -> None:
        self._current = served
        self._rejection = None
        self._swaps += 1
        logger.info("serving bundle %s", served.version)

    def _pointer_stamp(self) -> tuple[int, int, int] | None:
        """Return a value that changes when `current.json` is replaced; None without the file."""
        try:
            status = (self._bundles / CURRENT).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _log_once(self, step: str, cause: str) -> None:
        if self._logged.get(step) != cause:
            self._logged[step] = cause
            logger.error("%s; the current model keeps serving", cause)
