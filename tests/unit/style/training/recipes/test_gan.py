"""Unpaired training: products come to the other kind's colors and find their way back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from style.images import Pixels, read_image
from style.training.recipe import RunSettings
from style.training.recipes.gan import GanSettings, GanTraining
from style.training.recipes.gan_recipe import GanRecipe
from style.training.registry import RECIPES
from style.training.workflow import TrainingJob, train
from style.transfer.gan import GanStylizer
from style.transfer.registry import load_stylizer
from style.vector import DIMENSIONS, StyleVector

TINY = GanSettings(
    steps=4, side=32, keep=40, width=4, blocks=1, critic=4, remembered=3, epoch=2, tries=1, learning_rate=4e-3
)
Z = StyleVector.from_values(np.ones(DIMENSIONS))
CPU = torch.device("cpu")


def red_shape(random: np.random.Generator) -> Pixels:
    """Return a light disc on a red ground."""
    y, x = np.mgrid[0:40, 0:40]
    row, column, radius = random.uniform((10, 10, 5), (30, 30, 12))
    pixels = np.full((40, 40, 3), (0.75, 0.2, 0.15))
    pixels[(y - row) ** 2 + (x - column) ** 2 < radius**2] = (0.95, 0.55, 0.4)
    return np.clip(pixels + random.normal(0, 0.02, pixels.shape), 0, 1).astype(np.float32)


def blue_texture(random: np.random.Generator) -> Pixels:
    """Return blue clouds, three pixels wide."""
    clouds = ndimage.gaussian_filter(random.normal(size=(40, 40)), 1.0)
    return np.clip(np.array((0.15, 0.3, 0.7)) + 0.12 * (clouds / clouds.std())[:, :, None], 0, 1).astype(np.float32)


@pytest.fixture
def kinds(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    random = np.random.default_rng(0)
    kinds: tuple[list[Path], list[Path]] = ([], [])
    for draw, paths in zip((red_shape, blue_texture), kinds, strict=True):
        (tmp_path / draw.__name__).mkdir()
        for index in range(6):
            paths.append(tmp_path / draw.__name__ / f"{index}.png")
            Image.fromarray(np.uint8(255 * draw(random))).save(paths[-1])
    return kinds


def test_products_come_to_the_colors_of_the_styles_and_back(kinds: tuple[list[Path], list[Path]]) -> None:
    training = GanTraining(*kinds, replace(TINY, steps=60, cycle=2.0), CPU)
    losses = []
    for step in range(60):
        for group in training.optimizer.param_groups:
            group["lr"] = TINY.learning_rate * training.rate(step, 60, warm_up=1)
        losses.append(training.step(step))
    cycle = [float(loss["cycle"].detach()) for loss in losses]
    assert np.mean(cycle[-10:]) < 0.6 * max(cycle), "once colors move, the way back has to be learned"
    products, painted, back = (image.mean(dim=(0, 2, 3)).numpy() for image in training.samples().split(32, dim=3))
    blue = np.mean([read_image(path).mean(axis=(0, 1)) for path in kinds[1]], axis=0)
    assert np.abs(products - blue).max() > 0.5
    assert np.abs(painted - blue).max() < 0.2
    assert np.abs(back - products).max() < 0.2


def test_the_rate_is_constant_then_falls_along_a_line(kinds: tuple[list[Path], list[Path]]) -> None:
    training = GanTraining(*kinds, TINY, CPU)
    assert [training.rate(step, 100, 10) for step in (0, 50, 75, 99)] == pytest.approx([1, 1, 0.5, 0.02])


@pytest.fixture(scope="module")
def unlike(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return folders of nine products and three paintings."""
    random, folder = np.random.default_rng(1), tmp_path_factory.mktemp("kinds")
    for draw, count in ((red_shape, 9), (blue_texture, 3)):
        (folder / draw.__name__).mkdir()
        for index in range(count):
            Image.fromarray(np.uint8(255 * draw(random))).save(folder / draw.__name__ / f"{index}.png")
    return folder / "red_shape", folder / "blue_texture"


@pytest.mark.slow
def test_the_workflow_trains_it_and_the_engine_can_be_loaded_by_name(unlike: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = GanRecipe(replace(TINY, bfloat16=False))
    settings = RunSettings(steps=2, batch=1, side=32, keep=40, validate_every=1)
    train(TrainingJob(recipe, [unlike[0]], [unlike[1]], tmp_path / "clouds", settings), report=lambda _: None)
    engine = load_stylizer("clouds", trained=tmp_path)
    assert isinstance(engine, GanStylizer)
    image = read_image(unlike[0] / "0.png")
    assert 0 < np.abs(engine.restyle(image, Z) - image).mean() < 0.5
    assert RECIPES["gan"].kind == "gan"
