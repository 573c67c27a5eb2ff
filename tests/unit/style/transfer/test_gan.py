"""Unpaired translation: products come to the other kind's colors and find their way back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from scipy import ndimage

from style.images import Pixels, read_image
from style.training.discriminator import PatchDiscriminator, ReplayBuffer
from style.training.recipe import RunSettings
from style.training.recipes.gan import GanRun, GanSettings, critic_loss, main, rate_share, train_gan
from style.training.recipes.gan_recipe import GanRecipe
from style.training.registry import RECIPES
from style.training.workflow import TrainingJob, train
from style.transfer.gan import GanStylizer, Generator, GeneratorShape, split_color, without_backdrop
from style.transfer.registry import load_stylizer
from style.vector import DIMENSIONS, StyleVector

TINY = GanSettings(
    steps=4, side=32, keep=40, width=4, blocks=1, critic=4, remembered=3, epoch=2, tries=1, learning_rate=4e-3
)
Z = StyleVector.of(np.ones(DIMENSIONS))
CPU = torch.device("cpu")


def red_shape(random: np.random.Generator) -> Pixels:
    """A light disc on a red ground."""
    y, x = np.mgrid[0:40, 0:40]
    row, column, radius = random.uniform((10, 10, 5), (30, 30, 12))
    pixels = np.full((40, 40, 3), (0.75, 0.2, 0.15))
    pixels[(y - row) ** 2 + (x - column) ** 2 < radius**2] = (0.95, 0.55, 0.4)
    return np.clip(pixels + random.normal(0, 0.02, pixels.shape), 0, 1).astype(np.float32)


def blue_texture(random: np.random.Generator) -> Pixels:
    """Blue clouds, three pixels wide."""
    clouds = ndimage.gaussian_filter(random.normal(size=(40, 40)), 1.0)
    return np.clip(np.array((0.15, 0.3, 0.7)) + 0.12 * (clouds / clouds.std())[:, :, None], 0, 1).astype(np.float32)


@pytest.fixture
def kinds(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    random = np.random.default_rng(0)
    found: tuple[list[Path], list[Path]] = ([], [])
    for draw, paths in zip((red_shape, blue_texture), found, strict=True):
        (tmp_path / draw.__name__).mkdir()
        for index in range(6):
            paths.append(tmp_path / draw.__name__ / f"{index}.png")
            Image.fromarray(np.uint8(255 * draw(random))).save(paths[-1])
    return found


def test_products_come_to_the_colors_of_the_styles_and_back(kinds: tuple[list[Path], list[Path]]) -> None:
    run = GanRun(*kinds, replace(TINY, steps=60, cycle=2.0), CPU)
    losses = [run.step(step) for step in range(60)]
    cycle = [float(loss["cycle"].detach()) for loss in losses]
    assert np.mean(cycle[-10:]) < 0.6 * max(cycle), "once colors move, the way back has to be learned"
    products, painted, back = (pictures.mean(dim=(0, 2, 3)).numpy() for pictures in run.samples().split(32, dim=3))
    blue = np.mean([read_image(path).mean(axis=(0, 1)) for path in kinds[1]], axis=0)
    assert np.abs(products - blue).max() > 0.5
    assert np.abs(painted - blue).max() < 0.2
    assert np.abs(back - products).max() < 0.2


def test_a_run_that_was_stopped_ends_the_same(kinds: tuple[list[Path], list[Path]], tmp_path: Path) -> None:
    train_gan(*kinds, tmp_path / "whole", TINY)
    # A kill after the second step leaves the checkpoint of step 2, whatever was done since.
    import style.training.recipes.gan as recipe

    step = GanRun.step

    def dying(self: GanRun, at: int) -> dict[str, torch.Tensor]:
        if at == 3:
            raise KeyboardInterrupt
        return step(self, at)

    recipe.GanRun.step = dying  # type: ignore[method-assign]
    try:
        with pytest.raises(KeyboardInterrupt):
            train_gan(*kinds, tmp_path / "parts", TINY)
    finally:
        recipe.GanRun.step = step  # type: ignore[method-assign]
    assert int(load_file(tmp_path / "parts" / "checkpoint.safetensors")["step"]) == 2
    train_gan(*kinds, tmp_path / "parts", TINY)
    for name in ("gan", "checkpoint"):
        whole, parts = (load_file(tmp_path / run / f"{name}.safetensors") for run in ("whole", "parts"))
        assert whole.keys() == parts.keys()
        assert all(torch.equal(whole[key], parts[key]) for key in whole)
    assert int(whole["network.made.style.count"]) == 3, "the buffer outlived the kill"


def test_the_command_writes_weights_and_a_grid_of_samples_per_epoch(
    kinds: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    folders = ["--products", str(kinds[0][0].parent), "--styles", str(kinds[1][0].parent)]
    sizes = {"steps": 2, "epoch": 1, "side": 32, "keep": 40, "width": 4, "blocks": 1, "critic": 4, "tries": 2}
    options = [part for name, value in sizes.items() for part in (f"--{name}", str(value))]
    main([*folders, "--out", str(tmp_path / "run"), *options])
    sheets = sorted(path.name for path in (tmp_path / "run").glob("*.png"))
    assert sheets == ["samples-000001.png", "samples-000002.png"]
    assert read_image(tmp_path / "run" / sheets[0]).shape == (6 * 32, 3 * 32, 3)
    network = Generator(GeneratorShape(4, 1))
    network.load_state_dict({key: value.float() for key, value in load_file(tmp_path / "run/gan.safetensors").items()})


def test_a_full_buffer_shows_old_pictures_in_half_of_the_cases() -> None:
    buffer, random = ReplayBuffer(4, 2), np.random.default_rng(0)
    for value in range(4):
        assert buffer.swap(torch.full((1, 3, 2, 2), float(value)), random).mean() == value, (
            "while it fills: the new one"
        )
    shown = [float(buffer.swap(torch.full((1, 3, 2, 2), float(value)), random).mean()) for value in range(4, 204)]
    old = [value for value, new in zip(shown, range(4, 204), strict=True) if value != new]
    assert 0.4 < len(old) / 200 < 0.6
    assert len(set(old)) == len(old), "what is shown leaves the buffer"
    assert len(set(buffer.pictures.mean(dim=(1, 2, 3)).tolist())) == 4


def test_a_buffer_of_nothing_shows_what_is_new() -> None:
    made = torch.rand(3, 3, 2, 2)
    assert torch.equal(ReplayBuffer(0, 2).swap(made, np.random.default_rng(0)), made)


def test_the_critic_gives_patches_scores_and_can_be_trained_to_tell_them() -> None:
    torch.manual_seed(0)
    critic = PatchDiscriminator(4)
    rough, smooth = torch.rand(1, 3, 64, 64), torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = critic_loss(critic, rough, smooth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.05 < losses[0]
    assert critic(rough).shape == (1, 1, 14, 14)
    assert critic(rough).mean() > 0.7 > 0.3 > critic(smooth).mean()


def test_the_rate_is_constant_then_falls_along_a_line() -> None:
    assert [rate_share(step, 100, 0.5) for step in (0, 50, 75, 99)] == pytest.approx([1, 1, 0.5, 0.02])


@pytest.fixture(scope="module")
def engine() -> GanStylizer:
    torch.manual_seed(1)
    return GanStylizer(Generator(GeneratorShape(4, 1)), "random")


@pytest.mark.parametrize("size", [(48, 64), (47, 61), (16, 16)])
def test_the_engine_paints_any_size_and_the_same_each_time(engine: GanStylizer, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*size, 3)).astype(np.float32)
    painted = engine.restyle(image, Z)
    assert painted.shape == image.shape
    assert np.abs(painted - image).mean() > 1e-3
    assert np.array_equal(engine.restyle(image, Z, 0.0), image)
    assert np.array_equal(engine.restyle(image, Z), painted)


def test_the_backdrop_does_not_count(engine: GanStylizer) -> None:
    random = np.random.default_rng(0)
    image = random.random((48, 48, 3)).astype(np.float32)
    mask = np.zeros((48, 48), dtype=np.float32)
    mask[12:36, 12:36] = 1
    other = image.copy()
    other[mask == 0] = 1.0
    first, second = (engine.restyle(picture, Z, mask=mask) for picture in (image, other))
    assert np.allclose(first[mask == 1], second[mask == 1], atol=1e-5)
    assert np.array_equal(second[mask == 0], other[mask == 0])
    assert np.allclose(without_backdrop(image, mask)[0, 0], image[mask == 1].mean(axis=0), atol=1e-5)


def test_a_painting_is_split_into_color_and_the_rest() -> None:
    image = np.random.default_rng(0).random((24, 24, 3)).astype(np.float32) * 0.5
    mask = np.ones((24, 24), dtype=np.float32)
    brighter = image + np.float32(0.2)
    painting = split_color(image, brighter, mask)
    assert np.allclose(painting.texture + painting.color, 0.2, atol=1e-6)
    assert np.abs(painting.texture).mean() < 0.2 * np.abs(painting.color).mean()
    nothing = split_color(image, brighter, 0 * mask)
    assert not nothing.color.any()
    assert np.allclose(nothing.texture, 0.2, atol=1e-6)


@pytest.fixture(scope="module")
def unlike(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of nine products and three paintings."""
    random, folder = np.random.default_rng(1), tmp_path_factory.mktemp("kinds")
    for draw, count in ((red_shape, 9), (blue_texture, 3)):
        (folder / draw.__name__).mkdir()
        for index in range(count):
            Image.fromarray(np.uint8(255 * draw(random))).save(folder / draw.__name__ / f"{index}.png")
    return folder / "red_shape", folder / "blue_texture"


@pytest.mark.slow
def test_the_workflow_trains_it_and_the_engine_is_there_by_name(unlike: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = GanRecipe(replace(TINY, bfloat16=False))
    settings = RunSettings(steps=2, batch=1, side=32, keep=40, validate_every=1)
    train(TrainingJob(recipe, [unlike[0]], [unlike[1]], tmp_path / "clouds", settings), say=lambda _: None)
    engine = load_stylizer("clouds", trained=tmp_path)
    assert isinstance(engine, GanStylizer)
    image = read_image(unlike[0] / "0.png")
    assert 0 < np.abs(engine.restyle(image, Z) - image).mean() < 0.5
    assert RECIPES["gan"].kind == "gan"
