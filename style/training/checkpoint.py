"""Checkpoints of a training run: network, optimizers and step in one safetensors file, written atomically."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Optimizers = torch.optim.Optimizer | Mapping[str, torch.optim.Optimizer]
"""One, or several by name."""


def save_checkpoint(path: Path, network: nn.Module, optimizer: Optimizers, step: int) -> None:
    """Write everything that `load_checkpoint` needs; a kill leaves the previous file whole."""
    tensors = {f"network.{key}": value for key, value in network.state_dict().items()}
    for prefix, each in _named(optimizer).items():
        for index, state in each.state_dict()["state"].items():
            tensors |= {f"{prefix}{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors["step"] = torch.tensor(step)
    save_tensors(path, tensors)


def load_checkpoint(path: Path, network: nn.Module, optimizer: Optimizers) -> int:
    """Restore network and optimizers in place; returns the number of steps done, 0 where there is no file."""
    if not path.is_file():
        return 0
    tensors = load_file(path)
    network.load_state_dict(_under(tensors, "network."))
    for prefix, each in _named(optimizer).items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in _under(tensors, prefix).items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        each.load_state_dict({"state": state, "param_groups": each.state_dict()["param_groups"]})
    return int(tensors["step"])


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file through a temporary one: fsync, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    save_file({key: value.contiguous() for key, value in tensors.items()}, temporary)
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(path)


def _named(optimizer: Optimizers) -> dict[str, torch.optim.Optimizer]:
    """Optimisers by the prefix of their tensors."""
    if isinstance(optimizer, torch.optim.Optimizer):
        return {"optimizer.": optimizer}
    return {f"optimizer:{name}.": each for name, each in optimizer.items()}


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
