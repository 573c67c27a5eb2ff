"""Overload at four times the capacity: share and delay of rejected requests, and goodput of the others."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice, repeat

from recsys.benchmarks.load import Client, HttpReply, HttpRequest, Load, at_rate, closed_loop, open_loop, run
from recsys.benchmarks.service.child import run_server
from recsys.benchmarks.service.results import Bench, ResultRow
from recsys.benchmarks.service.traffic import UNIFORM, check_version, recommendation_requests

TIMES = 4
CONNECTIONS = 512
REFUSALS = (429, 503)
HEALTH = HttpRequest("/livez")
HEALTH_RATE = 10.0


def measure_overload(bench: Bench) -> Iterator[ResultRow]:
    """Load the large shop with four times its capacity, while another process requests its health."""
    effort, shop = bench.effort, bench.shops.large()
    asks = recommendation_requests(shop, UNIFORM, bench.seed, "?restyle=link")
    with run_server(shop.project, bench.folder / "overload.log") as server:
        closed_loop(server.port, islice(asks, 50), 1)
        peak = closed_loop(server.port, asks, effort.connections, effort.seconds / 2, check_version).goodput
        offered = list(islice(asks, max(1, round(TIMES * peak * effort.seconds))))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as process:
            health = process.submit(request_health, server.port, effort.seconds)
            load, refusals = run(_flood(server.port, offered, TIMES * peak))
            health_load = health.result()
    refused = sum(load.statuses == status for status in REFUSALS) > 0
    yield ResultRow(
        f"overload, {TIMES} times {peak:.0f}/s",
        "rejected within 10 ms (p99), with Retry-After",
        f"{refused.mean():.0%} rejected, p50 {load.ms(0.5, refused):.1f} ms, p99 {load.ms(0.99, refused):.1f} ms; "
        f"{sum(refusals)} of {len(refusals)} with Retry-After; sent {load.rate:.0f}/s, statuses {load.counts}",
    )
    good = load.valid
    yield ResultRow(
        "  goodput",
        ">= 90 % of peak",
        f"{load.goodput:.0f}/s, {load.goodput / peak:.0%}; "
        f"p50 {load.ms(0.5, good):.0f} ms, p99 {load.ms(0.99, good):.0f} ms",
        f"peak {peak:.0f}/s, closed loop",
    )
    yield ResultRow(
        "  health meanwhile",
        "answers throughout",
        f"{health_load.failures} of {len(health_load)} failed; "
        f"p50 {health_load.ms(0.5):.1f} ms, max {health_load.ms(1):.1f} ms",
    )


def request_health(port: int, seconds: float) -> Load:
    """Request /livez ten times a second; a top-level function, as it runs in another process."""
    return open_loop(port, repeat(HEALTH, max(1, round(HEALTH_RATE * seconds))), HEALTH_RATE)


class _RecordingClient(Client):
    """Client that records the delay of each rejection, and whether it had a Retry-After header."""

    def __init__(self, port: int) -> None:
        super().__init__(port, connections=CONNECTIONS)
        self.refusals: list[tuple[float, bool]] = []

    async def ask(self, ask: HttpRequest) -> HttpReply:
        started = time.perf_counter()
        reply = await super().ask(ask)
        if reply.status in REFUSALS:
            self.refusals.append((time.perf_counter() - started, b"retry-after" in reply.headers))
        return reply


async def _flood(port: int, asks: list[HttpRequest], rate: float) -> tuple[Load, list[bool]]:
    client = _RecordingClient(port)
    load = await at_rate(client, asks, rate, check_version)
    client.close()
    return load, [has_header for _, has_header in client.refusals]
