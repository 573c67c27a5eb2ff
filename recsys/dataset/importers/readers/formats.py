"""File formats that can be imported: names, recognition, and readers by table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.dataset.importers.columns import plain_name
from recsys.dataset.importers.readers import amazon, ga4, hm, lightgcn, movielens, rees46, uirt
from recsys.dataset.importers.readers.delimited import find_delimiter, read_atomic, read_delimited
from recsys.dataset.importers.readers.encodings import reading_as
from recsys.dataset.importers.readers.excel import read_excel
from recsys.dataset.importers.readers.json_lines import first_object, read_json
from recsys.dataset.importers.readers.lines import first_lines
from recsys.dataset.importers.readers.parquet import column_names, read_frame, read_parquet
from recsys.dataset.importers.readers.shops import bigcommerce, google, magento, prestashop, shopify, woocommerce
from recsys.dataset.importers.table import Customs, RawTable
from recsys.errors import DataError
from recsys.progress import stage

Source = Path | pd.DataFrame
"""What a table is read from: a file, or a DataFrame that is treated like one."""


class FileFormat(StrEnum):
    """Format of a file: general ones first, then shop systems and logs, then public data sets."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    EXCEL = "excel"
    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    MAGENTO = "magento"
    PRESTASHOP = "prestashop"
    BIGCOMMERCE = "bigcommerce"
    GOOGLE_MERCHANT = "google-merchant"
    GOOGLE_XML = "google-merchant-xml"
    GA4 = "ga4"
    GA4_FLAT = "ga4-flat"
    REES46 = "rees46"
    UIRT = "uirt"
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
    FileFormat.JSON: dict.fromkeys(Table, read_json),
    FileFormat.PARQUET: dict.fromkeys(Table, read_parquet),
    FileFormat.EXCEL: dict.fromkeys(Table, read_excel),
    FileFormat.GOOGLE_XML: {Table.ITEMS: google.read_xml},
    FileFormat.GA4: {Table.INTERACTIONS: ga4.read_events},
    FileFormat.UIRT: {Table.INTERACTIONS: uirt.read_uirt},
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
Convert = Callable[[RawTable], RawTable]

EXPORTS: Mapping[FileFormat, Mapping[Table, Convert]] = {
    FileFormat.SHOPIFY: {Table.ITEMS: shopify.read_products, Table.INTERACTIONS: shopify.read_orders},
    FileFormat.WOOCOMMERCE: {Table.ITEMS: woocommerce.read_products, Table.INTERACTIONS: woocommerce.read_orders},
    FileFormat.MAGENTO: {Table.ITEMS: magento.read_products},
    FileFormat.PRESTASHOP: {Table.ITEMS: prestashop.read_products},
    FileFormat.BIGCOMMERCE: {Table.ITEMS: bigcommerce.read_products, Table.INTERACTIONS: bigcommerce.read_orders},
    FileFormat.GOOGLE_MERCHANT: {Table.ITEMS: google.read_products},
    FileFormat.GA4_FLAT: {Table.INTERACTIONS: ga4.read_flat},
    FileFormat.REES46: {Table.ITEMS: rees46.read_products, Table.INTERACTIONS: rees46.read_events},
}
"""Exports with columns of their own, in any general format: CSV, Excel, JSON, Parquet or a DataFrame."""

WITH_IMAGES_BY_ID: Mapping[FileFormat, Callable[[Path, Path | None], RawTable]] = {
    FileFormat.AMAZON_REVIEWS: amazon.read_products,
    FileFormat.HM: hm.read_articles,
}
"""Formats whose images are found by the item's id, in a folder beside the file of items."""

CATALOG_FREE = (
    FileFormat.LIGHTGCN, FileFormat.UIRT, FileFormat.RECBOLE, FileFormat.GA4, FileFormat.GA4_FLAT, FileFormat.REES46,
    FileFormat.SHOPIFY, FileFormat.WOOCOMMERCE, FileFormat.BIGCOMMERCE,
)  # fmt: skip
"""Formats whose events build a catalog if there is none, with what they say of items."""

_HEADERS: Mapping[FileFormat, tuple[set[str], ...]] = {
    FileFormat.HM: (set(hm.TRANSACTION_COLUMNS), set(hm.ARTICLE_COLUMNS), set(hm.CUSTOMER_COLUMNS)),
    FileFormat.GA4_FLAT: ga4.FLAT_HEADERS,
    FileFormat.REES46: (rees46.HEADER,),
    FileFormat.SHOPIFY: (*shopify.PRODUCT_HEADERS, *shopify.ORDER_HEADERS),
    FileFormat.WOOCOMMERCE: (*woocommerce.PRODUCT_HEADERS, *woocommerce.ORDER_HEADERS),
    FileFormat.MAGENTO: magento.PRODUCT_HEADERS,
    FileFormat.PRESTASHOP: prestashop.PRODUCT_HEADERS,
    FileFormat.BIGCOMMERCE: (*bigcommerce.PRODUCT_HEADERS, *bigcommerce.ORDER_HEADERS),
    FileFormat.GOOGLE_MERCHANT: google.PRODUCT_HEADERS,
}
"""Columns, by plain names, that a file of each format has, in one of several sets."""

