"""Admission: bounds on the number of lists that are ranked at once and of requests that wait.

The queue is short and in order of arrival. If it is full, a request is rejected at once, before its body is read.
Admitted requests are always served, so no work is lost, and a service with four times its load keeps serving.
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
"""Header of a rejection; the queue is empty long before."""


class RankingPool:
    """Threads that rank, separate from those that paint, with a bounded queue.

    For use from one event loop. Close it when done.

    Args:
        threads: Number of lists that are ranked at once.
        max_waiting: Number of requests that may wait.
    """

    def __init__(self, threads: int = 1, max_waiting: int = 32) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rank")
        self._threads = threads
        self._capacity = threads + max_waiting
        self._admitted = 0

    @property
    def full(self) -> bool:
        """Return whether one more request would be rejected."""
        return self._admitted >= self._capacity

    @property
    def running(self) -> int:
        """Number of lists being ranked."""
        return min(self._admitted, self._threads)

    @property
    def waiting(self) -> int:
        """Number of requests that wait."""
        return self._admitted - self.running

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on a ranking thread, and return its result or raise its error.

        Raises:
            ProblemError: The queue is full (503). Several requests may have found the same free place at their arrival.
        """
        if self.full:
            raise ProblemError(OVERLOADED, "", headers={"Retry-After": str(RETRY_AFTER_S)})
        self._admitted += 1
        try:
            return await asyncio.wrap_future(self._pool.submit(work, *args, **kwargs))
        finally:
            self._admitted -= 1

    def close(self) -> None:
        """Finish running work, and accept no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
