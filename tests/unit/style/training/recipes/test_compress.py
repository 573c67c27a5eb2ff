"""Pruned networks keep the channels that matter, and distillation brings them nearer to the whole network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from style.errors import ShapeError
from style.training.crops import find_images
from style.training.recipes.compress import CompressSettings, compress, distillation_losses
from style.training.recipes.prune import prune_film, shape_from_tensors, shape_of, shrink_shape
from style.transfer.film import FilmBlock, FilmNet, FilmShape

WHOLE = FilmShape(width=16, blocks=2, fine=8, colors=8, hidden=32)


@pytest.fixture
def network() -> FilmNet:
    torch.manual_seed(0)
    network = FilmNet(WHOLE)
    nn.init.normal_(network.leave.weight, std=0.1)
    last = network.condition[-1]
    assert isinstance(last, nn.Linear)
    nn.init.normal_(last.weight, std=0.1)
    return network.eval()


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.rand(2, 3, 32, 32), nn.functional.normalize(torch.randn(2, 128), dim=1), torch.ones(2, 1, 32, 32)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(3):
        Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((64, 64)).save(
            folder / f"{index}.png"
        )
    return find_images([folder])


def test_channels_that_nothing_reads_go_first_and_change_nothing(network: FilmNet) -> None:
    half = FilmShape(width=8, blocks=2, fine=4, colors=4, hidden=16)
    with torch.no_grad():
        for block in network.blocks:
            assert isinstance(block, FilmBlock)
            block.first.weight[:, ::2] = 0
            block.second.weight[:, 1::2] = 0
        network.widen.weight[:, ::2] = 0
        network.leave.weight[:, :4] = 0
        for index in (2, 4):
            layer = network.condition[index]
            assert isinstance(layer, nn.Linear)
            layer.weight[:, ::2] = 0
        network.recolor.weight[::2] = 0
        network.recolor.bias[::2] = 0
    small = prune_film(network, half)
    for ours, theirs in zip(small(*batch()), network(*batch()), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert sum(p.numel() for p in small.parameters()) < 0.6 * sum(p.numel() for p in network.parameters())


def test_all_channels_are_the_network_itself(network: FilmNet) -> None:
    same = prune_film(network, WHOLE)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(same(*batch()), network(*batch()), strict=True))


def test_shapes() -> None:
    assert shrink_shape(FilmShape(), 0.5) == FilmShape(width=24, blocks=4, fine=12, colors=8, hidden=128)
    assert shape_from_tensors(FilmNet(WHOLE).state_dict()) == WHOLE
    with pytest.raises(ShapeError, match=r"must lie in \[0, 1\), got 1"):
        shrink_shape(FilmShape(), 1.0)
    with pytest.raises(ShapeError, match="no more channels"):
        prune_film(FilmNet(WHOLE), FilmShape())


def test_distillation_brings_a_pruned_network_nearer(network: FilmNet, images: list[Path], tmp_path: Path) -> None:
    small, z = shrink_shape(WHOLE, 0.5), nn.functional.normalize(torch.randn(5, 128), dim=1)
    settings = CompressSettings(steps=24, batch=2, side=32, learning_rate=2e-2, average=0.5, save_every=8)
    whole = compress(network, small, images, z, tmp_path / "whole", settings)
    apart = {
        name: sum(float(loss) for loss in distillation_losses(each, network, batch(), 1.0).values())
        for name, each in (
            ("untaught", prune_film(network, small).requires_grad_(requires_grad=False)),
            ("taught", whole),
        )
    }
    assert apart["taught"] < 0.9 * apart["untaught"]
    assert shape_of(whole) == small
