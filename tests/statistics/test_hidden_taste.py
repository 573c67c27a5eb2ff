"""The sample's hidden truth is recovered: the style that a user likes, and the style of each product.

Thresholds are well below measured values and far above chance, which is one in the number of styles.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.dataset import sample
from recsys.dataset.project import Project
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.schema import FloatArray, UserId
from style.metrics import retrieval_score

FEWEST_LIKES = 8


@pytest.fixture(scope="module")
def surfaces(recommender: Recommender) -> tuple[list[str], FloatArray]:
    """The surface styles, and the mean direction (S, 128) of the items that have each."""
    labels = sample.load_truth().set_index("item_id").loc[recommender.bundle.catalog.ids.values, "surface_style"]
    names = sorted(labels.unique())
    directions = recommender.bundle.space.directions
    means = np.stack([directions[(labels == name).to_numpy()].mean(axis=0) for name in names])
    return names, means / np.linalg.norm(means, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def judged(recommender: Recommender, surfaces: tuple[list[str], FloatArray]) -> pd.DataFrame:
    """Per user with enough likes: their hidden styles, and the surface styles in the order of their taste."""
    names, means = surfaces
    rows = []
    for truth in sample.load_user_truth().itertuples():
        profile = recommender.profile(Request(user_id=UserId(str(truth.user_id))))
        if len(profile.liked) >= FEWEST_LIKES:
            units = profile.taste.directions / np.linalg.norm(profile.taste.directions, axis=1, keepdims=True)
            cosines = (units @ means.T).max(axis=0)
            ranking = [names[i] for i in np.argsort(-cosines)]
            rows.append((truth.style, truth.second_style, ranking, float(cosines[names.index(str(truth.style))])))
    return pd.DataFrame(rows, columns=["style", "second", "ranking", "cosine"])


def test_styles_are_told_apart_for_all_products(recommender: Recommender) -> None:
    ids = recommender.bundle.catalog.ids.values
    labels = sample.load_truth().set_index("item_id").loc[ids, "surface_style"].tolist()
    assert retrieval_score(recommender.bundle.space.directions, labels).recall_at_1 > 0.8


def test_the_hidden_taste_comes_first(judged: pd.DataFrame) -> None:
    first = [row.ranking[0] in {row.style, row.second} for row in judged.itertuples()]
    assert len(judged) > 200
    assert np.mean(first) > 0.85


def test_the_hidden_taste_is_near(judged: pd.DataFrame) -> None:
    assert judged["cosine"].median() > 0.6


def test_both_hidden_tastes_are_found(judged: pd.DataFrame) -> None:
    two = judged[judged["second"] != ""]
    among_three = [{row.style, row.second} <= set(row.ranking[:3]) for row in two.itertuples()]
    assert len(two) > 60
    assert np.mean(among_three) > 0.5


def test_one_click_moves_the_list_toward_the_clicked_item(recommender: Recommender) -> None:
    truth = sample.load_truth().set_index("item_id")["surface_style"]
    matching = []
    for item_id in list(truth.index)[:40]:
        answer = recommender.recommend(Request(items={item_id: 2.0}, limit=10, diversity=0.0))
        matching.append(np.mean([truth[r.item_id] == truth[item_id] for r in answer.recommendations]))
    assert np.mean(matching) > 3 / truth.nunique()


def test_the_bundle_has_its_validation_metric(sample_project: Project, recommender: Recommender) -> None:
    assert 0.05 < recommender.bundle.metrics["validation_ndcg@10"] < 1
