"""Memory that an engine adds to a process with torch loaded: `python -m style.benchmarks.memory ENGINE`."""

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
STYLES = 16
"""Number of style images for engines that need some."""


def engine_memory(name: str) -> float:
    """Measure the MiB by which a fresh process grows, at its peak, by loading an engine and painting one image.

    One thread, 256 px, 16 style images. Raises UnknownEngineError if the engine cannot be loaded that way.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(  # noqa: S603  this program itself, by a registered name
        [sys.executable, "-m", "style.benchmarks.memory", name],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    if result.returncode:
        raise UnknownEngineError(f"{name}: cannot be measured in a process of its own: {result.stderr.strip()[-500:]}")
    return float(result.stdout.split()[-1])


def _measure_growth(name: str) -> float:
    from style.transfer.registry import load_stylizer
    from style.transfer.style_images import StyleImage, StyleImages
    from style.vector import DIMENSIONS, StyleVector

    random = np.random.default_rng(0)
    vectors = [StyleVector.from_values(random.normal(size=DIMENSIONS)) for _ in range(STYLES)]
    pixels = random.random((STYLES + 1, SIDE, SIDE, 3), dtype=np.float32)
    images = StyleImages([StyleImage(f"{i}", vectors[i], pixels[i]) for i in range(STYLES)])
    # Imports may have peaked above the present use: this resets Linux's high-water mark.
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    load_stylizer(name, 1, lambda: images).paint([pixels[-1]], vectors[0])
    return _peak() - before


def _peak() -> float:
    # A process inherits the `ru_maxrss` of its parent; Linux's high-water mark (VmHWM) is its own.
    if (status := Path("/proc/self/status")).is_file():
        match = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if match is not None:
            return int(match[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


if __name__ == "__main__":
    if sys.argv[1] not in ENGINE_NAMES:
        raise SystemExit(f"unknown engine {sys.argv[1]!r}; known ones: {', '.join(ENGINE_NAMES)}")
    sys.stdout.write(f"{_measure_growth(sys.argv[1]):.1f}\n")
