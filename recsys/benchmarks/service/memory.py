"""Memory: growth of the server over many requests of all kinds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from recsys.benchmarks.load import closed_loop
from recsys.benchmarks.service.child import run_server
from recsys.benchmarks.service.results import Bench, ResultRow
from recsys.benchmarks.service.traffic import mixed_requests

WARM_UP = 10
"""One in so many requests is sent before the first measurement: first requests load data that all share."""
PARTS = 5


def measure_memory(bench: Bench) -> Iterator[ResultRow]:
    """Send a mix of reading requests to the sample; measure memory after each fifth."""
    shop, effort = bench.shops.sample(), bench.effort
    asks, part = mixed_requests(shop, bench.seed), effort.mixed // PARTS
    with run_server(shop.project, bench.folder / "memory.log") as server:
        closed_loop(server.port, islice(asks, effort.mixed // WARM_UP), effort.connections)
        sizes, loads = [server.resident_mb()], []
        for _ in range(PARTS):
            loads.append(closed_loop(server.port, islice(asks, part), effort.connections))
            sizes.append(server.resident_mb())
    statuses: dict[int, int] = {}
    for load in loads:
        for status, times in load.counts.items():
            statuses[status] = statuses.get(status, 0) + times
    yield ResultRow(
        f"memory, {PARTS * part:,} mixed requests",
        "<= 10 MB growth",
        f"{sizes[-1] - sizes[0]:+.1f} MB: {', '.join(f'{size:.0f}' for size in sizes)} MB after each fifth; "
        f"statuses {statuses}",
        f"before: {effort.mixed // WARM_UP:,} requests of the same mix",
    )
