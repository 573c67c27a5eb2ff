"""Training on events that were made so that the right answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from recsys.config import AlsSettings, ProjectSettings
from recsys.dataset.catalog import Catalog
from recsys.dataset.interactions import Interactions
from recsys.dataset.project import Project
from recsys.errors import RequestError, UnknownIdError
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.style_vectors import CHUNK, catalog_vectors
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request
from recsys.ranking.similar import SimilarBy
from recsys.schema import Basis, ItemId, UserId
from recsys.training.build import Ingredients, strongest, train

BLOCKS, SIZE, DAY = 4, 10, 86_400


def block_ingredients() -> Ingredients:
    """40 items in 4 blocks; the items of a block share a look. Two categories cut across blocks."""
    count = BLOCKS * SIZE
    looks = np.linalg.qr(np.random.default_rng(0).normal(size=(128, BLOCKS)))[0].T
    noise = np.random.default_rng(1).normal(0, 0.02, (count, 128))
    vectors = looks[np.arange(count) // SIZE] + noise
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    items = pd.DataFrame(
        {
            "item_id": [f"i{n:02d}" for n in range(count)],
            "title": [f"Item {n}" for n in range(count)],
            "category": [("cup", "lamp")[n % 2] for n in range(count)],
            "price": [10.0 + n for n in range(count)],
            "available": True,
            "image": "",
        }
    )
    catalog = Catalog.from_frame(items)
    return Ingredients(
        items=items,
        catalog=catalog,
        space=StyleSpace.from_vectors(vectors, catalog.category_codes),
        styles=(),
        style_vectors=np.zeros((0, 128), np.float32),
        settings=ProjectSettings(als=AlsSettings(factors=8)),
        embedder="drawn",
        image_root=Path(),
    )


def block_events(ingredients: Ingredients, users: int = 40, likes: int = 6) -> Interactions:
    """User u likes `likes` random items of block u mod 4, a day apart."""
    rows = [
        (f"u{u:02d}", f"i{u % BLOCKS * SIZE + item:02d}", "like", 5.0, u % 3 + step * DAY)
        for u in range(users)
        for step, item in enumerate(np.random.default_rng(u).permutation(SIZE)[:likes])
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "event", "weight", "timestamp"])
    return Interactions.from_frame(frame, ingredients.catalog.ids)


@pytest.fixture(scope="module")
def blocks() -> Recommender:
    ingredients = block_ingredients()
    return Recommender(train(ingredients, block_events(ingredients)))


def block_of(item_id: str) -> int:
    return int(item_id[1:]) // SIZE


def test_users_get_exactly_the_rest_of_their_block(blocks: Recommender) -> None:
    for user in range(40):
        answer = blocks.recommend(Request(UserId(f"u{user:02d}"), limit=4, diversity=0.0, calibration=0.0))
        assert answer.basis is Basis.HISTORY
        assert [block_of(r.item_id) for r in answer.recommendations] == [user % BLOCKS] * 4


def test_one_click_of_a_stranger_gets_its_block(blocks: Recommender) -> None:
    for item in range(0, 40, 7):
        answer = blocks.recommend(Request(items={ItemId(f"i{item:02d}"): 5.0}, limit=5, diversity=0.0))
        assert answer.basis is Basis.SESSION
        found = [block_of(r.item_id) for r in answer.recommendations]
        assert found[0] == item // SIZE
        assert found.count(item // SIZE) >= 4, "a single click may let one trending item in, not more"


def test_a_session_adds_to_a_history(blocks: Recommender) -> None:
    """Likes of another block, more than there were, move the list there."""
    other = {ItemId(f"i{n}"): 50.0 for n in range(31, 38)}
    answer = blocks.recommend(Request(user_id=UserId("u00"), items=other, limit=3, diversity=0.0))
    assert 3 in {block_of(r.item_id) for r in answer.recommendations}
    assert not {r.item_id for r in answer.recommendations} & set(other)


def test_nothing_known_is_said(blocks: Recommender) -> None:
    answer = blocks.recommend(Request(user_id=UserId("stranger")))
    assert answer.basis is Basis.POPULAR
    assert len(answer.recommendations) == 10
    assert {r.reason for r in answer.recommendations} <= {"Popular with everyone", "Popular right now", "New here"}
    assert blocks.style_for(Request()) is None
    assert blocks.taste(Request()).components == ()


def test_reasons_name_what_is_behind(blocks: Recommender) -> None:
    answer = blocks.recommend(Request(user_id=UserId("u01"), limit=3))
    for item in answer.recommendations:
        assert item.because is None or block_of(item.because) == 1
        assert item.reason


def test_similar_by_look_and_by_people(blocks: Recommender) -> None:
    for by in (SimilarBy.STYLE, SimilarBy.TASTE, SimilarBy.BOTH):
        answer = blocks.similar.to_item(ItemId("i12"), by=by, limit=5)
        assert [block_of(r.item_id) for r in answer.recommendations] == [1] * 5
        assert "i12" not in {r.item_id for r in answer.recommendations}


def test_the_vector_that_ranks_renders(blocks: Recommender) -> None:
    """A user's style vector is nearer to the products of their block than to any other."""
    for user in range(4):
        style = blocks.style_for(Request(user_id=UserId(f"u{user:02d}")))
        assert style is not None
        likeness = [style.similarity(blocks.catalog.style(ItemId(f"i{n:02d}"))) for n in range(40)]
        assert block_of(f"i{int(np.argmax(likeness)):02d}") == user


