"""The formats that networks are exported in, and how numbers are kept in them."""

from __future__ import annotations

from enum import StrEnum


class ExportFormat(StrEnum):
    """A file format of networks."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    TORCHSCRIPT = "torchscript"
    EXECUTORCH = "executorch"

    @property
    def suffix(self) -> str:
        """How names of its files end; OpenVINO has a second file, `.bin`, beside it."""
        return {"onnx": ".onnx", "openvino": ".xml", "torchscript": ".pt", "executorch": ".pte"}[self.value]


class Precision(StrEnum):
    """How weights are stored, and what convolutions compute in.

    `float16` halves the file and computes in float32. `static` computes convolutions in 8 bits, with ranges that
    pictures gave (calibration); `dynamic` stores matrices in 8 bits and needs no pictures.
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    STATIC = "int8-static"
    DYNAMIC = "int8-dynamic"

    @property
    def is_float(self) -> bool:
        """Whether its file has to give what the network gave."""
        return self in {Precision.FLOAT32, Precision.FLOAT16}


TOLERANCE = {Precision.FLOAT32: 1e-3, Precision.FLOAT16: 1e-2}
"""How far any number of a float file's outputs may be from the network's; 1 is the range of a color."""

PRECISIONS = {
    ExportFormat.ONNX: (Precision.FLOAT32, Precision.STATIC, Precision.DYNAMIC),
    ExportFormat.OPENVINO: tuple(Precision),
    ExportFormat.TORCHSCRIPT: (Precision.FLOAT32,),
    ExportFormat.EXECUTORCH: (Precision.FLOAT32,),
}
"""The precisions of each format."""
