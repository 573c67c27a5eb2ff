"""Google Analytics 4 as exported to BigQuery: one event per row, with a list of items.

Rows come as JSON lines, a JSON array or Parquet; or flat, as queries with UNNEST(items) and reports save them: a table
with one item per row. Times are microseconds. A visitor is `user_id` if that is set, else
`user_pseudo_id`. Events that concern no item, such as page views, are left out.
Source: support.google.com/analytics/answer/7029846
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from recsys.dataset.importers.readers.cells import write_cell
from recsys.dataset.importers.readers.json_lines import json_objects
from recsys.dataset.importers.readers.lines import Rows
from recsys.dataset.importers.readers.parquet import load_parquet
from recsys.dataset.importers.readers.shops.export import Export, first_filled
from recsys.dataset.importers.table import RawTable, Reject
from recsys.schema import CATEGORY, EVENT, ITEM_ID, PRICE, QUANTITY, TIMESTAMP, TITLE, USER_ID, EventKind

FIELDS = {"event_name", "event_timestamp", "user_pseudo_id"}
EVENTS = {
    "view_item": EventKind.VIEW.value,
    "select_item": EventKind.CLICK.value,
    "add_to_cart": EventKind.CART.value,
    "add_to_wishlist": EventKind.LIKE.value,
    "purchase": EventKind.PURCHASE.value,
    "remove_from_cart": "remove_from_cart",
    "refund": "refund",
}
"""Events about items that the user chose, and their words here."""
FLAT_HEADERS = tuple(
    {"event_name", "event_timestamp", "user_pseudo_id", item} for item in ("item_id", "items_item_id", "item_name")
)
"""Plain names of columns of a flat table."""
_UNSET = ("", "(not set)", "(other)")
_COLUMNS = (USER_ID, ITEM_ID, EVENT, TIMESTAMP, QUANTITY, TITLE, CATEGORY, PRICE, "brand")
_LEVELS = ("item_category", "item_category2", "item_category3", "item_category4", "item_category5")


def read_events(path: Path) -> RawTable:
    """Read one row for each item of each event. Raises DataError if the file is unreadable."""
    rejects: list[Reject] = []
    rows = Rows(path, _COLUMNS)
    left_out: Counter[str] = Counter()
    for number, event in _read_objects(path, rejects):
        name = str(event.get("event_name") or "")
        items = event.get("items") or ()
        if name not in EVENTS or not items:
            left_out[name] += 1
            continue
        user = _cell(event.get("user_id")) or _cell(event.get("user_pseudo_id"))
        for item in items:
            rows.add(number, _read_item(user, EVENTS[name], _cell(event.get("event_timestamp")), item))
    table = rows.table((USER_ID, ITEM_ID, TITLE, CATEGORY, "brand"))
    table.rejects.extend(rejects)
    notes = [f"{path}: read as an export of Google Analytics 4"]
    if left_out:
        counts = ", ".join(f"{name or '(no name)'} {count:,}" for name, count in left_out.most_common(5))
        notes.append(f"{path}: events without items or of no concern to them are left out: {counts}")
    return table.with_notes(*notes)


def read_flat(table: RawTable) -> RawTable:
    """Read a table with one item per row; rows of other events or without an item are left out with a note."""
    export = Export(table, "Google Analytics 4", ("event_name", "event_timestamp"))

    def column(*names: str) -> pd.Series:
        values = export.column(*names)
        return values.mask(values.isin(_UNSET), "")

    name = export.column("event_name")
    items = first_filled(
        column("item_id", "items_item_id", "items_item_item_id"), column("item_name", "items_item_name")
    )
    chosen = name.isin(list(EVENTS)) & (items != "")
    export.note_rows(~chosen, "without items or of no concern to them are left out", name)
    return export.to_table(
        {
            USER_ID: first_filled(column("user_id"), column("user_pseudo_id")),
            ITEM_ID: items,
            EVENT: name.map(EVENTS).fillna(""),
            TIMESTAMP: export.column("event_timestamp"),
            QUANTITY: column("quantity", "items_quantity", "item_quantity"),
            TITLE: column("item_name", "items_item_name"),
            CATEGORY: column("item_category", "items_item_category"),
            PRICE: column("price", "items_price", "item_price"),
            "brand": column("item_brand", "items_item_brand"),
        },
        chosen,
        (TITLE, CATEGORY, "brand"),
    )


def _read_item(user: str, event: str, time: str, item: dict[str, Any]) -> tuple[str, ...]:
    levels = [level for name in _LEVELS if (level := _cell(item.get(name)))]
    return (
        user,
        _cell(item.get("item_id")) or _cell(item.get("item_name")),
        event,
        time,
        _cell(item.get("quantity")),
        _cell(item.get("item_name")),
        " > ".join(levels),
        _cell(item.get("price")),
        _cell(item.get("item_brand")),
    )


def _cell(value: object) -> str:
    text = write_cell(value) or ""
    return "" if text in _UNSET else text


def _read_objects(path: Path, rejects: list[Reject]) -> Iterator[tuple[int, dict[str, Any]]]:
    if ".parquet" not in path.name.lower():
        yield from json_objects(path, rejects)
        return
    table = load_parquet(path)
    wanted = [
        name
        for name in ("event_name", "event_timestamp", "user_id", "user_pseudo_id", "items")
        if name in table.column_names
    ]
    number = 0
    for batch in table.select(wanted).to_batches():
        for event in batch.to_pylist():
            number += 1
            yield number, event
