"""Google Merchant feeds: TSV or CSV with the specification's names, and XML (RSS 2.0 or Atom) with `g:` names.

The same feed serves Meta, Pinterest and most comparison sites. `item_group_id` joins variants.
Source: support.google.com/merchants/answer/7052112, support.google.com/merchants/answer/160589
"""

from __future__ import annotations

import xml.parsers.expat
from dataclasses import replace
from pathlib import Path
from xml.parsers.expat import ExpatError

import pyarrow as pa

from recsys.dataset.importers.columns import plain_name
from recsys.dataset.importers.readers.encodings import open_bytes
from recsys.dataset.importers.readers.lines import Rows
from recsys.dataset.importers.readers.shops.export import CATEGORY_MARK, join_addresses
from recsys.dataset.importers.table import RawTable
from recsys.errors import DataError
from recsys.schema import CATEGORY, IMAGE, IMAGE_URLS, ITEM_GROUP_ID, ITEM_ID

PRODUCT_HEADERS = (
    {"id", "title", "availability", "link"},
    {"id", "title", "availability", "image_link"},
    {"id", "title", "price", "image_link"},
    {"id", "availability", "price", "google_product_category"},
)
_ENTRIES = ("item", "entry")
_IMAGE_LINK, _MORE_LINKS = "image_link", "additional_image_link"
_CHUNK = 1 << 16


def read_products(table: RawTable) -> RawTable:
    """Read a feed of text: addresses of images become `image_urls`, and the product type the category."""
    return _finish(replace(table, columns={plain_name(name): column for name, column in table.columns.items()}))


def read_xml(path: Path) -> RawTable:
    """Read a feed of XML; entities beyond those of XML itself are refused. Raises DataError if it is defective."""
    entries = _Entries(path)
    try:
        with open_bytes(path) as file:
            while chunk := file.read(_CHUNK):
                entries.parser.Parse(chunk, False)
            entries.parser.Parse(b"", True)
    except ExpatError as error:
        raise DataError(
            f"{path}: line {error.lineno}: not valid XML: {xml.parsers.expat.ErrorString(error.code)}"
        ) from None
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    names = list(dict.fromkeys(name for entry in entries.found for name in entry))
    rows = Rows(path, names)
    for line, entry in zip(entries.lines, entries.found, strict=True):
        rows.add(line, [CATEGORY_MARK.join(entry.get(name, ())) for name in names])
    return _finish(rows.table())


class _Entries:
    """Entries of a feed, as lists of texts by plain names, with the lines on which they begin."""

    def __init__(self, path: Path) -> None:
        self.found: list[dict[str, list[str]]] = []
        self.lines: list[int] = []
        self._path = path
        self._depth = 0
        self._text: list[str] = []
        self.parser = xml.parsers.expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append
        self.parser.EntityDeclHandler = self._refuse

    def _refuse(self, *_: object) -> None:
        raise DataError(f"{self._path}: declares entities of its own, which a feed does not need; remove them")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        if self._depth:
            self._depth += 1
        elif name in _ENTRIES:
            self._depth = 1
            self.found.append({})
            self.lines.append(self.parser.CurrentLineNumber)
        self._text.clear()
        if self._depth == 2 and name == "link" and "href" in attributes:
            self.found[-1].setdefault(name, []).append(attributes["href"])

    def _end(self, tag: str) -> None:
        # Values are direct children of an entry; shipping and the like have children of their own.
        if self._depth == 2 and (text := "".join(self._text).strip()):
            values = self.found[-1].setdefault(_local(tag), [])
            if text not in values:
                values.append(text)
        self._depth = max(self._depth - 1, 0)
        self._text.clear()


def _local(tag: str) -> str:
    return plain_name(tag.rpartition(":")[2])


def _finish(table: RawTable) -> RawTable:
    columns = {name: column for name, column in table.columns.items() if name not in (_IMAGE_LINK, _MORE_LINKS)}
    if "item_id" not in columns and "id" in columns:
        columns = {ITEM_ID: columns.pop("id"), **columns}
    category = next((name for name in ("product_type", "google_product_category") if name in columns), None)
    if category is not None and CATEGORY not in columns:
        columns[CATEGORY] = columns.pop(category)
    links = [table.columns[name].to_pandas() for name in (_IMAGE_LINK, _MORE_LINKS) if name in table.columns]
    if links:
        remote = links[0].str.contains("://") | (links[0] == "")
        if remote.all():
            columns[IMAGE_URLS] = pa.array(join_addresses(*links), pa.string())
        else:
            columns[IMAGE] = pa.array(links[0], pa.string())
    text = frozenset(name for name in columns if name in _TEXT)
    note = f"{table.path}: read as a feed of Google Merchant"
    return replace(table, columns=columns, text_columns=table.text_columns | text, notes=(*table.notes, note))


_TEXT = (
    ITEM_ID,
    CATEGORY,
    "title",
    "description",
    "gtin",
    "mpn",
    ITEM_GROUP_ID,
    "brand",
    "google_product_category",
    "product_type",
    IMAGE_URLS,
)
