"""Progress of a training run, the record of which run a folder holds, and atomic writing of text files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from style.errors import TrainingError

RUN_FILE = "run.json"


class Progress(nn.Module):
    """Progress of a run, as part of its checkpoint.

    Attributes:
        done: Steps done.
        best: Least validation loss; infinite for a run without validation.
        best_step: Steps done when the weights were best.
        stale: Validations since then.
        seconds: Seconds of training.
    """

    done: Tensor
    best: Tensor
    best_step: Tensor
    stale: Tensor
    seconds: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("done", torch.tensor(0))
        self.register_buffer("best", torch.tensor(float("inf"), dtype=torch.float64))
        self.register_buffer("best_step", torch.tensor(0))
        self.register_buffer("stale", torch.tensor(0))
        self.register_buffer("seconds", torch.tensor(0.0, dtype=torch.float64))

    def update(self, loss: float | None, step: int) -> bool:
        """Record a validation after `step` steps and return whether the weights are the best so far.

        Without a loss, the latest weights are the best.
        """
        self.done.fill_(step)
        if loss is not None and loss >= float(self.best):
            self.stale.add_(1)
            return False
        if loss is not None:
            self.best.fill_(loss)
        self.best_step.fill_(step)
        self.stale.zero_()
        return True

    def is_stale(self, patience: int | None) -> bool:
        """Return whether `patience` validations in a row brought no improvement; never for None."""
        return patience is not None and int(self.stale) >= patience


def claim(folder: Path, run: Mapping[str, object]) -> None:
    """Record in `folder` which run it holds, or check that it is this run already.

    Args:
        folder: Folder of the run.
        run: Plain JSON that identifies the run.

    Raises:
        TrainingError: The folder holds a run with other images or settings, which cannot be resumed as this one.
    """
    file = folder / RUN_FILE
    text = to_json(run)
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text)
        return
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise TrainingError(f"{file}: not JSON; remove {folder} to start again") from None
    differences = _differences(stored, json.loads(text))
    if differences:
        raise TrainingError(
            f"{folder}: holds a run with other images or settings: {'; '.join(differences)}. Give the same ones to "
            "continue it, another name for another engine, or remove the folder to start again"
        )


def to_json(value: object) -> str:
    """Return plain data as indented JSON with sorted keys; NaN raises ValueError."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file (text as UTF-8) through a temporary one: fsync, then rename."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _differences(stored: Mapping[str, object], current: Mapping[str, object]) -> list[str]:
    differences = []
    for key in sorted({*stored, *current}):
        before, now = stored.get(key), current.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            differences += [f"{key}.{inner}" for inner in _differences(before, now)]
        elif before != now:
            differences.append(f"{key} was {_short(before)}, now {_short(now)}")
    return differences


def _short(value: object, limit: int = 24) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
