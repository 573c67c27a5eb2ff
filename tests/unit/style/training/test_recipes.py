"""Recipes can be stopped and resumed: the network is the same as that of an unbroken run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from style.backbone import BACKBONES, Vgg, load_backbone
from style.errors import ImageError
from style.training.checkpoint import save_tensors
from style.training.crops import Crops, find_images
from style.training.optim import descend
from style.training.recipes.adain import AdaInSettings, EncodedStatistics, adain_losses, initialize, train_adain
from style.training.recipes.compress import CompressSettings, compress
from style.training.recipes.distill import DistillSettings, distill
from style.training.recipes.film import FilmSettings, fit_palette, train_film
from style.training.recipes.prune import shape_of
from style.training.targets import FeatureStatistics, Statistics, Styles
from style.training.teachers import load_teacher
from style.transfer.adain import AdaInNet
from style.transfer.film import FilmNet, FilmShape


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(4):
        pixels = random.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((80, 80)).save(folder / f"{index}.png")
    return find_images([folder])


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """A teacher of the compressed shape with random weights."""
    torch.manual_seed(3)
    network = Vgg(replace(BACKBONES["vgg-slim"], mean=(0, 0, 0), std=(1, 1, 1)))
    tensors = {
        f"{name.replace('_', '')}.{part}": getattr(conv, part).detach()
        for name, conv in network.convs.items()
        for part in ("weight", "bias")
    }
    tensors |= {"conv0.weight": torch.eye(3)[:, :, None, None], "conv0.bias": torch.zeros(3)}
    save_tensors(tmp_path / "teacher.safetensors", tensors)
    return tmp_path / "teacher.safetensors"


def same(a: Path, b: Path) -> bool:
    first, second = load_file(a), load_file(b)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def test_crops_depend_on_seed_and_step_alone(images: list[Path]) -> None:
    crops = Crops(images, side=32, keep=64, seed=1)
    fifth = crops.batch(5, 3)
    crops.batch(9, 3)
    assert fifth.shape == (3, 3, 32, 32)
    assert torch.equal(Crops(images, side=32, keep=64, seed=1).batch(5, 3), fifth)
    assert not torch.equal(crops.batch(6, 3), fifth)


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no images below this folder"):
        find_images([tmp_path])


@pytest.mark.slow
def test_distilling_resumes_where_it_stopped(images: list[Path], teacher: Path, tmp_path: Path) -> None:
    settings = DistillSettings(steps=4, batch=2, side=64, blocks=0.75, save_every=2)
    distill(images, teacher, tmp_path / "whole", settings)
    stop_after(2, tmp_path / "parts", lambda out: distill(images, teacher, out, settings))
    distill(images, teacher, tmp_path / "parts", settings)
    assert same(tmp_path / "whole" / "vgg-slim.safetensors", tmp_path / "parts" / "vgg-slim.safetensors")


def test_the_palette_starts_where_least_squares_puts_it() -> None:
    random = torch.Generator().manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(400, 128, generator=random), dim=1)
    rule = torch.randn(128, 6, generator=random)
    means, spreads = (0.1 * z @ rule).split([3, 3], dim=1)
    moments = torch.cat([4 * means, 4 * spreads.exp(), torch.zeros(400, 3)], dim=1)
    layer = torch.nn.Linear(128, 6)
    fit_palette(layer, Styles(z, Statistics({}, {}), torch.zeros(400, 12, 32), moments), ridge=1e-6)
    assert torch.allclose(layer(z * 128**0.5), torch.cat([means, spreads], dim=1), atol=1e-3)


@pytest.mark.slow
def test_training_film_resumes_and_lowers_its_loss(images: list[Path], tmp_path: Path) -> None:
    settings = FilmSettings(steps=4, batch=2, side=48, save_every=2)
    judge = load_backbone("vgg-slim")
    train_film(images, images, judge, tmp_path / "whole", settings)
    stop_after(2, tmp_path / "parts", lambda out: train_film(images, images, judge, out, settings))
    train_film(images, images, judge, tmp_path / "parts", settings)
    assert same(tmp_path / "whole" / "film.safetensors", tmp_path / "parts" / "film.safetensors")


def test_compressing_film_resumes_where_it_stopped(images: list[Path], tmp_path: Path) -> None:
    torch.manual_seed(0)
    teacher, small = (FilmNet(FilmShape(width, 1, width // 2, 4, width)) for width in (16, 8))
    z = torch.nn.functional.normalize(torch.randn(4, 128), dim=1)
    settings = CompressSettings(steps=6, batch=2, side=32, save_every=2)

    def train(out: Path) -> None:
        compress(teacher, shape_of(small), images, z, out, settings)

    train(tmp_path / "whole")
    stop_after(4, tmp_path / "parts", train)
    train(tmp_path / "parts")
    assert same(tmp_path / "whole" / "checkpoint.safetensors", tmp_path / "parts" / "checkpoint.safetensors")


def test_steps_of_adain_lower_its_losses(images: list[Path]) -> None:
    torch.manual_seed(0)
    network = AdaInNet(load_backbone("vgg-slim"))
    crops = Crops(images, side=32, keep=48, seed=0)
    initialize(network, crops, torch.device("cpu"), batches=4)
    describe = FeatureStatistics(load_backbone("vgg-slim"))
    shown, painted = crops.batch(0, 4).chunk(2)
    statistics, _ = EncodedStatistics(describe.network, network)(painted)
    style = Styles(torch.zeros(2, 128), statistics, torch.zeros(2, 12, 32), torch.zeros(2, 9))
    optimizer = torch.optim.Adam(network.decoder.parameters(), lr=3e-4)
    history: list[dict[str, float]] = []
    for _ in range(16):
        losses = adain_losses(network, describe, shown, style, torch.tensor([0.0, 1.0]), AdaInSettings())
        descend(optimizer, losses)
        history.append({name: float(loss.detach()) for name, loss in losses.items()})
    first, last = history[0], history[-1]
    assert all(last[name] < 0.7 * first[name] for name in ("moments", "gram")), (first, last)
    assert last["content"] < 0.85 * first["content"]


@pytest.mark.slow
def test_training_adain_resumes(images: list[Path], teacher: Path, tmp_path: Path) -> None:
    settings = AdaInSettings(steps=6, batch=2, side=48, copies=0.5, save_every=2)
    judge = load_teacher(teacher)
    train_adain(images, images, judge, tmp_path / "whole", settings)
    stop_after(2, tmp_path / "parts", lambda out: train_adain(images, images, judge, out, settings))
    train_adain(images, images, judge, tmp_path / "parts", settings)
    assert same(tmp_path / "whole" / "adain.safetensors", tmp_path / "parts" / "adain.safetensors")


def stop_after(step: int, out: Path, train) -> None:  # type: ignore[no-untyped-def]
    """Run until the checkpoint of `step` is written, then die as a kill would, by an error from the log."""
    from style.training.log import TrainingLog

    write = TrainingLog.write

    def dying(self: TrainingLog, at: int, values) -> None:  # type: ignore[no-untyped-def]
        if at >= step:
            raise KeyboardInterrupt
        write(self, at, values)

    TrainingLog.write = dying  # type: ignore[method-assign]
    try:
        with pytest.raises(KeyboardInterrupt):
            train(out)
    finally:
        TrainingLog.write = write  # type: ignore[method-assign]
