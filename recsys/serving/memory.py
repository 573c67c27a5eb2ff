"""Memory that was freed goes back to the system."""

from __future__ import annotations

import ctypes
import ctypes.util


def give_back() -> None:
    """Let the C library return free memory to the system, where it can.

    After the first large array was freed, glibc takes arrays of up to that size from its heap instead of mapping each
    on its own, and a heap that has anything alive at its end does not shrink by itself: each process would keep room
    for a second bundle for ever.
    """
    trim = getattr(_LIBRARY, "malloc_trim", None)
    if trim is not None:
        trim(0)


_LIBRARY = ctypes.CDLL(ctypes.util.find_library("c"))
