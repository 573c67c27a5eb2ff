"""What a training run must not forget when it is killed, beside the recipe's own state; and which run it is."""

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
    """Steps done, the least validation loss, its step, how many validations brought none since, and seconds of work."""

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

    def saw(self, loss: float, step: int) -> bool:
        """Take note of a validation after `step` steps; whether it is the best so far."""
        self.done.fill_(step)
        better = loss < float(self.best)
        if better:
            self.best.fill_(loss)
            self.best_step.fill_(step)
            self.stale.zero_()
        else:
            self.stale.add_(1)
        return better


def claim(folder: Path, run: Mapping[str, object]) -> None:
    """Make `folder` the place of the run that `run` (plain JSON) describes, or find that it is so already.

    Raises TrainingError where it is another one's: resuming with other pictures or settings would be neither run.
    """
    file = folder / RUN_FILE
    text = as_json(run)
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(file, text)
        return
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise TrainingError(f"{file}: not JSON; remove {folder} to begin again") from None
    differences = list(_differences(held, json.loads(text)))
    if differences:
        raise TrainingError(
            f"{folder}: holds a run with other pictures or settings: {'; '.join(differences)}. Give the same ones to "
            "go on with it, another name for another engine, or remove the folder to begin again"
        )


def as_json(value: object) -> str:
    """Plain data as JSON for people: indented, keys sorted, NaN refused (ValueError)."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file (text as UTF-8) through a temporary one: fsync, then rename."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _differences(held: Mapping[str, object], wanted: Mapping[str, object]) -> list[str]:
    found = []
    for key in sorted({*held, *wanted}):
        was, now = held.get(key), wanted.get(key)
        if isinstance(was, dict) and isinstance(now, dict):
            found += [f"{key}.{inner}" for inner in _differences(was, now)]
        elif was != now:
            found.append(f"{key} was {_short(was)}, now {_short(now)}")
    return found


def _short(value: object, most: int = 24) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most - 3]}..."
