"""Load teacher networks from files that the user names. None of them ships."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from style.backbone import Vgg, WeightRecord, conv_names, read_weights

COMPRESSED = WeightRecord(
    name="vgg19-compressed-16x",
    source="collaborative distillation (Wang et al. 2020)",
    license="MIT",
    widths=(16, 32, 64, 128, 128),
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    last_tap="relu5_1",
    padding="reflect",
)
CAFFE = WeightRecord(
    name="vgg19-caffe",
    source="VGG-19 of Simyonan and Zisserman (2015), Caffe weights as used by Gatys et al. (2016)",
    license="CC BY 4.0",
    widths=(64, 128, 256, 512, 512),
    mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
    std=(1 / 255, 1 / 255, 1 / 255),
    last_tap="relu4_1",
    padding="zeros",
)


def load_teacher(path: Path) -> Vgg:
    """Load a frozen teacher: the 16x compressed VGG-19, or the Caffe VGG-19 to relu4_1; its tensors say which.

    Both take `(B, 3, H, W)` sRGB in [0, 1] and return their taps, like `Vgg`.
    """
    tensors = read_weights(path, sha256="")
    if "conv0.weight" not in tensors:
        network = Vgg(CAFFE)
        state = {f"convs.{key}": value for key, value in tensors.items()}
        state["convs.conv1_1.weight"] = state["convs.conv1_1.weight"].flip(1)  # the file takes BGR
        network.load_state_dict(state)
        return network.eval().requires_grad_(False)
    network = Vgg(COMPRESSED)
    network.load_state_dict(
        {
            f"convs.{name}.{part}": tensors[f"{name.replace('_', '')}.{part}"]
            for name in conv_names(COMPRESSED.last_tap)
            for part in ("weight", "bias")
        }
    )
    # Fold the input layer conv0 (1x1, RGB to Caffe's input) into conv1_1; this is exact under reflection padding.
    conv = network.convs["conv1_1"]
    assert isinstance(conv, nn.Conv2d)  # noqa: S101
    assert conv.bias is not None  # noqa: S101
    with torch.no_grad():
        conv.bias += torch.einsum("oihw,i->o", conv.weight, tensors["conv0.bias"])
        conv.weight.copy_(torch.einsum("oihw,ic->ochw", conv.weight, tensors["conv0.weight"][:, :, 0, 0]))
    return network.eval().requires_grad_(False)
