"""Speed of embedding against the full VGG-19, and of restyling against a VGG-19 AdaIN, in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from style.backbone import BACKBONES, Vgg, channels_last, conv_names
from style.embedding import StyleEmbedder
from style.gram import mean_std
from style.transfer.registry import load_stylizer
from style.vector import StyleVector


def speed_lines(embedder: StyleEmbedder, files: Sequence[Path]) -> Iterator[str]:
    """Yield two tables. Baselines have random weights, which take the same time as trained ones."""
    full = Vgg(replace(BACKBONES["vgg19"], last_tap="relu4_1")).eval().requires_grad_(False)
    channels_last(full)
    square = torch.rand(1, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        one = median_seconds(partial(full, square), repeat=8)
    embedder.embed_files(files[:16])
    start = time.perf_counter()
    embedder.embed_files(files)
    per_file = (time.perf_counter() - start) / len(files)
    yield f"{'vectors':44}{'images/s':>10}{'times':>8}"
    yield f"{'VGG-19 to relu4_1, torch, 224 px, decoded':44}{1 / one:10.1f}{1:8.1f}"
    yield f"{embedder.version + ', from ' + str(len(files)) + ' files':44}{1 / per_file:10.1f}{one / per_file:8.1f}"
    yield ""
    yield f"{'restyling, median ms':24}{'256 px':>9}{'512 px':>9}{'ten at 256 px':>15}{'times faster at 256 px':>24}"
    adain = AdaIn().eval().requires_grad_(False)
    channels_last(adain)
    photos = {side: np.random.default_rng(0).random((side, side, 3), dtype=np.float32) for side in (256, 512)}
    style = StyleVector.from_values(np.random.default_rng(0).normal(size=128))
    batch = {
        side: torch.from_numpy(photo).permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
        for side, photo in photos.items()
    }
    with torch.inference_mode():
        peer = [median_seconds(partial(adain, batch[side], batch[256]), repeat=3) for side in (256, 512)]
    yield f"{'AdaIN, VGG-19, torch':24}{1000 * peer[0]:9.1f}{1000 * peer[1]:9.1f}{'':15}{1:24.1f}"
    for name in ("film", "color"):
        engine = load_stylizer(name)
        small, large = (median_seconds(partial(engine.paint, [photos[side]], style)) for side in (256, 512))
        ten = median_seconds(partial(engine.paint, [photos[256]] * 10, style), repeat=5)
        yield f"{name:24}{1000 * small:9.1f}{1000 * large:9.1f}{1000 * ten:15.1f}{peer[0] / small:24.1f}"


def median_seconds(run: Callable[[], object], repeat: int = 15) -> float:
    """Measure the median time of a call, after a first call that warms up."""
    run()
    times: list[float] = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


class AdaIn(nn.Module):
    """Baseline: VGG-19 to relu4_1 and the mirrored decoder of Huang and Belongie (2017), with random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Vgg(replace(BACKBONES["vgg19"], last_tap="relu4_1", padding="reflect"))
        layers: list[nn.Module] = []
        for name in reversed(conv_names("relu4_1")):
            conv = self.encoder.convs[name]
            assert isinstance(conv, nn.Conv2d)  # noqa: S101
            layers += [nn.Conv2d(conv.out_channels, conv.in_channels, 3, padding=1, padding_mode="reflect"), nn.ReLU()]
            if name.endswith("_1") and name != "conv1_1":
                layers.append(nn.Upsample(scale_factor=2))
        self.decoder = nn.Sequential(*layers[:-1])

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Restyle content images."""
        features, target = (self.encoder(images)["relu4_1"] for images in (content, style))
        (mean, std), (new_mean, new_std) = mean_std(features), mean_std(target)
        whitened = (features - mean[:, :, None, None]) / std[:, :, None, None]
        painted: Tensor = self.decoder(whitened * new_std[:, :, None, None] + new_mean[:, :, None, None])
        return painted
