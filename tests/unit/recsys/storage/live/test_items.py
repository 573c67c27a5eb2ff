"""Live items: the last write wins, changes come in the order of writing, and nothing wrong is kept."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sqlalchemy import update

from recsys.errors import DataError
from recsys.schema import FloatArray
from recsys.storage.database import Database
from recsys.storage.live.items import ItemStore, LiveItem
from recsys.storage.tables import ITEMS


def vector(seed: int) -> FloatArray:
    drawn = np.random.default_rng(seed).normal(size=128)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def mug(item_id: str = "m1", **fields: object) -> LiveItem:
    known = {"title": "Mug, blå 🍵", "category": "mug", "price": 12.5, "image": "live/uploads/m1.jpg"}
    return LiveItem(item_id, **{**known, **fields})  # type: ignore[arg-type]


def test_what_was_put_comes_back_bit_for_bit(database: Database) -> None:
    items = ItemStore(database)
    assert items.last_seq() == 0
    assert items.put([mug(vector=vector(1), embedder="vgg-slim"), LiveItem("bare", available=False)], 5) == 2
    found = items.get("m1")
    assert found is not None
    assert found.vector is not None
    np.testing.assert_array_equal(found.vector, vector(1))
    assert found.vector.dtype == np.float32
    assert (found.title, found.category, found.price, found.embedder) == ("Mug, blå 🍵", "mug", 12.5, "vgg-slim")
    assert (found.available, found.deleted, found.seq) == (True, False, 1)
    bare = items.get("bare")
    assert bare is not None
    assert (bare.price, bare.vector, bare.embedder, bare.available) == (None, None, None, False)
    assert items.get("other") is None


def test_changes_are_the_latest_state_of_each_item_in_order(database: Database) -> None:
    items = ItemStore(database)
    items.put([mug("a"), mug("b"), mug("c")], 1)
    assert items.put([mug("a", price=9.0), mug("a", price=8.0)], 2) == 5
    assert items.delete(["b", "never seen"], 3) == 7
    found = items.changes(0)
    assert [(item.item_id, item.seq, item.deleted) for item in found] == [
        ("c", 3, False),
        ("a", 5, False),
        ("b", 6, True),
        ("never seen", 7, True),
    ]
    assert found[1].price == 8.0
    assert [item.item_id for item in items.changes(5)] == ["b", "never seen"]
    assert items.changes(7) == []
    assert items.last_seq() == 7


def test_a_deleted_item_can_come_back_and_seq_never_goes_back(database: Database) -> None:
    items = ItemStore(database)
    items.put([mug("a")], 1)
    items.delete(["a"], 2)
    assert items.put([mug("a")], 3) == 3
    assert [item.deleted for item in items.changes(0)] == [False]
    assert items.put([], 4) == items.delete([], 4) == 3


def test_writers_at_once_give_each_change_a_seq_of_its_own(database: Database) -> None:
    items = ItemStore(database)

    def write(writer: int) -> None:
        for n in range(5):
            items.put([mug(f"{writer}-{n}")], 1)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(item.seq for item in items.changes(0)) == list(range(1, 21))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (mug(""), "item_id"),
        (mug("x" * 513), "item_id"),
        (mug("nul\0"), "item_id"),
        (mug(title="lone \ud800"), "title"),
        (mug(price=float("nan")), "price"),
        (mug(price=-1.0), "price"),
        (mug(price=1e31), "price"),
        (mug(vector=vector(1)), "embedder"),
        (mug(embedder="vgg-slim"), "embedder"),
        (mug(vector=vector(1)[:127], embedder="e"), "vector"),
        (mug(vector=vector(1) * 2, embedder="e"), "vector"),
        (mug(vector=vector(1) * np.float32(np.nan), embedder="e"), "vector"),
        (mug(vector=vector(1)[None], embedder="e"), "vector"),
    ],
)
def test_one_wrong_item_and_nothing_is_written(database: Database, wrong: LiveItem, named: str) -> None:
    items = ItemStore(database)
    with pytest.raises(DataError, match=named):
        items.put([mug("fine"), wrong], 1)
    assert items.last_seq() == 0


def test_no_picture_has_a_vector_of_zeros(database: Database) -> None:
    items = ItemStore(database)
    items.put([mug(vector=np.zeros(128, np.float32), embedder="e", image="")], 1)
    found = items.get("m1")
    assert found is not None
    assert found.vector is not None
    assert not found.vector.any()


@pytest.mark.parametrize("stored", [b"short", np.full(128, np.nan, "<f4").tobytes()])
def test_a_damaged_vector_is_not_served(database: Database, stored: bytes) -> None:
    items = ItemStore(database)
    items.put([mug(vector=vector(1), embedder="e")], 1)
    with database.writing() as connection:
        connection.execute(update(ITEMS).values(vector=stored))
    with pytest.raises(DataError, match="'m1'"):
        items.changes(0)
