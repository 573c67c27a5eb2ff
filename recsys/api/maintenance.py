"""What a service does now and then beside its requests, off the event loop; what fails is tried again the next time."""

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

VERDICTS_EVERY_S = 5.0
ERASURES_EVERY_S = 5.0
ANSWERS_EVERY_S = 600.0
KEPT_ANSWERS_S = 86_400
"""How long an answer is given again under its Idempotency-Key."""


def start_maintenance(live: LiveStore, choices: RestylePolicy) -> list[asyncio.Task[None]]:
    """Tasks that run until they are cancelled."""
    return [
        _every(VERDICTS_EVERY_S, "ratings", choices.reload),
        _every(ERASURES_EVERY_S, "erasures", lambda: purge(live.project, live.database)),
        _every(ANSWERS_EVERY_S, "kept answers", lambda: live.answers.prune(now() - KEPT_ANSWERS_S)),
    ]


def _every(seconds: float, what: str, work: Callable[[], object]) -> asyncio.Task[None]:
    return asyncio.create_task(_repeat(seconds, what, work))


async def _repeat(seconds: float, what: str, work: Callable[[], object]) -> None:
    failing = False
    while True:
        await asyncio.sleep(seconds)
        try:
            await run_in_threadpool(work)
            failing = False
        except Exception as error:
            # Said once, without the message, which may quote an address.
            if not failing:
                logger.error("%s cannot be looked after: %s", what, type(error).__name__)
            failing = True
