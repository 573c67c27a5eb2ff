"""Networks as TorchScript traces and as ExecuTorch programs (extra `executorch`)."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from style.errors import ExtraError
from style.export.onnx_file import export_program
from style.runtime import trace
from style.transfer.network_spec import NetworkSpec

MOST_SIDE = 1024
"""Largest side of images in pixels: ExecuTorch plans its memory ahead."""


def write_torchscript(spec: NetworkSpec, path: Path) -> None:
    """Write a frozen trace; batch, height and width are free."""
    with warnings.catch_warnings():
        _allow_torchscript()
        torch.jit.save(torch.jit.freeze(trace(spec.module, spec.example).eval()), str(path))


class TorchScriptRunner:
    """Runner of a TorchScript file; see `style.runtime.RunnableNetwork`. Threads are torch's own."""

    def __init__(self, path: Path, threads: int = 1) -> None:  # noqa: ARG002  other runners take it
        with warnings.catch_warnings():
            _allow_torchscript()
            self._module = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
        self.name = f"torchscript {torch.__version__}"

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the network."""
        return tuple(self._module(*inputs))


def write_executorch(spec: NetworkSpec, path: Path) -> None:
    """Write a program for the XNNPACK backend: one image at a time, sides up to 1024 pixels.

    Raises ExtraError if `executorch` is missing.
    """
    with _executorch_warnings():
        try:
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower
        except ModuleNotFoundError as error:
            raise ExtraError("executorch", "executorch") from error
        program = export_program(spec, MOST_SIDE, free_batch=False)
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        path.write_bytes(lowered.to_executorch().buffer)


class ExecuTorchRunner:
    """Runner of an ExecuTorch program; see `style.runtime.RunnableNetwork`. Raises ExtraError without `executorch`."""

    def __init__(self, path: Path, threads: int = 1) -> None:  # noqa: ARG002  other runners take it
        with _executorch_warnings():
            try:
                from executorch.runtime import Runtime
            except ModuleNotFoundError as error:
                raise ExtraError("executorch", "executorch") from error
        self._program = Runtime.get().load_program(path)
        self._method = self._program.load_method("forward")
        self.name = "executorch"

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the network."""
        return tuple(one.clone() for one in self._method.execute([each.contiguous() for each in inputs]))


@contextlib.contextmanager
def _executorch_warnings() -> Iterator[None]:
    """Ignore warnings: the import uses deprecated Python, and lowering copies torch graphs with old names."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        yield


def _allow_torchscript() -> None:
    for name in ("save", "load", "freeze"):
        warnings.filterwarnings("ignore", message=rf"`torch\.jit\.{name}`", category=DeprecationWarning)
