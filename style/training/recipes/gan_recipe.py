"""`style.training.recipes.gan` as a recipe of the training workflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace

import numpy as np
import torch
from torch import Tensor, nn

from style.embedding import StyleEmbedder
from style.metrics import kernel_distance
from style.training.recipe import SHOWN, VALIDATION_BATCH, Material, RunSettings
from style.training.recipes.gan import GanRun, GanSettings, crops_of
from style.transfer.gan import GanStylizer

DEFAULTS = RunSettings(steps=4000, batch=1, side=96, keep=160, learning_rate=5e-4, validate_every=250, patience=8)
"""No loss that falls says that adversaries are done, least of all early: hence a long patience."""


@dataclass(frozen=True, slots=True)
class GanRecipe:
    """How engines of the kind `gan` are trained; of `own`, what `RunSettings` has too is taken from there."""

    own: GanSettings = field(default_factory=GanSettings)
    kind: str = GanStylizer.name
    defaults: RunSettings = DEFAULTS

    def settings(self) -> Mapping[str, object]:
        """The weights of the losses, and what else no other recipe has."""
        shared = {one.name for one in fields(RunSettings)}
        return {name: value for name, value in asdict(self.own).items() if name not in {*shared, "epoch"}}

    def shape(self) -> Mapping[str, int]:
        """What `GeneratorShape` takes."""
        return {"width": self.own.width, "blocks": self.own.blocks}

    def begin(self, material: Material, settings: RunSettings) -> GanTraining:
        """A run that has done no step. Raises ImageError that names pictures that cannot be read."""
        own = replace(
            self.own,
            steps=settings.steps,
            batch=settings.batch,
            side=settings.side,
            keep=settings.keep,
            learning_rate=settings.learning_rate,
            seed=settings.seed,
        )
        return GanTraining(material, own)


class GanTraining:
    """A run in progress. It sets its own learning rate: constant, then falling to 0 along a line."""

    def __init__(self, material: Material, settings: GanSettings) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.run = GanRun(material.products.train, material.styles.train, settings, self.device)
        self.state: nn.Module = self.run.players
        self.optimizers: Mapping[str, torch.optim.Optimizer] = {"players": self.run.optimizer}
        products, styles = crops_of(material.products.validation, material.styles.validation, settings, 0.0)
        self._products = products.batch(0, VALIDATION_BATCH)
        self._embedder = StyleEmbedder.load()
        self._styles = self._vectors(styles.batch(0, VALIDATION_BATCH, stream=1))

    def step(self, step: int) -> Mapping[str, Tensor]:
        """Generators descend once, then critics."""
        return self.run.step(step)

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """`loss`: kernel distance of painted products to paintings, plus how far the way back misses (mean of |.|)."""
        players = self.run.players
        painted = players.shipped(self._products.to(self.device))
        cycle = float((players.unpaint(painted).cpu() - self._products).abs().mean())
        distance = kernel_distance(self._vectors(painted.cpu()), self._styles)
        return {"loss": distance + cycle, "distance": distance, "cycle": cycle}

    def weights(self) -> dict[str, Tensor]:
        """The tensors of the averaged generator, half precision."""
        return self.run.weights()

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Some validation products and their paintings, side by side."""
        products = self._products[:SHOWN].to(self.device)
        return torch.cat([products, self.run.players.shipped(products).clamp(0, 1)], dim=3).cpu()

    def _vectors(self, images: Tensor) -> np.ndarray:
        whole = np.ones(images.shape[2:], dtype=np.float32)
        pictures = images.clamp(0, 1).permute(0, 2, 3, 1).contiguous().numpy()
        return np.stack([self._embedder.embed(picture, whole).values for picture in pictures])
