"""Cost of live changes and of swaps of bundles: delay of a changed item, and latency of requests meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import numpy as np

from recsys.benchmarks.rank import active_users
from recsys.errors import RecsysError
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import MAX_LIMIT, Filters, Request
from recsys.schema import FloatArray, ItemId, ItemRow
from recsys.serving.catalog_overlay import ItemChange, with_changes
from recsys.serving.model_host import ModelHost

BATCH = 100


@dataclass(frozen=True, slots=True)
class DrawnChange:
    """Changed item of a benchmark."""

    item_id: ItemId
    seq: int
    deleted: bool
    title: str
    category: str
    price: float | None
    available: bool
    image: str
    vector: FloatArray | None
    embedder: str | None
    fields: frozenset[str] | None = None


def changes_line(recommender: Recommender, batch: int = BATCH, times: int = 5) -> str:
    """Measure the time from a batch of changes to the first list with them.

    Half of the items are new, the others have new data and images or are deleted. The new ones are requested, to check
    that they are there.
    """
    seconds, changes = [], list(draw_changes(recommender, batch))
    new = frozenset(change.item_id for change in changes if change.item_id.startswith("new "))
    for _ in range(times):
        start = time.perf_counter()
        changed = with_changes(recommender, changes)
        seconds.append(time.perf_counter() - start)
        others = frozenset(changed.bundle.catalog.ids.values) - new
        asked = Request(limit=min(len(new), MAX_LIMIT), filters=Filters(exclude=others))
        if len(changed.recommend(asked).recommendations) != asked.limit:
            raise RecsysError("a new item of the benchmark is not in the list; the result would be meaningless")
    return f"{batch} new, changed and deleted items, until they are in lists: median {1000 * np.median(seconds):.0f} ms"


def draw_changes(recommender: Recommender, batch: int) -> Iterator[ItemChange]:
    """Yield a change of each of `batch` items."""
    bundle = recommender.bundle
    catalog, vectors, embedder = bundle.catalog, bundle.space.vectors, bundle.embedder
    for number in range(batch):
        row, kind = number % len(catalog), number % 4
        item_id = ItemId(f"new {number}") if kind < 2 else catalog.ids.id(ItemRow(row))
        category = catalog.category_names[catalog.category_codes[row]]
        vector = np.asarray(vectors[-1 - row])
        yield DrawnChange(item_id, number + 1, kind == 3, f"Item {number}", category, 5.0, True, "", vector, embedder)


def swap_lines(bundles: Path, versions: Sequence[str], quiet_s: float = 3.0) -> Iterator[str]:
    """Measure requests of one thread in ms: without other work, and while the versions are loaded and swapped in."""
    host = ModelHost(bundles, bundles)
    bundle = host.current.recommender.bundle
    users = bundle.user_ids.ids(active_users(bundle, 300))
    laps: list[float] = []
    done = Event()

    def ask() -> None:
        while not done.is_set():
            start = time.perf_counter()
            host.current.recommender.recommend(Request(user_id=users[len(laps) % len(users)]))
            laps.append(1000 * (time.perf_counter() - start))

    thread = Thread(target=ask)
    thread.start()
    try:
        time.sleep(quiet_s)
        quiet = len(laps)
        start = time.perf_counter()
        for version in versions:
            host.activate(version)
        seconds = (time.perf_counter() - start) / max(len(versions), 1)
    finally:
        done.set()
        thread.join()
    for name, part in (("nothing else", laps[:quiet]), (f"during swaps of {seconds:.1f} s", laps[quiet:])):
        p50, p95, p99 = np.percentile(part, [50, 95, 99])
        yield f"{name:<28} {len(part):>6} requests  p50 {p50:.1f}  p95 {p95:.1f}  p99 {p99:.1f}  max {max(part):.1f} ms"
