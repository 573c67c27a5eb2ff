from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from style.backbone import load_backbone
from style.embedding import StyleStatistics
from style.errors import NetworkRuntimeError
from style.runtime import RUNTIME_VARIABLE, RunnableNetwork, Runtime, choose_runtime, compile_network
from style.transfer.film import FilmNet
from style.vector import DIMENSIONS
from tests.processor import needs_openvino, needs_openvino_with_avx
from tests.tolerances import film_tolerance

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RUNTIME_VARIABLE, raising=False)


@pytest.fixture(scope="module")
def film() -> FilmNet:
    torch.manual_seed(0)
    network = FilmNet().eval().requires_grad_(False)
    for weights in network.parameters():  # untrained, its outputs are zero
        weights.add_(0.02 * torch.randn_like(weights))
    return network


@pytest.fixture(scope="module", params=[Runtime.TORCH, pytest.param(Runtime.OPENVINO, marks=needs_openvino_with_avx)])
def runnable(film: FilmNet, request: pytest.FixtureRequest) -> RunnableNetwork:
    return compile_network(film, film_inputs(1, 32, 48), request.param)


def film_inputs(batch: int, height: int, width: int, seed: int = 1) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(seed)
    z = nn.functional.normalize(torch.randn(batch, DIMENSIONS, generator=rng), dim=1)
    return torch.rand(batch, 3, height, width, generator=rng), z, torch.rand(batch, 1, height, width, generator=rng)


def tolerance(network: FilmNet, images: Tensor, outputs: tuple[Tensor, ...]) -> float:
    magnitude = max(float(part.abs().max()) for part in outputs)
    return film_tolerance(network, images[0, 0].numel(), magnitude, len(network.blocks))


def masked_image(height: int, width: int) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(height)
    return torch.rand(1, 3, height, width, generator=rng), torch.rand(1, 1, height, width, generator=rng)


@pytest.mark.parametrize("size", [(1, 256, 256), (1, 512, 512), (1, 36, 44), (3, 100, 260), (1, 8, 8)])
def test_every_runtime_paints_as_the_network_does(
    film: FilmNet, runnable: RunnableNetwork, size: tuple[int, int, int]
) -> None:
    inputs = film_inputs(*size)
    expected = film(*inputs)
    assert max(float(part.abs().max()) for part in expected) > 0.1
    for ours, theirs in zip(runnable(*inputs), expected, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance(film, inputs[0], expected))


@needs_openvino
def test_openvino_describes_as_torch_does() -> None:
    statistics = StyleStatistics(load_backbone("vgg-slim")).eval()
    quick = compile_network(statistics, masked_image(64, 96), Runtime.OPENVINO)
    for size in ((224, 224), (192, 256), (336, 160), (80, 640)):
        (ours,) = quick(*masked_image(*size))
        torch.testing.assert_close(ours, statistics(*masked_image(*size)), rtol=1e-4, atol=1e-4)


