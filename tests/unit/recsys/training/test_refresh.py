"""New items are recommended without a rebuild, by their looks, and old ones stay where they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.bundle.store import current_version, load_bundle, save_bundle
from recsys.bundle.types import Bundle
from recsys.errors import DataError
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request
from recsys.schema import FloatArray, ItemId, UserId
from recsys.training.build import train
from recsys.training.refresh import add_items, with_facts
from tests.unit.recsys.training.test_build import BLOCKS, SIZE, block_events, block_ingredients, block_of


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    ingredients = block_ingredients()
    return train(ingredients, block_events(ingredients))


def new_items(bundle: Bundle) -> tuple[pd.DataFrame, FloatArray]:
    """One new item of each block's look; ids sort before, between and behind those that are there."""
    rows = [
        bundle.items.iloc[block * SIZE].to_dict() | {"item_id": f"{letter}-{block}"}
        for block, letter in enumerate("aijz")
    ]
    vectors = bundle.space.vectors[np.arange(BLOCKS) * SIZE]
    return pd.DataFrame(rows), vectors


def test_a_new_item_is_found_by_those_who_like_its_look(bundle: Bundle) -> None:
    items, vectors = new_items(bundle)
    recommender = Recommender(add_items(bundle, items, vectors))
    for user in range(BLOCKS):
        ids = [ItemId(item) for item in items["item_id"]]
        others = frozenset(ItemId(item) for item in bundle.items["item_id"])
        among_new = recommender.recommend(
            Request(user_id=UserId(f"u{user:02d}"), limit=1, filters=Filters(exclude=others))
        )
        assert among_new.recommendations[0].item_id == ids[user]
        assert among_new.recommendations[0].contributions["style"] > 0


def test_what_was_known_is_scored_as_before(bundle: Bundle) -> None:
    items, vectors = new_items(bundle)
    before, after = Recommender(bundle), Recommender(add_items(bundle, items, vectors))
    for user in range(BLOCKS):
        old, new = (each.recommend(Request(user_id=UserId(f"u{user:02d}"), diversity=0.0)) for each in (before, after))
        known = [found.item_id for found in new.recommendations if not found.item_id.endswith(f"-{user}")]
        assert [block_of(item) for item in known[:4]] == [user] * 4
        assert {found.item_id for found in old.recommendations[:4]} <= set(known)


def test_the_bundle_that_serves_meanwhile_is_left_alone(bundle: Bundle) -> None:
    before = Recommender(bundle).scores(Recommender(bundle).profile(Request(user_id=UserId("u00"))))
    grown = add_items(bundle, *new_items(bundle))
    assert len(grown.catalog) == len(bundle.catalog) + BLOCKS
    assert grown.version != bundle.version
    after = Recommender(bundle).scores(Recommender(bundle).profile(Request(user_id=UserId("u00"))))
    np.testing.assert_array_equal(before, after)


def test_it_can_be_saved_and_read_back(bundle: Bundle, tmp_path: Path) -> None:
    grown = add_items(bundle, *new_items(bundle))
    save_bundle(grown, tmp_path, 0)
    loaded = Recommender(load_bundle(tmp_path, Path(), current_version(tmp_path)))
    asked = Request(user_id=UserId("u02"), limit=5)
    # Centers move a little when everything is read again, new items included.
    lists = [{r.item_id for r in each.recommend(asked).recommendations} for each in (loaded, Recommender(grown))]
    assert lists[0] == lists[1]


def test_indexes_that_serve_on_find_what_new_ones_find(bundle: Bundle) -> None:
    items, vectors = new_items(bundle)
    before = Recommender(bundle)
    step = Recommender(add_items(bundle, items.iloc[:1], vectors[:1]), previous=before)
    grown = Recommender(add_items(step.bundle, items.iloc[1:], vectors[1:]), previous=step)
    anew = Recommender(add_items(bundle, items, vectors))
    for user in range(BLOCKS):
        request = Request(user_id=UserId(f"u{user:02d}"), limit=12)
        found, expected = (
            [(r.item_id, round(r.score, 2)) for r in each.recommend(request).recommendations] for each in (grown, anew)
        )
        assert found == expected
    assert len(before.recommend(Request(user_id=UserId("u00"))).recommendations) == 10


def test_a_new_category_and_an_item_without_a_picture(bundle: Bundle) -> None:
    item = pd.DataFrame([bundle.items.iloc[0].to_dict() | {"item_id": "new", "category": "aaa", "price": np.nan}])
    recommender = Recommender(add_items(bundle, item, np.zeros((1, 128), np.float32)))
    assert recommender.catalog.card(ItemId("new")).category == "aaa"
    assert recommender.catalog.card(ItemId("i00")).category == "cup"
    found = recommender.recommend(Request(user_id=UserId("u00"), filters=Filters(categories=frozenset({"aaa"}))))
    assert [r.item_id for r in found.recommendations] == ["new"]


def test_facts_are_brought_up_to_date(bundle: Bundle) -> None:
    items = bundle.items.iloc[1:].assign(price=1.5, title="Renamed")
    recommender = Recommender(with_facts(bundle, items))
    assert recommender.catalog.card(ItemId("i07")).price == 1.5
    assert recommender.catalog.card(ItemId("i07")).title == "Renamed"
    assert not recommender.catalog.card(ItemId("i00")).available
    assert recommender.catalog.card(ItemId("i00")).title == "Item 0"


def test_what_cannot_be_added_is_refused(bundle: Bundle) -> None:
    items, vectors = new_items(bundle)
    with pytest.raises(DataError, match="3 style vectors cannot describe 4"):
        add_items(bundle, items, vectors[:3])
    with pytest.raises(DataError, match="'i05' is in the bundle already"):
        add_items(bundle, items.assign(item_id=["a", "i05", "b", "c"]), vectors)
    assert add_items(bundle, items.iloc[:0], vectors[:0]) is bundle
    assert replace(bundle).version == bundle.version
