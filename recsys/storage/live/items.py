"""Items put, changed or deleted while the service runs; they override the imported catalog."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, func, select

from recsys.errors import DataError
from recsys.schema import FloatArray
from recsys.storage.database import Database
from recsys.storage.tables import ID, ITEMS
from recsys.storage.writes import upsert
from style.vector import DIMENSIONS

PATCHABLE = ("title", "category", "price", "available", "image")
"""Fields that can be changed in part."""
_STORED = np.dtype("<f4")
_UNIT_TOLERANCE = 1e-3
# Prices become float32, which ends near 3e38; imports have the same limit.
_LARGEST_PRICE = 1e30
# This query runs several times a second; built once, SQLAlchemy finds it compiled.
_LAST_SEQ = select(func.max(ITEMS.c.seq))


@dataclass(frozen=True, slots=True, eq=False)
class LiveItem:
    """Latest state of an item that was put or deleted.

    Attributes:
        item_id: id; the only field with a meaning for a deleted item.
        title: title.
        category: category.
        price: None if unknown.
        available: False if it cannot be bought.
        image: path as in the catalog, "" without an image.
        vector: (128,) float32, unit style vector of the image; zeros or None without one.
        embedder: name of the vector's style space; None without a vector.
        deleted: True if the item was deleted.
        seq: order of the changes; ignored by writes.
        fields: names among `PATCHABLE` that this state sets; the others are the imported item's. None: all, as the item
            was put as a whole.
    """

    item_id: str
    title: str = ""
    category: str = ""
    price: float | None = None
    available: bool = True
    image: str = ""
    vector: FloatArray | None = None
    embedder: str | None = None
    deleted: bool = False
    seq: int = 0
    fields: frozenset[str] | None = None

    def changed_by(self, change: LiveItem) -> LiveItem:
        """Return this state with the fields that a change in part sets."""
        fields = change.fields or frozenset()
        values = {name: getattr(change, name) for name in fields}
        if "image" in fields:
            values |= {"vector": change.vector, "embedder": change.embedder}
        return replace(self, **values, fields=None if self.fields is None else self.fields | fields)


class ItemStore:
    """Store of the table ITEMS: one row per item that ever changed; the last write wins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, items: Sequence[LiveItem], changed_at: int) -> int:
        """Add or replace items, in their order; return the seq of the last change.

        `changed_at`: seconds since 1970 UTC. Raises DataError that names the item and its wrong field; then nothing
        is written.
        """
        rows = [_to_row(item) | {"changed_at": changed_at} for item in items]
        with self._database.writing() as connection:
            return _write(connection, rows)

    def patch(self, changes: Sequence[LiveItem], changed_at: int) -> set[str]:
        """Change the `fields` of items, one change after another; return the ids of items that are deleted.

        Deleted items stay so. Present state and change are read and written in one transaction. Raises like `put`.
        """
        for change in changes:
            _to_row(change)
        with self._database.writing() as connection:
            ids = {change.item_id for change in changes}
            rows = connection.execute(select(ITEMS).where(ITEMS.c.item_id.in_(ids)))
            present = {row.item_id: _to_item(row) for row in rows}
            deleted = {item_id for item_id, item in present.items() if item.deleted}
            for change in changes:
                if change.item_id not in deleted:
                    known = present.get(change.item_id)
                    present[change.item_id] = change if known is None else known.changed_by(change)
            changed = [present[item_id] for item_id in dict.fromkeys(change.item_id for change in changes)]
            _write(
                connection,
                [_to_row(item) | {"changed_at": changed_at} for item in changed if item.item_id not in deleted],
            )
        return deleted

    def delete(self, ids: Sequence[str], changed_at: int) -> int:
        """Delete items from the catalog, imported ones too; return the seq of the last change."""
        return self.put([LiveItem(item_id, available=False, deleted=True) for item_id in ids], changed_at)

    def changes(self, after: int) -> list[LiveItem]:
        """Return the latest state of each item that changed after seq `after` (0: all), by seq.

        Raises DataError for a row that `put` cannot have written.
        """
        with self._database.reading() as connection:
            rows = connection.execute(select(ITEMS).where(ITEMS.c.seq > after).order_by(ITEMS.c.seq))
            return [_to_item(row) for row in rows]

    def get(self, item_id: str) -> LiveItem | None:
        """Return the latest state of an item; None if it was never put or deleted."""
        with self._database.reading() as connection:
            row = connection.execute(select(ITEMS).where(ITEMS.c.item_id == item_id)).one_or_none()
        return None if row is None else _to_item(row)

    def last_seq(self) -> int:
        """Return the seq of the last change, 0 before the first. Cheap: one index lookup."""
        with self._database.reading() as connection:
            return _last_seq(connection)


