"""The registry: every model by its name, made with what it is given."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import random_array

from recsys.config import AlsSettings
from recsys.errors import DataError, RequestError
from recsys.models.als import AlsModel
from recsys.models.item_knn import ItemKnnModel
from recsys.models.registry import NAMES, PLAIN, STYLE, ModelInputs, make_model
from recsys.models.settings import Weighting

VECTORS = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_every_model_is_made_fits_and_scores(name: str) -> None:
    matrix = random_array((40, 30), density=0.2, format="csr", dtype=np.float32, random_state=np.random.default_rng(1))
    model = make_model(name, ModelInputs(VECTORS, threads=1)).fit(matrix)
    assert name.startswith(model.name)
    assert np.isfinite(model.scores(np.arange(40))).all()


def test_names_are_of_two_kinds_and_never_twice() -> None:
    assert (*PLAIN, *STYLE) == NAMES
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("weighting", Weighting)
def test_item_knn_is_there_by_each_weighting(weighting: Weighting) -> None:
    model = make_model(f"item_knn_{weighting}", ModelInputs())
    assert isinstance(model, ItemKnnModel)
    assert model.settings.weighting is weighting


@pytest.mark.parametrize("name", ["als", "style_head", "style_als"])
def test_models_with_factors_take_settings_and_seed(name: str) -> None:
    model = make_model(name, ModelInputs(VECTORS, AlsSettings(factors=5), seed=7))
    assert isinstance(model, AlsModel)
    assert (model.settings.factors, model.seed) == (5, 7)


@pytest.mark.parametrize("name", STYLE)
@pytest.mark.parametrize("vectors", [None, np.zeros((3, 8), dtype=np.float32)])
def test_models_of_style_need_pictures(name: str, vectors: np.ndarray | None) -> None:
    with pytest.raises(DataError, match=f"{name} learns from photos"):
        make_model(name, ModelInputs(vectors))


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(RequestError, match=r"unknown model 'knn'; use one of popularity, .*style_als"):
        make_model("knn", ModelInputs())