def test_threads_at_once_get_what_each_alone_gets(runnable: RunnableNetwork) -> None:
    jobs = [film_inputs(1, 32 + 4 * (i % 5), 64, seed=i) for i in range(40)]
    alone = [runnable(*job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda job: runnable(*job), jobs))
    for one, other in zip(alone, together, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_next_call_leaves_outputs_and_inputs_alone(runnable: RunnableNetwork) -> None:
    inputs = film_inputs(1, 40, 40)
    kept = [x.clone() for x in inputs]
    first = runnable(*inputs)
    copies = [part.clone() for part in first]
    runnable(*film_inputs(1, 40, 40, seed=2))
    assert all(torch.equal(a, b) for a, b in zip(first, copies, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(inputs, kept, strict=True))


@needs_openvino_with_avx
def test_the_number_of_threads_changes_rounding_alone(film: FilmNet) -> None:
    inputs = film_inputs(1, 128, 96)
    one, two = (compile_network(film, film_inputs(1, 32, 48), Runtime.OPENVINO, threads=n)(*inputs) for n in (1, 2))
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=tolerance(film, inputs[0], one))


def test_the_argument_beats_the_variable_and_the_variable_the_default(
    film: FilmNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = film_inputs(1, 32, 48)
    assert choose_runtime() is None
    monkeypatch.setenv(RUNTIME_VARIABLE, "Torch")
    assert choose_runtime() is Runtime.TORCH
    assert choose_runtime("openvino") is Runtime.OPENVINO
    assert compile_network(film, example).name == f"torch {torch.__version__}"


@needs_openvino_with_avx
def test_openvino_is_the_default(film: FilmNet, caplog: pytest.LogCaptureFixture) -> None:
    assert compile_network(film, film_inputs(1, 32, 48)).name.startswith("openvino 20")
    assert not caplog.records


def test_an_unknown_runtime_is_named_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NetworkRuntimeError, match="unknown runtime 'tpu'; known ones: openvino, torch"):
        choose_runtime("tpu")
    monkeypatch.setenv(RUNTIME_VARIABLE, "onnx")
    with pytest.raises(NetworkRuntimeError, match=f"{RUNTIME_VARIABLE}: unknown runtime 'onnx'"):
        choose_runtime()


def test_without_openvino_torch_runs_the_network(film: FilmNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    example = film_inputs(1, 32, 48)
    quick = compile_network(film, example)
    assert quick.name.startswith("torch")
    expected = film(*example)
    atol = tolerance(film, example[0], expected)
    torch.testing.assert_close(quick(*example), expected, rtol=0, atol=atol)
    with pytest.raises(NetworkRuntimeError, match="install openvino"):
        compile_network(film, example, "openvino")


class Unconvertible(nn.Module):
    """OpenVINO knows no singular values."""

    def forward(self, images: Tensor) -> Tensor:
        values: Tensor = torch.linalg.svdvals(images)
        return values


class Untraceable(nn.Module):
    """Network whose result depends on the number of calls, so a trace is always wrong."""

    calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return images * self.calls


class Growing(nn.Module):
    """Its outputs are larger with each call: never of the shape that was traced."""

    calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return images.tile(self.calls)


@needs_openvino
@pytest.mark.parametrize(
    "module", [Unconvertible(), Untraceable(), Growing()], ids=lambda module: type(module).__name__
)
def test_torch_runs_what_openvino_cannot_and_says_so(module: nn.Module, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "style.runtime")
    example = (torch.rand(1, 3, 8, 8),)
    quick = compile_network(module, example)
    assert quick.name.startswith("torch")
    assert type(module).__name__ in caplog.text
    old = torch.backends.cpu.get_cpu_capability() == "DEFAULT"  # where it is to be expected
    assert [record.levelno for record in caplog.records] == [logging.DEBUG if old else logging.WARNING]
    assert len(quick(*example)) == 1
    with pytest.raises(NetworkRuntimeError, match=type(module).__name__):
        compile_network(module, example, Runtime.OPENVINO)


@needs_openvino
def test_on_a_processor_without_avx_torch_runs_what_openvino_cannot() -> None:
    code = """
import sys
from style.transfer.film import FilmStylizer
sys.stdout.write(FilmStylizer.load().network.name)
"""
    limits = {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"}
    environment = {"PATH": "", "PYTHONPATH": str(ROOT), **limits}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("torch")


@needs_openvino
def test_nothing_is_reported_to_anybody(tmp_path: Path) -> None:
    """OpenVINO would open a connection and write an identifier below the home folder."""
    code = """
import socket, sys, torch
def refuse(*_): raise SystemExit("a connection was opened")
socket.socket.connect = socket.getaddrinfo = refuse
from style.runtime import compile_network
quick = compile_network(torch.nn.Conv2d(3, 3, 3), (torch.rand(1, 3, 8, 8),), "openvino")
sys.exit(any(name.startswith("openvino_telemetry.") for name in sys.modules))
"""
    environment = {"HOME": str(tmp_path), "PATH": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert not list(tmp_path.iterdir())
