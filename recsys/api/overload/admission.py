"""Admission: how many lists may be ranked at once, and how many requests may wait for that.

Waiting is first come, first served, and short: a request that would wait behind too many is refused at its arrival,
before anything of it is read. What was admitted is always served, hence work is never done for nothing, and a service
with four times too much to do goes on serving what it can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from recsys.api.problems.answers import ProblemError
from recsys.api.problems.types import OVERLOADED

P = ParamSpec("P")
T = TypeVar("T")

RETRY_AFTER_S = 1
"""Said with a refusal: the queue of lists is empty long before."""


class RankingPool:
    """Threads that rank, apart from those that paint, with a bounded queue before them.

    `threads` run at once; `max_waiting` more may wait. For use from one event loop; close it when done.
    """

    def __init__(self, threads: int = 1, max_waiting: int = 32) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rank")
        self._threads = threads
        self._places = threads + max_waiting
        self._inside = 0

    @property
    def full(self) -> bool:
        """Whether one more request would be refused."""
        return self._inside >= self._places

    @property
    def running(self) -> int:
        """How many are ranked now."""
        return min(self._inside, self._threads)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._inside - self.running

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns, on a ranking thread; raises what it raises.

        Raises ProblemError (overloaded, 503) where too many wait: several requests of one moment may all have found
        room at their arrival.
        """
        if self.full:
            raise ProblemError(OVERLOADED, "", headers={"Retry-After": str(RETRY_AFTER_S)})
        self._inside += 1
        try:
            return await asyncio.wrap_future(self._pool.submit(work, *args, **kwargs))
        finally:
            self._inside -= 1

    def close(self) -> None:
        """Let what runs end, and take no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
