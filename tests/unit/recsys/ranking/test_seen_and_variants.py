"""Which items a list leaves out: seen ones by the kinds of events, disliked ones, and variants of one product."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.bundle.types import Bundle
from recsys.config import EventSettings
from recsys.dataset.catalog import Catalog
from recsys.dataset.importers.items import finish_items
from recsys.dataset.interactions import Interactions
from recsys.profiles.session import ItemState
from recsys.profiles.style_space import StyleSpace
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request
from recsys.ranking.similar import SimilarBy
from recsys.ranking.variants import Variants
from recsys.schema import INTERACTION_COLUMNS, EventKind, ItemId, Kinds, Undo, UserId
from recsys.training.build import DEFAULT_BLEND, Ingredients, fit
from tests.small_bundles import small_bundle

PRODUCTS, SIZES = 8, "SML"
ME = UserId("me")


def _bundle() -> Bundle:
    """8 shirts in 3 sizes; 30 people bought three shirts each, in any size, and `me` has one event of each kind."""
    given = small_bundle()
    rows = [(f"g{n}-{size}", f"g{n}", f"Shirt {n}", "shirt") for n in range(PRODUCTS) for size in SIZES]
    frame = pd.DataFrame(rows, columns=["item_id", "item_group_id", "title", "category"]).astype("str")
    items = finish_items(frame)
    catalog = Catalog.from_frame(items)
    random = np.random.default_rng(0)
    # One look per shirt, the same in all sizes.
    looks = random.normal(size=(PRODUCTS, 128)).astype(np.float32)
    vectors = np.repeat(looks / np.linalg.norm(looks, axis=1, keepdims=True), len(SIZES), axis=0)
    weights = EventSettings()
    events = [
        (f"u{user}", f"g{product}-{random.choice(list(SIZES))}", EventKind.PURCHASE, 100 + user)
        for user in range(30)
        for product in random.permutation(PRODUCTS)[:3]
    ]
    events += [
        ("me", "g0-M", EventKind.VIEW, 500),
        ("me", "g1-M", EventKind.PURCHASE, 500),
        ("me", "g2-M", EventKind.DISLIKE, 500),
        ("me", "g3-M", EventKind.LIKE, 500),
    ]
    log = pd.DataFrame(
        [(user, item, kind.value, weights.weight(kind), time) for user, item, kind, time in events],
        columns=list(INTERACTION_COLUMNS),
    )
    ingredients = Ingredients(
        items=items,
        catalog=catalog,
        space=StyleSpace.from_vectors(vectors, catalog.category_codes),
        styles=given.styles,
        style_vectors=given.style_vectors,
        settings=given.settings,
        embedder=given.embedder,
        image_root=given.image_root,
    )
    return fit(ingredients, Interactions.from_frame(log, catalog.ids), DEFAULT_BLEND, {})


@pytest.fixture(scope="module")
def shirts() -> Recommender:
    return Recommender(_bundle())


def _listed(shirts: Recommender, request: Request) -> list[str]:
    return [found.item_id for found in shirts.recommend(request).recommendations]


def _products(listed: list[str]) -> list[str]:
    return [item.split("-")[0] for item in listed]


def _state(*events: EventKind | Undo) -> ItemState:
    settings = EventSettings()
    return ItemState.from_events(
        [(event, settings.weight(event) if isinstance(event, EventKind) else 0.0) for event in events]
    )


def _session(item: str, *events: EventKind | Undo) -> Request:
    state = _state(*events)
    items = {ItemId(item): state.weight} if state.weight else {}
    return Request(ME, items=items, states={ItemId(item): state}, limit=24)


class TestSeen:
    def test_each_event_hides_its_product_by_default(self, shirts: Recommender) -> None:
        assert set(_products(_listed(shirts, Request(ME)))) == {f"g{n}" for n in range(4, 8)}

    @pytest.mark.parametrize(
        ("kinds", "hidden"),
        [(Kinds.PURCHASE, {"g1", "g2"}), (Kinds.VIEW | Kinds.LIKE, {"g0", "g2", "g3"}), (Kinds.NONE, {"g2"})],
    )
    def test_kinds_of_events_make_items_seen(self, shirts: Recommender, kinds: Kinds, hidden: set[str]) -> None:
        found = _products(_listed(shirts, Request(ME, filters=Filters(seen_kinds=kinds))))
        assert {f"g{n}" for n in range(8)} - set(found) == hidden

    def test_the_setting_is_the_default(self, shirts: Recommender) -> None:
        events = shirts.bundle.settings.events.model_copy(update={"seen": (EventKind.PURCHASE,)})
        settings = shirts.bundle.settings.model_copy(update={"events": events})
        found = _products(_listed(Recommender(replace(shirts.bundle, settings=settings)), Request(ME)))
        assert {f"g{n}" for n in range(8)} - set(found) == {"g1", "g2"}

    def test_a_dislike_hides_even_with_what_was_seen(self, shirts: Recommender) -> None:
        found = _products(_listed(shirts, Request(ME, filters=Filters(seen=True))))
        assert {f"g{n}" for n in range(8)} - set(found) == {"g2"}

    def test_a_later_like_or_undo_takes_a_dislike_back(self, shirts: Recommender) -> None:
        for event in (EventKind.LIKE, Undo.UNDISLIKE):
            request = replace(_session("g2-M", event), filters=Filters(seen=True))
            assert "g2" in _products(_listed(shirts, request))
        assert "g2" in _products(_listed(shirts, _session("g2-M", Undo.UNDISLIKE)))

    def test_a_dislike_of_a_session_hides_and_is_no_evidence(self, shirts: Recommender) -> None:
        request = replace(_session("g3-M", EventKind.DISLIKE), filters=Filters(seen=True))
        assert "g3" not in _products(_listed(shirts, request))
        row = shirts.catalog.row(ItemId("g3-M"))
        assert row in shirts.profile(Request(ME)).liked
        assert row not in shirts.profile(request).liked
        anonymous = Request(items={ItemId("g3-M"): -1.0}, filters=Filters(seen=True))
        assert "g3" not in _products(_listed(shirts, anonymous))

    @pytest.mark.parametrize(("item", "undo"), [("g1-M", Undo.REFUND), ("g3-M", Undo.UNLIKE)])
    def test_an_undo_takes_the_history_back(self, shirts: Recommender, item: str, undo: Undo) -> None:
        request = _session(item, undo)
        assert item.split("-")[0] in _products(_listed(shirts, request))
        row = shirts.catalog.row(ItemId(item))
        assert row not in shirts.profile(request).liked
        assert row in shirts.profile(_session(item, Undo.REMOVE_FROM_CART)).liked

    def test_who_has_seen_everything_is_told_why_the_list_is_empty(self, shirts: Recommender) -> None:
        everything = {ItemId(f"g{n}-M"): 1.0 for n in range(8)}
        answer = shirts.recommend(Request(items=everything))
        assert answer.recommendations == ()
        assert "has seen each item" in answer.empty_text
        disliked = dict.fromkeys(everything, -1.0)
        assert "dislikes each item" in shirts.recommend(Request(items=disliked)).empty_text
        exclude = frozenset(everything)
        assert "excludes each item" in shirts.recommend(Request(filters=Filters(exclude=exclude))).empty_text
        assert "passes the filters" in shirts.recommend(Request(filters=Filters(price_min=1.0))).empty_text
        assert shirts.recommend(Request(ME)).empty_text == ""


class TestItemStates:
    def test_events_in_order(self) -> None:
        view, like, dislike, cart = EventKind.VIEW, EventKind.LIKE, EventKind.DISLIKE, EventKind.CART
        assert _state(view, cart, cart) == ItemState(11.0, Kinds.VIEW | Kinds.CART)
        assert _state(cart, cart, Undo.REMOVE_FROM_CART) == ItemState(5.0, Kinds.CART)
        assert _state(cart, Undo.REMOVE_FROM_CART) == ItemState(0, Kinds.NONE)
        assert _state(Undo.REMOVE_FROM_CART, cart) == ItemState(5.0, Kinds.CART, Kinds.CART)
        assert _state(like, dislike) == ItemState(-5.0, Kinds.DISLIKE, Kinds.LIKE)
        assert _state(dislike, like) == ItemState(5.0, Kinds.LIKE, Kinds.DISLIKE)
        assert _state(view, dislike, Undo.UNDISLIKE) == ItemState(1.0, Kinds.VIEW, Kinds.LIKE | Kinds.DISLIKE)


class TestVariants:
    def test_a_product_has_one_position_and_a_list_is_full_while_products_are_left(self, shirts: Recommender) -> None:
        for limit in (3, 8, 24):
            found = _products(_listed(shirts, Request(limit=limit)))
            assert len(found) == len(set(found)) == min(limit, PRODUCTS)

    def test_all_variants_may_be_asked_for(self, shirts: Recommender) -> None:
        found = _listed(shirts, Request(ME, limit=24, filters=Filters(variants=Variants.ALL)))
        assert len(found) == 20  # all but the four with events
        assert "g1-S" in found

    def test_pages_and_exclusions_concern_products(self, shirts: Recommender) -> None:
        first = _listed(shirts, Request(limit=5))
        rest = _listed(shirts, Request(limit=24, filters=Filters(exclude=frozenset(map(ItemId, first)))))
        assert sorted(_products(first + rest)) == [f"g{n}" for n in range(8)]
        shown = _listed(shirts, Request(limit=24, shown=frozenset(map(ItemId, first))))
        assert set(_products(shown[:3])) == set(_products(rest))
        assert len(shown) == PRODUCTS

    def test_explored_positions_hold_other_products(self, shirts: Recommender) -> None:
        for seed in "abcdef":
            found = _products(_listed(shirts, Request(limit=6, exploration=0.5, exploration_seed=seed)))
            assert len(found) == len(set(found)) == 6

    @pytest.mark.parametrize("by", [SimilarBy.STYLE, SimilarBy.TASTE, SimilarBy.BOTH])
    def test_similar_items_are_other_products(self, shirts: Recommender, by: SimilarBy) -> None:
        answer = shirts.similar.to_item(ItemId("g0-M"), by=by, limit=24)
        found = _products([found.item_id for found in answer.recommendations])
        assert sorted(found) == [f"g{n}" for n in range(1, 8)]
        every = shirts.similar.to_item(ItemId("g0-M"), by=by, limit=24, filters=Filters(variants=Variants.ALL))
        assert len(every.recommendations) == 23

    def test_groups_of_one_item_are_no_variants(self) -> None:
        frame = pd.DataFrame({"item_id": ["a", "b", "c"], "item_group_id": ["x", "", "y"]}).astype("str")
        assert Catalog.from_frame(finish_items(frame)).groups is None
        frame["item_group_id"] = ["x", "", "x"]
        groups = Catalog.from_frame(finish_items(frame)).groups
        assert groups is not None
        assert groups[0] == groups[2] != groups[1]
