"""Instruction sets of the processor that the tests run on."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

CPUINFO = Path("/proc/cpuinfo")


def has_avx() -> bool:
    """Return whether oneDNN, and OpenVINO by it, may use AVX: the processor has it and no variable forbids it."""
    if os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "")).upper() == "SSE41":
        return False
    return not CPUINFO.is_file() or " avx " in CPUINFO.read_text()


needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")

needs_openvino_with_avx = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None or not has_avx(),
    reason="openvino is not installed, or the processor has no AVX: there OpenVINO's normalization returns no numbers",
)
