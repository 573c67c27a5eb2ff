"""Steps of training lower the losses of `adain`."""

from __future__ import annotations

from pathlib import Path

import torch

from style.backbone import load_backbone
from style.training.crops import Crops
from style.training.optim import descend
from style.training.recipes.adain import AdaInSettings, EncodedStatistics, adain_losses, initialize
from style.training.targets import FeatureStatistics, Styles
from style.transfer.adain import AdaInNet


def test_steps_of_adain_lower_its_losses(images: list[Path]) -> None:
    torch.manual_seed(0)
    network = AdaInNet(load_backbone("vgg-slim"))
    crops = Crops(images, side=32, keep=48, seed=0)
    initialize(network, crops, torch.device("cpu"), batches=4)
    describe = FeatureStatistics(load_backbone("vgg-slim"))
    products, paintings = crops.batch(0, 4).chunk(2)
    statistics, _ = EncodedStatistics(describe.network, network)(paintings)
    style = Styles(torch.zeros(2, 128), statistics, torch.zeros(2, 12, 32), torch.zeros(2, 9))
    optimizer = torch.optim.Adam(network.decoder.parameters(), lr=3e-4)
    history: list[dict[str, float]] = []
    for _ in range(16):
        losses = adain_losses(network, describe, products, style, torch.tensor([0.0, 1.0]), AdaInSettings())
        descend(optimizer, losses)
        history.append({name: float(loss.detach()) for name, loss in losses.items()})
    first, last = history[0], history[-1]
    assert all(last[name] < 0.7 * first[name] for name in ("moments", "gram")), (first, last)
    assert last["content"] < 0.85 * first["content"]
