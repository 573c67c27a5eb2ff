"""Every model by its name: the one list that comparisons, benchmarks and the command choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recsys.config import AlsSettings
from recsys.errors import DataError, RequestError
from recsys.models.als import AlsModel
from recsys.models.base import Model
from recsys.models.ease import EaseModel
from recsys.models.item_knn import ItemKnnModel
from recsys.models.popularity import PopularityModel
from recsys.models.rp3beta import Rp3BetaModel
from recsys.models.settings import ItemKnnSettings, Weighting
from recsys.models.style_als import StyleAlsModel
from recsys.models.style_head import StyleHeadModel
from recsys.models.style_knn import StyleKnnModel
from recsys.schema import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ModelInputs:
    """What models are made from beside their own defaults.

    `vectors` (I, D): the items' style vectors, zeros without a picture; None where there are none. `als`: settings of
    the models with factors. `threads` are implicit's, 0 for all cores; no model depends on them.
    """

    vectors: FloatArray | None = None
    als: AlsSettings | None = None
    seed: int = 0
    threads: int = 0


def _item_knn(weighting: Weighting) -> Callable[[ModelInputs], Model]:
    return lambda _: ItemKnnModel(ItemKnnSettings(weighting=weighting))


PLAIN: Mapping[str, Callable[[ModelInputs], Model]] = {
    "popularity": lambda _: PopularityModel(),
    "als": lambda ground: AlsModel(ground.als, seed=ground.seed, threads=ground.threads),
    **{f"item_knn_{weighting}": _item_knn(weighting) for weighting in Weighting},
    "rp3beta": lambda _: Rp3BetaModel(),
    "ease": lambda _: EaseModel(),
}
"""Models of events alone."""

STYLE: Mapping[str, Callable[[ModelInputs, FloatArray], Model]] = {
    "style_knn": lambda _, vectors: StyleKnnModel(vectors),
    "style_head": lambda ground, vectors: StyleHeadModel(vectors, ground.als, seed=ground.seed, threads=ground.threads),
    "style_als": lambda ground, vectors: StyleAlsModel(vectors, ground.als, seed=ground.seed, threads=ground.threads),
}
"""Models that see style vectors, too."""

NAMES = (*PLAIN, *STYLE)


def make_model(name: str, ground: ModelInputs) -> Model:
    """A model that is not fitted yet, by its name.

    Raises RequestError for a name that is none of `NAMES`, DataError for a model of style where nothing has a style.
    """
    if name in PLAIN:
        return PLAIN[name](ground)
    if name not in STYLE:
        raise RequestError("models", f"unknown model {name!r}; use one of {', '.join(NAMES)}")
    if ground.vectors is None or not ground.vectors.any():
        raise DataError(f"{name} learns from pictures, and no item has one: import pictures or leave this model out")
    return STYLE[name](ground, ground.vectors)
