"""Checkpoints of a training run: networks, optimizers and step in one safetensors file, written atomically."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Optimizers = Mapping[str, torch.optim.Optimizer]
"""Optimizers by name."""


def save_checkpoint(path: Path, network: nn.Module, optimizers: Optimizers, step: int) -> None:
    """Write everything that `load_checkpoint` needs; a kill leaves the previous file complete."""
    tensors = {f"network.{key}": value for key, value in network.state_dict().items()}
    for name, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer:{name}.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors["step"] = torch.tensor(step)
    save_tensors(path, tensors)


def load_checkpoint(path: Path, network: nn.Module, optimizers: Optimizers) -> int:
    """Restore network and optimizers in place.

    Returns:
        Number of steps done, 0 if there is no file.
    """
    if not path.is_file():
        return 0
    tensors = load_file(path)
    network.load_state_dict(_select(tensors, "network."))
    for name, optimizer in optimizers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _select(tensors, f"optimizer:{name}.").items():
            index, entry = key.split(".", 1)
            state.setdefault(int(index), {})[entry] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(tensors["step"])


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file atomically: to a temporary file, fsync, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    save_file({key: value.contiguous() for key, value in tensors.items()}, temporary)
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(path)


def to_half(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors on the CPU in half precision; integers (counts) stay as they are."""
    return {
        key: (value.half() if value.is_floating_point() else value).cpu().contiguous() for key, value in tensors.items()
    }


def _select(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
