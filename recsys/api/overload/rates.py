"""Rate limits: a token bucket for each key, or for each address where no key is used."""

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
    """What the limit says of one request. `remaining`: requests that may follow at once.

    `reset_s`: seconds until the bucket is full again; `retry_s`: seconds until one more request may come, 0 if now.
    """

    granted: bool
    remaining: int
    reset_s: float
    retry_s: float


class RateLimits:
    """Token buckets of `burst` tokens that refill at `rate` a second, in the form of the generic cell rate algorithm
    (ITU-T I.371): a bucket is one number, the time at which it will be full.

    Each of `workers` processes grants its part, since connections spread over them. At most `max_buckets` are kept:
    the one used longest ago goes first, and begins full if its owner comes again. `clock` in seconds.
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
        """One request of `owner`: granted, and then counted, or not."""
        now = self._clock()
        full_at = max(self._full_at.get(owner, now), now)
        after = full_at + self._interval
        # What rounding leaves must not cost the last token of a bucket.
        if after - now > self._depth + 1e-9:
            return Allowance(False, 0, full_at - now, after - now - self._depth)
        self._full_at[owner] = after
        self._full_at.move_to_end(owner)
        if len(self._full_at) > self._max_buckets:
            self._full_at.popitem(last=False)
        remaining = int((self._depth - (after - now)) / self._interval + 1e-9)
        return Allowance(True, remaining, after - now, 0.0)


def address_of(client: tuple[str, int] | None) -> str:
    """What stands for a caller without a key: its address, for IPv6 the network of 64 bits that one customer has."""
    if client is None:
        return "unknown"
    host = client[0]
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False))
    except ValueError:
        return host
