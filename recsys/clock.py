"""Time in whole seconds since 1970-01-01 UTC, from one function that tests can replace."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS_PER_DAY = 86_400

Clock = Callable[[], int]


def now() -> int:
    """Return the seconds since 1970-01-01 UTC."""
    return int(time.time())
