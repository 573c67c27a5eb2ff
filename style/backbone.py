"""VGG networks with named taps, and the record of each one's weights.

A tap is the output of a ReLU, named as in Gatys et al. (2016): relu1_1, relu2_1, relu3_1, relu4_1, relu5_1. One class
serves every VGG-19 of the project: the full one, the packaged slim one, and the teachers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from style.errors import WeightsError

TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONVS_PER_BLOCK = (2, 2, 4, 4, 4)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
WEIGHTS = resources.files("style") / "weights"


@dataclass(frozen=True, slots=True)
class WeightRecord:
    """Source of a network's weights and preparation of its input.

    `widths` are the channels of the five blocks. `mean` is subtracted from RGB in [0, 1], which is then divided by
    `std`. `sha256` is of the weight file, or "" if another library verifies it.
    """

    name: str
    source: str
    license: str
    widths: tuple[int, int, int, int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    last_tap: str
    padding: Literal["zeros", "reflect"]
    file: str = ""
    sha256: str = ""


BACKBONES: Mapping[str, WeightRecord] = {
    "vgg19": WeightRecord(
        name="vgg19",
        source="torchvision VGG19_Weights.IMAGENET1K_V1",
        license="BSD-3-Clause (torchvision); trained on ImageNet",
        widths=(64, 128, 256, 512, 512),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        last_tap="relu5_1",
        padding="zeros",
    ),
    "vgg-slim": WeightRecord(
        name="vgg-slim",
        source="distilled by style.training.recipes.distill; see weights/vgg-slim.md",
        license="MIT",
        widths=(16, 32, 64, 128, 128),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        last_tap="relu5_1",
        padding="reflect",
        file="vgg-slim.safetensors",
        sha256="49dbf0f61f2918c928aad29eb9c739c256d6e87842a978c0d78d4e0232c85d1b",
    ),
}


class Vgg(nn.Module):
    """Convolutions of VGG-19 up to one tap, with any widths.

    Input `(B, 3, H, W)` sRGB in [0, 1], sides of at least 16 pixels times the reduction of the last tap; output one
    feature map per tap, `(B, C_t, H / 2^t, W / 2^t)` with t = 0 for relu1_1. Source: Simonyan and Zisserman (2015),
    configuration E.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, record: WeightRecord) -> None:
        super().__init__()
        self.record = record
        self.taps = TAPS[: TAPS.index(record.last_tap) + 1]
        self.register_buffer("mean", torch.tensor(record.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(record.std).view(1, 3, 1, 1), persistent=False)
        self.convs = nn.ModuleDict()
        channels = 3
        for name in conv_names(record.last_tap):
            width = record.widths[int(name[4]) - 1]
            self.convs[name] = nn.Conv2d(channels, width, 3, padding=1, padding_mode=record.padding)
            channels = width
        self.blocks: dict[str, list[str]] = {}
        waiting: list[str] = []
        # Convolutions that lead to each tap from the tap before it.
        for name in self.convs:
            waiting.append(name)
            tap = name.replace("conv", "relu")
            if tap in self.taps:
                self.blocks[tap], waiting = waiting, []

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Compute the feature map of each tap."""
        features: dict[str, Tensor] = {}
        x = self.prepare(images)
        for tap in self.taps:
            x = self.block(tap, x)
            features[tap] = x
        return features

    def prepare(self, images: Tensor) -> Tensor:
        """Normalize images in [0, 1] for the first block."""
        prepared: Tensor = (images - self.mean) / self.std
        return prepared

    def block(self, tap: str, x: Tensor) -> Tensor:
        """Compute the features of one tap from those of the tap before it (for relu1_1: from a prepared image)."""
        for name in self.blocks[tap]:
            if name.endswith("_1") and name != "conv1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(self.convs[name](x), inplace=False)
        return x


def channels_last(network: nn.Module) -> None:
    """Lay out a network's weights with channels last, in place: this speeds up convolutions on a CPU."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def conv_names(last_tap: str) -> list[str]:
    """List VGG-19's convolutions in order, up to and including the one of `last_tap`."""
    names = [f"conv{b}_{i}" for b, n in enumerate(CONVS_PER_BLOCK, start=1) for i in range(1, n + 1)]
    return names[: names.index(last_tap.replace("relu", "conv")) + 1]


def load_backbone(name: str) -> Vgg:
    """Load a frozen network by name; see `BACKBONES`.

    Raises:
        WeightsError: If the name is unknown, the file is absent or its hash differs from the recorded one.
    """
    record = BACKBONES.get(name)
    if record is None:
        raise WeightsError(f"unknown backbone {name!r}; known ones: {', '.join(BACKBONES)}")
    network = Vgg(record)
    file = Path(str(WEIGHTS / record.file))
    network.load_state_dict(_torchvision_state(network) if name == "vgg19" else read_weights(file, record.sha256))
    return network.eval().requires_grad_(False)


def read_weights(path: Path, sha256: str) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file as float32, after checking its hash ("" skips the check).

    Raises:
        WeightsError: If the file is missing or changed; names the file and the cure.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: weights are missing; reinstall the package, or train them (style.training)")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 and digest != sha256:
        raise WeightsError(f"{path}: sha256 is {digest}, expected {sha256}; the file was changed: reinstall")
    return {key: value.float() for key, value in load_file(path).items()}


def _torchvision_state(network: Vgg) -> dict[str, Tensor]:
    from style.torchvision_ops import load_vgg19

    full = load_vgg19()
    convs = (layer for layer in full.features if isinstance(layer, nn.Conv2d))
    state: dict[str, Tensor] = {}
    for name, conv in zip(network.convs, convs, strict=False):
        assert conv.bias is not None  # noqa: S101  VGG's convolutions all have one
        state[f"convs.{name}.weight"], state[f"convs.{name}.bias"] = conv.weight.detach(), conv.bias.detach()
    return state
