"""Writes to tables: insert rows once, or over rows with the same primary key, in SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, Connection, Executable, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(connection: Connection, table: Table, key: str, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Insert the rows whose key is not in the table yet; of rows with the same key, the first.

    Args:
        connection: inside a transaction.
        table: has a column `seq` that numbers rows in the order of `rows`.
        key: name of a unique column.
        rows: all with the same columns.

    Returns:
        True for each row that was inserted.
    """
    if not rows:
        return []
    columns = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        inserted = set(connection.execute(_sqlite_insert(table, key), list(rows)).scalars())
    else:
        arrays = {column: [row[column] for row in rows] for column in columns}
        inserted = set(connection.execute(_postgres_insert(table, key, columns), arrays).scalars())
    accepted = []
    for row in rows:
        accepted.append(row[key] in inserted)
        inserted.discard(row[key])
    return accepted


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, each with a value for every column; they replace rows with the same primary key."""
    if not rows:
        return
    # Both databases have ON CONFLICT, but SQLAlchemy has a class for each.
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    statement = statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=others)
    connection.execute(statement, [dict(row) for row in rows])


@cache
def _sqlite_insert(table: Table, key: str) -> Executable:
    return sqlite.insert(table).on_conflict_do_nothing(index_elements=[key]).returning(table.c[key])


@cache
def _postgres_insert(table: Table, key: str, columns: tuple[str, ...]) -> Executable:
    # One array per column takes a quarter of the time of a list of values per row.
    arrays = (bindparam(name, type_=ARRAY(table.c[name].type)) for name in columns)
    given = func.unnest(*arrays).table_valued(*columns, with_ordinality="place").render_derived()
    rows = select(*(given.c[name] for name in columns)).order_by(given.c.place)
    insert = postgresql.insert(table).from_select(list(columns), rows)
    return insert.on_conflict_do_nothing(index_elements=[key]).returning(table.c[key])