_SUFFIXES: Mapping[str, FileFormat] = {
    ".csv": FileFormat.CSV, ".tsv": FileFormat.CSV, ".txt": FileFormat.CSV, ".tab": FileFormat.CSV,
    ".jsonl": FileFormat.JSON, ".ndjson": FileFormat.JSON, ".json": FileFormat.JSON, ".xml": FileFormat.GOOGLE_XML,
    ".parquet": FileFormat.PARQUET, ".pq": FileFormat.PARQUET, ".xlsx": FileFormat.EXCEL, ".xlsm": FileFormat.EXCEL,
    ".inter": FileFormat.RECBOLE, ".item": FileFormat.RECBOLE, ".user": FileFormat.RECBOLE,
}  # fmt: skip
_GENERAL = (FileFormat.CSV, FileFormat.JSON, FileFormat.PARQUET, FileFormat.EXCEL)
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PARQUET = b"PAR1"
_JSON = re.compile(r"\{|\[\s*(\{|$)")
_HTML = re.compile(r"<(!doctype html|html|head|body|table)\b", re.IGNORECASE)
_ATOMIC_HEADER = re.compile(r"[^\t:]+:(token|float)(_seq)?(\t|$)")
_LISTS = re.compile(r"\d+( \d+)* ?")
_TABBED = re.compile(r"\d+(\t\d+(\.\d+)?){1,2}")
_RATING_100K = re.compile(r"\d+\t\d+\t\d(\.\d+)?\t\d+")
_PIPES_100K = (len(movielens.GENRES) + 5, 5)


def read_table(
    source: Source,
    table: Table,
    file_format: FileFormat | None = None,
    images: Path | None = None,
    customs: Customs | None = None,
    encoding: str | None = None,
    renames: Mapping[str, str] | None = None,
) -> RawTable:
    """Read one file as one table.

    Args:
        source: the file, or a DataFrame.
        table: table that the file holds.
        file_format: format of the file; default: recognized by its suffix and beginning.
        images: folder of images, for formats that find them by the item's id.
        customs: ways of writing values, which override what the file suggests.
        encoding: character encoding of a text file; default: recognized.
        renames: from columns of the file to the project's; exports of shop systems keep both.

    Raises:
        DataError: the file does not exist, its format is unknown or has no such table, or it holds no rows.
    """
    guess = file_format is None
    if isinstance(source, pd.DataFrame):
        path = Path(f"DataFrame of {table}")
        with stage(f"read {path.name}", unit="row"):
            content, kind = _convert(read_frame(source, path), file_format, table, renames or {}, guess=guess)
    else:
        path = source
        if not path.is_file():
            raise DataError(f"{path}: no such file")
        with stage(f"read {path.name}", unit="row"), reading_as(encoding):
            kind = file_format or recognize(path)
            if kind in EXPORTS or kind in _GENERAL:
                general = READERS[kind if kind in _GENERAL else _container(path)][table](path)
                content, kind = _convert(general, kind, table, renames or {}, guess=guess)
            else:
                content = _read_own(path, kind, table, images)
    if not len(content) and not content.rejects:
        raise DataError(f"{path}: a header but no rows; there is nothing to import")
    content = replace(content, format=kind or "")
    if customs is None:
        return content
    chosen = replace(customs, suggested=content.customs.suggested, decimal=customs.decimal or content.customs.decimal)
    return replace(content, customs=chosen)


def _read_own(path: Path, kind: FileFormat, table: Table, images: Path | None) -> RawTable:
    """Read a file whose format has a reader of its own. Raises DataError if the format has no such table."""
    readers = READERS[kind]
    if table not in readers:
        raise DataError(f"{path}: the format {kind} has no {table}; it has {', '.join(readers)}")
    by_id = WITH_IMAGES_BY_ID.get(kind) if table is Table.ITEMS else None
    return readers[table](path) if by_id is None else by_id(path, images)


def _convert(
    general: RawTable, kind: FileFormat | None, table: Table, renames: Mapping[str, str], *, guess: bool
) -> tuple[RawTable, FileFormat | None]:
    """Return a general table, read as an export if it is named as one or looks like one, and its format."""
    if guess and kind not in EXPORTS:
        kind = recognize_header({plain_name(name) for name in general.columns}) or kind
    if kind is None or kind not in EXPORTS:
        return general, kind
    readers = EXPORTS[kind]
    if table not in readers:
        if guess:
            # The columns may serve as they are.
            return general, FileFormat.CSV
        raise DataError(f"{general.path}: the format {kind} has no {table}; it has {', '.join(readers)}")
    chosen = {new: general.columns[old] for old, new in renames.items() if old in general.columns}
    # Renamed columns are known to the reader by both names, and stay as they were named.
    content = readers[table](replace(general, columns=general.columns | chosen))
    if chosen and len(content) == len(general):
        content = replace(content, columns=content.columns | chosen)
    elif chosen:
        rows = pa.array(np.searchsorted(general.lines, content.lines))
        content = replace(content, columns=content.columns | {new: column.take(rows) for new, column in chosen.items()})
    return replace(content, source_names=tuple(general.columns)), kind


