"""The numeric tests pass on processors other than this one.

Results differ by rounding between instruction sets (terms added at once, fused multiply-adds) and numbers of threads
(where sums are cut). A tolerance that was chosen by looking at one processor fails on the next. Newer instruction sets
than one's own cannot be tried, older ones can: `ATEN_CPU_CAPABILITY` limits torch's kernels, `ONEDNN_MAX_CPU_ISA` those
of oneDNN and OpenVINO, `OPENBLAS_CORETYPE` NumPy's matrix products, `FAISS_SIMD_LEVEL` faiss.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
NUMERIC = (
    "contracts/test_descriptors.py",
    "contracts/test_indexes.py",
    "contracts/test_models.py",
    "contracts/test_stylizers.py",
    "parity/test_als_parity.py",
    "unit/recsys/evaluation",
    "unit/recsys/index",
    "unit/recsys/models",
    "unit/recsys/profiles",
    "unit/recsys/ranking",
    "unit/recsys/restyling",
    "unit/recsys/training",
    "unit/style",
)
LONG = "unit/style/test_benchmarks.py"
"""File that takes long and compares no two computations."""
BEFORE_AVX = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "FAISS_SIMD_LEVEL": "NONE",
}
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "FAISS_SIMD_LEVEL": "AVX2",
}


def test_all_paths_are_there() -> None:
    assert [path for path in (*NUMERIC, LONG) if not (TESTS / path).exists()] == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("limits", [BEFORE_AVX, AVX2], ids=["before-avx", "avx2"])
def test_numeric_tests_pass_under_older_instruction_sets(limits: dict[str, str], threads: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--ignore={LONG}", *NUMERIC],
        env=environment | limits | {"OMP_NUM_THREADS": threads},
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
