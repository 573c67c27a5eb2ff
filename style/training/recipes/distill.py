"""Distil `vgg-slim` from a teacher: match its features and their statistics at every tap.

Recipe (run it with `python -m style.training.recipes.distill --help`): random crops of product photos; per tap the
loss is the mean squared error of features, plus those of channel means, standard deviations and Gram matrices, all in
units of the teacher's channel RMS, so that every channel and every tap counts alike; and, over all taps, that of the
whitened means and deviations, since style vectors are made of these: whitening enlarges the least of the errors.
Adam, linear warm-up, cosine decay. The student predicts features already divided by that RMS, hence its statistics
need no further scaling.

For the first `blocks` share of the steps each block of the student (the convolutions between two taps) takes the
teacher's features as its input, as in the stage-wise training of FitNets (Romero et al. 2015): shallow regressions
settle in minutes, where a deep student waits for its lower layers. The rest of the steps train it as a whole.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import trange

from style.backbone import BACKBONES, Vgg, channels_last
from style.gram import gram, mean_std
from style.training.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from style.training.crops import Crops, find_images, not_held_out
from style.training.log import TrainingLog
from style.training.optim import descend, set_learning_rate
from style.training.teachers import load_teacher
from style.training.whitening import fit_whitening


@dataclass(frozen=True, slots=True)
class DistillSettings:
    """Steps of Adam over batches of `batch` crops of `side` pixels; `statistics` weighs mean, std and Gram,
    `whitened` the whitened statistics.

    `blocks` is the share of steps in which blocks learn apart, each from the teacher's features.
    """

    steps: int = 6_000
    batch: int = 16
    side: int = 128
    learning_rate: float = 2e-3
    statistics: float = 1.0
    whitened: float = 1.0
    blocks: float = 0.5
    seed: int = 0
    save_every: int = 200


def distill(images: Sequence[Path], teacher_file: Path, out: Path, settings: DistillSettings) -> Vgg:
    """Train, or go on training, the student; writes `checkpoint.safetensors` and `vgg-slim.safetensors` in `out`.

    A run that was stopped continues from its last checkpoint and gives the same network as an unbroken one.
    """
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    crops = Crops(images, side=settings.side, keep=200, seed=settings.seed)
    teacher = load_teacher(teacher_file).to(device)
    student = Vgg(BACKBONES["vgg-slim"]).to(device)
    channels_last(student)
    _initialize(student)
    units = channel_rms(teacher, crops, device)
    whitening = _moments_whitening(teacher, crops, units, device)
    optimizer = torch.optim.Adam(student.parameters(), lr=settings.learning_rate)
    checkpoint = out / "checkpoint.safetensors"
    done = load_checkpoint(checkpoint, student, optimizer)
    log = TrainingLog(out, done=done)
    for step in trange(done, settings.steps, initial=done, total=settings.steps, desc="distil", disable=None):
        set_learning_rate(optimizer, step, settings.steps, settings.learning_rate)
        batch = crops.batch(step, settings.batch).to(device, memory_format=torch.channels_last)
        target = _in_units(teacher, batch, units)
        apart = step < settings.blocks * settings.steps
        found = _block_by_block(student, batch, target) if apart else student(batch)
        losses = distill_losses(found, target, settings.statistics)
        apart_by = (_moments(found) - _moments(target)) @ whitening
        losses["whitened"] = settings.whitened * apart_by.square().mean()
        descend(optimizer, losses)
        log.write(step, losses)
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            save_checkpoint(checkpoint, student, optimizer, step + 1)
    save_tensors(out / "vgg-slim.safetensors", {k: v.half().cpu() for k, v in student.state_dict().items()})
    return student


def distill_losses(student: dict[str, Tensor], teacher: dict[str, Tensor], statistics: float) -> dict[str, Tensor]:
    """One loss per tap: features, and `statistics` times means, deviations and Gram matrices."""
    return {
        tap: (student[tap] - teacher[tap]).square().mean() + statistics * _statistics_loss(student[tap], teacher[tap])
        for tap in teacher
    }


@torch.no_grad()
def channel_rms(teacher: nn.Module, crops: Crops, device: torch.device, batches: int = 16) -> dict[str, Tensor]:
    """Root mean square of each of the teacher's channels over random crops, `(1, C, 1, 1)` per tap."""
    squares: dict[str, Tensor] = {}
    for step in range(batches):
        for tap, features in teacher(crops.batch(step, 16, stream=1).to(device)).items():
            here = features.square().mean(dim=(0, 2, 3), keepdim=True) / batches
            squares[tap] = squares.get(tap, torch.zeros_like(here)) + here
    # A channel that hardly ever fires would be blown up to the size of the others: floor it.
    return {tap: square.sqrt().clamp_min(0.05 * float(square.mean().sqrt())) for tap, square in squares.items()}


def _block_by_block(student: Vgg, batch: Tensor, teacher: dict[str, Tensor]) -> dict[str, Tensor]:
    """The student's features at each tap, made from the teacher's at the tap before."""
    inputs = [student.prepare(batch), *teacher.values()]
    return {tap: student.block(tap, x) for tap, x in zip(student.taps, inputs, strict=False)}


@torch.no_grad()
def _moments_whitening(
    teacher: nn.Module, crops: Crops, units: dict[str, Tensor], device: torch.device, batches: int = 100
) -> Tensor:
    """A projection that whitens the teacher's means and deviations, `(S, 128)`, fitted on random crops."""
    rows = [_moments(_in_units(teacher, crops.batch(step, 16, stream=2).to(device), units)) for step in range(batches)]
    statistics = torch.cat(rows).cpu()
    return fit_whitening(statistics, torch.zeros(statistics.shape[1], dtype=torch.bool))["projection"].to(device)


def _moments(features: dict[str, Tensor]) -> Tensor:
    """Roots of means and deviations at all taps, `(B, S)`; the small number keeps the root's slope finite."""
    return (torch.cat([part for maps in features.values() for part in mean_std(maps)], dim=1) + 1e-4).sqrt()


def _statistics_loss(student: Tensor, teacher: Tensor) -> Tensor:
    mean_s, std_s = mean_std(student)
    mean_t, std_t = mean_std(teacher)
    return (
        (mean_s - mean_t).square().mean()
        + (std_s - std_t).square().mean()
        + (gram(student) - gram(teacher)).square().mean()
    )


@torch.no_grad()
def _in_units(teacher: nn.Module, batch: Tensor, units: dict[str, Tensor]) -> dict[str, Tensor]:
    return {tap: features / units[tap] for tap, features in teacher(batch).items()}


def _initialize(network: nn.Module) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None  # noqa: S101
            nn.init.zeros_(layer.bias)


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=distill.__doc__)
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="folders of training images")
    parser.add_argument("--styles", type=Path, nargs="*", default=[], help="folders of which each fifth is held out")
    parser.add_argument("--teacher", type=Path, required=True, help="safetensors of the teacher")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and weights")
    parser.add_argument("--steps", type=int, default=DistillSettings().steps)
    parser.add_argument("--batch", type=int, default=DistillSettings().batch)
    parser.add_argument("--blocks", type=float, default=DistillSettings().blocks, help="share of steps block by block")
    parser.add_argument("--seed", type=int, default=DistillSettings().seed)
    arguments = parser.parse_args()
    settings = DistillSettings(
        steps=arguments.steps, batch=arguments.batch, blocks=arguments.blocks, seed=arguments.seed
    )
    images = find_images(arguments.images) + not_held_out(find_images(arguments.styles))
    distill(images, arguments.teacher, arguments.out, settings)


if __name__ == "__main__":
    main()
