"""What an engine adds to a process that has torch already: `python -m style.benchmarks.memory ENGINE`."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from style.errors import UnknownEngineError
from style.transfer.engine_names import ENGINE_NAMES

SIDE = 256
PICTURES = 16
"""Pictures of styles that engines are given that ask for some."""


def engine_memory(name: str) -> float:
    """MiB by which a fresh process grows, at its peak, by loading a registered engine and painting one picture.

    One thread, 256 px, 16 pictures of styles. Raises UnknownEngineError where the engine cannot be loaded so.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(  # noqa: S603  this program itself, by a registered name
        [sys.executable, "-m", "style.benchmarks.memory", name],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    if found.returncode:
        raise UnknownEngineError(f"{name}: cannot be measured in a process of its own: {found.stderr.strip()[-500:]}")
    return float(found.stdout.split()[-1])


def _grown(name: str) -> float:
    from style.transfer.registry import load_stylizer
    from style.transfer.style_images import StylePicture, StylePictures
    from style.vector import DIMENSIONS, StyleVector

    random = np.random.default_rng(0)
    styles = [StyleVector.of(random.normal(size=DIMENSIONS)) for _ in range(PICTURES)]
    shown = random.random((PICTURES + 1, SIDE, SIDE, 3), dtype=np.float32)
    pictures = StylePictures([StylePicture(f"{i}", styles[i], shown[i]) for i in range(PICTURES)])
    # Imports may have peaked above what is held now: Linux begins to count anew.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    load_stylizer(name, 1, lambda: pictures).paint([shown[-1]], styles[0])
    return _peak() - before


def _peak() -> float:
    # A process inherits the `ru_maxrss` of the one that started it; what Linux calls the high-water mark is its own.
    if (status := Path("/proc/self/status")).is_file():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found is not None:
            return int(found[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


if __name__ == "__main__":
    if sys.argv[1] not in ENGINE_NAMES:
        raise SystemExit(f"unknown engine {sys.argv[1]!r}; known ones: {', '.join(ENGINE_NAMES)}")
    sys.stdout.write(f"{_grown(sys.argv[1]):.1f}\n")
