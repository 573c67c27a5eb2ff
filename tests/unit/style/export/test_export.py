"""Exported files give what the network gave, or are not there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from style.errors import ExportError
from style.export.export import ExportOptions, compare_outputs, export_network, load_network, make_batches
from style.export.formats import ExportFormat, Precision
from style.images import Pixels
from style.transfer.film import FilmNet, FilmShape, FilmStylizer
from style.transfer.network_spec import NetworkInput, NetworkSpec
from tests.processor import needs_openvino_with_avx

SLOW = pytest.mark.slow
PRECISIONS = [
    pytest.param(ExportFormat.TORCHSCRIPT, Precision.FLOAT32, 1e-6, id="torchscript"),
    pytest.param(ExportFormat.OPENVINO, Precision.FLOAT32, 1e-4, id="openvino", marks=needs_openvino_with_avx),
    pytest.param(ExportFormat.OPENVINO, Precision.FLOAT16, 1e-2, id="openvino-float16", marks=needs_openvino_with_avx),
    pytest.param(
        ExportFormat.OPENVINO, Precision.STATIC, 0.2, id="openvino-static", marks=[SLOW, needs_openvino_with_avx]
    ),
    pytest.param(
        ExportFormat.OPENVINO, Precision.DYNAMIC, 0.1, id="openvino-dynamic", marks=[SLOW, needs_openvino_with_avx]
    ),
    pytest.param(ExportFormat.ONNX, Precision.FLOAT32, 1e-4, id="onnx", marks=SLOW),
    pytest.param(ExportFormat.ONNX, Precision.STATIC, 0.2, id="onnx-static", marks=SLOW),
    pytest.param(ExportFormat.ONNX, Precision.DYNAMIC, 0.1, id="onnx-dynamic", marks=SLOW),
]


@pytest.fixture(scope="module")
def form() -> NetworkSpec:
    torch.manual_seed(0)
    network = FilmNet(FilmShape(width=8, blocks=1, fine=4, colors=4, hidden=16))
    nn.init.normal_(network.leave.weight, std=0.05)  # zero before training
    return FilmStylizer(network, "tiny").network_spec()


def photos() -> list[Pixels]:
    """Of four sizes."""
    random = np.random.default_rng(0)
    sizes = [(24, 32), (40, 30), (33, 33), (20, 48)]
    coarse = [random.random((height, width, 3), dtype=np.float32) for height, width in sizes]
    return [np.repeat(np.repeat(each, 3, axis=0), 3, axis=1) for each in coarse]


@pytest.mark.parametrize(("file_format", "precision", "most"), PRECISIONS)
def test_a_file_gives_what_the_network_gives(
    form: NetworkSpec, file_format: ExportFormat, precision: Precision, most: float, tmp_path: Path
) -> None:
    done = export_network(form, ExportOptions("tiny", "tiny-1", file_format, precision), tmp_path, photos())
    runner = load_network(done.path, file_format)
    images, z = torch.rand(1, 3, 44, 28), nn.functional.normalize(torch.randn(1, 128), dim=1)
    batch = (images, z, torch.ones(1, 1, 44, 28))
    apart = [
        float((ours - theirs).abs().max()) for ours, theirs in zip(runner(*batch), form.module(*batch), strict=True)
    ]
    assert max(apart) <= most
    assert done.largest <= 2 * most


@pytest.mark.slow
def test_executorch_gives_what_the_network_gives(form: NetworkSpec, tmp_path: Path) -> None:
    pytest.importorskip("executorch", reason="the extra `executorch` is not installed")
    done = export_network(form, ExportOptions("tiny", "tiny-1", ExportFormat.EXECUTORCH), tmp_path, photos())
    assert done.largest < 1e-3


def test_the_card_says_what_the_file_is(form: NetworkSpec, tmp_path: Path) -> None:
    done = export_network(form, ExportOptions("tiny", "tiny-1", ExportFormat.TORCHSCRIPT), tmp_path, photos())
    card = json.loads(done.card.read_text())
    assert card["files"] == [
        {
            "name": "tiny.pt",
            "bytes": done.path.stat().st_size,
            "sha256": hashlib.sha256(done.path.read_bytes()).hexdigest(),
        }
    ]
    assert card["inputs"][0]["shape"] == ["batch", 3, "height, a multiple of 4", "width, a multiple of 4"]
    assert card["inputs"][1] | {"meaning": ""} == {
        "name": "z",
        "type": "float32",
        "shape": ["batch", 128],
        "range": [-1, 1],
        "meaning": "",
    }
    assert card["license"] == "MIT"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.pt", "tiny.pt.json"]


def test_a_runtime_that_gives_nothing_is_named(form: NetworkSpec) -> None:
    class Runner:
        name = "empty 1"

        def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
            return torch.empty(0, 3, 0, 0), torch.empty(0, 3, 0, 0)

    with pytest.raises(ExportError, match="empty 1 gives empty outputs"):
        compare_outputs(form, Runner(), make_batches(form, photos()))


class _DecidesByItsInput(nn.Module):
    """Network whose trace keeps a number of the example."""

    def forward(self, images: Tensor) -> Tensor:
        return images * float(images.mean())


def test_a_file_that_gives_something_else_is_not_kept(tmp_path: Path) -> None:
    inputs = (NetworkInput("images", torch.rand(1, 3, 16, 16), 0, 1, ""),)
    form = NetworkSpec(_DecidesByItsInput(), inputs, ("painted",), 1, "MIT")
    options = ExportOptions("wrong", "1", ExportFormat.TORCHSCRIPT)
    with pytest.raises(ExportError, match=r"wrong\.pt: its outputs differ by up to .* no file was written"):
        export_network(form, options, tmp_path, [np.full((32, 32, 3), 0.9, dtype=np.float32)])
    assert list(tmp_path.iterdir()) == []


def test_what_a_format_cannot_hold_is_refused_with_one_that_can() -> None:
    with pytest.raises(ExportError, match="torchscript holds float32; for int8-static use onnx, openvino"):
        ExportOptions("film", "1", ExportFormat.TORCHSCRIPT, Precision.STATIC)


def test_files_are_compared_on_pictures(form: NetworkSpec, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="give at least one"):
        export_network(form, ExportOptions("tiny", "1", ExportFormat.TORCHSCRIPT), tmp_path, [])


@pytest.mark.slow
@needs_openvino_with_avx
def test_8_bits_are_smaller_and_not_the_same(form: NetworkSpec, tmp_path: Path) -> None:
    sizes = {}
    whole = FilmStylizer.load().network_spec()
    for precision in (Precision.FLOAT32, Precision.FLOAT16, Precision.STATIC):
        options = ExportOptions("film", "1", ExportFormat.OPENVINO, precision)
        done = export_network(whole, options, tmp_path, photos())
        sizes[precision] = done.path.with_suffix(".bin").stat().st_size
    assert sizes[Precision.FLOAT16] < 0.55 * sizes[Precision.FLOAT32]
    assert sizes[Precision.STATIC] < 0.3 * sizes[Precision.FLOAT32]
