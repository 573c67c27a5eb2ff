"""What it costs to analyze 10 million exposures from Parquet files, in seconds and GiB.

    python tests/benchmarks/experiment_analysis.py [--exposures 10000000] [--folder FOLDER]

Generated: a million people of two arms, lists of ten of 5,000 items, request ids of 32 characters, and 4 million
events, of which half answer a list and a quarter lie before the experiment; four metrics and a guardrail. The analysis
runs in a process of its own, whose peak of resident memory is told.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.experiments.analysis.analyze import analyze
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.design.assignment import Plan
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.lifecycle import start
from recsys.rng import generator

START, DAYS, DAY = 1_790_000_000, 21, 86_400
ROWS, ITEMS, PLACES = 500_000, 5_000, 10
NAMES = ("ctr", "add_to_cart", "conversion", "revenue_per_user")


def experiment() -> Experiment:
    draft = Experiment.model_validate(
        {
            "key": "large",
            "title": "Large",
            "hypothesis": "None",
            "control": "now",
            "arms": {"now": {}, "mild": {"overrides": {"strength": 0.3}}},
            "metrics": [{"name": name} for name in NAMES],
            "guardrails": [{"metric": "dwell", "margin": 0.05}],
        }
    )
    return start(draft, START)


def texts(prefix: str, numbers: np.ndarray, width: int) -> pa.StringArray:
    """The prefix and each number, filled with zeros to `width` characters."""
    digits = numbers[:, None] // 10 ** np.arange(width - len(prefix) - 1, -1, -1, dtype=object).astype(np.int64) % 10
    letters = np.concatenate(
        [np.tile(np.frombuffer(prefix.encode(), np.uint8), (len(numbers), 1)), (digits + 48).astype(np.uint8)], axis=1
    )
    offsets = np.arange(0, width * (len(numbers) + 1), width, dtype=np.int32)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(letters.tobytes()))


def write_logs(folder: Path, exposures: int) -> None:
    random, users = generator(0, "large logs"), exposures // 10
    ids = texts("user-", np.arange(users), 14)
    arm = Plan.from_experiment(experiment()).assign_many(ids.to_pylist())
    names = texts("item-", np.arange(ITEMS), 10)
    unit = random.integers(users, size=exposures)
    when = START + random.integers(DAYS * DAY, size=exposures)
    schema = _exposures(ids, names, unit[:1], when[:1], arm, 0).schema
    with pq.ParquetWriter(folder / "exposures.parquet", schema) as file:
        for at in range(0, exposures, ROWS):
            part = slice(at, at + ROWS)
            file.write_table(_exposures(ids, names, unit[part], when[part], arm, at))
    events = exposures * 4 // 10
    answering = random.integers(exposures, size=events // 2)
    other = random.integers(users, size=events - len(answering))
    past = np.arange(len(other)) % 2 == 0
    kinds = np.array(["click", "cart"])[(random.random(len(answering)) < 0.2).astype(int)]
    table = pa.table(
        {
            "unit": ids.take(pa.array(np.concatenate([unit[answering], other]))),
            "item_id": names.take(pa.array(random.integers(ITEMS, size=events))),
            "event": np.concatenate([kinds, np.array(["view", "purchase"])[random.integers(2, size=len(other))]]),
            "timestamp": np.concatenate(
                [when[answering] + 9, START + np.where(past, -1, 1) * random.integers(DAYS * DAY, size=len(other))]
            ),
            "amount": random.lognormal(3.0, 1.0, events),
            "dwell_s": random.gamma(2.0, 5.0, events),
            "request_id": pa.chunked_array(
                [texts("request-", answering, 32), pa.nulls(len(other), pa.string())]
            ).combine_chunks(),
            "position": pa.array(np.where(np.arange(events) < len(answering), random.integers(1, 11, size=events), 1)),
        }
    )
    pq.write_table(table, folder / "events.parquet")


def _exposures(
    ids: pa.StringArray, names: pa.StringArray, unit: np.ndarray, when: np.ndarray, arm: np.ndarray, at: int
) -> pa.Table:
    count = len(unit)
    random = generator(at, "large lists")
    rows = (random.integers(ITEMS, size=(count, 1)) + 7 * np.arange(PLACES)) % ITEMS
    offsets = pa.array(np.arange(0, PLACES * (count + 1), PLACES, dtype=np.int32))
    return pa.table(
        {
            "request_id": texts("request-", np.arange(at, at + count), 32),
            "unit": ids.take(pa.array(unit)),
            "timestamp": when,
            "model_version": pa.array(["0123456789abcdef"] * count),
            "experiment": pa.array(["large"] * count),
            "arm": pa.array(["mild", "now"]).take(pa.array(arm[unit])),
            "items": pa.ListArray.from_arrays(offsets, names.take(pa.array(rows.ravel()))),
            "propensities": pa.ListArray.from_arrays(offsets, pa.array(np.ones(count * PLACES))),
            "platform": pa.array(["ios", "android", "web"]).take(pa.array(unit % 3)),
        }
    )


def analyzed(folder: Path) -> None:
    begun, worked = time.perf_counter(), time.process_time()
    found = analyze(
        experiment(), Logs.from_files(folder / "exposures.parquet", folder / "events.parquet"), START + (DAYS + 1) * DAY
    )
    seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    units = sum(found.units.values())
    print(
        f"{found.exposures:,} exposures of {units:,} units in {seconds:.1f} s ({cpu:.1f} s of CPU), peak {peak:.2f} GiB"
    )
    print(f"healthy: {found.healthy}; comparisons: {len(found.comparisons)}; {found.decision.advice}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--exposures", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where logs are kept, and used again; default: a temporary one")
    parser.add_argument("--analyze", action="store_true", help="only analyze what is in the folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = asked.folder or Path(name)
        if asked.analyze:
            analyzed(folder)
            return
        if not (folder / "events.parquet").exists():
            write_logs(folder, asked.exposures)
        subprocess.run([sys.executable, __file__, "--folder", folder, "--analyze"], check=True)


if __name__ == "__main__":
    main()
