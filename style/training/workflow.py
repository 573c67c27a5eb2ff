"""One way to train every engine of one's own: split, learn, stop, keep the best, say how good it is.

What differs from engine to engine is a `Recipe` (`style.training.recipe`, which says what a new engine needs). The
folder of an engine holds `engine.json` and `engine.safetensors`, which are the engine (`style.transfer.trained`), its
card as `card.json` and `card.md`, and `training/`: checkpoint, log, and a sheet of samples for each validation.
`engine.json` is written last: what has one is whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from style.backbone import Vgg, load_backbone
from style.errors import TrainingError
from style.library import read_library, require
from style.rights import Use
from style.training.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from style.training.crops import find_images
from style.training.log import TrainingLog
from style.training.optim import WARM_UP, learning_rate
from style.training.publish import publish
from style.training.recipe import Material, Recipe, RunSettings, Training
from style.training.run_state import Progress, claim
from style.training.sample_sheet import write_sheet
from style.training.splits import FEWEST_TO_SPLIT, Parts
from style.transfer.engine_names import ENGINE_NAMES, RECORD_FILE, is_engine_name

RUN_FOLDER = "training"
CHECKPOINT_FILE = "checkpoint.safetensors"
BEST_FILE = "best.safetensors"


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What is to be trained, of what, and where it goes.

    `products`: folders; `styles`: folders or files, of one style unless the engine follows style vectors. The engine
    becomes the folder `out`, whose last part is its name. `loss_network` teaches (default: vgg-slim, which ships);
    `judge` gives the card's figures (default: vgg-slim). `license`: of the references, for the card and for pictures in
    an engine's own style (default: what `styles.csv` in their folder says).
    """

    recipe: Recipe
    products: Sequence[Path]
    styles: Sequence[Path]
    out: Path
    settings: RunSettings
    loss_network: Vgg | None = None
    judge: Vgg | None = None
    license: str | None = None
    tensorboard: bool = False

    def check(self) -> None:
        """Raise TrainingError where the engine cannot have this name; this looks at no picture."""
        if not is_engine_name(self.out.name):
            raise TrainingError(
                f"an engine cannot be called {self.out.name!r}: use lower-case letters, digits and -, at most 40"
            )
        if self.out.name in ENGINE_NAMES:
            raise TrainingError(f"{self.out.name!r} is an engine that ships; choose another name")


def train(order: TrainingJob, say: Callable[[str], object] = tqdm.write) -> Path:
    """Train an engine, or go on training it; returns its folder. The same call goes on where a killed one was.

    A run that was stopped ends with the same weights as an unbroken one. `say` is given a line for each validation.
    Raises ImageError for folders without pictures and for pictures that cannot be read, TrainingError for a name that
    cannot be, too few products, and a folder that holds another run; RightsError for styles that forbid it.
    """
    order.check()
    check_rights(order.styles)
    material = Material(
        _products(order.products), Parts.of(_found(order.styles)), order.loss_network or load_backbone("vgg-slim")
    )
    folder = order.out / RUN_FOLDER
    claim(folder, _identity(order, material))
    if (order.out / RECORD_FILE).is_file():
        say(f"{order.out}: is trained already")
        return order.out
    torch.manual_seed(order.settings.seed)
    training = order.recipe.begin(material, order.settings)
    progress = learn(training, order.settings, folder, say, title=order.out.name, tensorboard=order.tensorboard)
    license = order.license or stated_license(order.styles)
    publish(order.out, order.recipe, material, order.settings, folder / BEST_FILE, progress, license, order.judge)
    return order.out


def check_rights(places: Sequence[Path]) -> None:
    """Raise RightsError where a library among folders names a picture that must not be trained on."""
    for place in places:
        for one in read_library(place) if place.is_dir() else ():
            require(one, Use.TRAIN)


def stated_license(places: Sequence[Path]) -> str:
    """The licenses that libraries among folders state for the pictures below them. Raises LibraryError."""
    stated = {one.license for place in places if place.is_dir() for one in read_library(place)}
    return ", ".join(sorted(stated)) or "not stated"


def _products(folders: Sequence[Path]) -> Parts:
    products = Parts.of(_found(folders))
    if len(products) < FEWEST_TO_SPLIT:
        shown = ", ".join(map(str, folders))
        raise TrainingError(f"{shown}: {len(products)} different pictures; at least {FEWEST_TO_SPLIT} are needed")
    return products


def _found(places: Sequence[Path]) -> list[Path]:
    files = [place for place in places if place.is_file()]
    return files + find_images([place for place in places if not place.is_file()])


def _identity(order: TrainingJob, material: Material) -> Mapping[str, object]:
    """What makes a run the same run."""
    return {
        "recipe": order.recipe.kind,
        "settings": asdict(order.settings),
        "own": order.recipe.settings(),
        "shape": order.recipe.shape(),
        "products": material.products.digest(),
        "styles": material.styles.digest(),
        "loss_network": material.loss_network.record.name,
    }


def learn(
    training: Training,
    settings: RunSettings,
    folder: Path,
    say: Callable[[str], object],
    *,
    title: str = "training",
    tensorboard: bool = False,
) -> Progress:
    """Steps until there are enough or validation finds nothing better; the best weights are then in BEST_FILE.

    What `folder` holds of an earlier call is gone on from. Raises ExtraError for TensorBoard where it is not installed.
    """
    progress = Progress()
    state = nn.ModuleDict({"recipe": training.state, "progress": progress})
    peaks = {name: [group["lr"] for group in each.param_groups] for name, each in training.optimizers.items()}
    done = load_checkpoint(folder / CHECKPOINT_FILE, state, training.optimizers)
    log = TrainingLog(folder, done=done, tensorboard=tensorboard)
    begun = time.perf_counter()
    with tqdm(total=settings.steps, initial=done, desc=title, unit="step", disable=None) as bar:
        while done < settings.steps and int(progress.stale) < settings.patience:
            _set_rates(training, peaks, learning_rate(done, settings.steps, warm_up(settings.steps)))
            log.write(done, training.step(done))
            done += 1
            bar.update()
            if done % settings.validate_every == 0 or done == settings.steps:
                figures = training.validate()
                better = progress.saw(figures["loss"], done)
                if better:
                    save_tensors(folder / BEST_FILE, training.weights())
                log.record(done - 1, {f"validation {name}": value for name, value in figures.items()})
                write_sheet(folder / f"samples-{done:06d}.jpg", training.samples())
                begun = _add_seconds(progress, begun)
                save_checkpoint(folder / CHECKPOINT_FILE, state, training.optimizers, done)
                say(_line(done, settings.steps, figures, better=better))
    log.close()
    return progress


def warm_up(steps: int) -> int:
    """Steps over which the learning rate rises: a tenth of a short run."""
    return max(1, min(WARM_UP, steps // 10))


def _set_rates(training: Training, peaks: Mapping[str, Sequence[float]], share: float) -> None:
    for name, optimizer in training.optimizers.items():
        for group, peak in zip(optimizer.param_groups, peaks[name], strict=True):
            group["lr"] = share * peak


def _add_seconds(progress: Progress, begun: float) -> float:
    now = time.perf_counter()
    progress.seconds.add_(now - begun)
    return now


def _line(done: int, steps: int, figures: Mapping[str, float], *, better: bool) -> str:
    shown = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    return f"step {done:,} of {steps:,}: validation {shown}{', the best so far' if better else ''}"
