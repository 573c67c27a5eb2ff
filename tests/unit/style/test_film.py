from __future__ import annotations

import numpy as np
import torch

from style.transfer.film import FilmNet, FilmStylizer, film, recolour
from style.transfer.registry import load_stylizer
from style.vector import StyleVector


def z(seed: int) -> StyleVector:
    return StyleVector.of(np.random.default_rng(seed).normal(size=128))


def test_before_training_the_network_is_the_identity() -> None:
    torch.manual_seed(0)
    image = torch.rand(2, 3, 32, 48)
    assert torch.equal(FilmNet()(image, torch.randn(2, 128)), image)


def test_film_scales_and_shifts_normalised_features() -> None:
    features = torch.randn(2, 3, 8, 8)
    modulation = torch.tensor([[1.0, 0.0, -1.0, 5.0, 6.0, 7.0]]).repeat(2, 1)
    out = film(features, modulation)
    assert torch.allclose(out.mean(dim=(2, 3)), torch.tensor([[5.0, 6.0, 7.0]]).repeat(2, 1), atol=1e-4)
    assert torch.allclose(out.std(dim=(2, 3), unbiased=False)[0], torch.tensor([2.0, 1.0, 0.0]), atol=1e-2)


def test_recolour_is_a_polynomial_of_the_pixel() -> None:
    image = torch.rand(1, 3, 4, 4)
    coefficients = torch.zeros(1, 3, 10)
    coefficients[0, 0, 0], coefficients[0, 1, 4] = 0.25, 2.0
    change = recolour(image, coefficients.flatten(1))
    assert torch.allclose(change[:, 0], torch.full((1, 4, 4), 0.25))
    assert torch.allclose(change[:, 1], 2 * (image[:, 0] - 0.5) ** 2)
    assert torch.equal(change[:, 2], torch.zeros(1, 4, 4))


def test_the_network_is_small() -> None:
    assert sum(parameter.numel() for parameter in FilmNet().parameters()) < 700_000


def test_a_flat_picture_shows_no_grid() -> None:
    """The spectrum of what is added to plain grey has no peak at a period of 2 or 4 pixels."""
    engine = load_stylizer("film")
    assert isinstance(engine, FilmStylizer)
    for seed in range(4):
        added = engine.paint([np.full((128, 128, 3), 0.5, dtype=np.float32)], z(seed))[0].mean(axis=2)[16:-16, 16:-16]
        line = np.abs(np.fft.rfft(added - added.mean(), axis=1)).mean(axis=0)
        for bin_ in (24, 48):
            around = np.r_[line[bin_ - 4 : bin_ - 1], line[bin_ + 2 : bin_ + 5]]
            assert line[bin_ : bin_ + 1].max() <= max(3 * around.max(), 0.02 * 96 / 4)
