"""The catalog with what the shop put, changed and deleted since the import."""

from __future__ import annotations

import pandas as pd
import pytest

from recsys.dataset.importers import ImportMode, ImportOptions, import_data
from recsys.dataset.live import apply_live_items
from recsys.dataset.project import Project
from recsys.schema import ITEM_COLUMNS
from recsys.storage.database import Database
from recsys.storage.live.items import ItemStore, LiveItem
from tests.unit.recsys.dataset.conftest import Write

ITEMS = (
    "item_id,title,category,price,material,year\nb,Bowl,bowl,5,clay,1990\na,Mug,mug,3,glass,2001\nc,Cup,cup,,,1999\n"
)


@pytest.fixture
def shop(project: Project, write: Write) -> Project:
    import_data(project, items=write("items.csv", ITEMS))
    return project


def put(project: Project, *items: LiveItem) -> int:
    database = Database.open(project.database_url)
    try:
        return ItemStore(database).put(items, 1)
    finally:
        database.close()


def test_looking_makes_no_database(shop: Project) -> None:
    assert shop.load_catalog()[1] == 0
    assert not shop.live.exists()


def test_a_put_item_replaces_a_row_and_keeps_its_attributes(shop: Project) -> None:
    before = shop.load_items()
    put(shop, LiveItem("a", "Big mug", "mug", 4.0, False, "live/uploads/a.png"))
    after = shop.load_items()
    assert after.loc[0].to_dict() == {
        "item_id": "a",
        "title": "Big mug",
        "category": "mug",
        "price": 4.0,
        "available": False,
        "image": "live/uploads/a.png",
        "material": "glass",
        "year": 2001,
    }
    pd.testing.assert_frame_equal(after[1:], before[1:])
    pd.testing.assert_frame_equal(shop.load_imported_items(), before)


def test_a_new_item_is_a_row_without_attributes_and_a_deleted_one_is_gone(shop: Project) -> None:
    last = put(shop, LiveItem("aa", "Vase"), LiveItem("c", deleted=True), LiveItem("none such", deleted=True))
    items, through = shop.load_catalog()
    assert through == last == 3
    assert items["item_id"].tolist() == ["a", "aa", "b"]
    vase = items.loc[1]
    assert (vase["title"], vase["category"], vase["image"], vase["material"]) == ("Vase", "", "", "")
    assert pd.isna(vase["price"])
    assert pd.isna(vase["year"])
    assert vase["available"]
    assert items["year"].tolist()[::2] == [2001, 1990]


def test_everything_can_be_replaced_or_deleted(shop: Project) -> None:
    before = shop.load_items()
    put(shop, *(LiveItem(name, "New") for name in "abc"))
    assert shop.load_items()["title"].tolist() == ["New"] * 3
    put(shop, *(LiveItem(name, deleted=True) for name in "abc"))
    gone = shop.load_items()
    assert gone.empty
    assert tuple(gone.columns) == tuple(before.columns)


def test_without_changes_the_frame_stays_what_it_was() -> None:
    frame = pd.DataFrame({name: ["x"] for name in ITEM_COLUMNS})
    assert apply_live_items(frame, []) is frame


def test_an_import_does_not_take_live_changes_for_its_own(shop: Project, write: Write) -> None:
    put(shop, LiveItem("live", "Live"), LiveItem("c", deleted=True))
    import_data(shop, items=write("more.csv", "item_id,title\nd,Dish\n"), options=ImportOptions(mode=ImportMode.APPEND))
    assert shop.load_imported_items()["item_id"].tolist() == ["a", "b", "c", "d"]
    assert shop.load_items()["item_id"].tolist() == ["a", "b", "d", "live"]


def test_a_change_in_part_leaves_the_other_columns_to_imports(shop: Project, write: Write) -> None:
    part = LiveItem("a", price=9.0, title="not this", fields=frozenset({"price"}))
    put(shop, part, LiveItem("nowhere", price=1.0, fields=frozenset({"price"})))
    before = shop.load_imported_items()
    pd.testing.assert_frame_equal(shop.load_items().drop(columns="price"), before.drop(columns="price"))
    assert shop.load_items()["price"].tolist()[0] == 9.0
    append = ImportOptions(mode=ImportMode.APPEND)
    import_data(shop, items=write("new.csv", "item_id,title,price\na,Beaker,4\n"), options=append)
    row = shop.load_items().set_index("item_id").loc["a"]
    assert (row["title"], row["price"], row["material"]) == ("Beaker", 9.0, "glass")
