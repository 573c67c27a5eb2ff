"""Images and a teacher that are small enough to train on within seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from style.backbone import BACKBONES, Vgg
from style.training.checkpoint import save_tensors
from style.training.crops import find_images


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(4):
        pixels = random.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((80, 80)).save(folder / f"{index}.png")
    return find_images([folder])


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """Return the file of a teacher of the compressed shape with random weights."""
    torch.manual_seed(3)
    network = Vgg(replace(BACKBONES["vgg-slim"], mean=(0, 0, 0), std=(1, 1, 1)))
    tensors = {
        f"{name.replace('_', '')}.{part}": getattr(conv, part).detach()
        for name, conv in network.convs.items()
        for part in ("weight", "bias")
    }
    tensors |= {"conv0.weight": torch.eye(3)[:, :, None, None], "conv0.bias": torch.zeros(3)}
    save_tensors(tmp_path / "teacher.safetensors", tensors)
    return tmp_path / "teacher.safetensors"
