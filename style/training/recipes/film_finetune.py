"""The recipe of `film` on one's own pictures: the net that ships learns on, so that it paints a brand's styles better.

It still follows style vectors. So that it does not forget how, some of the products are styles, too, as they were when
it was trained; and of all maps from z to colors that fit the new styles, the one nearest to its own is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from style.backbone import WEIGHTS, channels_last, read_weights
from style.embedding import StyleEmbedder
from style.training.crops import Crops
from style.training.recipe import SHOWN, VALIDATION_BATCH, Material, RunSettings
from style.training.recipes.film import FilmRun, FilmSettings, film_losses, fit_palette
from style.training.targets import FeatureStatistics, Styles, read_styles
from style.transfer.film import FILM_SHA256, FilmNet, FilmShape

COMMON = ("steps", "batch", "side", "learning_rate", "seed")
"""Settings that a run of any recipe has."""


@dataclass(frozen=True, slots=True)
class FilmRecipe:
    """`style.training.recipe.Recipe` that tunes the engine `film`; `product_styles`: how many products are styles."""

    own: FilmSettings = field(default_factory=FilmSettings)
    product_styles: int = 100
    kind: str = "film"
    defaults: RunSettings = field(default_factory=lambda: RunSettings(steps=2000, learning_rate=2e-4))

    def settings(self) -> Mapping[str, object]:
        held = {key: value for key, value in asdict(self.own).items() if key not in (*COMMON, "save_every")}
        return {**held, "product_styles": self.product_styles}

    def shape(self) -> Mapping[str, int]:
        return asdict(FilmShape())

    def begin(self, material: Material, settings: RunSettings) -> FilmTuning:
        """A run that begins with the weights that ship."""
        own = replace(self.own, **{key: getattr(settings, key) for key in COMMON})
        return FilmTuning(material, settings, own, self.product_styles)


class FilmTuning:
    """`style.training.recipe.Training` of a `FilmNet`."""

    def __init__(self, material: Material, settings: RunSettings, own: FilmSettings, product_styles: int) -> None:
        self.own = own
        crops, self.others = (
            Crops(paths, side=settings.side, keep=settings.keep, seed=settings.seed)
            for paths in (material.products.train, material.products.validation)
        )
        channels_last(material.loss_network)
        describe = FeatureStatistics(material.loss_network)
        embedder, device = StyleEmbedder.load(), torch.device("cpu")
        chosen = [*material.styles.train, *material.products.train[:product_styles]]
        targets, self.other_styles = (
            read_styles(paths, embedder, describe, device, seed=settings.seed)
            for paths in (chosen, material.styles.validation)
        )
        network = FilmNet()
        network.load_state_dict(read_weights(Path(str(WEIGHTS / "film.safetensors")), FILM_SHA256))
        fit_palette(network.palette, targets, afresh=False)
        self.run = FilmRun(network, crops, targets, describe, own)
        self.state: nn.Module = self.run.state
        self.optimizers = {"network": self.run.optimizer}

    def step(self, step: int) -> Mapping[str, Tensor]:
        return self.run.step(step)

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        images, styles = self._shown()
        full = torch.ones(len(images))
        losses, likeness = film_losses(self.run.average.module, self.run.describe, images, styles, full, self.own)
        likely = {name: float(value.mean()) for name, value in likeness.items()}
        return {"loss": sum(map(float, losses.values())) + self.run.floors.shortfall(likely), **likely}

    def weights(self) -> dict[str, Tensor]:
        return self.run.weights()

    @torch.no_grad()
    def samples(self) -> Tensor:
        images, styles = self._shown()
        texture, color = self.run.average.module(images, styles.z, torch.ones_like(images[:, :1]))
        return torch.cat([images, (images + texture + color).clamp(0, 1)], dim=3)[:SHOWN]

    def _shown(self) -> tuple[Tensor, Styles]:
        """Validation products, each with one of the validation styles."""
        styles = self.other_styles.draw(np.random.default_rng((self.own.seed, 8)), VALIDATION_BATCH, blend_share=0.0)
        return self.others.batch(0, VALIDATION_BATCH), styles
