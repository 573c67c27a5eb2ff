"""What live changes and swaps of bundles cost while people ask: how soon a changed item is recommended, and how long
requests take meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import numpy as np

from recsys.benchmarks.rank import active_people
from recsys.errors import RecsysError
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import MAX_LIMIT, Filters, Request
from recsys.schema import FloatArray, ItemId, ItemRow
from recsys.serving.catalog_overlay import ItemChange, with_changes
from recsys.serving.model_host import ModelHost

BATCH = 100


@dataclass(frozen=True, slots=True)
class DrawnChange:
    """A changed item, for measuring."""

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


def changes_line(recommender: Recommender, batch: int = BATCH, times: int = 5) -> str:
    """How long a batch of changes takes until it shows: half new items, the others with new facts and pictures or
    deleted. The new ones are asked for, so that a figure stands for items that are there."""
    seconds, changes = [], list(drawn_changes(recommender, batch))
    new = frozenset(change.item_id for change in changes if change.item_id.startswith("new "))
    for _ in range(times):
        start = time.perf_counter()
        changed = with_changes(recommender, changes)
        seconds.append(time.perf_counter() - start)
        others = frozenset(changed.bundle.catalog.ids.values) - new
        asked = Request(limit=min(len(new), MAX_LIMIT), filters=Filters(exclude=others))
        if len(changed.recommend(asked).recommendations) != asked.limit:
            raise RecsysError("a new item of the benchmark does not show; the figure would be of something else")
    return f"{batch} new, changed and deleted items, until they show: median {1000 * np.median(seconds):.0f} ms"


def drawn_changes(recommender: Recommender, batch: int) -> Iterator[ItemChange]:
    """A change of each of `batch` items."""
    bundle = recommender.bundle
    catalog, vectors, embedder = bundle.catalog, bundle.space.vectors, bundle.embedder
    for number in range(batch):
        row, kind = number % len(catalog), number % 4
        item_id = ItemId(f"new {number}") if kind < 2 else catalog.ids.id(ItemRow(row))
        category = catalog.category_names[catalog.category_codes[row]]
        vector = np.asarray(vectors[-1 - row])
        yield DrawnChange(item_id, number + 1, kind == 3, f"Item {number}", category, 5.0, True, "", vector, embedder)


def swap_lines(bundles: Path, versions: Sequence[str], quiet_s: float = 3.0) -> Iterator[str]:
    """Milliseconds of requests by one thread that asks all the time: with nothing else to do, and while each of the
    versions is loaded, tried and put in place, one after the other."""
    host = ModelHost(bundles, bundles)
    bundle = host.current.recommender.bundle
    people = bundle.user_ids.ids(active_people(bundle, 300))
    laps: list[float] = []
    done = Event()

    def ask() -> None:
        while not done.is_set():
            start = time.perf_counter()
            host.current.recommender.recommend(Request(user_id=people[len(laps) % len(people)]))
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
