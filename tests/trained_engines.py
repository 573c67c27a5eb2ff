"""Trained engines for tests, without training: networks of random weights, written as the workflow writes them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from style.training.publish import halved, record_of, write_engine
from style.transfer.feedforward import FeedforwardNet, FeedforwardShape
from style.transfer.film import FilmNet, FilmShape
from style.transfer.trained import EngineRecord


def write_feedforward(folder: Path, license: str = "CC0-1.0") -> EngineRecord:
    """A `feedforward` with some texture, called what the folder is called."""
    torch.manual_seed(0)
    shape = FeedforwardShape(width=4, blocks=1, reach=3)
    network = FeedforwardNet(shape)
    torch.nn.init.normal_(network.leave.weight, std=0.1)
    network.palette.copy_(torch.tensor([0.2, -0.1, 0.1, -2.0, -2.5, -2.5]))
    tensors = halved(network.state_dict())
    record = record_of(folder.name, "feedforward", asdict(shape), tensors, ("leaf.jpg",), license)
    return write_engine(folder, record, tensors)


def write_film(folder: Path) -> EngineRecord:
    """A small `film` that follows style vectors."""
    torch.manual_seed(0)
    shape = FilmShape(width=8, blocks=1, fine=4, colors=4, hidden=16)
    tensors = halved(FilmNet(shape).state_dict())
    return write_engine(folder, record_of(folder.name, "film", asdict(shape), tensors, ("a.jpg",), "MIT"), tensors)
