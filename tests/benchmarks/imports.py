"""Time and memory of an import of 1,000,000 events and 50,000 items, in five forms.

    python tests/benchmarks/imports.py [ROWS]

Prints wall time, processor time, and the largest memory of a process that does nothing else, one form per process.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ITEMS = 50_000
USERS = 100_000
FORMS = ("seconds.csv", "dates.csv", "american.csv", "events.jsonl", "events.parquet")


def write_sources(folder: Path, rows: int) -> None:
    """Write items, and the same events in five forms."""
    random = np.random.default_rng(0)
    prices = random.integers(100, 500_000, ITEMS) / 100
    items = pd.DataFrame({"sku": [f"i{n:05}" for n in range(ITEMS)], "name": "Cup", "category": "Home > Cups"})
    items["price"] = [f"{price:.2f}".replace(".", ",") for price in prices]
    items.to_csv(folder / "items.csv", sep=";", index=False)
    seconds = np.sort(random.integers(1_600_000_000, 1_700_000_000, rows))
    events = pd.DataFrame(
        {
            "user_id": random.integers(0, USERS, rows),
            "item_id": items["sku"].to_numpy()[random.integers(0, ITEMS, rows)],
            "event": random.choice(["view", "cart", "purchase"], rows, p=[0.8, 0.15, 0.05]),
            "timestamp": seconds,
        }
    )
    events.to_csv(folder / "seconds.csv", index=False)
    dates = pd.Series(pd.to_datetime(seconds, unit="s"))
    events.assign(timestamp=dates.dt.strftime("%Y-%m-%d %H:%M:%S UTC")).to_csv(folder / "dates.csv", index=False)
    events.assign(timestamp=dates.dt.strftime("%m/%d/%Y %I:%M %p")).to_csv(folder / "american.csv", index=False)
    events.to_json(folder / "events.jsonl", orient="records", lines=True)
    events.to_parquet(folder / "events.parquet")


def measure(folder: Path, name: str) -> None:
    """Import one file of events, and print its time and memory."""
    from recsys.dataset.importers import import_data
    from recsys.dataset.project import Project

    project = Project.init(Path(tempfile.mkdtemp(dir=folder)), "bench")
    start, used = time.perf_counter(), time.process_time()
    report = import_data(project, items=folder / "items.csv", interactions=folder / name)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows = report.rows["interactions"]
    print(f"{name:<16} {rows:>10,} rows {seconds:6.1f} s, {used:6.1f} s of processor, {memory:5.2f} GiB", flush=True)


def main() -> None:
    """Write the sources and measure each form in a process of its own."""
    if len(sys.argv) == 3:
        measure(Path(sys.argv[1]), sys.argv[2])
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        write_sources(Path(name), rows)
        for source in FORMS:
            subprocess.run([sys.executable, __file__, name, source], check=True)


if __name__ == "__main__":
    main()
