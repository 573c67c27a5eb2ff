"""Recommendations: latency at 100 requests/s, and capacity, compared with FastAPI returning ten typed items."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice, repeat
from statistics import median

import numpy as np

from recsys.benchmarks.load import HttpRequest, closed_loop, open_loop
from recsys.benchmarks.service.child import Server, run_application, run_server
from recsys.benchmarks.service.results import Bench, ResultRow
from recsys.benchmarks.service.shops import Served
from recsys.benchmarks.service.traffic import UNIFORM, ZIPF, check_version, recommendation_requests

BARE = HttpRequest("/items")
WARM_UP = 50
KNOWN = 100
"""Number of users who request the same list again and again."""


def measure_recommendations(bench: Bench) -> Iterator[ResultRow]:
    """Measure latency and capacity of both shops, with users drawn by both laws, each with its own server.

    Capacity is also measured with repeated requests only.
    """
    with run_application("bare_app:app", BARE.target, bench.folder / "bare.log") as bare:
        for shop in bench.shops.all():
            for law in (ZIPF, UNIFORM):
                with run_server(shop.project, bench.folder / "recommending.log") as server:
                    yield from _latency(bench, shop, law, server)
                    yield _capacity(
                        bench, f"{shop.name}, {law}", server, bare, recommendation_requests(shop, law, bench.seed + 1)
                    )
                    if law == ZIPF:
                        # A few users request their lists over and over; each list was requested once before.
                        asks = list(
                            dict.fromkeys(islice(recommendation_requests(shop, UNIFORM, bench.seed + 2), KNOWN))
                        )
                        closed_loop(server.port, asks, 1)
                        yield _capacity(bench, f"{shop.name}, asked again", server, bare, cycle(asks))


def _latency(bench: Bench, shop: Served, law: str, server: Server) -> Iterator[ResultRow]:
    effort, asks = bench.effort, recommendation_requests(shop, law, bench.seed)
    count = max(1, round(effort.rate * effort.seconds))
    sent = set(islice(asks, WARM_UP))
    closed_loop(server.port, list(sent), 1)
    loads, first = [], []
    for _ in range(effort.repeats):
        wanted = list(islice(asks, count))
        # Mark requests that were never sent before.
        unmet = []
        for ask in wanted:
            unmet.append(ask not in sent)
            sent.add(ask)
        first.append(np.array(unmet, dtype=np.bool_))
        loads.append(open_loop(server.port, wanted, effort.rate, check_version))
    title = f"recommendations, {shop.name}, {law}, {effort.rate:.0f}/s"
    p50, p99 = (median(load.ms(q) for load in loads) for q in (0.5, 0.99))
    failed = sum(load.failures for load in loads)
    yield ResultRow(
        title,
        "p50 <= 5 ms, p99 <= 20 ms",
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms; {failed} of {sum(map(len, loads))} failed",
    )
    pairs = list(zip(loads, first, strict=True))
    new = np.concatenate([load.latencies[unmet] for load, unmet in pairs])
    shares = f"{np.mean(np.concatenate(first)):.0%} of answers"
    latency = f"p50 {1000 * np.median(new):.2f} ms, p99 {1000 * np.quantile(new, 0.99):.2f} ms" if len(new) else "-"
    yield ResultRow("  of these, requested for the first time", "", f"{shares}: {latency}")


def _capacity(bench: Bench, who: str, server: Server, bare: Server, asks: Iterator[HttpRequest]) -> ResultRow:
    effort = bench.effort
    seconds = effort.seconds / 2
    ours, theirs = [], []
    for _ in range(effort.repeats):
        # In turns, so that other work on the machine affects both.
        theirs.append(closed_loop(bare.port, repeat(BARE), effort.connections, seconds).goodput)
        ours.append(closed_loop(server.port, asks, effort.connections, seconds, check_version).goodput)
    ratio = median(own / bare_rate for own, bare_rate in zip(ours, theirs, strict=True))
    return ResultRow(
        f"capacity, {who}, {effort.connections} connections",
        ">= 0.5 of bare FastAPI",
        f"{median(ours):.0f} requests/s, {ratio:.2f} of bare",
        f"bare FastAPI {median(theirs):.0f} requests/s",
    )
