"""Export of an engine's network to a file for another runtime: write, run, compare on real images, describe.

A file appears under its name only after it was run and compared: it is written to a temporary folder and moved.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from style.errors import ExportError
from style.export.formats import PRECISIONS, TOLERANCE, ExportFormat, Precision
from style.export.onnx_file import OnnxRunner, write_onnx
from style.export.openvino_file import OpenVinoRunner, write_openvino
from style.export.torch_file import MOST_SIDE, ExecuTorchRunner, TorchScriptRunner, write_executorch, write_torchscript
from style.images import Pixels
from style.runtime import RunnableNetwork
from style.transfer.network_spec import NetworkSpec
from style.vector import DIMENSIONS

SIDES = (64, 96, 160, 256)
"""Short sides in pixels at which a file is compared; images keep their proportions, so sizes differ."""


@dataclass(frozen=True, slots=True)
class ExportedNetwork:
    """File that was written and compared: its total bytes, and the difference of its outputs from the network's.

    `largest` and `mean` are absolute differences over all outputs and images; 1 is the range of a color.
    """

    path: Path
    card: Path
    size: int
    largest: float
    mean: float


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Options of an export: `name` is that of the engine or variant, and of the file without its suffix."""

    name: str
    version: str
    file_format: ExportFormat
    precision: Precision = Precision.FLOAT32

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS[self.file_format]:
            known = ", ".join(PRECISIONS[self.file_format])
            able = ", ".join(each for each, precisions in PRECISIONS.items() if self.precision in precisions)
            raise ExportError(f"{self.file_format} holds {known}; for {self.precision} use {able}")

    @property
    def stem(self) -> str:
        """File name without its suffix."""
        return self.name if self.precision is Precision.FLOAT32 else f"{self.name}-{self.precision}"


def export_network(
    spec: NetworkSpec, options: ExportOptions, folder: Path, photos: Sequence[Pixels]
) -> ExportedNetwork:
    """Write the network into `folder`, with a JSON card beside it. After an error nothing is left in `folder`.

    Args:
        spec: Network to export.
        options: Format, precision and name.
        folder: Folder of the result.
        photos: Photos to compare the file with, and to calibrate 8 bits.

    Raises:
        ExportError: If there is no photo, or a float file's outputs differ by more than its tolerance.
        ExtraError: If a library is missing.
    """
    if not photos:
        raise ExportError("an exported file is compared on images: give at least one")
    batches = make_batches(spec, photos)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{options.stem}{options.file_format.suffix}"
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        path = Path(inside) / target.name
        write_network(spec, options, path, batches)
        largest, mean = compare_outputs(spec, load_network(path, options.file_format), batches)
        bound = TOLERANCE.get(options.precision)
        if bound is not None and not largest <= bound:
            raise ExportError(
                f"{target.name}: its outputs differ by up to {largest:.2g} from the network's, more than {bound:g}; "
                "no file was written. Try another format"
            )
        card = _card(spec, options, sorted(Path(inside).iterdir()), (largest, mean))
        for part in sorted(Path(inside).iterdir()):
            shutil.move(part, folder / part.name)
    card_file = target.with_name(f"{target.name}.json")
    temporary = card_file.with_suffix(".tmp")
    temporary.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(card_file)
    return ExportedNetwork(target, card_file, sum(part["bytes"] for part in card["files"]), largest, mean)


def write_network(spec: NetworkSpec, options: ExportOptions, path: Path, batches: Sequence[tuple[Tensor, ...]]) -> None:
    """Write the network in the requested format, without a comparison."""
    match options.file_format:
        case ExportFormat.ONNX:
            write_onnx(spec, path, options.precision, batches)
        case ExportFormat.OPENVINO:
            write_openvino(spec, path, options.precision, batches)
        case ExportFormat.TORCHSCRIPT:
            write_torchscript(spec, path)
        case ExportFormat.EXECUTORCH:
            write_executorch(spec, path)


