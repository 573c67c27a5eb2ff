"""Memory: how much the server grows over many requests of all kinds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from recsys.benchmarks.load import closed_loop
from recsys.benchmarks.service.asks import mixed
from recsys.benchmarks.service.child import served
from recsys.benchmarks.service.figures import Bench, Figure

WARM_UP = 10
"""One part in so many comes before the first look: first requests load what all later ones share."""
PARTS = 5


def memory(bench: Bench) -> Iterator[Figure]:
    """The sample under a mix of everything that reads, one look after each fifth."""
    shop, effort = bench.shops.sample(), bench.effort
    asks, part = mixed(shop, bench.seed), effort.mixed // PARTS
    with served(shop.project, bench.folder / "memory.log") as server:
        closed_loop(server.port, islice(asks, effort.mixed // WARM_UP), effort.connections)
        sizes, loads = [server.resident_mb()], []
        for _ in range(PARTS):
            loads.append(closed_loop(server.port, islice(asks, part), effort.connections))
            sizes.append(server.resident_mb())
    statuses: dict[int, int] = {}
    for load in loads:
        for status, times in load.counts.items():
            statuses[status] = statuses.get(status, 0) + times
    yield Figure(
        f"memory, {PARTS * part:,} mixed requests",
        "<= 10 MB growth",
        f"{sizes[-1] - sizes[0]:+.1f} MB: {', '.join(f'{size:.0f}' for size in sizes)} MB after each fifth; "
        f"statuses {statuses}",
        f"before: {effort.mixed // WARM_UP:,} requests of the same mix",
    )
