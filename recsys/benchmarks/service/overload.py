"""Overload: four times as many requests as there is room for. Who is refused, how soon, and what the others get."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice, repeat

from recsys.benchmarks.load import Ask, Client, Load, Reply, at_rate, closed_loop, open_loop, run
from recsys.benchmarks.service.asks import UNIFORM, one_version, recommendations
from recsys.benchmarks.service.child import served
from recsys.benchmarks.service.figures import Bench, Figure

TIMES = 4
CONNECTIONS = 512
REFUSALS = (429, 503)
HEALTH = Ask("/livez")
HEALTH_RATE = 10.0


def overload(bench: Bench) -> Iterator[Figure]:
    """The large shop at four times its own capacity, its health asked from another process meanwhile."""
    effort, shop = bench.effort, bench.shops.large()
    asks = recommendations(shop, UNIFORM, bench.seed, "?restyle=link")
    with served(shop.project, bench.folder / "overload.log") as server:
        closed_loop(server.port, islice(asks, 50), 1)
        peak = closed_loop(server.port, asks, effort.connections, effort.seconds / 2, one_version).goodput
        offered = list(islice(asks, max(1, round(TIMES * peak * effort.seconds))))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as process:
            health = process.submit(asked_for_health, server.port, effort.seconds)
            load, refusals = run(_flood(server.port, offered, TIMES * peak))
            told = health.result()
    yield from _figures(load, refusals, peak)
    yield Figure(
        "  health meanwhile",
        "answers throughout",
        f"{told.failed} of {len(told)} failed; p50 {told.ms(0.5):.1f} ms, max {told.ms(1):.1f} ms",
    )


def asked_for_health(port: int, seconds: float) -> Load:
    """/livez, ten times a second; top-level, since it runs in a process of its own."""
    return open_loop(port, repeat(HEALTH, max(1, round(HEALTH_RATE * seconds))), HEALTH_RATE)


class _Noting(Client):
    """Notes of each refusal how long it took on the wire, and whether it said when to come again."""

    def __init__(self, port: int) -> None:
        super().__init__(port, connections=CONNECTIONS)
        self.refusals: list[tuple[float, bool]] = []

    async def ask(self, ask: Ask) -> Reply:
        started = time.perf_counter()
        reply = await super().ask(ask)
        if reply.status in REFUSALS:
            self.refusals.append((time.perf_counter() - started, b"retry-after" in reply.headers))
        return reply


async def _flood(port: int, asks: list[Ask], rate: float) -> tuple[Load, list[bool]]:
    client = _Noting(port)
    load = await at_rate(client, asks, rate, one_version)
    client.close()
    return load, [said for _, said in client.refusals]


def _figures(load: Load, refusals: list[bool], peak: float) -> Iterator[Figure]:
    refused = sum(load.statuses == status for status in REFUSALS) > 0
    yield Figure(
        f"overload, {TIMES} times {peak:.0f}/s",
        "refused within 10 ms (p99), with Retry-After",
        f"{refused.mean():.0%} refused, p50 {load.ms(0.5, refused):.1f} ms, p99 {load.ms(0.99, refused):.1f} ms; "
        f"{sum(refusals)} of {len(refusals)} with Retry-After; sent {load.rate:.0f}/s, statuses {load.counts}",
    )
    good = load.valid
    yield Figure(
        "  goodput",
        ">= 90 % of peak",
        f"{load.goodput:.0f}/s, {load.goodput / peak:.0%}; "
        f"p50 {load.ms(0.5, good):.0f} ms, p99 {load.ms(0.99, good):.0f} ms",
        f"peak {peak:.0f}/s, closed loop",
    )
