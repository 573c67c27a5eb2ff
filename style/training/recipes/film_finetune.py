"""Recipe `film` for custom engines: fine-tune the network that ships, so that it paints a brand's styles better.

The engine still follows style vectors. To keep that ability, some of the products are styles too, as in the original
training. Of all maps from z to colors that fit the new styles, the one nearest to the present map is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from style.backbone import WEIGHTS, channels_last, read_weights
from style.embedding import StyleEmbedder
from style.training.crops import Crops
from style.training.recipe import SHEET_ROWS, VALIDATION_BATCH, Material, RunSettings
from style.training.recipes.film import FilmSettings, FilmTraining, film_losses, fit_palette
from style.training.targets import FeatureStatistics, Styles, read_styles
from style.transfer.film import FILM_SHA256, FilmNet, FilmShape

COMMON = ("steps", "batch", "side", "learning_rate", "seed")
"""Settings that runs of all recipes have."""


@dataclass(frozen=True, slots=True)
class FilmRecipe:
    """`style.training.recipe.Recipe` that fine-tunes the engine `film`; `product_styles` products are styles too."""

    own: FilmSettings = field(default_factory=FilmSettings)
    product_styles: int = 100
    kind: str = "film"
    defaults: RunSettings = field(default_factory=lambda: RunSettings(steps=2000, learning_rate=2e-4))

    def settings(self) -> Mapping[str, object]:
        """Return the weights of the losses and the other settings that only this recipe has."""
        own = {key: value for key, value in asdict(self.own).items() if key not in (*COMMON, "save_every")}
        return {**own, "product_styles": self.product_styles}

    def shape(self) -> Mapping[str, int]:
        """Return the values of `FilmShape`."""
        return asdict(FilmShape())

    def begin(self, material: Material, settings: RunSettings) -> FilmFinetuning:
        """Return a run that starts from the weights that ship."""
        own = replace(self.own, **{key: getattr(settings, key) for key in COMMON})
        return FilmFinetuning(material, settings, own, self.product_styles)


class FilmFinetuning(FilmTraining):
    """Run that starts from the weights that ship and measures itself on validation images."""

    def __init__(self, material: Material, settings: RunSettings, own: FilmSettings, product_styles: int) -> None:
        crops, self.validation_crops = (
            Crops(paths, side=settings.side, keep=settings.keep, seed=settings.seed)
            for paths in (material.products.train, material.products.validation)
        )
        channels_last(material.loss_network)
        describe = FeatureStatistics(material.loss_network)
        embedder, device = StyleEmbedder.load(), torch.device("cpu")
        references = [*material.styles.train, *material.products.train[:product_styles]]
        targets, self.validation_styles = (
            read_styles(paths, embedder, describe, device, seed=settings.seed)
            for paths in (references, material.styles.validation)
        )
        network = FilmNet()
        network.load_state_dict(read_weights(Path(str(WEIGHTS / "film.safetensors")), FILM_SHA256))
        fit_palette(network.palette, targets, from_zero=False)
        super().__init__(network, crops, targets, describe, own)

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """Return the likenesses at full strength, and the loss: losses plus what likenesses lack of their floors."""
        images, styles = self._validation_batch()
        strength = torch.ones(len(images))
        losses, likeness = film_losses(self.average.module, self.describe, images, styles, strength, self.settings)
        means = {name: float(value.mean()) for name, value in likeness.items()}
        return {"loss": sum(map(float, losses.values())) + self.floors.shortfall(means), **means}

    @torch.no_grad()
    def samples(self) -> Tensor:
        """Return validation products and their paintings, side by side, `(N, 3, side, 2 * side)` in [0, 1]."""
        images, styles = self._validation_batch()
        texture, color = self.average.module(images, styles.z, torch.ones_like(images[:, :1]))
        return torch.cat([images, (images + texture + color).clamp(0, 1)], dim=3)[:SHEET_ROWS]

    def _validation_batch(self) -> tuple[Tensor, Styles]:
        """Return validation products, each with one of the validation styles."""
        random = np.random.default_rng((self.settings.seed, 8))
        styles = self.validation_styles.draw(random, VALIDATION_BATCH, blend_share=0.0)
        return self.validation_crops.batch(0, VALIDATION_BATCH), styles
