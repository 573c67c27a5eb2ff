"""An engine's network as a file for another runtime: written, run back, compared on real pictures, described.

A file appears under its name only once it has been run and compared: it is written beside, and renamed.
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
"""Short sides in pixels at which a file is compared; pictures keep their proportions, so that sizes differ."""


@dataclass(frozen=True, slots=True)
class ExportedNetwork:
    """A file that was written and compared: its bytes in all, and how far its outputs are from the network's.

    `largest` and `mean` are absolute differences over all outputs and pictures; 1 is the range of a color.
    """

    path: Path
    card: Path
    size: int
    largest: float
    mean: float


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What to write: `name` is that of the engine or variant, and of the file without its suffix."""

    name: str
    version: str
    file_format: ExportFormat
    precision: Precision = Precision.FLOAT32

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS[self.file_format]:
            ways = ", ".join(PRECISIONS[self.file_format])
            able = ", ".join(each for each, precisions in PRECISIONS.items() if self.precision in precisions)
            raise ExportError(f"{self.file_format} holds {ways}; for {self.precision} use {able}")

    @property
    def stem(self) -> str:
        """The file's name without its suffix."""
        return self.name if self.precision is Precision.FLOAT32 else f"{self.name}-{self.precision}"


def export_network(form: NetworkSpec, wish: ExportOptions, folder: Path, photos: Sequence[Pixels]) -> ExportedNetwork:
    """Write the network into `folder`, with a JSON card beside it; `photos` compare it, and calibrate 8 bits.

    Raises ExportError where a float file's outputs are further than its tolerance from the network's, or where there
    is no photo; ExtraError where a library is missing. Then nothing is left in `folder`.
    """
    if not photos:
        raise ExportError("an exported file is compared on pictures: give at least one")
    batches = make_batches(form, photos)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{wish.stem}{wish.file_format.suffix}"
    with tempfile.TemporaryDirectory(dir=folder) as inside:
        path = Path(inside) / target.name
        write_network(form, wish, path, batches)
        largest, mean = compare_outputs(form, load_network(path, wish.file_format), batches)
        bound = TOLERANCE.get(wish.precision)
        if bound is not None and not largest <= bound:
            raise ExportError(
                f"{target.name}: its outputs differ by up to {largest:.2g} from the network's, more than {bound:g}; "
                "nothing was kept. Try another format"
            )
        card = _card(form, wish, sorted(Path(inside).iterdir()), (largest, mean))
        for part in sorted(Path(inside).iterdir()):
            shutil.move(part, folder / part.name)
    described = target.with_name(f"{target.name}.json")
    temporary = described.with_suffix(".tmp")
    temporary.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(described)
    return ExportedNetwork(target, described, sum(part["bytes"] for part in card["files"]), largest, mean)


def write_network(form: NetworkSpec, wish: ExportOptions, path: Path, batches: Sequence[tuple[Tensor, ...]]) -> None:
    """Write the network in the wished format, unchecked."""
    match wish.file_format:
        case ExportFormat.ONNX:
            write_onnx(form, path, wish.precision, batches)
        case ExportFormat.OPENVINO:
            write_openvino(form, path, wish.precision, batches)
        case ExportFormat.TORCHSCRIPT:
            write_torchscript(form, path)
        case ExportFormat.EXECUTORCH:
            write_executorch(form, path)


def load_network(path: Path, file_format: ExportFormat, threads: int = 1) -> RunnableNetwork:
    """An exported file, ready to run."""
    runners: dict[ExportFormat, type[RunnableNetwork]] = {
        ExportFormat.ONNX: OnnxRunner,
        ExportFormat.OPENVINO: OpenVinoRunner,
        ExportFormat.TORCHSCRIPT: TorchScriptRunner,
        ExportFormat.EXECUTORCH: ExecuTorchRunner,
    }
    runner: Any = runners[file_format]
    loaded: RunnableNetwork = runner(path, threads)
    return loaded


def make_batches(form: NetworkSpec, photos: Sequence[Pixels], seed: int = 0) -> list[tuple[Tensor, ...]]:
    """Inputs made of photos, one at a time, at SIDES in turn; all but the photo are drawn within their ranges."""
    random = np.random.default_rng((seed, 13))
    return [_inputs(form, photo, SIDES[index % len(SIDES)], random) for index, photo in enumerate(photos)]


@torch.inference_mode()
def compare_outputs(
    form: NetworkSpec, runner: RunnableNetwork, batches: Sequence[tuple[Tensor, ...]]
) -> tuple[float, float]:
    """Return the largest and the mean absolute difference of a file's outputs from the network's.

    Raises ExportError if the file's outputs are empty.
    """
    apart = []
    for batch in batches:
        asked = form.module(*batch)
        asked = (asked,) if isinstance(asked, Tensor) else asked
        for one, other in zip(runner(*batch), asked, strict=True):
            if one.numel() == 0:
                raise ExportError(f"{runner.name} gives empty outputs: OpenVINO needs AVX. Export on another processor")
            apart.append((one - other).abs().flatten())
    return float(torch.stack([part.max() for part in apart]).max()), float(torch.cat(apart).mean())


def _inputs(form: NetworkSpec, photo: Pixels, side: int, random: np.random.Generator) -> tuple[Tensor, ...]:
    scale = side / min(photo.shape[:2])
    height, width = (
        max(2, round(min(length * scale, MOST_SIDE) / form.multiple)) * form.multiple for length in photo.shape[:2]
    )
    image = torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1)[None]
    shrunk = torch.nn.functional.interpolate(image, (height, width), mode="bilinear", antialias=True).clamp(0, 1)
    found: list[Tensor] = [shrunk]
    for one in form.inputs[1:]:
        shape = (1, one.example.shape[1], height, width) if one.is_map else one.example.shape
        drawn = torch.from_numpy(random.uniform(one.low, one.high, shape)).float()
        if one.name == "z":
            drawn = torch.nn.functional.normalize(torch.from_numpy(random.normal(size=(1, DIMENSIONS))).float(), dim=1)
        found.append(drawn)
    return tuple(found)


def _card(form: NetworkSpec, wish: ExportOptions, files: Sequence[Path], apart: tuple[float, float]) -> dict[str, Any]:
    libraries = ("torch", "openvino", "nncf", "onnx", "onnxruntime", "executorch")
    installed = {found.metadata["Name"].lower() for found in metadata.distributions()}
    return {
        "engine": wish.name,
        "version": wish.version,
        "format": wish.file_format.value,
        "precision": wish.precision.value,
        "license": form.license,
        "parameters": sum(parameter.numel() for parameter in form.module.parameters()),
        "inputs": [
            {
                "name": one.name,
                "type": "float32",
                "shape": _shape(form, one.example, wish.file_format, is_map=one.is_map),
                "range": [one.low, one.high],
                "meaning": one.meaning,
            }
            for one in form.inputs
        ],
        "outputs": list(form.outputs),
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


def _shape(form: NetworkSpec, example: Tensor, file_format: ExportFormat, *, is_map: bool) -> list[int | str]:
    most = f" up to {MOST_SIDE}" if file_format is ExportFormat.EXECUTORCH else ""
    batch: int | str = 1 if file_format is ExportFormat.EXECUTORCH else "batch"
    sides = [f"{name}, a multiple of {form.multiple}{most}" for name in ("height", "width")]
    return [batch, example.shape[1], *sides] if is_map else [batch, *example.shape[1:]]
