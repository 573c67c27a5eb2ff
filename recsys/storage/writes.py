"""Rows that are stored once, however often they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, Connection, Executable, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(connection: Connection, table: Table, key: str, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Insert the `rows` whose `key`, a unique column, is not there yet; of rows with one key the first.

    Returns for each whether it was inserted. All have the same columns, and get their `seq` in this order.
    """
    if not rows:
        return []
    columns = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        inserted = set(connection.execute(_sqlite(table, key), list(rows)).scalars())
    else:
        arrays = {column: [row[column] for row in rows] for column in columns}
        inserted = set(connection.execute(_postgres(table, key, columns), arrays).scalars())
    accepted = []
    for row in rows:
        accepted.append(row[key] in inserted)
        inserted.discard(row[key])
    return accepted


@cache
def _sqlite(table: Table, key: str) -> Executable:
    return sqlite.insert(table).on_conflict_do_nothing(index_elements=[key]).returning(table.c[key])


@cache
def _postgres(table: Table, key: str, columns: tuple[str, ...]) -> Executable:
    # One array for each column: a quarter of the time of a list of values for each row.
    arrays = (bindparam(name, type_=ARRAY(table.c[name].type)) for name in columns)
    given = func.unnest(*arrays).table_valued(*columns, with_ordinality="place").render_derived()
    rows = select(*(given.c[name] for name in columns)).order_by(given.c.place)
    insert = postgresql.insert(table).from_select(list(columns), rows)
    return insert.on_conflict_do_nothing(index_elements=[key]).returning(table.c[key])
