"""Formats of exported networks, and precisions of their numbers."""

from __future__ import annotations

from enum import StrEnum


class ExportFormat(StrEnum):
    """File format of a network."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    TORCHSCRIPT = "torchscript"
    EXECUTORCH = "executorch"

    @property
    def suffix(self) -> str:
        """Suffix of the file; OpenVINO writes a second file, `.bin`, beside it."""
        return {"onnx": ".onnx", "openvino": ".xml", "torchscript": ".pt", "executorch": ".pte"}[self.value]


class Precision(StrEnum):
    """Storage of weights, and precision of convolutions.

    `float16` halves the file and computes in float32. `static` computes convolutions in 8 bits, with ranges measured on
    images (calibration). `dynamic` stores matrices in 8 bits and needs no images.
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    STATIC = "int8-static"
    DYNAMIC = "int8-dynamic"

    @property
    def is_float(self) -> bool:
        """True if the file must reproduce the network's outputs."""
        return self in {Precision.FLOAT32, Precision.FLOAT16}


TOLERANCE = {Precision.FLOAT32: 1e-3, Precision.FLOAT16: 1e-2}
"""Allowed difference of any number of a float file's outputs from the network's; 1 is the range of a color."""

PRECISIONS = {
    ExportFormat.ONNX: (Precision.FLOAT32, Precision.STATIC, Precision.DYNAMIC),
    ExportFormat.OPENVINO: tuple(Precision),
    ExportFormat.TORCHSCRIPT: (Precision.FLOAT32,),
    ExportFormat.EXECUTORCH: (Precision.FLOAT32,),
}
"""Precisions of each format."""
