"""Recipe `gan` for custom engines: the training of `style.training.recipes.gan`, with validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace

import numpy as np
import torch
from torch import Tensor

from style.embedding import StyleEmbedder
from style.metrics import kernel_distance
from style.training.recipe import SHEET_ROWS, VALIDATION_BATCH, Material, RunSettings
from style.training.recipes.gan import GanSettings, GanTraining, load_crops
from style.transfer.gan import GanStylizer

DEFAULTS = RunSettings(steps=4000, batch=1, side=96, keep=160, learning_rate=5e-4, validate_every=250, patience=8)
"""Settings with a long patience: the losses of adversaries do not fall steadily, least of all early."""


@dataclass(frozen=True, slots=True)
class GanRecipe:
    """`style.training.recipe.Recipe` of the engine `gan`; values in `own` that `RunSettings` has too are not used."""

    own: GanSettings = field(default_factory=GanSettings)
    kind: str = GanStylizer.name
    defaults: RunSettings = DEFAULTS

    def settings(self) -> Mapping[str, object]:
        """Return the weights of the losses and the other settings that only this recipe has."""
        shared = {one.name for one in fields(RunSettings)}
        return {name: value for name, value in asdict(self.own).items() if name not in {*shared, "epoch"}}

    def shape(self) -> Mapping[str, int]:
        """Return the values of `GeneratorShape`."""
        return {"width": self.own.width, "blocks": self.own.blocks}

    def begin(self, material: Material, settings: RunSettings) -> ValidatedGanTraining:
        """Return a run that has done no step. Raises ImageError that names images that cannot be read."""
        own = replace(
            self.own,
            steps=settings.steps,
            batch=settings.batch,
            side=settings.side,
            keep=settings.keep,
            learning_rate=settings.learning_rate,
            seed=settings.seed,
        )
        return ValidatedGanTraining(material, own)


class ValidatedGanTraining(GanTraining):
    """Run that measures itself on validation images."""

    def __init__(self, material: Material, settings: GanSettings) -> None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        super().__init__(material.products.train, material.styles.train, settings, device)
        products, styles = load_crops(material.products.validation, material.styles.validation, settings, 0.0)
        self.validation_products = products.batch(0, VALIDATION_BATCH)
        self.embedder = StyleEmbedder.load()
        self.validation_vectors = self._embed(styles.batch(0, VALIDATION_BATCH, stream=1))

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """Return the kernel distance of painted products to paintings, the error of the way back, and their sum.

        The error is the mean absolute difference between a product and its painting translated back.
        """
        painted = self.state.result(self.validation_products.to(self.device))
        cycle = float((self.state.unpaint(painted).cpu() - self.validation_products).abs().mean())
        distance = kernel_distance(self._embed(painted.cpu()), self.validation_vectors)
        return {"loss": distance + cycle, "distance": distance, "cycle": cycle}

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Return validation products and their paintings, side by side, `(N, 3, side, 2 * side)` in [0, 1]."""
        products = self.validation_products[:SHEET_ROWS].to(self.device)
        return torch.cat([products, self.state.result(products).clamp(0, 1)], dim=3).cpu()

    def _embed(self, images: Tensor) -> np.ndarray:
        """Return style vectors `(B, 128)` over the whole of images `(B, 3, H, W)`."""
        mask = np.ones(images.shape[2:], dtype=np.float32)
        arrays = images.clamp(0, 1).permute(0, 2, 3, 1).contiguous().numpy()
        return np.stack([self.embedder.embed(array, mask).values for array in arrays])