def test_wrong_requests_name_their_field(blocks: Recommender) -> None:
    with pytest.raises(UnknownIdError, match="unknown item 'i99'"):
        blocks.recommend(Request(items={ItemId("i99"): 1.0}))
    assert blocks.recommend(Request(filters=Filters(categories=frozenset({"boats"})))).recommendations == ()
    with pytest.raises(UnknownIdError, match="unknown style 'x'"):
        blocks.recommend(Request(styles=("x",)))
    with pytest.raises(RequestError, match=r"limit: must lie in 1 .. 200, got 0"):
        Request(limit=0)
    with pytest.raises(RequestError, match=r"price_min: 9.0 is above price_max 3.0"):
        Filters(price_min=9.0, price_max=3.0)
    with pytest.raises(RequestError, match="taste_component: this taste has components 0"):
        blocks.style_for(Request(user_id=UserId("u00")), component=7)


def test_style_vectors_are_kept_and_resumed(sample_project: Project) -> None:
    catalog = Catalog.from_frame(sample_project.load_items())
    folder = next((sample_project.cache / "style_vectors").iterdir())
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    # The folder holds the vectors of the style references, too: a whole chunk is the catalog's.
    lost = next(file.name for file in sorted(folder.iterdir()) if len(np.load(file)) == CHUNK)
    vectors = catalog_vectors(sample_project, catalog)
    (folder / lost).unlink()
    again = catalog_vectors(sample_project, catalog)
    after = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert np.array_equal(vectors, again)
    assert {name for name in before if after[name] != before[name]} == {lost}


def test_a_catalog_without_events_works_on_style_alone() -> None:
    ingredients = block_ingredients()
    nobody = block_events(ingredients, users=1).select(np.zeros(6, dtype=bool))
    empty = Interactions.from_frame(
        pd.DataFrame(columns=["user_id", "item_id", "event", "weight", "timestamp"]), nobody.item_ids
    )
    recommender = Recommender(train(ingredients, empty))
    for item in range(0, 40, 9):
        answer = recommender.recommend(
            Request(items={ItemId(f"i{item:02d}"): 5.0}, limit=5, diversity=0.0, calibration=0.0)
        )
        assert [block_of(r.item_id) for r in answer.recommendations] == [item // SIZE] * 5
    unknown = recommender.recommend(Request())
    assert len(unknown.recommendations) == 10
    assert {r.reason for r in unknown.recommendations} == {"From the catalog"}


def test_of_somebody_who_likes_everything_the_strongest_likes_are_kept() -> None:
    matrix = csr_matrix(np.array([[1, 5, 3, 3, 0], [0, 0, 2, 0, 1], [0, 0, 0, 0, 0]], dtype=np.float32))
    expected = [[0, 5, 3, 0, 0], [0, 0, 2, 0, 1], [0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(strongest(matrix, 2).toarray(), expected)
    np.testing.assert_array_equal(strongest(matrix, 4).toarray(), matrix.toarray())
