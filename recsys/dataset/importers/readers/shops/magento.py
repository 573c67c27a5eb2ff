"""Magento (Adobe Commerce): the product export.

Rows are products of one type each. Simple products that a configurable one names in `configurable_variations` are its
variants: they get its SKU as `item_group_id`, and the configurable row itself is no item. Rows of a store view repeat
products in another language and are left out.
Source: experienceleague.adobe.com/en/docs/commerce-admin/systems/data-transfer/data-attributes-product
"""

from __future__ import annotations

import re

import pandas as pd

from recsys.dataset.importers.readers.shops.export import (
    Export,
    describe_truth,
    first_filled,
    is_positive,
    join_categories,
    strip_html,
)
from recsys.dataset.importers.table import RawTable
from recsys.schema import AVAILABLE, CATEGORY, IMAGE, IMAGE_URLS, ITEM_GROUP_ID, ITEM_ID, PRICE, TITLE

PRODUCT_HEADERS = (
    {"sku", "product_type", "attribute_set_code"},
    {"sku", "product_type", "additional_attributes"},
    {"sku", "product_type", "product_online"},
)
_SYSTEM = "Magento"
_ROOT = re.compile(r"^default category(/|$)", re.IGNORECASE)
_PAIR = re.compile(r"(?:^|,)([a-z][a-z0-9_]*)=")
_USED = ("color", "colour", "size", "material", "brand", "manufacturer", "pattern", "style", "gender")


def read_products(table: RawTable) -> RawTable:
    """Read products; disabled ones and those out of stock are not available. Raises DataError."""
    export = Export(table, _SYSTEM, ("sku", "product_type"))
    sku = export.column("sku")
    default = export.column("store_view_code").isin(["", "admin", "default"])
    default &= ~(sku + "\0" + default.astype(str)).duplicated() | (sku == "")
    export.note_rows(~default, "of other store views are left out", export.column("store_view_code"))
    parents: dict[str, str] = {}
    for parent, variations, associated in zip(
        sku, export.column("configurable_variations"), export.column("associated_skus"), strict=True
    ):
        for variation in variations.split("|"):
            child = dict(_pairs(variation)).get("sku", "")
            parents.setdefault(child, parent)
        for child in associated.split(",") if not variations else ():
            parents.setdefault(child.partition("=")[0].strip(), parent)
    parents.pop("", None)
    group = sku.map(parents).fillna("")
    present = set(sku[default])
    with_children = {parent for child, parent in parents.items() if child in present}
    rows = default & ~(
        sku.isin(with_children) & export.column("product_type").str.lower().isin(["configurable", "grouped"])
    )
    head = sku[default].drop_duplicates()
    by_sku = pd.Series(head.index, index=head)

    def inherited(name: str) -> pd.Series:
        column = export.column(name)
        rows_of_parents = group.map(by_sku)
        known = rows_of_parents.notna()
        of_parent = column.reindex(rows_of_parents[known].astype(int)).set_axis(column.index[known])
        return column.mask(column == "", of_parent.reindex(column.index).fillna(""))

    online = export.column("product_online").isin(["", "1"])
    shown = (export.column("visibility").str.lower() != "not visible individually") | (group != "")
    stock = export.column("is_in_stock").isin(["", "1"])
    unmanaged = (export.column("manage_stock") == "0") | export.column("allow_backorders").isin(["1", "2"])
    images = [inherited(name) for name in ("base_image", "small_image", "additional_images")]
    remote = images[0].str.contains("://")
    columns = {
        ITEM_ID: sku,
        ITEM_GROUP_ID: group,
        TITLE: export.column("name"),
        CATEGORY: join_categories(inherited("categories").map(_without_root), r",(?!\s)", "/"),
        PRICE: export.column("price"),
        "sale_price": export.column("special_price"),
        AVAILABLE: describe_truth(
            online, shown, stock, unmanaged | (export.column("is_in_stock") != "") | is_positive(export.column("qty"))
        ),
        # Paths start at pub/media/catalog/product, so that a leading slash is not the root of the disk.
        IMAGE: first_filled(images[0], images[1]).where(~remote, "").str.lstrip("/").replace("no_selection", ""),
        IMAGE_URLS: images[0].where(remote, ""),
        "description": strip_html(first_filled(export.column("short_description"), export.column("description"))),
    }
    attributes = [dict(_pairs(cell)) for cell in export.column("additional_attributes")]
    for name in sorted({name for pairs in attributes for name in pairs if name in _USED}):
        values = pd.Series([pairs.get(name, "") for pairs in attributes], index=sku.index, dtype="str")
        columns[name] = values
    return export.to_table(columns, rows & (sku != ""), (TITLE, CATEGORY, ITEM_GROUP_ID, "description", *_USED))


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return the name=value pairs of a cell; a comma within a value does not part them."""
    marks = list(_PAIR.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)][: len(marks)]
    return [(mark[1], text[mark.end() : end].strip().strip('"')) for mark, end in zip(marks, ends, strict=True)]


def _without_root(text: str) -> str:
    return ",".join(_ROOT.sub("", part) for part in re.split(r",(?!\s)", text))
