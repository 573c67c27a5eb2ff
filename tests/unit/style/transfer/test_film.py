from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from style.benchmarks.transfer import grid_level
from style.images import Pixels
from style.mask import Mask
from style.transfer.base import Painting, Stylizer
from style.transfer.film import ColorHead, FilmNet, color_moments, film, move_colors, smooth
from style.transfer.registry import load_stylizer
from style.vector import StyleVector


def test_before_training_there_is_no_texture() -> None:
    torch.manual_seed(0)
    image = torch.rand(2, 3, 32, 48)
    texture, _ = FilmNet()(image, torch.randn(2, 128), torch.ones(2, 1, 32, 48))
    assert torch.equal(texture, torch.zeros_like(image))


def test_moved_colors_have_the_mean_and_spread_that_were_asked() -> None:
    torch.manual_seed(0)
    photo, style = (
        torch.rand(1, 3, 24, 24),
        0.3 + 0.4 * torch.rand(1, 3, 24, 24) * torch.tensor([1, 0.5, 0.8])[:, None, None],
    )
    moments, asked = color_moments(photo), color_moments(style)
    palette = torch.cat([asked[:, :3] / 4, (asked[:, 3:6] / 4).log()], dim=1)
    moved = photo + move_colors(photo - 0.5, moments, palette)
    assert torch.allclose(color_moments(moved)[:, :6], asked[:, :6], atol=0.02)


def test_a_flat_photo_is_not_torn_apart() -> None:
    flat = torch.full((1, 3, 8, 8), 0.9)
    flat[:, :, 0, 0] = 0.91
    moved = move_colors(flat - 0.5, color_moments(flat), torch.zeros(1, 6))
    assert (flat + moved).std() <= 4.1 * flat.std()


def test_color_is_a_function_of_the_pixel_alone() -> None:
    torch.manual_seed(0)
    head = ColorHead(4)
    image = torch.rand(1, 3, 6, 6) - 0.5
    coefficients = torch.randn(1, head.coefficients)
    order = torch.randperm(36)
    shuffled = image.flatten(2)[:, :, order].view_as(image)
    assert torch.allclose(head(image, coefficients).flatten(2)[:, :, order], head(shuffled, coefficients).flatten(2))


def test_color_moments_are_those_of_the_masked_pixels() -> None:
    torch.manual_seed(0)
    image, mask = torch.rand(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    mask[:, :, :, :4] = 1
    assert torch.allclose(color_moments(image, mask), color_moments(image[:, :, :, :4]), atol=1e-5)
    gray = color_moments(torch.rand(1, 1, 8, 8).expand(1, 3, 8, 8))[0]
    assert torch.allclose(gray[[1, 2, 6, 7, 8]], torch.zeros(5), atol=1e-3)


def test_smoothing_takes_out_a_checkerboard() -> None:
    checkers = ((torch.arange(8)[:, None] + torch.arange(8)[None, :]) % 2).float().expand(1, 3, 8, 8)
    assert torch.allclose(smooth(checkers), torch.full((1, 3, 8, 8), 0.5))


def test_film_scales_and_shifts_normalized_features() -> None:
    features = torch.randn(2, 3, 8, 8)
    modulation = torch.tensor([[1.0, 0.0, -1.0, 5.0, 6.0, 7.0]]).repeat(2, 1)
    out = film(features, modulation)
    assert torch.allclose(out.mean(dim=(2, 3)), torch.tensor([[5.0, 6.0, 7.0]]).repeat(2, 1), atol=1e-4)
    assert torch.allclose(out.std(dim=(2, 3), unbiased=False)[0], torch.tensor([2.0, 1.0, 0.0]), atol=1e-2)


def test_the_network_is_small() -> None:
    assert sum(parameter.numel() for parameter in FilmNet().parameters()) < 700_000


def test_a_flat_picture_shows_no_grid() -> None:
    """Check that texture on plain gray has no spectral peak at a period of 2 or 4 pixels."""
    assert grid_level(load_stylizer("film")) <= 1.5


def test_the_measure_of_grids_sees_one() -> None:
    class Gridded(Stylizer):
        def paint(
            self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
        ) -> list[Painting]:
            noise = np.random.default_rng(0).normal(0, 0.005, images[0].shape).astype(np.float32)
            noise[:, ::4] += 0.05
            return [Painting(noise, np.zeros_like(noise))]

    assert grid_level(Gridded()) > 3
