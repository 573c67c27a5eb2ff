"""The network of one style: small, without effect before training, and its colors are pixel by pixel."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from style.backbone import load_backbone
from style.embedding import StyleEmbedder
from style.training.card import load_examples, measure
from style.training.recipe import Material, RunSettings
from style.training.recipes.feedforward import FeedforwardRecipe, FeedforwardSettings, mean_statistics, total_variation
from style.training.splits import Splits
from style.training.targets import Statistics
from style.transfer.base import Follows
from style.transfer.feedforward import FeedforwardNet, FeedforwardShape, FeedforwardStylizer
from style.transfer.film import color_moments
from style.transfer.registry import load_stylizer
from style.vector import StyleVector


def test_the_network_is_small() -> None:
    assert sum(parameter.numel() for parameter in FeedforwardNet().parameters()) < 500_000


def test_before_training_it_moves_colors_alone_to_those_of_its_style() -> None:
    torch.manual_seed(0)
    network = FeedforwardNet(FeedforwardShape(width=4, blocks=1))
    asked = color_moments(0.3 + 0.4 * torch.rand(1, 3, 32, 32) * torch.tensor([1, 0.6, 0.8])[:, None, None])[0]
    network.palette.copy_(torch.cat([asked[:3] / 4, (asked[3:6] / 4).log()]))
    photos = torch.rand(2, 3, 24, 32)
    texture, color = network(photos, torch.ones(2, 1, 24, 32))
    assert torch.equal(texture, torch.zeros_like(photos))
    assert torch.allclose(color_moments(photos + color)[:, :6], asked[:6].expand(2, -1), atol=0.02)


def test_its_color_is_a_function_of_the_pixel_alone() -> None:
    network = FeedforwardNet(FeedforwardShape(width=4, blocks=1))
    photo = torch.rand(1, 3, 8, 8)
    order = torch.randperm(64)
    shuffled = photo.flatten(2)[:, :, order].view_as(photo)
    whole = torch.ones(1, 1, 8, 8)
    ours, theirs = (network(images, whole)[1].flatten(2) for images in (photo, shuffled))
    assert torch.allclose(ours[:, :, order], theirs, atol=1e-5)


def test_it_paints_its_own_style_whatever_z_is() -> None:
    network = FeedforwardNet(FeedforwardShape(width=4, blocks=1))
    torch.nn.init.normal_(network.leave.weight, std=0.1)
    engine = FeedforwardStylizer(network, "x-1")
    image = np.random.default_rng(0).random((32, 40, 3), dtype=np.float32)
    one, other = (engine.restyle(image, StyleVector.from_values(np.eye(128)[axis])) for axis in (0, 1))
    assert engine.follows is Follows.OWN
    assert np.abs(one - image).mean() > 0.01
    assert np.array_equal(one, other)


def test_total_variation_of_stripes_and_of_a_flat_picture() -> None:
    stripes = (torch.arange(8) % 2).float().expand(1, 3, 8, 8)
    assert float(total_variation(stripes)) == 1.0
    assert float(total_variation(torch.ones(1, 3, 8, 8))) == 0.0


@pytest.mark.slow
def test_training_moves_paintings_toward_the_style(tmp_path: Path) -> None:
    """Forty steps bring the statistics nearer to the style's, on products that are not trained on."""
    random = np.random.default_rng(0)
    for number in range(12):
        blob = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(blob).resize((48, 48)).save(tmp_path / f"{number}.png")
    y, x = np.mgrid[0:64, 0:64]
    stripes = np.where(((x + y) // 4 % 2 == 0)[:, :, None], (230, 120, 20), (60, 10, 90)).astype(np.uint8)
    style = tmp_path / "style.bmp"
    Image.fromarray(stripes).save(style)
    products = Splits.from_files(sorted(tmp_path.glob("*.png")))
    settings = RunSettings(steps=40, batch=2, side=32, keep=48, learning_rate=1e-2)
    torch.manual_seed(0)
    # Blobs have little content that could be kept: with the usual floors nothing else would be learned from them.
    recipe = FeedforwardRecipe(FeedforwardSettings(content=0.2, similarity=0.2), FeedforwardShape(8, 1, 5))
    run = recipe.begin(Material(products, Splits.from_files([style]), load_backbone("vgg-slim")), settings)
    before = run.validate()["loss"]
    for step in range(settings.steps):
        run.step(step)
    after = run.validate()["loss"]
    assert after < 0.9 * before
    assert run.samples().shape[1:] == (3, 32, 64)


def test_statistics_of_several_pictures_are_their_mean() -> None:
    two = Statistics({"t": torch.tensor([[0.0, 1.0], [0.2, 3.0]])}, {"t": torch.eye(2).repeat(2, 1, 1)})
    found = mean_statistics(two)
    assert torch.allclose(found.moments["t"], torch.tensor([[0.1, 2.0]]))
    assert torch.equal(found.gram["t"][0], torch.eye(2))


def test_the_engine_that_ships_paints_its_style_and_keeps_the_product() -> None:
    """On products that it was not trained on, it comes nearer to the style's picture than colors alone can."""
    files = Path(str(resources.files("recsys"))) / "dataset" / "sample" / "files"
    paths = [files / "images" / f"p{number:04d}.jpg" for number in (1, 120, 240)]
    pairs = load_examples(paths, [files / "styles" / "autumn-leaves.jpg"], StyleEmbedder.load())
    judge = load_backbone("vgg-slim")
    own, colors = (measure(load_stylizer(name, threads=1), judge, pairs) for name in ("feedforward", "color"))
    assert own.style_gain > colors.style_gain + 0.15
    assert own.content > 0.6
    assert own.ssim > 0.5
