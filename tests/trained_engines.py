"""Trained engines for tests, without training: networks of random weights, written as by the training workflow."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from style.training.checkpoint import to_half
from style.training.publish import build_record, write_engine
from style.transfer.feedforward import FeedforwardNet, FeedforwardShape
from style.transfer.film import FilmNet, FilmShape
from style.transfer.trained import EngineRecord


def write_feedforward(folder: Path, license: str = "CC0-1.0") -> EngineRecord:
    """Write a `feedforward` engine with some texture; its name is that of the folder."""
    torch.manual_seed(0)
    shape = FeedforwardShape(width=4, blocks=1, reach=3)
    network = FeedforwardNet(shape)
    torch.nn.init.normal_(network.leave.weight, std=0.1)
    network.palette.copy_(torch.tensor([0.2, -0.1, 0.1, -2.0, -2.5, -2.5]))
    tensors = to_half(network.state_dict())
    record = build_record(folder.name, "feedforward", asdict(shape), tensors, ("leaf.jpg",), license)
    return write_engine(folder, record, tensors)


def write_film(folder: Path) -> EngineRecord:
    """Write a small `film` engine, which follows style vectors."""
    torch.manual_seed(0)
    shape = FilmShape(width=8, blocks=1, fine=4, colors=4, hidden=16)
    tensors = to_half(FilmNet(shape).state_dict())
    return write_engine(folder, build_record(folder.name, "film", asdict(shape), tensors, ("a.jpg",), "MIT"), tensors)
