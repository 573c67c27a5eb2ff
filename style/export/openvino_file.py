"""Networks as OpenVINO files, in float32, with half-size weights, or in 8 bits (NNCF, extra `export`)."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from style.errors import ExtraError
from style.export.formats import Precision
from style.runtime import compile_openvino, convert_to_openvino
from style.transfer.network_spec import NetworkSpec


def write_openvino(spec: NetworkSpec, path: Path, precision: Precision, batches: Sequence[tuple[Tensor, ...]]) -> None:
    """Write the network `path` (.xml) and its weights (.bin) beside it; batch, height and width are free.

    `batches` calibrate `Precision.STATIC`. Raises ExtraError if 8 bits are requested and NNCF is missing.
    """
    model = convert_to_openvino(spec.module, spec.example)
    import openvino

    for port, one in zip(model.inputs, spec.inputs, strict=True):
        port.get_tensor().set_names({one.name})
    for port, name in zip(model.outputs, spec.outputs, strict=True):
        port.get_tensor().set_names({name})
    if not precision.is_float:
        try:
            import nncf
        except ModuleNotFoundError as error:
            raise ExtraError("nncf", "export") from error
        logging.getLogger("nncf").setLevel(logging.ERROR)
        with contextlib.redirect_stdout(io.StringIO()):
            if precision is Precision.STATIC:
                # Only convolutions: sums over pixels and the moves of colors become useless in 8 bits.
                kinds = {node.get_type_name() for node in model.get_ops()}
                others = nncf.IgnoredScope(types=sorted(kinds - {"Convolution", "Constant", "Parameter", "Result"}))
                rows = nncf.Dataset([[one.numpy() for one in batch] for batch in batches])
                model = nncf.quantize(model, rows, subset_size=len(batches), ignored_scope=others)
            model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
    openvino.save_model(model, str(path), compress_to_fp16=precision is Precision.FLOAT16)


class OpenVinoRunner:
    """Runner of an OpenVINO file on a CPU; see `style.runtime.RunnableNetwork`."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        import openvino

        self.name = f"openvino {openvino.__version__.partition('-')[0]}"
        self._compiled = compile_openvino(str(path), threads)
        self._request = self._compiled.create_infer_request()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the network."""
        outputs = self._request.infer([one.contiguous().numpy() for one in inputs], share_outputs=False)
        return tuple(torch.from_numpy(outputs[index]) for index in range(len(self._compiled.outputs)))
