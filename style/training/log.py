"""Losses of a training run: one JSON line per logged step, and TensorBoard files on request."""

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
    """Log that appends `{"step": ..., "loss": ...}` lines to `log.jsonl`.

    Args:
        folder: Folder of the log; it is created if necessary.
        every: Steps between two lines.
        done: Steps that the run has done already. Lines of later steps, from a killed run, are removed.
        tensorboard: True writes TensorBoard files too (extra `train`), None does so if TensorBoard is installed.

    Raises:
        ExtraError: `tensorboard` is True and TensorBoard is not installed.
    """

    def __init__(self, folder: Path, every: int = 20, *, done: int = 0, tensorboard: bool | None = None) -> None:
        installed = find_spec("tensorboard") is not None
        if tensorboard and not installed:
            raise ExtraError("tensorboard", "train")
        folder.mkdir(parents=True, exist_ok=True)
        self.every = every
        self.file = folder / "log.jsonl"
        if self.file.is_file():
            # A step that is done again must not be in the log twice.
            lines = [line for line in self.file.read_text(encoding="utf-8").splitlines() if _step(line) < done]
            self.file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        self._board: Any = None
        if installed and tensorboard is not False:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder), purge_step=done or None)

    def write(self, step: int, values: Mapping[str, Tensor]) -> None:
        """Log the values of one step if `every` divides its number."""
        if step % self.every == 0:
            self.record(step, {name: float(value.detach()) for name, value in values.items()})

    def record(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log numbers of one step."""
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"step": step, **{k: round(v, 6) for k, v in numbers.items()}}) + "\n")
        if self._board is not None:
            for name, number in numbers.items():
                self._board.add_scalar(name, number, step)

    def close(self) -> None:
        """Flush TensorBoard's files."""
        if self._board is not None:
            self._board.close()


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except ValueError:
        return math.inf  # a kill may cut a line short
