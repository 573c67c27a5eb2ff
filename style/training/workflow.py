"""Train a custom engine: split images, train, stop early, keep the best weights, measure them, write the engine.

Engines differ in their `Recipe` (`style.training.recipe`, which lists the parts of a new engine). An engine's folder
holds `engine.json` and `engine.safetensors` (`style.transfer.trained`), its card as `card.json` and `card.md`, and
`training/`: checkpoint, log, and a sample sheet for each validation. `engine.json` is written last: a folder that has
one is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from style.backbone import Vgg, load_backbone
from style.errors import TrainingError
from style.library import read_library, require
from style.rights import Use
from style.training.crops import find_images
from style.training.loop import BEST_FILE, learn
from style.training.publish import publish
from style.training.recipe import Material, Recipe, RunSettings
from style.training.run_state import claim
from style.training.splits import FEWEST_TO_SPLIT, Splits
from style.transfer.engine_names import ENGINE_NAMES, RECORD_FILE, is_engine_name

RUN_FOLDER = "training"


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """Engine to train, its images and its place.

    Attributes:
        recipe: Recipe of the engine.
        products: Folders of product photos.
        styles: Folders or files of style references, of one style unless the engine follows style vectors.
        out: Folder of the engine; its last part is the engine's name.
        settings: Settings of the run.
        loss_network: Network of the losses (default: vgg-slim, which ships).
        judge: Network that measures the card's results (default: vgg-slim).
        license: License of the references, for the card and for images in the engine's own style (default: as
            `styles.csv` in their folder says).
        tensorboard: Whether to write TensorBoard files.
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
        """Raise TrainingError if the engine cannot have this name; no image is read."""
        if not is_engine_name(self.out.name):
            raise TrainingError(
                f"an engine cannot be called {self.out.name!r}: use lower-case letters, digits and -, at most 40"
            )
        if self.out.name in ENGINE_NAMES:
            raise TrainingError(f"{self.out.name!r} is an engine that ships; choose another name")


def train(job: TrainingJob, report: Callable[[str], object] = tqdm.write) -> Path:
    """Train an engine, or continue a run that was stopped; the same call does both.

    A run that was stopped ends with the same weights as an uninterrupted one.

    Args:
        job: Engine to train.
        report: Receives one line for each validation.

    Returns:
        Folder of the engine.

    Raises:
        ImageError: A folder holds no images, or images cannot be read.
        TrainingError: The name is not allowed, there are too few products, or the folder holds another run.
        RightsError: A style reference does not allow training.
    """
    job.check()
    check_rights(job.styles)
    products = Splits.from_files(_find_files(job.products))
    if len(products) < FEWEST_TO_SPLIT:
        folders = ", ".join(map(str, job.products))
        raise TrainingError(f"{folders}: {len(products)} different images; at least {FEWEST_TO_SPLIT} are needed")
    material = Material(
        products, Splits.from_files(_find_files(job.styles)), job.loss_network or load_backbone("vgg-slim")
    )
    folder = job.out / RUN_FOLDER
    claim(
        folder,
        {
            "recipe": job.recipe.kind,
            "settings": asdict(job.settings),
            "own": job.recipe.settings(),
            "shape": job.recipe.shape(),
            "products": material.products.digest(),
            "styles": material.styles.digest(),
            "loss_network": material.loss_network.record.name,
        },
    )
    if (job.out / RECORD_FILE).is_file():
        report(f"{job.out}: is trained already")
        return job.out
    torch.manual_seed(job.settings.seed)
    training = job.recipe.begin(material, job.settings)
    progress = learn(
        training, job.settings.loop_options(), folder, report, title=job.out.name, tensorboard=job.tensorboard
    )
    license = job.license or stated_license(job.styles)
    publish(job.out, job.recipe, material, job.settings, folder / BEST_FILE, progress, license, job.judge)
    return job.out


def check_rights(places: Sequence[Path]) -> None:
    """Raise RightsError if a library among folders names an image that must not be trained on."""
    for place in places:
        for reference in read_library(place) if place.is_dir() else ():
            require(reference, Use.TRAIN)


def stated_license(places: Sequence[Path]) -> str:
    """Return the licenses that libraries among folders state for their images. Raises LibraryError."""
    licenses = {reference.license for place in places if place.is_dir() for reference in read_library(place)}
    return ", ".join(sorted(licenses)) or "not stated"


def _find_files(places: Sequence[Path]) -> list[Path]:
    files = [place for place in places if place.is_file()]
    return files + find_images([place for place in places if not place.is_file()])
