"""A thread of one's own that looks after something until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Background:
    """Runs `work` once in a daemon thread called `name`, between `start` and `close`.

    `work` asks `ends_within` whether to go on, and returns when it says that this is the end.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name, self._work = name, work
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Tell the work to stop, and wait until it has."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def ends_within(self, seconds: float) -> bool:
        """Sleep so long; sooner, and True, where `close` is called."""
        return self._closing.wait(seconds)
