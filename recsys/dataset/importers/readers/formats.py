"""File formats that can be imported: names, recognition, and readers by table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

from recsys.dataset.importers.readers import amazon, hm, lightgcn, movielens
from recsys.dataset.importers.readers.delimited import DELIMITERS, read_atomic, read_delimited
from recsys.dataset.importers.readers.lines import first_line
from recsys.dataset.importers.readers.parquet import read_parquet
from recsys.dataset.importers.table import RawTable
from recsys.errors import DataError
from recsys.progress import stage


class FileFormat(StrEnum):
    """Format of a file. All but the first three belong to public data sets."""

    CSV = "csv"
    PARQUET = "parquet"
    RECBOLE = "recbole"
    MOVIELENS = "movielens"
    LIGHTGCN = "lightgcn"
    AMAZON_REVIEWS = "amazon-reviews"
    HM = "hm"


class Table(StrEnum):
    """Table that a file holds."""

    ITEMS = "items"
    INTERACTIONS = "interactions"
    USERS = "users"
    REVIEWS = "reviews"


Reader = Callable[[Path], RawTable]

READERS: Mapping[FileFormat, Mapping[Table, Reader]] = {
    FileFormat.CSV: dict.fromkeys(Table, read_delimited),
    FileFormat.PARQUET: dict.fromkeys(Table, read_parquet),
    FileFormat.RECBOLE: dict.fromkeys(Table, read_atomic),
    FileFormat.MOVIELENS: {
        Table.ITEMS: movielens.read_films,
        Table.INTERACTIONS: movielens.read_ratings,
        Table.USERS: movielens.read_users,
    },
    FileFormat.LIGHTGCN: {Table.INTERACTIONS: lightgcn.read_lightgcn},
    FileFormat.AMAZON_REVIEWS: {
        Table.ITEMS: amazon.read_products,
        Table.INTERACTIONS: amazon.read_reviews,
        Table.REVIEWS: amazon.read_review_texts,
    },
    FileFormat.HM: {
        Table.ITEMS: hm.read_articles,
        Table.INTERACTIONS: hm.read_transactions,
        Table.USERS: hm.read_customers,
    },
}
WITH_IMAGES_BY_ID: Mapping[FileFormat, Callable[[Path, Path | None], RawTable]] = {
    FileFormat.AMAZON_REVIEWS: amazon.read_products,
    FileFormat.HM: hm.read_articles,
}
"""Formats whose images are found by the item's id, in a folder beside the file of items."""

CATALOG_FREE = (FileFormat.LIGHTGCN,)
"""Formats with events only, without data of items."""

CSV_SUFFIXES = (".csv", ".tsv", ".txt")
_PARQUET_SUFFIX = ".parquet"
_JSON_SUFFIXES = (".jsonl", ".jsonl.gz")
_ATOMIC_HEADER = re.compile(r"[^\t:]+:(token|float)(_seq)?(\t|$)")
_LISTS = re.compile(r"\d+( \d+)* ?")
_TABBED = re.compile(r"\d+(\t\d+(\.\d+)?){1,2}")
_RATING_100K = re.compile(r"\d+\t\d+\t\d(\.\d+)?\t\d+")
_PIPES_100K = (len(movielens.GENRES) + 5, 5)


def read_table(path: Path, table: Table, file_format: FileFormat | None = None, images: Path | None = None) -> RawTable:
    """Read one file as one table.

    Args:
        path: the file.
        table: table that the file holds.
        file_format: format of the file; default: recognized by its suffix and first line.
        images: folder of images, for formats that find them by the item's id.

    Raises:
        DataError: the file does not exist, its format is unknown or has no such table, or it holds no rows.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    kind = recognize(path) if file_format is None else file_format
    readers = READERS[kind]
    if table not in readers:
        raise DataError(f"{path}: the format {kind} has no {table}; it has {', '.join(readers)}")
    by_id = WITH_IMAGES_BY_ID.get(kind) if table is Table.ITEMS else None
    with stage(f"read {path.name}", unit="row"):
        content = readers[table](path) if by_id is None else by_id(path, images)
    if not len(content) and not content.rejects:
        raise DataError(f"{path}: a header but no rows; there is nothing to import")
    return content


def recognize(path: Path) -> FileFormat:
    """Return the format of a file, by its suffix if that is enough, else by its first line. Raises DataError."""
    name = path.name.lower()
    if name.endswith(_PARQUET_SUFFIX):
        return FileFormat.PARQUET
    if name.endswith(_JSON_SUFFIXES):
        return FileFormat.AMAZON_REVIEWS
    first = first_line(path)
    if _ATOMIC_HEADER.match(first):
        return FileFormat.RECBOLE
    if _is_movielens(first):
        return FileFormat.MOVIELENS
    if _LISTS.fullmatch(first) or _TABBED.fullmatch(first):
        return FileFormat.LIGHTGCN
    header = {cell.strip().strip('"') for delimiter in DELIMITERS for cell in first.split(delimiter)}
    if any(header >= set(columns) for columns in (hm.TRANSACTION_COLUMNS, hm.ARTICLE_COLUMNS, hm.CUSTOMER_COLUMNS)):
        return FileFormat.HM
    if name.endswith(CSV_SUFFIXES):
        return FileFormat.CSV
    if name.endswith((".inter", ".item", ".user")):
        return FileFormat.RECBOLE
    raise DataError(
        f"{path}: unknown file format; use one of {', '.join((*CSV_SUFFIXES, _PARQUET_SUFFIX, *_JSON_SUFFIXES))}, "
        f"or name the format: {', '.join(FileFormat)}"
    )


def _is_movielens(first: str) -> bool:
    if first.startswith(("userId,movieId,rating", "movieId,title,genres")):
        return True
    cells = first.split("|")
    # Films and users of 100k; the first cell of both is a number.
    piped = len(cells) in _PIPES_100K and cells[0].isdigit()
    return piped or re.match(r"\d+::", first) is not None or _RATING_100K.fullmatch(first) is not None
