"""Checkpoints of a training run: network, optimiser and step in one safetensors file, written atomically."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def save_checkpoint(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write everything that `load_checkpoint` needs; a kill leaves the previous file whole."""
    tensors = {f"network.{key}": value for key, value in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors["step"] = torch.tensor(step)
    save_tensors(path, tensors)


def load_checkpoint(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Restore network and optimiser in place; returns the number of steps done, 0 where there is no file."""
    if not path.is_file():
        return 0
    tensors = load_file(path)
    network.load_state_dict(_under(tensors, "network."))
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _under(tensors, "optimizer.").items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(tensors["step"])


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file through a temporary one: fsync, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    save_file({key: value.contiguous() for key, value in tensors.items()}, temporary)
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(path)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