def load_network(path: Path, file_format: ExportFormat, threads: int = 1) -> RunnableNetwork:
    """Load an exported file, ready to run."""
    runners: dict[ExportFormat, type[RunnableNetwork]] = {
        ExportFormat.ONNX: OnnxRunner,
        ExportFormat.OPENVINO: OpenVinoRunner,
        ExportFormat.TORCHSCRIPT: TorchScriptRunner,
        ExportFormat.EXECUTORCH: ExecuTorchRunner,
    }
    runner: Any = runners[file_format]
    loaded: RunnableNetwork = runner(path, threads)
    return loaded


def make_batches(spec: NetworkSpec, photos: Sequence[Pixels], seed: int = 0) -> list[tuple[Tensor, ...]]:
    """Build inputs from photos, one at a time, at SIDES in turn; other inputs are drawn within their ranges."""
    random = np.random.default_rng((seed, 13))
    return [_inputs(spec, photo, SIDES[index % len(SIDES)], random) for index, photo in enumerate(photos)]


@torch.inference_mode()
def compare_outputs(
    spec: NetworkSpec, runner: RunnableNetwork, batches: Sequence[tuple[Tensor, ...]]
) -> tuple[float, float]:
    """Return the largest and the mean absolute difference of a file's outputs from the network's.

    Raises ExportError if the file's outputs are empty.
    """
    apart = []
    for batch in batches:
        expected = spec.module(*batch)
        expected = (expected,) if isinstance(expected, Tensor) else expected
        for one, other in zip(runner(*batch), expected, strict=True):
            if one.numel() == 0:
                raise ExportError(f"{runner.name} gives empty outputs: OpenVINO needs AVX. Export on another processor")
            apart.append((one - other).abs().flatten())
    return float(torch.stack([part.max() for part in apart]).max()), float(torch.cat(apart).mean())


def _inputs(spec: NetworkSpec, photo: Pixels, side: int, random: np.random.Generator) -> tuple[Tensor, ...]:
    scale = side / min(photo.shape[:2])
    height, width = (
        max(2, round(min(length * scale, MOST_SIDE) / spec.multiple)) * spec.multiple for length in photo.shape[:2]
    )
    image = torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1)[None]
    shrunk = torch.nn.functional.interpolate(image, (height, width), mode="bilinear", antialias=True).clamp(0, 1)
    inputs: list[Tensor] = [shrunk]
    for one in spec.inputs[1:]:
        shape = (1, one.example.shape[1], height, width) if one.is_map else one.example.shape
        drawn = torch.from_numpy(random.uniform(one.low, one.high, shape)).float()
        if one.name == "z":
            drawn = torch.nn.functional.normalize(torch.from_numpy(random.normal(size=(1, DIMENSIONS))).float(), dim=1)
        inputs.append(drawn)
    return tuple(inputs)


def _card(
    spec: NetworkSpec, options: ExportOptions, files: Sequence[Path], apart: tuple[float, float]
) -> dict[str, Any]:
    libraries = ("torch", "openvino", "nncf", "onnx", "onnxruntime", "executorch")
    installed = {package.metadata["Name"].lower() for package in metadata.distributions()}
    executorch = options.file_format is ExportFormat.EXECUTORCH
    batch: int | str = 1 if executorch else "batch"
    most = f" up to {MOST_SIDE}" if executorch else ""
    sides = [f"{name}, a multiple of {spec.multiple}{most}" for name in ("height", "width")]
    return {
        "engine": options.name,
        "version": options.version,
        "format": options.file_format.value,
        "precision": options.precision.value,
        "license": spec.license,
        "parameters": sum(parameter.numel() for parameter in spec.module.parameters()),
        "inputs": [
            {
                "name": one.name,
                "type": "float32",
                "shape": [batch, one.example.shape[1], *sides] if one.is_map else [batch, *one.example.shape[1:]],
                "range": [one.low, one.high],
                "meaning": one.meaning,
            }
            for one in spec.inputs
        ],
        "outputs": list(spec.outputs),
        "files": [
            {"name": file.name, "bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            for file in files
        ],
        "difference": {"largest": apart[0], "mean": apart[1]},
        "made_with": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in libraries if name in installed},
        },
    }
