"""Time as the project counts it: whole seconds since 1970-01-01 UTC, through one door that tests can set."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS_PER_DAY = 86_400

Clock = Callable[[], int]


def now() -> int:
    """Seconds since 1970-01-01 UTC."""
    return int(time.time())
