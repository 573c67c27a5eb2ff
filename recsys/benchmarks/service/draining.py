"""Drain: the server is told to stop while requests are in flight."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from recsys.benchmarks.load import NO_ANSWER, Ask, Client, NoAnswerError, run
from recsys.benchmarks.service.asks import UNIFORM, recommendations
from recsys.benchmarks.service.child import Server, served
from recsys.benchmarks.service.figures import Bench, Figure

QUERY = "?restyle=inline&deadline_ms=1500"
"""Answers that hold pictures take long enough to be in flight."""
HEAD_START_S = 0.1
ROOM = {"RECSYS__SERVICE__MAX_WAITING": "1000"}
"""Nobody is refused for want of room: that is another measure."""


def draining(bench: Bench) -> Iterator[Figure]:
    """Requests of the sample's people, each over a connection of its own; then SIGTERM."""
    shop, count = bench.shops.sample(), bench.effort.in_flight
    asks = list(islice(recommendations(shop, UNIFORM, bench.seed, QUERY), count))
    with served(shop.project, bench.folder / "draining.log", ROOM) as server:
        statuses, before, seconds = run(_drained(server, asks))
        code = server.process.poll()
    yield Figure(
        f"drain, {count} in flight",
        "all complete; exit 0 within 10 s",
        f"{statuses[200]} of {count} complete ({before} of them before the signal), {statuses[NO_ANSWER]} lost, "
        f"statuses {dict(statuses)}; exit {code} after {seconds:.1f} s",
    )


async def _drained(server: Server, asks: list[Ask]) -> tuple[Counter[int], int, float]:
    client = Client(server.port, connections=len(asks), timeout=30)
    # Connections first, so that none is still being made when the signal comes.
    await asyncio.gather(*(_status(client, Ask("/livez")) for _ in asks))
    flights = [asyncio.create_task(_status(client, ask)) for ask in asks]
    await asyncio.sleep(HEAD_START_S)
    before = sum(flight.done() for flight in flights)
    server.terminate()
    started = time.perf_counter()
    statuses = Counter(await asyncio.gather(*flights))
    while server.process.poll() is None and time.perf_counter() < started + 30:
        await asyncio.sleep(0.02)
    client.close()
    return statuses, before, time.perf_counter() - started


async def _status(client: Client, ask: Ask) -> int:
    try:
        return (await client.ask(ask)).status
    except NoAnswerError:
        return NO_ANSWER
