"""Networks as ONNX files for ONNX Runtime, in float32 or in 8 bits; needs the extra `export`."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from style.errors import ExtraError
from style.export.formats import Precision
from style.transfer.network_spec import NetworkSpec

EXTRA = "export"


def write_onnx(spec: NetworkSpec, path: Path, precision: Precision, batches: Sequence[tuple[Tensor, ...]]) -> None:
    """Write the network; batch, height and width are free. `batches` calibrate `Precision.STATIC`.

    Raises ExtraError if `onnx` is missing.
    """
    if precision is Precision.FLOAT32:
        _write_float(spec, path)
        return
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        _write_float(spec, whole)
        # The dynamic quantizer transposes weights and then fails on the old shapes of inner tensors: remove them.
        onnx = _module("onnx")
        model = onnx.load(str(whole))
        del model.graph.value_info[:]
        onnx.save(model, str(whole))
        _quantize(spec, (whole, path), precision, batches)


def export_program(spec: NetworkSpec, most_side: int | None = None, *, free_batch: bool = True) -> Any:
    """Run `torch.export` on the network, with height and width free up to `most_side` pixels."""
    from torch.export import Dim

    multiple = spec.multiple
    most = {} if most_side is None else {"max": most_side // multiple}
    height, width = (multiple * Dim(name, min=2, **most) for name in ("height", "width"))
    batch: dict[int, Any] = {0: Dim("batch", min=1)} if free_batch else {}
    shapes = tuple({**batch, **({2: height, 3: width} if one.is_map else {})} for one in spec.inputs)
    # `torch.export` treats a side or a batch of 1 as a constant.
    copies = 2 if free_batch else 1
    example = tuple(one.example.repeat(copies, *[1] * (one.example.ndim - 1)) for one in spec.inputs)
    with _quiet(), torch.no_grad():
        return torch.export.export(spec.module, example, dynamic_shapes=shapes)


class OnnxRunner:
    """Runner of an ONNX file on a CPU; see `style.runtime.RunnableNetwork`. Raises ExtraError without onnxruntime."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        runtime = _module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._names = [one.name for one in self._session.get_inputs()]
        self.name = f"onnxruntime {runtime.__version__}"

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the network."""
        outputs = self._session.run(None, {name: one.numpy() for name, one in zip(self._names, inputs, strict=True)})
        return tuple(torch.from_numpy(one) for one in outputs)


def _write_float(spec: NetworkSpec, path: Path) -> None:
    for name in ("onnx", "onnxscript"):
        _module(name)
    # The exporter prints its progress, which no option turns off.
    with _quiet(), contextlib.redirect_stdout(io.StringIO()):
        program = torch.onnx.export(
            export_program(spec),
            dynamo=True,
            input_names=[one.name for one in spec.inputs],
            output_names=list(spec.outputs),
            external_data=False,
        )
        assert program is not None  # noqa: S101
        program.save(str(path))


def _quantize(
    spec: NetworkSpec, files: tuple[Path, Path], precision: Precision, batches: Sequence[tuple[Tensor, ...]]
) -> None:
    quantization = _module("onnxruntime.quantization")
    source, to = (str(file) for file in files)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)  # it recommends a preparation that the exporter already did
    try:
        if precision is Precision.DYNAMIC:
            quantization.quantize_dynamic(source, to, per_channel=True, op_types_to_quantize=["Gemm", "MatMul"])
            return
        names = [one.name for one in spec.inputs]
        rows = iter([{k: v.numpy() for k, v in zip(names, batch, strict=True)} for batch in batches])

        class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
            def get_next(self) -> dict[str, Any] | None:
                return next(rows, None)

        # The arithmetic that moves colors stays in float32: in 8 bits it would leave bands.
        quantization.quantize_static(source, to, Reader(), per_channel=True, op_types_to_quantize=["Conv", "Gemm"])
    finally:
        logging.getLogger().setLevel(level)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # torch's tree code, copied during decomposition, warns of its own old name.
        warnings.filterwarnings("ignore", message=r"`isinstance\(treespec", category=FutureWarning)
        yield


def _module(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ExtraError(name.partition(".")[0], EXTRA) from error
