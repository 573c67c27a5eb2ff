"""Calls at given times, all by one thread: thousands may wait for a picture without a thread each."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from itertools import count


class Deadlines:
    """Runs calls at their times, one after the other; they must be short and must not raise.

    Safe to share between threads. The thread begins with the first call.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def at(self, when: float, call: Callable[[], None]) -> None:
        """Run `call` at `when`, a time of `time.monotonic`; here and now where that is past, or after `close`."""
        with self._changed:
            late = self._closed or when <= time.monotonic()
            if not late:
                # The count keeps calls of one time apart, as functions have no order.
                heapq.heappush(self._waiting, (when, next(self._order), call))
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                    self._thread.start()
                elif self._waiting[0][2] is call:
                    self._changed.notify()
        if late:
            call()

    def close(self) -> None:
        """Run all that waits now, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (call := self._next()) is not None:
            call()

    def _next(self) -> Callable[[], None] | None:
        """The next call that is due, once it is; None at the end."""
        with self._changed:
            while not self._closed:
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            return heapq.heappop(self._waiting)[2] if self._waiting else None
