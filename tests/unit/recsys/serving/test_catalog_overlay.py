"""Live changes of the catalog show at once, whatever their order, and leave what serves meanwhile alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.errors import DataError, RequestError, UnknownIdError
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Answer, Filters, Request
from recsys.ranking.similar import SimilarBy
from recsys.schema import FloatArray, ItemId, UserId
from recsys.serving.catalog_overlay import with_changes
from tests.small_bundles import Change, small_bundle
from tests.unit.recsys.training.test_build import SIZE

BUNDLE = small_bundle()
BASE = Recommender(BUNDLE)
IDS = [ItemId(item) for item in BUNDLE.items["item_id"]]
NEW = [ItemId(f"new{n}") for n in range(4)]
ASKED = [
    Request(),
    Request(user_id=UserId("u00"), limit=60),
    Request(user_id=UserId("u01"), limit=5, filters=Filters(seen=True)),
    Request(items={IDS[25]: 5.0}, limit=20),
    Request(styles=("s1",), filters=Filters(unavailable=True), limit=60),
]


def look(block: int) -> FloatArray:
    return np.asarray(BUNDLE.space.vectors[block * SIZE])


def unchanged(item_id: ItemId, seq: int) -> Change:
    row = BASE.bundle.catalog.ids.row(item_id)
    card = BASE.catalog.card(item_id)
    vector = np.asarray(BUNDLE.space.vectors[row])
    return Change(item_id, seq, False, card.title, card.category, card.price, card.available, "", vector)


def recommended(recommender: Recommender, request: Request) -> list[ItemId]:
    return [found.item_id for found in recommender.recommend(request).recommendations]


def everything(recommender: Recommender) -> list[Answer]:
    return [recommender.recommend(request) for request in ASKED]


def test_a_new_item_is_recommended_to_those_who_like_its_look() -> None:
    now = with_changes(BASE, [Change(NEW[block], block + 1, vector=look(block)) for block in range(4)])
    for user in range(4):
        others = Filters(exclude=frozenset(IDS))
        assert recommended(now, Request(user_id=UserId(f"u{user:02d}"), limit=1, filters=others)) == [NEW[user]]
    assert now.similar.to_item(IDS[0], limit=60).recommendations[0].item_id in {NEW[0], *IDS[:SIZE]}
    assert now.version == BASE.version
    with pytest.raises(UnknownIdError, match="new0"):
        BASE.catalog.card(NEW[0])


def test_facts_are_replaced_and_others_stay() -> None:
    change = replace(unchanged(IDS[3], 1), title="Cup of the year", price=None, available=False)
    now = with_changes(BASE, [change])
    card = now.catalog.card(IDS[3])
    assert (card.title, card.price, card.available) == ("Cup of the year", None, False)
    assert now.catalog.card(IDS[4]) == BASE.catalog.card(IDS[4])
    assert IDS[3] not in recommended(now, Request(limit=60))
    assert BASE.catalog.card(IDS[3]).title == "Item 3"


def test_a_change_to_what_is_there_already_changes_nothing() -> None:
    assert everything(with_changes(BASE, [unchanged(item, 1) for item in IDS])) == everything(BASE)


def test_a_changed_picture_moves_an_item_to_its_new_look() -> None:
    now = with_changes(BASE, [replace(unchanged(IDS[0], 1), vector=look(3))])
    near = [found.item_id for found in now.similar.to_item(IDS[0], limit=9).recommendations]
    assert set(near) <= set(IDS[3 * SIZE :])
    assert IDS[0] in [found.item_id for found in now.similar.to_item(IDS[3 * SIZE + 2], limit=10).recommendations]
    np.testing.assert_array_equal(now.catalog.style(IDS[0]).values, look(3))


def test_a_changed_picture_that_is_not_known_counts_as_none() -> None:
    now = with_changes(BASE, [replace(unchanged(IDS[0], 1), image="new.jpg", vector=None)])
    with pytest.raises(RequestError, match="has no photo"):
        now.similar.to_item(IDS[0])
    assert now.similar.to_item(IDS[0], by=SimilarBy.TASTE).recommendations


def test_a_vector_of_another_style_space_says_nothing() -> None:
    now = with_changes(BASE, [Change(NEW[0], 1, vector=look(0), embedder="another")])
    with pytest.raises(RequestError, match="has no photo"):
        now.similar.to_item(NEW[0])


def test_what_was_deleted_is_found_by_nothing() -> None:
    gone = {IDS[0], IDS[11], NEW[0]}
    now = with_changes(BASE, [Change(item, n + 1, deleted=True) for n, item in enumerate(sorted(gone))])
    for request in ASKED:
        answer = now.recommend(request)
        assert not gone & {found.item_id for found in answer.recommendations}
        assert not gone & {found.because for found in answer.recommendations}
    for by in (SimilarBy.STYLE, SimilarBy.TASTE, SimilarBy.BOTH):
        assert not gone & {found.item_id for found in now.similar.to_item(IDS[1], by=by, limit=60).recommendations}
    assert not gone & {item for mode in now.taste(ASKED[1]).components for item in mode.items}
    for item in gone:
        for ask in (now.catalog.card, now.similar.to_item, now.catalog.style):
            with pytest.raises(UnknownIdError):
                ask(item)
    with pytest.raises(UnknownIdError):
        now.recommend(Request(items={IDS[0]: 1.0}))
    assert len(recommended(now, Request(limit=60))) == len(IDS) - 2
    assert not np.isfinite(now.scores(now.profile(Request()))[0])


def test_what_comes_back_is_what_it_was() -> None:
    deleted = with_changes(BASE, [Change(IDS[0], 1, deleted=True), Change(NEW[0], 2, deleted=True)])
    assert everything(with_changes(deleted, [unchanged(IDS[0], 3)])) == everything(BASE)
    assert with_changes(deleted, [Change(NEW[0], 4, vector=look(1))]).catalog.card(NEW[0]).title == "Changed"


def test_a_new_category_can_be_asked_for_and_others_keep_their_meaning() -> None:
    now = with_changes(BASE, [Change(NEW[0], 1, category="aaa", vector=look(0)), Change(NEW[1], 2, category="zzz")])
    for item, category in ((NEW[0], "aaa"), (NEW[1], "zzz")):
        assert recommended(now, Request(filters=Filters(categories=frozenset([category])))) == [item]
    assert {now.catalog.card(item).category for item in recommended(now, Request(filters=cups()))} == {"cup"}
    assert recommended(BASE, Request(filters=Filters(categories=frozenset(["aaa"])))) == []
    np.testing.assert_array_equal(now.bundle.space.directions[: len(IDS)], BUNDLE.space.directions)


def cups() -> Filters:
    return Filters(categories=frozenset(["cup"]))


def test_another_category_moves_the_direction() -> None:
    now = with_changes(BASE, [replace(unchanged(IDS[0], 1), category="lamp")])
    assert IDS[0] not in recommended(now, Request(limit=60, filters=cups()))
    moved = now.bundle.space.directions != BUNDLE.space.directions
    assert moved[0].any()
    assert not moved[1:].any()


def test_indexes_that_serve_on_find_what_new_ones_find() -> None:
    changes = [Change(NEW[0], 1, vector=look(2)), replace(unchanged(IDS[5], 2), vector=look(3)), Change(NEW[1], 3)]
    now = with_changes(BASE, [*changes, Change(IDS[7], 4, deleted=True)])
    anew = Recommender(now.bundle)
    for request in ASKED:
        assert recommended(now, request) == recommended(anew, request)


states = st.builds(
    Change,
    item_id=st.sampled_from([*IDS[:4], *NEW]),
    seq=st.just(0),
    deleted=st.booleans(),
    title=st.sampled_from(["", "A", "B"]),
    category=st.sampled_from(["cup", "lamp", "vase"]),
    price=st.sampled_from([None, 0.0, 9.5]),
    available=st.booleans(),
    image=st.sampled_from(["", "x.jpg"]),
    vector=st.sampled_from([None, look(0), look(3)]),
)


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=st.lists(states, max_size=8), cut=st.integers(0, 8), data=st.data())
def test_neither_order_nor_portions_matter(drawn: list[Change], cut: int, data: st.DataObject) -> None:
    changes = [replace(change, seq=n + 1) for n, change in enumerate(drawn)]
    at_once = with_changes(BASE, changes)
    one_by_one: Recommender = BASE
    for change in changes:
        one_by_one = with_changes(one_by_one, [change])
    shuffled = data.draw(st.permutations(changes))
    in_two = with_changes(with_changes(BASE, shuffled[:cut]), shuffled[cut:])
    assert everything(at_once) == everything(one_by_one) == everything(in_two)
    for item in (*IDS[:4], *NEW):
        states = [change for change in changes if change.item_id == item]
        if states and not states[-1].deleted:
            assert at_once.catalog.card(item).title == states[-1].title
        elif states:
            with pytest.raises(UnknownIdError):
                at_once.catalog.card(item)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (Change(NEW[0], 7, price=-1.0), "change 7 of item 'new0': price -1.0"),
        (Change(NEW[0], 7, price=float("nan")), "price nan"),
        (Change(NEW[0], 7, vector=look(0)[:64]), r"vector: has shape \(64,\).*send the item's image again"),
        (Change(NEW[0], 7, vector=look(0) * 3), "vector: row 0 has length 3"),
        (Change(NEW[0], 7, vector=np.full(128, np.nan, np.float32)), "vector: holds NaN"),
    ],
)
def test_a_change_that_cannot_be_is_named(change: Change, named: str) -> None:
    with pytest.raises(DataError, match=named):
        with_changes(BASE, [change])


def test_no_change_is_the_same_recommender() -> None:
    assert with_changes(BASE, []) is BASE
