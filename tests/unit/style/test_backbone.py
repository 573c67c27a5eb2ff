from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from style import backbone
from style.backbone import BACKBONES, TAPS, Vgg, load_backbone, read_weights
from style.errors import WeightsError
from style.torchvision_ops import import_torchvision
from style.training.teachers import load_teacher


def test_the_slim_network_gives_every_tap_at_its_size() -> None:
    features = load_backbone("vgg-slim")(torch.rand(2, 3, 64, 96))
    assert {tap: tuple(maps.shape) for tap, maps in features.items()} == {
        "relu1_1": (2, 16, 64, 96),
        "relu2_1": (2, 32, 32, 48),
        "relu3_1": (2, 64, 16, 24),
        "relu4_1": (2, 128, 8, 12),
        "relu5_1": (2, 128, 4, 6),
    }
    assert all(maps.min() >= 0 for maps in features.values())


def test_the_full_network_equals_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """With random weights, since the trained ones need a network to download."""
    torch.manual_seed(0)
    full = import_torchvision().models.vgg19(weights=None, init_weights=False).eval()
    monkeypatch.setattr("style.torchvision_ops.load_vgg19", lambda: full)
    image = torch.rand(1, 3, 32, 32)
    found = load_backbone("vgg19")(image)
    x = (image - torch.tensor(backbone.IMAGENET_MEAN)[:, None, None]) / torch.tensor(backbone.IMAGENET_STD)[
        :, None, None
    ]
    ends = dict(zip((1, 6, 11, 20, 29), TAPS, strict=True))
    for index, layer in enumerate(full.features):
        x = layer(x.clone())
        if index in ends:
            assert torch.allclose(x, found[ends[index]], atol=1e-5)


def test_weights_that_ship_are_small() -> None:
    folder = Path(backbone.__file__).parent / "weights"
    assert (folder / "vgg-slim.safetensors").stat().st_size < 2 * 2**20


def test_an_unknown_backbone_lists_the_known() -> None:
    with pytest.raises(WeightsError, match="unknown backbone 'vgg'; known ones: vgg19, vgg-slim"):
        load_backbone("vgg")


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(2)}, file)
    with pytest.raises(WeightsError, match=r"weights.safetensors: sha256 is .*, expected 00"):
        read_weights(file, "00")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone.safetensors: weights are missing"):
        read_weights(tmp_path / "gone.safetensors", "00")


def test_the_compressed_teacher_folds_its_input_layer(tmp_path: Path) -> None:
    """Write a file of the right shape with random numbers: conv0 must act like a separate layer."""
    torch.manual_seed(1)
    network = Vgg(replace(BACKBONES["vgg-slim"], mean=(0, 0, 0), std=(1, 1, 1)))
    tensors = {
        f"{name.replace('_', '')}.{part}": getattr(conv, part).detach().clone()
        for name, conv in network.convs.items()
        for part in ("weight", "bias")
    }
    tensors["conv0.weight"], tensors["conv0.bias"] = torch.randn(3, 3, 1, 1), torch.randn(3)
    save_file(tensors, tmp_path / "teacher.safetensors")
    image = torch.rand(1, 3, 32, 32)
    turned = torch.nn.functional.conv2d(image, tensors["conv0.weight"], tensors["conv0.bias"])
    teacher = load_teacher(tmp_path / "teacher.safetensors")
    for tap, maps in network(turned).items():
        assert torch.allclose(teacher(image)[tap], maps, atol=1e-4)
