"""Maintenance: periodic work beside the requests, off the event loop. Failed work is repeated at the next interval."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool

from recsys.clock import now
from recsys.restyling.policy import RestylePolicy
from recsys.serving.erasure import purge
from recsys.serving.live_store import LiveStore

logger = logging.getLogger(__name__)

RATINGS_INTERVAL_S = 5.0
ERASURES_INTERVAL_S = 5.0
ANSWERS_INTERVAL_S = 600.0
MAX_ANSWER_AGE_S = 86_400
"""Age up to which an answer is repeated for its Idempotency-Key."""


def start_maintenance(live: LiveStore, policy: RestylePolicy) -> list[asyncio.Task[None]]:
    """Start tasks that run until they are cancelled."""
    work: list[tuple[float, str, Callable[[], object]]] = [
        (RATINGS_INTERVAL_S, "reading ratings", policy.reload),
        (ERASURES_INTERVAL_S, "erasing users", lambda: purge(live.project, live.database)),
        (ANSWERS_INTERVAL_S, "deleting old answers", lambda: live.answers.prune(now() - MAX_ANSWER_AGE_S)),
    ]
    return [asyncio.create_task(_repeat(*one)) for one in work]


async def _repeat(interval_s: float, name: str, work: Callable[[], object]) -> None:
    failing = False
    while True:
        await asyncio.sleep(interval_s)
        try:
            await run_in_threadpool(work)
            failing = False
        except Exception as error:
            # Logged once, without the message, which may contain an address.
            if not failing:
                logger.error("%s fails: %s", name, type(error).__name__)
            failing = True
