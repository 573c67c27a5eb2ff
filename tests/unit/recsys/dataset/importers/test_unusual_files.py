"""Files that are nearly of a known form: the right value, or the cure that works for this cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.dataset.importers import import_data
from recsys.dataset.project import Project
from recsys.errors import BadRowsError, DataError

Write = Callable[[str, str | bytes], Path]
T = 1_700_000_001


@pytest.fixture
def shop(project: Project, write: Write) -> Project:
    import_data(project, items=write("items.csv", "item_id\na\nb\nc\n"))
    return project


def _events(shop: Project) -> list[tuple[object, ...]]:
    frame = shop.load_interactions()[["user_id", "item_id", "event", "timestamp"]]
    return list(frame.itertuples(index=False, name=None))


@pytest.mark.parametrize("header", ["order_id", "OrderNumber", "Invoice No", "transactionid"])
def test_rows_with_an_order_are_purchases(shop: Project, write: Write, header: str) -> None:
    text = f"{header},CustomerID,StockCode,Qty,order_date\n7,u,a,2,2023-11-14T22:13:21Z\n7,u,b,1,2023-11-14T22:13:21Z\n"
    report = str(import_data(shop, interactions=write("orders.csv", text)))
    assert _events(shop) == [("u", "a", "purchase", T), ("u", "b", "purchase", T)]
    assert f"every row is a purchase, since {header!r} names its order" in report


def test_rows_of_which_some_have_no_order_are_clicks(shop: Project, write: Write) -> None:
    report = str(import_data(shop, interactions=write("e.csv", "user_id,item_id,order_id\nu,a,7\nu,b,\n")))
    assert set(shop.load_interactions()["event"]) == {"click"}
    assert "every row is a click" in report


@pytest.mark.parametrize(
    ("header", "row", "event"),
    [
        ("user_id,item_id,behavior_type,timestamp", f"u,a,buy,{T}", "purchase"),
        ("userid,itemid,action_type,timestamp", f"u,a,Product Added,{T}", "cart"),
        ("visitorid,itemid,event,timestamp", f"u,a,ViewContent,{T}", "view"),
        ("user,item,event,ts", f"u,a,Placed Order,{T}", "purchase"),
        ("user_id,item_id,liked,timestamp", f"u,a,True,{T}\nu,b,False,{T}", "like"),
        ("user_id,item_id,is_like,timestamp", f"u,a,1,{T}\nu,b,0,{T}", "like"),
        ("user_id,item_id,rating,timestamp", f"u,a,thumbs-up,{T}\nu,b,👎🏽,{T}", "like"),
    ],
)
def test_columns_and_words_of_other_logs(shop: Project, write: Write, header: str, row: str, event: str) -> None:
    import_data(shop, interactions=write("e.csv", f"{header}\n{row}\n"))
    kinds = {item: kind for _, item, kind, _ in _events(shop)}
    assert kinds["a"] == event
    assert kinds.get("b", "dislike") == "dislike"


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("user_id,item_id,rating\nu,a,-1\nu,b,5\n", "-1 means not rated, leave these rows out"),
        ("user_id,item_id,rating\nu,a,3\nu,b,2500\n", "--column YOURS=quantity"),
    ],
)
def test_a_scale_that_is_none_names_what_it_may_be(shop: Project, write: Write, text: str, cure: str) -> None:
    with pytest.raises(DataError, match=cure):
        import_data(shop, interactions=write("e.csv", text))


def test_words_that_are_no_rating_are_listed(shop: Project, write: Write) -> None:
    with pytest.raises(BadRowsError, match=r"'B' is not a number; write a number such as 3\.5, or one of like"):
        import_data(shop, interactions=write("e.csv", "user_id,item_id,rating\nu,a,A\nu,b,B\n"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"products": [{"item_id": "a", "price": 5}], "total": 1}'),
        ("b.json", '{\n "items": [\n  {"item_id": "a", "price": 5}\n ]\n}\n'),
        ("c.json", '{"item_id": "a",\n "price": 5}\n'),
        ("d.csv", '[\n {"item_id": "a", "price": 5}\n]\n'),
        ("e.jsonl", '{"item_id": "a", "price": 5, "images": [{"url": "x"}]}\n'),
    ],
)
def test_documents_of_json(project: Project, write: Write, name: str, text: str) -> None:
    import_data(project, items=write(name, text))
    assert project.load_items()[["item_id", "price"]].to_numpy().tolist() == [["a", 5.0]]


@pytest.mark.parametrize(
    ("content", "cure"),
    [
        (b"PAR1\x15\x04", "a Parquet file; name it .parquet"),
        (b"<!DOCTYPE html>\n<html><body>Log in</body></html>\n", "a web page"),
        (b"<table><tr><td>item_id</td></tr></table>\n", "a web page"),
        (b"item_id,title,price\na,A\n", "2 fields where the header has 3; add the missing ones"),
    ],
)
def test_files_of_another_kind_are_named(project: Project, write: Write, content: bytes, cure: str) -> None:
    with pytest.raises((DataError, BadRowsError), match=cure):
        import_data(project, items=write("items.csv", content))


def test_a_flat_table_of_ga4_leaves_out_what_concerns_no_item(project: Project, write: Write) -> None:
    text = (
        "event_date,event_timestamp,event_name,user_pseudo_id,user_id,item_id,item_name\n"
        f"20231114,{T}123456,view_item,p1,,a,Cup\n"
        f"20231114,{T}123457,page_view,p1,,,\n"
        f"20231114,{T}123458,purchase,p1,U1,a,Cup\n"
        f"20231114,{T}123459,session_start,p1,,(not set),\n"
    )
    report = str(import_data(project, interactions=write("ga4.csv", text)))
    assert _events(project) == [("U1", "a", "purchase", T), ("p1", "a", "view", T)]
    assert project.load_items()["title"].tolist() == ["Cup"]
    assert "2 rows without items or of no concern to them are left out (page_view, session_start)" in report


def test_cancelled_orders_in_a_plain_table_are_named(shop: Project, write: Write) -> None:
    text = "order_id,user_id,item_id,order_status\n1,u,a,completed\n2,u,b,Cancelled\n"
    report = str(import_data(shop, interactions=write("orders.csv", text)))
    assert "1 rows count as purchases though 'order_status' says 'Cancelled'; remove them" in report


@pytest.mark.parametrize(
    "text",
    [
        "ID;Titel;Preis;Kategorie;Verfügbar\n1;Tasse;12,99;Haus;nein\n",
        "Artikelnummer;Bezeichnung;Regulärer Preis;Kategorien;Vorrätig?\n1;Tasse;12,99;Haus;0\n",
        "Référence;Nom;Prix;Catégorie;Disponible\n1;Tasse;12,99;Haus;non\n",
    ],
)
def test_headers_in_other_languages(project: Project, write: Write, text: str) -> None:
    import_data(project, items=write("items.csv", text))
    (row,) = project.load_items().to_dict("records")
    names = ("item_id", "title", "price", "category", "available")
    assert [row[name] for name in names] == ["1", "Tasse", 12.99, "Haus", False]
