"""Rate limits: a token bucket per key, or per address without a key."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """Decision of the limit on one request.

    Attributes:
        granted: Whether the request is within the limit.
        remaining: Number of requests that may follow at once.
        reset_s: Seconds until the bucket is full again.
        retry_s: Seconds until one more request is granted, 0 for now.
    """

    granted: bool
    remaining: int
    reset_s: float
    retry_s: float


class RateLimits:
    """Token buckets in the form of the generic cell rate algorithm (ITU-T I.371).

    A bucket is one number, the time at which it will be full.

    Args:
        rate: Tokens per second of all workers together.
        burst: Size of a bucket.
        workers: Number of processes. Each grants its part, because connections spread over them.
        max_buckets: Largest number of buckets; the one used longest ago is dropped, and starts full again.
        clock: Clock in seconds.
    """

    def __init__(
        self,
        rate: float,
        burst: int,
        *,
        workers: int = 1,
        max_buckets: int = MAX_BUCKETS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.burst = max(1, burst // workers)
        self._interval = workers / rate
        self._depth = self.burst * self._interval
        self._max_buckets = max_buckets
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self.policy = f'"requests";q={self.burst};w={math.ceil(self._depth)}'.encode()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, owner: str) -> Allowance:
        """Count one request of `owner` if it is within the limit."""
        now = self._clock()
        full_at = max(self._full_at.get(owner, now), now)
        after = full_at + self._interval
        # Rounding must not cost the last token of a bucket.
        if after - now > self._depth + 1e-9:
            return Allowance(False, 0, full_at - now, after - now - self._depth)
        self._full_at[owner] = after
        self._full_at.move_to_end(owner)
        if len(self._full_at) > self._max_buckets:
            self._full_at.popitem(last=False)
        remaining = int((self._depth - (after - now)) / self._interval + 1e-9)
        return Allowance(True, remaining, after - now, 0.0)


def address_of(client: tuple[str, int] | None) -> str:
    """Return the address of a caller without a key, for IPv6 its network of 64 bits, which one customer has."""
    if client is None:
        return "unknown"
    host = client[0]
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))
    except ValueError:
        return host
