"""Recommendations: how soon at 100 requests/s, and how many at most, against FastAPI returning ten typed items."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice, repeat
from statistics import median

import numpy as np

from recsys.benchmarks.load import Ask, closed_loop, open_loop
from recsys.benchmarks.service.asks import UNIFORM, ZIPF, one_version, recommendations
from recsys.benchmarks.service.child import Server, application, served
from recsys.benchmarks.service.figures import Bench, Figure
from recsys.benchmarks.service.shops import Served
from recsys.schema import BoolArray

BARE = Ask("/items")
WARM_UP = 50
KNOWN = 100
"""People who ask for the same list again and again."""


def recommending(bench: Bench) -> Iterator[Figure]:
    """Latencies and capacity of both shops, people drawn by both laws, each with a server of its own; and capacity
    where all that is asked was asked before."""
    with application("bare_app:app", BARE.target, bench.folder / "bare.log") as bare:
        for shop in bench.shops.all():
            for law in (ZIPF, UNIFORM):
                with served(shop.project, bench.folder / "recommending.log") as server:
                    yield from _latency(bench, shop, law, server)
                    yield _capacity(bench, f"{shop.name}, {law}", server, bare, _asks(bench, shop, law))
                    if law == ZIPF:
                        yield _capacity(bench, f"{shop.name}, asked again", server, bare, _known(bench, shop, server))


def _latency(bench: Bench, shop: Served, law: str, server: Server) -> Iterator[Figure]:
    effort, asks = bench.effort, recommendations(shop, law, bench.seed)
    count = max(1, round(effort.rate * effort.seconds))
    met = set(islice(asks, WARM_UP))
    closed_loop(server.port, list(met), 1)
    loads, first = [], []
    for _ in range(effort.repeats):
        wanted = list(islice(asks, count))
        first.append(_unmet(wanted, met))
        loads.append(open_loop(server.port, wanted, effort.rate, one_version))
    title = f"recommendations, {shop.name}, {law}, {effort.rate:.0f}/s"
    found = [median(load.ms(q) for load in loads) for q in (0.5, 0.99)]
    failed = sum(load.failed for load in loads)
    yield Figure(
        title,
        "p50 <= 5 ms, p99 <= 20 ms",
        f"p50 {found[0]:.2f} ms, p99 {found[1]:.2f} ms; {failed} of {sum(map(len, loads))} failed",
    )
    pairs = list(zip(loads, first, strict=True))
    new = np.concatenate([load.latencies[unmet] for load, unmet in pairs])
    shares = f"{np.mean(np.concatenate(first)):.0%} of answers"
    told = f"p50 {1000 * np.median(new):.2f} ms, p99 {1000 * np.quantile(new, 0.99):.2f} ms" if len(new) else "-"
    yield Figure("  of these, asked for the first time", "", f"{shares}: {told}")


def _asks(bench: Bench, shop: Served, law: str) -> Iterator[Ask]:
    return recommendations(shop, law, bench.seed + 1)


def _known(bench: Bench, shop: Served, server: Server) -> Iterator[Ask]:
    """The lists of a few people, over and over; each was asked for once before."""
    asks = list(dict.fromkeys(islice(recommendations(shop, UNIFORM, bench.seed + 2), KNOWN)))
    closed_loop(server.port, asks, 1)
    return cycle(asks)


def _capacity(bench: Bench, who: str, server: Server, bare: Server, asks: Iterator[Ask]) -> Figure:
    effort = bench.effort
    seconds = effort.seconds / 2
    ours, theirs = [], []
    for _ in range(effort.repeats):
        # Turn by turn, so that what else the machine does falls on both.
        theirs.append(closed_loop(bare.port, repeat(BARE), effort.connections, seconds).goodput)
        ours.append(closed_loop(server.port, asks, effort.connections, seconds, one_version).goodput)
    ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return Figure(
        f"capacity, {who}, {effort.connections} connections",
        ">= 0.5 of bare FastAPI",
        f"{median(ours):.0f} requests/s, {ratio:.2f} of bare",
        f"bare FastAPI {median(theirs):.0f} requests/s",
    )


def _unmet(asks: list[Ask], met: set[Ask]) -> BoolArray:
    unmet = []
    for ask in asks:
        unmet.append(ask not in met)
        met.add(ask)
    return np.array(unmet, dtype=np.bool_)