def _write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
    """Write rows under the next numbers; return the last number."""
    last = _last_seq(connection)
    upsert(connection, ITEMS, [{**row, "seq": last + index} for index, row in enumerate(rows, 1)])
    return last + len(rows)


def _last_seq(connection: Connection) -> int:
    return int(connection.execute(_LAST_SEQ).scalar_one() or 0)


def _to_row(item: LiveItem) -> dict[str, Any]:
    if not 0 < len(item.item_id) <= int(ID.length or 0):
        raise DataError(f"item_id: use 1 to {ID.length} characters; this one has {len(item.item_id)}")
    for name in ("item_id", "title", "category", "image"):
        text = getattr(item, name)
        if "\0" in text or text.encode(errors="replace").decode() != text:
            raise DataError(
                f"item {item.item_id!r}, {name}: {text!r} holds characters that are not text; leave them out"
            )
    if item.price is not None and not (math.isfinite(item.price) and 0 <= item.price <= _LARGEST_PRICE):
        raise DataError(f"item {item.item_id!r}, price: {item.price} is not a price; omit it if it is unknown")
    if (item.vector is None) != (item.embedder is None):
        raise DataError(f"item {item.item_id!r}, vector: give a style vector together with its embedder, or neither")
    if item.vector is not None:
        _check_vector(item.item_id, item.vector)
    return {
        "item_id": item.item_id,
        "deleted": item.deleted,
        "title": item.title,
        "category": item.category,
        "price": item.price,
        "available": item.available,
        "image": item.image,
        "vector": None if item.vector is None else item.vector.astype(_STORED).tobytes(),
        "embedder": item.embedder,
        "fields": None if item.fields is None else ",".join(sorted(item.fields)),
    }


def _to_item(row: Row[Any]) -> LiveItem:
    vector: FloatArray | None = None
    if row.vector is not None:
        if len(row.vector) != DIMENSIONS * _STORED.itemsize:
            raise DataError(
                f"item {row.item_id!r}: its stored style vector has {len(row.vector)} bytes; put the item again"
            )
        vector = np.frombuffer(row.vector, dtype=_STORED).astype(np.float32)
        _check_vector(row.item_id, vector)
    return LiveItem(
        item_id=row.item_id,
        title=row.title,
        category=row.category,
        price=row.price,
        available=row.available,
        image=row.image,
        vector=vector,
        embedder=row.embedder,
        deleted=row.deleted,
        seq=row.seq,
        fields=None if row.fields is None else frozenset(filter(None, row.fields.split(","))),
    )


def _check_vector(item_id: str, vector: FloatArray) -> None:
    length = float(np.linalg.norm(vector)) if vector.shape == (DIMENSIONS,) else math.nan
    if not (length == 0.0 or abs(length - 1.0) <= _UNIT_TOLERANCE):
        raise DataError(
            f"item {item_id!r}, vector: a style vector is ({DIMENSIONS},) of length one, or zeros without an image; "
            f"this one is {vector.shape} of length {length:g}"
        )
