"""The training loop stops early, keeps the best weights, and resumes runs of all recipes as if never stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from style.errors import ExtraError
from style.training.log import TrainingLog
from style.training.loop import BEST_FILE, learn
from style.training.optim import descend, learning_rate, warm_up_steps
from style.training.recipe import RunSettings
from style.training.recipes.adain import AdaInSettings, train_adain
from style.training.recipes.compress import CompressSettings, compress
from style.training.recipes.distill import DistillSettings, distill
from style.training.recipes.film import FilmSettings, train_film
from style.training.recipes.gan import GanSettings, train_gan
from style.training.run import Training
from style.training.teachers import load_teacher
from style.transfer.film import FilmNet, FilmShape


@dataclass(eq=False)
class Descent(Training):
    """Training with given validation losses: two numbers go toward 1, each by its own rule."""

    losses: tuple[float, ...]
    state: nn.Linear = field(default_factory=lambda: nn.Linear(1, 1))
    rates: list[float] = field(default_factory=list)
    after: dict[int, Tensor] = field(default_factory=dict)
    """The weight after so many steps."""
    dies_at: int | None = None

    def __post_init__(self) -> None:
        torch.nn.init.zeros_(self.state.weight)
        torch.nn.init.zeros_(self.state.bias)
        self.optimizers = {
            "weight": torch.optim.Adam([self.state.weight], lr=0.1),
            "bias": torch.optim.SGD([self.state.bias], lr=0.01, momentum=0.9),
        }
        self.validations = 0

    def step(self, step: int) -> Mapping[str, Tensor]:
        if step == self.dies_at:
            raise KeyboardInterrupt
        self.rates.append(self.optimizers["weight"].param_groups[0]["lr"])
        noise = np.random.default_rng((0, step)).normal()
        for optimizer in self.optimizers.values():
            loss = (self.state(torch.tensor([[1.0 + noise]])) - 1).square().mean()
            descend(optimizer, {"loss": loss})
        self.after[step + 1] = self.state.weight.detach().clone()
        return {"loss": loss}

    def validate(self) -> Mapping[str, float]:
        self.validations += 1
        return {"loss": self.losses[self.validations - 1]}

    def weights(self) -> dict[str, Tensor]:
        return dict(self.state.state_dict())

    def samples(self) -> Tensor:
        return torch.zeros(1, 3, 16, 32)


def ignore(_: str) -> None:
    """Report nothing."""


def test_early_stopping_keeps_the_best_weights(tmp_path: Path) -> None:
    """Validation is best after the second round of two steps; two rounds without improvement end the run."""
    training = Descent((3.0, 1.0, 2.0, 1.5, 0.0))
    options = RunSettings(steps=100, validate_every=2, patience=2).loop_options()
    progress = learn(training, options, tmp_path, ignore)
    assert (int(progress.done), int(progress.best_step), float(progress.best)) == (8, 4, 1.0)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["validation loss"] for line in lines if "validation loss" in line] == [3.0, 1.0, 2.0, 1.5]
    best = load_file(tmp_path / BEST_FILE)["weight"]
    assert torch.equal(best, training.after[4])
    assert not torch.equal(best, training.after[8])


def test_several_optimizers_resume_and_keep_to_the_schedule(tmp_path: Path) -> None:
    options = RunSettings(steps=40, validate_every=10).loop_options()
    whole, first, second = (Descent((4.0, 3.0, 2.0, 1.0)[skipped:]) for skipped in (0, 0, 2))
    learn(whole, options, tmp_path / "whole", ignore)
    first.dies_at = 25
    with pytest.raises(KeyboardInterrupt):
        learn(first, options, tmp_path / "parts", ignore)
    learn(second, options, tmp_path / "parts", ignore)
    assert torch.equal(whole.weights()["weight"], second.weights()["weight"])
    assert torch.equal(whole.weights()["bias"], second.weights()["bias"])
    assert len(second.rates) == 20
    assert whole.rates == pytest.approx([0.1 * learning_rate(step, 40, warm_up_steps(40)) for step in range(40)])
    assert whole.rates[20:] == second.rates
    logs = [(tmp_path / part / "log.jsonl").read_text() for part in ("whole", "parts")]
    assert logs[0] == logs[1]


def test_tensorboard_files_are_written_on_request(tmp_path: Path) -> None:
    options = RunSettings(steps=2, validate_every=2).loop_options()
    learn(Descent((1.0,)), options, tmp_path / "without", ignore, tensorboard=False)
    assert not list((tmp_path / "without").glob("events.*"))
    if find_spec("tensorboard") is None:
        with pytest.raises(ExtraError, match=r"style-recsys\[train\]"):
            learn(Descent((1.0,)), options, tmp_path / "with", ignore, tensorboard=True)
    else:
        learn(Descent((1.0,)), options, tmp_path / "with", ignore, tensorboard=True)
        assert b"validation loss" in next((tmp_path / "with").glob("events.*")).read_bytes()


Train = Callable[[Sequence[Path], Path, Path], object]
"""Run a recipe on images, with the file of a teacher, into a folder."""


def run_film(images: Sequence[Path], teacher: Path, out: Path) -> None:
    train_film(images, images, load_teacher(teacher), out, FilmSettings(steps=6, batch=2, side=32, save_every=2))


def run_adain(images: Sequence[Path], teacher: Path, out: Path) -> None:
    settings = AdaInSettings(steps=6, batch=2, side=32, copies=0.5, save_every=2)
    train_adain(images, images, load_teacher(teacher), out, settings)


def run_gan(images: Sequence[Path], teacher: Path, out: Path) -> None:
    settings = GanSettings(
        steps=6, epoch=2, side=32, keep=40, width=4, blocks=1, critic=4, remembered=3, tries=1, learning_rate=4e-3
    )
    train_gan(images[:2], images[2:], out, settings)


def run_compress(images: Sequence[Path], teacher: Path, out: Path) -> None:
    torch.manual_seed(0)
    whole, small = FilmNet(FilmShape(16, 1, 8, 4, 16)), FilmShape(8, 1, 4, 4, 8)
    z = torch.nn.functional.normalize(torch.randn(4, 128), dim=1)
    compress(whole, small, images, z, out, CompressSettings(steps=6, batch=2, side=32, save_every=2))


def run_distill(images: Sequence[Path], teacher: Path, out: Path) -> None:
    distill(images, teacher, out, DistillSettings(steps=6, batch=2, side=32, blocks=0.5, save_every=2))


@pytest.mark.parametrize(
    ("train", "weights"),
    [
        pytest.param(run_film, "film.safetensors", id="film", marks=pytest.mark.slow),
        pytest.param(run_adain, "adain.safetensors", id="adain", marks=pytest.mark.slow),
        pytest.param(run_gan, "gan.safetensors", id="gan"),
        pytest.param(run_compress, "film.safetensors", id="compress"),
        pytest.param(run_distill, "vgg-slim.safetensors", id="distill", marks=pytest.mark.slow),
    ],
)
def test_a_run_stopped_and_resumed_ends_as_an_uninterrupted_one(
    train: Train, weights: str, images: list[Path], teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run stops in its fourth step; the last checkpoint is that of the second."""
    write, stop = TrainingLog.write, [99]

    def write_each_step(log: TrainingLog, step: int, values: Mapping[str, Tensor]) -> None:
        if step == stop[0]:
            raise KeyboardInterrupt
        log.every = 1
        write(log, step, values)

    monkeypatch.setattr(TrainingLog, "write", write_each_step)
    train(images, teacher, tmp_path / "whole")
    stop[0] = 3
    with pytest.raises(KeyboardInterrupt):
        train(images, teacher, tmp_path / "parts")
    assert int(load_file(tmp_path / "parts" / "checkpoint.safetensors")["step"]) == 2
    stop[0] = 99
    train(images, teacher, tmp_path / "parts")
    whole, parts = ((tmp_path / run / "log.jsonl").read_text(encoding="utf-8") for run in ("whole", "parts"))
    assert [json.loads(line)["step"] for line in parts.splitlines()] == list(range(6))
    assert parts == whole
    for file in (weights, "checkpoint.safetensors"):
        ours, theirs = (load_file(tmp_path / run / file) for run in ("parts", "whole"))
        seconds = [tensors.pop("network.progress.seconds", None) for tensors in (ours, theirs)]
        assert (seconds[0] is None) == (file == weights)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), file
        if weights == "gan.safetensors" and file != weights:
            assert int(ours["network.recipe.replay.style.count"]) == 3, "the buffer outlived the stop"