def _container(path: Path) -> FileFormat:
    """Return the general format of a file, by its suffix and beginning."""
    kind = _suffix(path)
    if kind in (FileFormat.PARQUET, FileFormat.EXCEL, FileFormat.JSON):
        return kind
    return FileFormat.JSON if _JSON.match(next(iter(first_lines(path)), "")) else FileFormat.CSV


def _suffix(path: Path) -> FileFormat | None:
    return next(
        (kind for suffix, kind in _SUFFIXES.items() if path.name.lower().removesuffix(".gz").endswith(suffix)), None
    )


def recognize(path: Path) -> FileFormat:
    """Return the format of a file, by its content if that tells, else by its suffix.

    Raises DataError if it is unknown, or if it may be one of two; the message names the option that decides.
    """
    by_suffix = _suffix(path)
    with path.open("rb") as file:
        start = file.read(len(_OLD_EXCEL))
    if start.startswith(_ZIP) and by_suffix is not FileFormat.EXCEL:
        raise DataError(f"{path}: a ZIP archive; unpack it, or name it .xlsx if it is a workbook")
    if start == _OLD_EXCEL:
        raise DataError(f"{path}: a workbook of the old format .xls; save it as .xlsx or CSV")
    if start.startswith(_PARQUET) and by_suffix is not FileFormat.PARQUET:
        raise DataError(f"{path}: a Parquet file; name it .parquet")
    if by_suffix is FileFormat.PARQUET:
        return FileFormat.GA4 if set(column_names(path)) >= {*ga4.FIELDS, "items"} else FileFormat.PARQUET
    if by_suffix is FileFormat.EXCEL:
        return FileFormat.EXCEL
    first = next(iter(first_lines(path)), "").lstrip("\ufeff")
    if _HTML.match(first.lstrip()):
        raise DataError(f"{path}: a web page (HTML), perhaps of a login or a table; export CSV, or save it as .xlsx")
    if by_suffix is FileFormat.JSON or _JSON.match(first):
        keys = set(first_object(path))
        if "parent_asin" in keys:
            return FileFormat.AMAZON_REVIEWS
        return FileFormat.GA4 if keys >= ga4.FIELDS and "item_id" not in keys else FileFormat.JSON
    if first.lstrip().startswith(("<?xml", "<rss", "<feed")):
        return FileFormat.GOOGLE_XML
    if _ATOMIC_HEADER.match(first):
        return FileFormat.RECBOLE
    if _is_movielens(first):
        return FileFormat.MOVIELENS
    ratings = uirt.looks_like(path)
    if ratings:
        return FileFormat.UIRT
    if _LISTS.fullmatch(first) or _TABBED.fullmatch(first):
        if ratings is None:
            raise DataError(
                f"{path}: {first!r} may be a rating, or a user with a list of items or a weight, and no line decides: "
                "say which with `--format uirt` or `--format lightgcn`"
            )
        return FileFormat.LIGHTGCN
    known = recognize_header(_header(path))
    if known is not None:
        return known
    if by_suffix is not None:
        return by_suffix
    raise DataError(
        f"{path}: unknown file format; use one of {', '.join(_SUFFIXES)}, or name the format: {', '.join(FileFormat)}"
    )


def recognize_header(names: set[str]) -> FileFormat | None:
    """Return the format whose columns are all among `names` (plain names), or None."""
    for kind, headers in _HEADERS.items():
        if any(header <= names for header in headers):
            return kind
    return None


def _header(path: Path) -> set[str]:
    lines = first_lines(path, 50)
    if lines and re.fullmatch(r'"?sep=."?', lines[0].strip("\ufeff "), re.IGNORECASE):
        lines = lines[1:]
    if not lines:
        return set()
    sample = "\n".join(lines)
    delimiter = find_delimiter(sample)
    return {plain_name(cell.strip().strip('"').strip("\ufeff")) for cell in lines[0].split(delimiter)}


def _is_movielens(first: str) -> bool:
    if first.startswith(("userId,movieId,rating", "movieId,title,genres")):
        return True
    cells = first.split("|")
    # Films and users of 100k; the first cell of both is a number.
    piped = len(cells) in _PIPES_100K and cells[0].isdigit()
    return piped or re.match(r"\d+::", first) is not None or _RATING_100K.fullmatch(first) is not None
