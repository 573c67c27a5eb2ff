"""Drain: the server gets SIGTERM while requests are in flight."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from recsys.benchmarks.load import NO_ANSWER, Client, HttpRequest, NoAnswerError, run
from recsys.benchmarks.service.child import Server, run_server
from recsys.benchmarks.service.results import Bench, ResultRow
from recsys.benchmarks.service.traffic import UNIFORM, recommendation_requests

QUERY = "?restyle=inline&deadline_ms=1500"
"""Query of answers with inline images, which take long enough to be in flight."""
HEAD_START_S = 0.1
ROOM = {"RECSYS__SERVICE__MAX_WAITING": "1000"}
"""Settings that reject no request for lack of queue space."""


def measure_draining(bench: Bench) -> Iterator[ResultRow]:
    """Send requests of the sample's users, each over its own connection; then SIGTERM."""
    shop, count = bench.shops.sample(), bench.effort.in_flight
    asks = list(islice(recommendation_requests(shop, UNIFORM, bench.seed, QUERY), count))
    with run_server(shop.project, bench.folder / "draining.log", ROOM) as server:
        statuses, before, seconds = run(_drain(server, asks))
        code = server.process.poll()
    yield ResultRow(
        f"drain, {count} in flight",
        "all complete; exit 0 within 10 s",
        f"{statuses[200]} of {count} complete ({before} of them before the signal), {statuses[NO_ANSWER]} lost, "
        f"statuses {dict(statuses)}; exit {code} after {seconds:.1f} s",
    )


async def _drain(server: Server, asks: list[HttpRequest]) -> tuple[Counter[int], int, float]:
    client = Client(server.port, connections=len(asks), timeout=30)
    # Open connections first, so that all are ready when the signal comes.
    await asyncio.gather(*(_status(client, HttpRequest("/livez")) for _ in asks))
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


async def _status(client: Client, ask: HttpRequest) -> int:
    try:
        return (await client.ask(ask)).status
    except NoAnswerError:
        return NO_ANSWER
