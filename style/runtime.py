"""Runtimes for frozen networks on a CPU: OpenVINO if it can run a network, otherwise torch.

OpenVINO computes the same numbers faster: FilmNet 1.7 times, the style statistics 1.2 times
(tests/benchmarks/runtimes.py). A network is traced and converted whenever it is loaded, in less than half a second: no
stored file can become outdated.
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
"""Environment variable that chooses a runtime."""

TOLERANCE = 1e-3
"""Allowed difference of OpenVINO's outputs from torch's, relative to their size.

Actual ones are a thousand times smaller.
"""

_one_at_a_time = threading.Lock()


class Runtime(StrEnum):
    """Software that can run a network."""

    OPENVINO = "openvino"
    TORCH = "torch"


class RunnableNetwork(Protocol):
    """Frozen network: float32 tensors in, a tuple of new float32 tensors out. Threads may call it at the same time."""

    name: str
    """Runtime and its version, for reports."""

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the network."""
        ...


def compile_network(
    module: nn.Module, example: tuple[Tensor, ...], runtime: str | None = None, threads: int | None = None
) -> RunnableNetwork:
    """Prepare a network to run.

    Outputs are the same for the same inputs, runtime and number of threads; otherwise they differ by rounding.

    Args:
        module: Network in eval mode that returns one tensor or a tuple.
        example: Inputs of any small size. Later ones may differ in batch, height and width, so the network must not
            branch on these.
        runtime: Name of a `Runtime`; default: STYLE_RUNTIME, or if that is unset OpenVINO if it works for this network.
        threads: Threads of OpenVINO; default: as many as torch has. Torch itself has one number for the whole process.

    Raises:
        NetworkRuntimeError: If the runtime is unknown, or OpenVINO was requested and fails.
    """
    chosen = choose_runtime(runtime)
    if chosen is Runtime.TORCH:
        return _TorchNetwork(module)
    # OpenVINO raises a RuntimeError or an error of its own, and an ImportError if it is not installed.
    try:
        with _one_at_a_time:
            return _OpenVinoNetwork(module, example, threads or torch.get_num_threads())
    except Exception as error:
        reason = f"OpenVINO cannot run {type(module).__name__}: {error}"
        if chosen is Runtime.OPENVINO:
            raise NetworkRuntimeError(f"{reason}; set {RUNTIME_VARIABLE}=torch, or install openvino") from error
        missing = isinstance(error, ModuleNotFoundError) and error.name == "openvino"
        # Without AVX some of its kernels raise an error or return empty arrays: users cannot change that.
        expected = missing or torch.backends.cpu.get_cpu_capability() == "DEFAULT"
        logger.log(logging.DEBUG if expected else logging.WARNING, "%s; using torch instead", reason)
        return _TorchNetwork(module)


def choose_runtime(runtime: str | None = None) -> Runtime | None:
    """Return the requested runtime: `runtime`, else that of STYLE_RUNTIME, else None: OpenVINO first, then torch.

    Raises NetworkRuntimeError, which lists the runtimes, for an unknown name.
    """
    requested = runtime or os.environ.get(RUNTIME_VARIABLE, "").strip().lower()
    if not requested:
        return None
    try:
        return Runtime(requested)
    except ValueError as error:
        source = "" if runtime else f"{RUNTIME_VARIABLE}: "
        raise NetworkRuntimeError(f"{source}unknown runtime {requested!r}; known ones: {', '.join(Runtime)}") from error


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
        self._compiled = compile_openvino(convert_to_openvino(module, example), threads)
        self._requests = threading.local()
        with torch.no_grad():
            expected = _tuple(module(*example))
        for ours, theirs in zip(self(*example), expected, strict=True):
            if ours.shape != theirs.shape or not ((ours - theirs).norm() <= TOLERANCE * theirs.norm() + TOLERANCE**2):
                raise RuntimeError("its outputs differ from torch's")

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        arrays = [x.detach().contiguous().numpy() for x in inputs]
        # Inputs are shared during the call; outputs are copied, so that the thread's next call does not change them.
        outputs = self._requests.own.infer(arrays, share_inputs=True, share_outputs=False)
        return tuple(torch.from_numpy(outputs[index]) for index in range(len(self._compiled.outputs)))


def trace(module: nn.Module, example: tuple[Tensor, ...]) -> Any:
    """Return the TorchScript trace of a network."""
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns of its deprecation, and of every size that it makes a constant.
        warnings.filterwarnings("ignore", message="`torch.jit.trace", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        return torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]


def convert_to_openvino(module: nn.Module, example: tuple[Tensor, ...]) -> Any:
    """Convert a network to an OpenVINO model, all sizes free."""
    _silence_telemetry()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    # openvino.convert_model does this too, but changes the level of the root logger and traces three times.
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(trace(module, example), example_input=example)  # has to outlive the conversion
    return frontend.convert(frontend.load(decoder))


def compile_openvino(model: Any, threads: int) -> Any:
    """Compile an OpenVINO model, or the file of one, to run with so many threads."""
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
    # On import OpenVINO sends telemetry over the internet, unless this package is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def _tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)
