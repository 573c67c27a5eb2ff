"""The losses of a training run: one JSON line every so many steps, and TensorBoard where it is wanted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor

from style.errors import ExtraError


class TrainingLog:
    """Appends `{"step": ..., "loss": ...}` lines to `log.jsonl`; the extra `train` adds TensorBoard files.

    `done`: where a resumed run begins; what a killed one logged beyond is taken out. `tensorboard`: None writes its
    files where it is installed; True raises ExtraError where it is not.
    """

    def __init__(self, folder: Path, every: int = 20, *, done: int = 0, tensorboard: bool | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.every = every
        self.file = folder / "log.jsonl"
        _cut(self.file, done)
        self._board = _tensorboard(folder, done) if _wanted(tensorboard) else None

    def write(self, step: int, values: Mapping[str, Tensor]) -> None:
        """Log the values of one step, if it is this step's turn."""
        if step % self.every == 0:
            self.record(step, {name: float(value.detach()) for name, value in values.items()})

    def record(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log numbers of a step, whatever its turn."""
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"step": step, **{k: round(v, 6) for k, v in numbers.items()}}) + "\n")
        if self._board is not None:
            for name, number in numbers.items():
                self._board.add_scalar(name, number, step)

    def close(self) -> None:
        """Write out what TensorBoard still holds back."""
        if self._board is not None:
            self._board.close()


def _wanted(tensorboard: bool | None) -> bool:
    installed = find_spec("tensorboard") is not None
    if tensorboard and not installed:
        raise ExtraError("tensorboard", "train")
    return installed if tensorboard is None else tensorboard


def _tensorboard(folder: Path, done: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=done or None)


def _cut(file: Path, done: int) -> None:
    """Leave the lines of steps before `done` alone, so that a step that is done again is not there twice."""
    if file.is_file():
        kept = [line for line in file.read_text(encoding="utf-8").splitlines() if _step(line) < done]
        file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except ValueError:
        return math.inf  # a kill may cut a line short
