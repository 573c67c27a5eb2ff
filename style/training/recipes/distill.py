"""Distill `vgg-slim` from a teacher: match its features and their statistics at every tap.

One step takes random crops of product photos. The loss of a tap is the mean squared error of features, plus those of
channel means, standard deviations and Gram matrices. All are in units of the teacher's channel RMS, so that all
channels and taps count alike. One more loss compares whitened means and deviations of all taps together: style vectors
are made of these, and whitening enlarges the smallest errors. Adam, linear warm-up, cosine decay. The student predicts
features already divided by that RMS, so its statistics need no further scaling.

A block of the student is the convolutions between two taps. During the first `blocks` share of the steps each block
takes the teacher's features as its input, as in the stage-wise training of FitNets (Romero et al. 2015). Shallow
regressions converge in minutes, but a deep student waits for its lower layers. The other steps train the whole student.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from style.backbone import BACKBONES, Vgg, channels_last
from style.gram import gram, mean_std
from style.training.checkpoint import to_half
from style.training.crops import Crops
from style.training.loop import LoopOptions, learn
from style.training.optim import descend
from style.training.run import Training
from style.training.teachers import load_teacher
from style.training.whitening import fit_whitening


@dataclass(frozen=True, slots=True)
class DistillSettings:
    """Settings of the recipe.

    Attributes:
        steps: Steps of Adam.
        batch: Crops in a step.
        side: Side of a crop, in pixels.
        learning_rate: Peak of the learning rate.
        statistics: Weight of means, deviations and Gram matrices.
        whitened: Weight of whitened statistics.
        blocks: Share of the steps in which each block is trained by itself, on the teacher's features.
        seed: Seed of all random numbers.
        save_every: Steps between two checkpoints.
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
    """Train the student, or continue a stopped run.

    Args:
        images: Images of many kinds.
        teacher_file: Weights of the teacher.
        out: Folder that receives `checkpoint.safetensors`, `log.jsonl` and `vgg-slim.safetensors`.
        settings: Settings of the recipe.

    Returns:
        Student.
    """
    torch.manual_seed(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    crops = Crops(images, side=settings.side, keep=200, seed=settings.seed)
    training = DistillTraining(load_teacher(teacher_file).to(device), crops, settings, device)
    options = LoopOptions(settings.steps, settings.save_every, weights_file="vgg-slim.safetensors")
    learn(training, options, out, title="distill")
    return training.student


class DistillTraining(Training):
    """Run of a student beside its teacher."""

    def __init__(self, teacher: Vgg, crops: Crops, settings: DistillSettings, device: torch.device) -> None:
        self.teacher, self.crops, self.settings, self.device = teacher, crops, settings, device
        self.student = Vgg(BACKBONES["vgg-slim"]).to(device)
        channels_last(self.student)
        for layer in self.student.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                assert layer.bias is not None  # noqa: S101
                nn.init.zeros_(layer.bias)
        self.units = channel_rms(teacher, crops, device)
        self.whitening = self._fit_whitening()
        self.optimizer = torch.optim.Adam(self.student.parameters(), lr=settings.learning_rate)
        self.state, self.optimizers = self.student, {"student": self.optimizer}

    def step(self, step: int) -> dict[str, Tensor]:
        """Update weights once, block by block at first, on crops drawn by the step's number."""
        settings = self.settings
        batch = self.crops.batch(step, settings.batch).to(self.device, memory_format=torch.channels_last)
        target = self._target(batch)
        if step < settings.blocks * settings.steps:
            # Each block starts from the teacher's features at the tap before it.
            inputs = [self.student.prepare(batch), *target.values()]
            features = {tap: self.student.block(tap, x) for tap, x in zip(self.student.taps, inputs, strict=False)}
        else:
            features = self.student(batch)
        losses = distill_losses(features, target, settings.statistics)
        difference = (_moments(features) - _moments(target)) @ self.whitening
        losses["whitened"] = settings.whitened * difference.square().mean()
        descend(self.optimizer, losses)
        return losses

    def weights(self) -> dict[str, Tensor]:
        """Return the student's weights in half precision."""
        return to_half(self.student.state_dict())

    @torch.no_grad()
    def _target(self, batch: Tensor) -> dict[str, Tensor]:
        """Return the teacher's features in units of their RMS."""
        return {tap: features / self.units[tap] for tap, features in self.teacher(batch).items()}

    @torch.no_grad()
    def _fit_whitening(self, batches: int = 100) -> Tensor:
        """Return a projection `(S, 128)` that whitens the teacher's means and deviations, fitted on random crops."""
        crops = (self.crops.batch(step, 16, stream=2).to(self.device) for step in range(batches))
        statistics = torch.cat([_moments(self._target(batch)) for batch in crops]).cpu()
        whitening = fit_whitening(statistics, torch.zeros(statistics.shape[1], dtype=torch.bool))
        return whitening["projection"].to(self.device)


def distill_losses(student: dict[str, Tensor], teacher: dict[str, Tensor], statistics: float) -> dict[str, Tensor]:
    """Return one loss per tap: features, plus `statistics` times means, deviations and Gram matrices."""
    losses: dict[str, Tensor] = {}
    for tap, target in teacher.items():
        error = (student[tap] - target).square().mean()
        (mean, std), (target_mean, target_std) = mean_std(student[tap]), mean_std(target)
        moments = (mean - target_mean).square().mean() + (std - target_std).square().mean()
        grams = (gram(student[tap]) - gram(target)).square().mean()
        losses[tap] = error + statistics * (moments + grams)
    return losses


@torch.no_grad()
def channel_rms(teacher: nn.Module, crops: Crops, device: torch.device, batches: int = 16) -> dict[str, Tensor]:
    """Return the root mean square of the teacher's channels over random crops, `(1, C, 1, 1)` per tap."""
    squares: dict[str, Tensor] = {}
    for step in range(batches):
        for tap, features in teacher(crops.batch(step, 16, stream=1).to(device)).items():
            mean = features.square().mean(dim=(0, 2, 3), keepdim=True) / batches
            squares[tap] = squares.get(tap, torch.zeros_like(mean)) + mean
    # A channel that is almost always 0 would be scaled up to the size of the others, so its RMS has a floor.
    return {tap: square.sqrt().clamp_min(0.05 * float(square.mean().sqrt())) for tap, square in squares.items()}


def _moments(features: dict[str, Tensor]) -> Tensor:
    """Return the roots of means and deviations at all taps, `(B, S)`; 1e-4 keeps the slope of the root finite."""
    return (torch.cat([values for maps in features.values() for values in mean_std(maps)], dim=1) + 1e-4).sqrt()
