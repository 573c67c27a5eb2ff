"""Background threads, and memory that goes back to the system after large swaps."""

from __future__ import annotations

import ctypes
import ctypes.util
import threading
from collections.abc import Callable


class Background:
    """Daemon thread that runs `work` once, between `start` and `close`.

    `work` calls `ends_within` between its steps, and returns when that returns True.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name, self._work = name, work
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, unless it was started."""
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
        """Sleep for `seconds`, and return False; return True as soon as `close` is called."""
        return self._closing.wait(seconds)


def release_memory() -> None:
    """Let the C library return free memory to the system, if it can.

    After the first large array was freed, glibc takes arrays of up to that size from its heap and does not map each of
    them. A heap whose end is in use does not shrink, so each process would keep room for a second bundle forever.
    """
    trim = getattr(_LIBRARY, "malloc_trim", None)
    if trim is not None:
        trim(0)


_LIBRARY = ctypes.CDLL(ctypes.util.find_library("c"))
