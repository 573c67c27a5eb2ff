"""Deadlines: one thread runs calls at given times, so that thousands can wait for an image without a thread each."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from itertools import count


class Deadlines:
    """Runs calls at their times, one after the other. Calls must be short and must not raise.

    Safe to share between threads. The thread starts with the first call.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Run `call` at `when`, a time of `time.monotonic`; at once if that is past, or after `close`."""
        with self._changed:
            late = self._closed or when <= time.monotonic()
            if not late:
                # The count orders calls of the same time, because functions cannot be compared.
                heapq.heappush(self._waiting, (when, next(self._order), call))
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                    self._thread.start()
                elif self._waiting[0][2] is call:
                    self._changed.notify()
        if late:
            call()

    def close(self) -> None:
        """Run all waiting calls now, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (call := self._wait_for_next()) is not None:
            call()

    def _wait_for_next(self) -> Callable[[], None] | None:
        """Wait until the next call is due, and return it; None after the last call and `close`."""
        with self._changed:
            while not self._closed:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            return heapq.heappop(self._waiting)[2] if self._waiting else None
