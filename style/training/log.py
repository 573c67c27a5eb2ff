"""The losses of a training run: one JSON line every so many steps, and TensorBoard where it is installed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor


class TrainingLog:
    """Appends `{"step": ..., "loss": ...}` lines to `log.jsonl`; the extra `train` adds TensorBoard files."""

    def __init__(self, folder: Path, every: int = 20) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.every = every
        self.file = folder / "log.jsonl"
        self._board = _tensorboard(folder)

    def write(self, step: int, values: Mapping[str, Tensor]) -> None:
        """Log the values of one step, if it is this step's turn."""
        if step % self.every:
            return
        numbers = {name: float(value.detach()) for name, value in values.items()}
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"step": step, **{k: round(v, 6) for k, v in numbers.items()}}) + "\n")
        if self._board is not None:
            for name, number in numbers.items():
                self._board.add_scalar(name, number, step)


def _tensorboard(folder: Path) -> Any:
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))
