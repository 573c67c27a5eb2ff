from __future__ import annotations

import math

import torch

from style.gram import gram, mean_std, signed_sqrt, upper_triangle

MAPS = torch.tensor([[[[1.0, 3.0]], [[0.0, 4.0]]]])  # (1, 2, 1, 2)


def test_mean_and_deviation_by_hand() -> None:
    mean, std = mean_std(MAPS, eps=0.0)
    assert mean.tolist() == [[2.0, 2.0]]
    assert std.tolist() == [[1.0, 2.0]]


def test_gram_by_hand() -> None:
    assert gram(MAPS).tolist() == [[[5.0, 6.0], [6.0, 8.0]]]


def test_weights_choose_places() -> None:
    weights = torch.tensor([[[[0.0, 2.0]]]])
    assert mean_std(MAPS, weights)[0].tolist() == [[3.0, 4.0]]
    assert gram(MAPS, weights).tolist() == [[[9.0, 12.0], [12.0, 16.0]]]


def test_statistics_do_not_depend_on_size() -> None:
    tiled = MAPS.repeat(1, 1, 3, 2)
    assert torch.allclose(gram(tiled), gram(MAPS))
    assert torch.allclose(mean_std(tiled)[1], mean_std(MAPS)[1])


def test_upper_triangle_keeps_length() -> None:
    matrix = gram(torch.randn(3, 5, 4, 4, generator=torch.Generator().manual_seed(0)))
    vector = upper_triangle(matrix)
    assert vector.shape == (3, 15)
    assert torch.allclose(vector.norm(dim=1), matrix.flatten(1).norm(dim=1))


def test_signed_sqrt_by_hand() -> None:
    assert signed_sqrt(torch.tensor([4.0, -9.0, 0.0])).tolist() == [2.0, -3.0, 0.0]
    assert math.isfinite(float(signed_sqrt(torch.tensor(1e-30))))
