from __future__ import annotations

import numpy as np
import pytest
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from recsys.models.item_item import likes, signals
from recsys.models.item_knn import ItemKnnModel
from recsys.models.settings import ItemKnnSettings, Weighting

COSINE = ItemKnnSettings(weighting=Weighting.COSINE)
IMPLICIT = {
    Weighting.COSINE: CosineRecommender,
    Weighting.TFIDF: TFIDFRecommender,
    Weighting.BM25: lambda neighbors: BM25Recommender(neighbors, K1=1.2, B=0.75),
}


def scores_of_implicit(weighting: Weighting, matrix: csr_matrix) -> np.ndarray:
    """implicit's item-item similarities with all neighbors, an item's own taken out."""
    engine = IMPLICIT[weighting](matrix.shape[1])
    # in implicit's BM25, k1 is in the weights' own unit
    engine.fit(matrix / matrix.data.mean() if weighting is Weighting.BM25 else matrix, show_progress=False)
    similarity = engine.similarity.toarray()
    np.fill_diagonal(similarity, 0.0)
    return similarity


@pytest.mark.filterwarnings("ignore:Method expects CSR input")  # implicit's own conversion
@pytest.mark.parametrize("weighting", Weighting)
def test_similarities_are_implicits(weighting: Weighting, events: csr_matrix) -> None:
    settings = ItemKnnSettings(weighting=weighting, neighbors=events.shape[1], k1=1.2, b=0.75)
    model = ItemKnnModel(settings).fit(events)
    expected = scores_of_implicit(weighting, likes(events).astype(np.float64))
    assert expected.max() > 0.1
    np.testing.assert_allclose(model._similarity.toarray(), expected, rtol=1e-4, atol=1e-6)


def test_cosine_by_hand() -> None:
    matrix = csr_matrix(np.expm1([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 1.0]]).astype(np.float32))
    similarity = ItemKnnModel(COSINE).fit(matrix)._similarity.toarray()
    assert similarity[0, 1] == pytest.approx(1 / np.sqrt(2 * 5))
    assert similarity[1, 2] == pytest.approx(2 / np.sqrt(5))
    assert similarity[0, 2] == 0.0
    assert (np.diagonal(similarity) == 0.0).all()


def test_only_the_nearest_are_kept(events: csr_matrix) -> None:
    every = ItemKnnModel(ItemKnnSettings(neighbors=1000)).fit(events)._similarity.toarray()
    few = ItemKnnModel(ItemKnnSettings(neighbors=4)).fit(events)._similarity
    assert (np.diff(few.indptr) <= 4).all()
    for item, row in enumerate(few.toarray()):
        kept = np.flatnonzero(row)
        np.testing.assert_array_equal(row[kept], every[item, kept])
        assert every[item, kept].min() >= np.delete(every[item], kept).max()


def test_of_equal_neighbors_the_lower_rows_are_kept() -> None:
    model = ItemKnnModel(ItemKnnSettings(weighting=Weighting.COSINE, neighbors=2)).fit(
        csr_matrix(np.ones((3, 6), dtype=np.float32))
    )
    assert model._similarity[[4]].indices.tolist() == [0, 1]


def test_scores_are_sums_over_the_users_events(events: csr_matrix) -> None:
    model = ItemKnnModel(ItemKnnSettings(neighbors=20)).fit(events)
    similarity, said = model._similarity.toarray(), signals(events).toarray()
    expected = np.maximum(said, 0.0) @ similarity + similarity.max() * np.minimum(said, 0.0) + model._bias
    np.testing.assert_allclose(model.scores(np.arange(events.shape[0])), expected, rtol=1e-4, atol=1e-4)


def test_a_dislike_is_not_passed_on_to_neighbors(events: csr_matrix) -> None:
    model = ItemKnnModel().fit(events)
    likes_of_two = csr_matrix(([5.0, 5.0], ([0, 0], [3, 4])), shape=(1, events.shape[1]))
    and_a_dislike = csr_matrix(([5.0, 5.0, -5.0], ([0, 0, 0], [3, 4, 9])), shape=(1, events.shape[1]))
    change = model.fold_in_scores(and_a_dislike) - model.fold_in_scores(likes_of_two)
    assert np.flatnonzero(change).tolist() == [9]
    assert change[0, 9] < 0


def test_dislikes_make_no_items_alike() -> None:
    matrix = csr_matrix(np.array([[-5, -5, 0], [-5, -5, 0], [5, 0, 5]], dtype=np.float32))
    similarity = ItemKnnModel(COSINE).fit(matrix)._similarity.toarray()
    assert similarity[0, 1] == 0.0
    assert similarity[0, 2] > 0.0


@pytest.mark.parametrize("weighting", Weighting)
def test_the_scale_of_the_weights_matters_little_to_similarities(weighting: Weighting, events: csr_matrix) -> None:
    positive = likes(events)
    model = ItemKnnModel(ItemKnnSettings(weighting=weighting))
    once, again = model._weight(positive), model._weight(positive * 7.0)
    np.testing.assert_allclose(again.data, once.data, rtol=1e-5)


@pytest.mark.parametrize("bad", [{"weighting": "euclid"}, {"neighbors": 0}, {"k1": 0}, {"b": 1.5}, {"K": 3}])
def test_settings_out_of_range_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(bad))):
        ItemKnnSettings.model_validate(bad)
