"""Models by name, for comparisons, benchmarks and the command line."""

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
    """Inputs of models beside their own defaults.

    Attributes:
        vectors: (I, D) style vectors of the items, zeros without a photo; None if there are none.
        als: Settings of the models with factors.
        seed: Seed of the models with random starts.
        threads: Threads of implicit, 0 for all cores; they do not change any model.
    """

    vectors: FloatArray | None = None
    als: AlsSettings | None = None
    seed: int = 0
    threads: int = 0


PLAIN: Mapping[str, Callable[[ModelInputs], Model]] = {
    "popularity": lambda _: PopularityModel(),
    "als": lambda inputs: AlsModel(inputs.als, seed=inputs.seed, threads=inputs.threads),
    "item_knn_cosine": lambda _: ItemKnnModel(ItemKnnSettings(weighting=Weighting.COSINE)),
    "item_knn_tfidf": lambda _: ItemKnnModel(ItemKnnSettings(weighting=Weighting.TFIDF)),
    "item_knn_bm25": lambda _: ItemKnnModel(ItemKnnSettings(weighting=Weighting.BM25)),
    "rp3beta": lambda _: Rp3BetaModel(),
    "ease": lambda _: EaseModel(),
}
"""Models that learn from events only."""

STYLE: Mapping[str, Callable[[ModelInputs, FloatArray], Model]] = {
    "style_knn": lambda _, vectors: StyleKnnModel(vectors),
    "style_head": lambda inputs, vectors: StyleHeadModel(vectors, inputs.als, seed=inputs.seed, threads=inputs.threads),
    "style_als": lambda inputs, vectors: StyleAlsModel(vectors, inputs.als, seed=inputs.seed, threads=inputs.threads),
}
"""Models that also use style vectors."""

NAMES = (*PLAIN, *STYLE)


def make_model(name: str, inputs: ModelInputs) -> Model:
    """Create an unfitted model by its name.

    Raises:
        RequestError: If the name is none of `NAMES`.
        DataError: If the model uses style and no item has a style vector.
    """
    if name in PLAIN:
        return PLAIN[name](inputs)
    if name not in STYLE:
        raise RequestError("models", f"unknown model {name!r}; use one of {', '.join(NAMES)}")
    if inputs.vectors is None or not inputs.vectors.any():
        raise DataError(f"{name} learns from photos, and no item has one: import photos or leave this model out")
    return STYLE[name](inputs, inputs.vectors)
