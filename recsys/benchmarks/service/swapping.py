"""Hot swap: the model changes again and again under load; requests may notice only its version."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import cycle, islice

import orjson

from recsys.benchmarks.load import Client, HttpRequest, NoAnswerError, at_rate, closed_loop, run, until
from recsys.benchmarks.service.child import Server, run_server
from recsys.benchmarks.service.results import NO_ROUTE, Bench, ResultRow
from recsys.benchmarks.service.shops import Served
from recsys.benchmarks.service.traffic import ZIPF, check_version, recommendation_requests

RATE = 50.0
PATIENCE_S = 15.0
LOOK_S = 0.05
SETTLED = 10
"""Swaps before memory is compared: the first swap allocates memory for two models, which later ones reuse."""


def measure_swaps(bench: Bench) -> Iterator[ResultRow]:
    """Measure many swaps of the sample's model, and fewer of the large shop's, which takes longer to load."""
    for shop, swaps in zip(bench.shops.all(), (bench.effort.swaps, bench.effort.slow_swaps), strict=True):
        try:
            with run_server(shop.project, bench.folder / "swapping.log") as server:
                closed_loop(server.port, islice(recommendation_requests(shop, ZIPF, bench.seed), 200), 1)
                yield from run(_swap_repeatedly(bench, shop, server, swaps))
        finally:
            shop.activate(shop.versions[0])


async def _swap_repeatedly(bench: Bench, shop: Served, server: Server, swaps: int) -> list[ResultRow]:
    client, over = Client(server.port), asyncio.Event()
    asks = until(over.is_set, recommendation_requests(shop, ZIPF, bench.seed))
    under_load = asyncio.create_task(at_rate(client, asks, RATE, check_version))
    memory = [server.resident_mb()]
    for version in islice(cycle(reversed(shop.versions)), swaps):
        shop.activate(version)
        if not await _await_version(server, version):
            break
        memory.append(server.resident_mb())
    over.set()
    load = await under_load
    client.close()
    title, done = f"hot swap, {shop.name}, {swaps} under {RATE:.0f}/s", len(memory) - 1
    if not done:
        return [
            ResultRow(title, "no failed answer, none of two versions", f"{NO_ROUTE}: no swap in {PATIENCE_S:.0f} s")
        ]
    settled = memory[min(SETTLED, done)]
    return [
        ResultRow(
            title,
            "no failed answer, none of two versions",
            f"{done} swaps in {load.seconds:.0f} s; {load.failures} of {len(load)} failed, statuses {load.counts}, "
            f"{dict(load.complaints) or 'no complaint'}; p99 {load.ms(0.99):.1f} ms",
        ),
        ResultRow(
            "  memory",
            "within 5 %",
            f"{memory[0]:.0f} MB before, {settled:.0f} after {min(SETTLED, done)}, {memory[-1]:.0f} after {done}: "
            f"{memory[-1] / memory[0] - 1:+.1%} in all, {memory[-1] / settled - 1:+.1%} since then",
        ),
    ]


async def _await_version(server: Server, version: str) -> bool:
    """Return True if the service reports this version within `PATIENCE_S`."""
    client = Client(server.port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while await _version(client) != version:
                await asyncio.sleep(LOOK_S)
        return True
    except TimeoutError:
        return False
    finally:
        client.close()


async def _version(client: Client) -> str | None:
    try:
        state = orjson.loads((await client.ask(HttpRequest("/readyz"))).body)
        return str(state["model_version"])
    except (NoAnswerError, orjson.JSONDecodeError, KeyError):
        return None
