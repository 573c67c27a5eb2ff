"""What a process serves: the current bundle with the catalog's live changes, swapped as one while requests run.

A request takes `host.current` once and works with that snapshot to its end. A bundle is loaded, checked and warmed up
beside the one that serves, and takes its place by one assignment; where anything is wrong with it, the old one serves
on. Other processes are told by `current.json`, which each of them follows.
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
from recsys.serving.background import Background
from recsys.serving.memory import give_back
from recsys.serving.model_loader import ItemSource, Loader
from recsys.serving.model_loader import Served as Served

logger = logging.getLogger(__name__)

REMEMBERED = 32
"""Requests that a new bundle is tried with."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A version that is not served, and why."""

    version: str
    reason: str


class ModelHost:
    """Holds what is served. `current`, `refused` and `remember` may be used by any thread."""

    def __init__(
        self, bundles: Path, image_root: Path, items: ItemSource | None = None, poll_interval_s: float = 0.25
    ) -> None:
        """Load the current bundle; where it is refused, the newest that is not, so that a process that starts again
        serves what it served.

        `items`: live changes, if any; `poll_interval_s`: seconds between two looks for news, once `start` was called.
        Raises BundleError where there is no bundle, or none that can be served.
        """
        self._bundles, self._poll_interval_s = bundles, poll_interval_s
        self.loader = Loader(bundles, image_root, items, self._tell)
        self._remembered: deque[Request] = deque(maxlen=REMEMBERED)
        self._swapping = threading.Lock()
        self._background = Background("model-host", self._run)
        self._told: dict[str, str] = {}
        self._refused: Refusal | None = None
        self._swaps = 0
        self._stamp = self._stamp_of_pointer()
        self._current: Served = self._first()

    @property
    def current(self) -> Served:
        """What is served now. A request takes it once, so that no answer mixes two."""
        return self._current

    @property
    def refused(self) -> Refusal | None:
        """The version that was refused last, unless another one was taken since."""
        return self._refused

    @property
    def swaps(self) -> int:
        """How often what is served has changed."""
        return self._swaps

    @property
    def remembered(self) -> tuple[Request, ...]:
        """The latest requests, to try a bundle with."""
        return tuple(self._remembered)

    def remember(self, request: Request) -> None:
        """Keep a request in memory, for the next bundle to be tried with; only the latest are kept."""
        self._remembered.append(request)

    def forget(self, user_id: UserId) -> None:
        """Drop what was remembered of a person."""
        for request in [request for request in tuple(self._remembered) if request.user_id == user_id]:
            with suppress(ValueError):
                self._remembered.remove(request)

    def activate(self, version: str) -> Served:
        """Serve a version from now on, here and, by `current.json`, in all processes of the project.

        Raises BundleError where it is refused: then nothing has changed.
        """
        with self._swapping:
            prepared = self._prepared(version)
            # A kill before this line leaves the old version current, a kill after it the new one.
            make_current(self._bundles, version)
            self._stamp = self._stamp_of_pointer()
            self._swap(prepared)
        give_back()
        return prepared

    def poll(self) -> None:
        """Follow `current.json`, and take in items that changed. Raises nothing: what goes wrong is logged, once until
        it is another thing, and what is served stays.

        A version that was refused is not tried again until `current.json` changes.
        """
        for step in (self._follow_pointer, self._follow_items):
            try:
                with self._swapping:
                    step()
                self._told.pop(step.__name__, None)
            except Exception as error:
                self._tell(step.__name__, f"{type(error).__name__}: {error}")

    def start(self) -> None:
        """Poll in a background thread until `close`."""
        self._background.start()

    def close(self) -> None:
        """Stop polling; a swap that has begun is finished first."""
        self._background.close()

    def _run(self) -> None:
        given_back = self._swaps
        while not self._background.ends_within(self._poll_interval_s):
            self.poll()
            # By the next look, requests that held the one before have ended.
            if self._swaps != given_back:
                given_back = self._swaps
                self._background.ends_within(self._poll_interval_s)
                give_back()

    def _first(self) -> Served:
        try:
            version = current_version(self._bundles)
            return self._prepared(version)
        except BundleError as error:
            for other in versions(self._bundles):
                if other.current:
                    continue
                try:
                    served = self._prepared(other.version)
                except BundleError:
                    continue
                self._refused = Refusal(next((v.version for v in versions(self._bundles) if v.current), ""), str(error))
                logger.error("%s; version %s is served instead", error, other.version)
                return served
            raise

    def _prepared(self, version: str) -> Served:
        """A version as it will be served, after it was tried. Raises BundleError, which is remembered."""
        try:
            return self.loader.load(version, self.remembered)
        except BundleError as error:
            self._refused = Refusal(version, str(error))
            raise

    def _follow_pointer(self) -> None:
        stamp = self._stamp_of_pointer()
        if stamp == self._stamp:
            return
        try:
            version = current_version(self._bundles)
            prepared = None if version == self._current.version else self._prepared(version)
        except BundleError:
            self._stamp = stamp
            raise
        # The stamp is from before the file was read: what was written since is seen the next time.
        self._stamp = stamp
        if prepared is not None:
            self._swap(prepared)

    def _follow_items(self) -> None:
        news = self.loader.with_news(self._current)
        if news is not self._current:
            self._current = news
            self._swaps += 1

    def _swap(self, served: Served) -> None:
        self._current = served
        self._refused = None
        self._swaps += 1
        logger.info("serving bundle %s", served.version)

    def _stamp_of_pointer(self) -> tuple[int, int, int] | None:
        """Another one whenever `current.json` was replaced; None where there is none."""
        try:
            status = (self._bundles / CURRENT).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _tell(self, step: str, cause: str) -> None:
        if self._told.get(step) != cause:
            self._told[step] = cause
            logger.error("%s; what was served before is served on", cause)
