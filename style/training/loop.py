"""Training loop of all recipes: schedule, log, checkpoints, resume, validation, sample sheets and early stopping."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn
from tqdm import tqdm

from style.training.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from style.training.log import TrainingLog
from style.training.optim import WARM_UP
from style.training.run import Training
from style.training.run_state import Progress
from style.training.sample_sheet import write_sheet

CHECKPOINT_FILE = "checkpoint.safetensors"
BEST_FILE = "best.safetensors"


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """Options of the training loop.

    Attributes:
        steps: Steps to do at most.
        save_every: Steps between two validations, sample sheets and checkpoints.
        warm_up: Steps over which the learning rate rises.
        patience: Validations in a row without a new least loss after which training stops; None: never.
        weights_file: File in the run's folder that receives the best weights.
    """

    steps: int
    save_every: int
    warm_up: int = WARM_UP
    patience: int | None = None
    weights_file: str = BEST_FILE


def learn(
    training: Training,
    options: LoopOptions,
    folder: Path,
    report: Callable[[str], object] = tqdm.write,
    *,
    title: str = "training",
    tensorboard: bool | None = None,
) -> Progress:
    """Train until all steps are done or validation no longer improves; the best weights are then in a file.

    A stopped run in `folder` continues from its last checkpoint and ends the same as an uninterrupted one.

    Args:
        training: Run to drive.
        options: Options of the loop.
        folder: Folder of checkpoint, log, weights and sample sheets.
        report: Receives one line for each validation.
        title: Label of the progress bar.
        tensorboard: See `TrainingLog`.

    Returns:
        Progress at the end.

    Raises:
        ExtraError: `tensorboard` is True and TensorBoard is not installed.
    """
    progress = Progress()
    state = nn.ModuleDict({"recipe": training.state, "progress": progress})
    done = load_checkpoint(folder / CHECKPOINT_FILE, state, training.optimizers)
    # Checkpoints hold no learning rates, so the peaks are those that the recipe has set.
    groups = [group for optimizer in training.optimizers.values() for group in optimizer.param_groups]
    peaks = [group["lr"] for group in groups]
    log = TrainingLog(folder, done=done, tensorboard=tensorboard)
    started = time.perf_counter()
    with tqdm(total=options.steps, initial=done, desc=title, unit="step", disable=None) as bar:
        while done < options.steps and not progress.is_stale(options.patience):
            rate = training.rate(done, options.steps, options.warm_up)
            for group, peak in zip(groups, peaks, strict=True):
                group["lr"] = rate * peak
            log.write(done, training.step(done))
            done += 1
            bar.update()
            if done % options.save_every and done < options.steps:
                continue
            results = training.validate()
            better = progress.update(results.get("loss"), done)
            if better:
                save_tensors(folder / options.weights_file, training.weights())
            if results:
                log.record(done - 1, {f"validation {name}": value for name, value in results.items()})
            if (samples := training.samples()) is not None:
                write_sheet(folder / f"samples-{done:06d}.jpg", samples)
            now = time.perf_counter()
            progress.seconds.add_(now - started)
            started = now
            # The checkpoint is written last: after a kill before it, these steps are simply done again.
            save_checkpoint(folder / CHECKPOINT_FILE, state, training.optimizers, done)
            if results:
                values = ", ".join(f"{name} {value:.3f}" for name, value in results.items())
                best = ", the best so far" if better else ""
                report(f"step {done:,} of {options.steps:,}: validation {values}{best}")
    log.close()
    return progress
