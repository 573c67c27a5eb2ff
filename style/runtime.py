"""Runs frozen networks on a CPU: by OpenVINO where it can, otherwise by torch.

OpenVINO computes the same numbers sooner: FilmNet's 1.7 times, the style statistics 1.2 times
(tests/benchmarks/runtimes.py). A network is traced and converted whenever it is loaded, in less than half a second:
nothing is stored that could go stale.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from enum import StrEnum
from importlib import metadata
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from style.errors import NetworkRuntimeError

logger = logging.getLogger(__name__)

RUNTIME_VARIABLE = "STYLE_RUNTIME"
"""The environment variable that chooses a runtime."""

TOLERANCE = 1e-3
"""How far OpenVINO's outputs may be from torch's, as a part of their size. They are a thousand times closer."""

_one_at_a_time = threading.Lock()


class Runtime(StrEnum):
    """What can run a network."""

    OPENVINO = "openvino"
    TORCH = "torch"


class RunnableNetwork(Protocol):
    """A frozen network: float32 tensors in, a tuple of new float32 tensors out. Threads may call it at once."""

    name: str
    """The runtime and its version, for reports."""

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]: ...


def compile_network(
    module: nn.Module, example: tuple[Tensor, ...], runtime: str | None = None, threads: int | None = None
) -> RunnableNetwork:
    """The network `module`, which is in eval mode and returns one tensor or a tuple, ready to run.

    `example` holds inputs of any small size. Later ones may differ from it in batch, height and width, so the
    network must not decide anything by them. `runtime` is a `Runtime`; by default STYLE_RUNTIME says it, and where that
    is unset OpenVINO is taken if it works for this network. `threads` is how many OpenVINO uses (default: as many as
    torch does; torch itself has one number for the whole process).

    Outputs are the same for the same inputs, runtime and number of threads; else they differ by rounding.
    Raises NetworkRuntimeError for an unknown runtime, and where OpenVINO was asked for and fails.
    """
    chosen = chosen_runtime(runtime)
    if chosen is Runtime.TORCH:
        return _TorchNetwork(module)
    # OpenVINO raises a RuntimeError or one of its own, and an ImportError where it is not installed.
    try:
        with _one_at_a_time:
            return _OpenVinoNetwork(module, example, threads or torch.get_num_threads())
    except Exception as error:
        reason = f"OpenVINO cannot run {type(module).__name__}: {error}"
        if chosen is Runtime.OPENVINO:
            raise NetworkRuntimeError(f"{reason}; set {RUNTIME_VARIABLE}=torch, or install openvino") from error
        missing = isinstance(error, ModuleNotFoundError) and error.name == "openvino"
        # Without AVX some of its kernels raise an error or return empty arrays: nothing that a user could change.
        expected = missing or torch.backends.cpu.get_cpu_capability() == "DEFAULT"
        logger.log(logging.DEBUG if expected else logging.WARNING, "%s; torch runs it", reason)
        return _TorchNetwork(module)


def chosen_runtime(runtime: str | None = None) -> Runtime | None:
    """The runtime asked for: `runtime`, else what STYLE_RUNTIME says, else None: whichever works, OpenVINO first.

    Raises NetworkRuntimeError that lists the runtimes where it is none of them.
    """
    asked = runtime or os.environ.get(RUNTIME_VARIABLE, "").strip().lower()
    if not asked:
        return None
    try:
        return Runtime(asked)
    except ValueError as error:
        source = "" if runtime else f"{RUNTIME_VARIABLE}: "
        raise NetworkRuntimeError(f"{source}unknown runtime {asked!r}; known ones: {', '.join(Runtime)}") from error


class _TorchNetwork:
    def __init__(self, module: nn.Module) -> None:
        self.name = f"torch {torch.__version__}"
        # Convolutions on a CPU are faster with channels last.
        self._module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return _tuple(
            self._module(*(x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x for x in inputs))
        )


class _OpenVinoNetwork:
    def __init__(self, module: nn.Module, example: tuple[Tensor, ...], threads: int) -> None:
        self.name = f"openvino {metadata.version('openvino')}"
        self._compiled = _compiled(module, example, threads)
        self._requests = threading.local()
        with torch.no_grad():
            expected = _tuple(module(*example))
        for ours, theirs in zip(self(*example), expected, strict=True):
            if ours.shape != theirs.shape or not ((ours - theirs).norm() <= TOLERANCE * theirs.norm() + TOLERANCE**2):
                raise RuntimeError("its outputs are not torch's")

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        arrays = [x.detach().contiguous().numpy() for x in inputs]
        # Inputs are lent for the call; outputs are copied, so that the thread's next call leaves them alone.
        found = self._requests.own.infer(arrays, share_inputs=True, share_outputs=False)
        return tuple(torch.from_numpy(found[index]) for index in range(len(self._compiled.outputs)))


def _compiled(module: nn.Module, example: tuple[Tensor, ...], threads: int) -> Any:
    """OpenVINO's form of a network, all sizes free, ready to run."""
    return compiled_model(converted(module, example), threads)


def traced(module: nn.Module, example: tuple[Tensor, ...]) -> Any:
    """The network as a TorchScript trace."""
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns that it will go one day, and of every size that it makes a constant.
        warnings.filterwarnings("ignore", message="`torch.jit.trace", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        return torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]


def converted(module: nn.Module, example: tuple[Tensor, ...]) -> Any:
    """OpenVINO's model of a network, all sizes free."""
    _silence_telemetry()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    # openvino.convert_model does this too, but changes the level of the root logger and traces three times.
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced(module, example), example_input=example)  # has to outlive the conversion
    return frontend.convert(frontend.load(decoder))


def compiled_model(model: Any, threads: int) -> Any:
    """An OpenVINO model, or the path of one, ready to run with so many threads."""
    _silence_telemetry()
    from openvino import Core

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # else CPUs that have bfloat16 compute in it
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,  # several networks and processes share the cores
        "CPU_RUNTIME_CACHE_CAPACITY": 200,  # kernels, some 25 for a size; 5000 took 1.4 GB for 600 sizes
    }
    return Core().compile_model(model, "CPU", settings)


def _silence_telemetry() -> None:
    # On import OpenVINO reports over the internet that it was imported, unless it finds that this package is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def _tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)
