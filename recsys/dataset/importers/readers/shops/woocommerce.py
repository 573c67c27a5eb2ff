"""WooCommerce: the product export, and orders as the usual plugins and the analytics page write them.

Rows are simple products, variable products, and their variations, which name their parent as `id:12` or by SKU. An item
is what can be bought: variations, and all else but variable products that have variations here. The SKU is the id if
all have one, since orders name it, else the number.
Source: github.com/woocommerce/woocommerce/wiki/Product-CSV-Import-Schema
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from recsys.dataset.importers.readers.shops.export import (
    Export,
    describe_truth,
    first_filled,
    join_addresses,
    join_categories,
    strip_html,
)
from recsys.dataset.importers.table import RawTable
from recsys.dataset.importers.values.words import parse_availability
from recsys.schema import AVAILABLE, CATEGORY, IMAGE_URLS, ITEM_GROUP_ID, ITEM_ID, PRICE, TITLE

PRODUCT_HEADERS = (
    {"type", "sku", "name", "published"},
    {"id", "type", "name", "regular_price"},
    {"id", "type", "name", "in_stock"},
)
ORDER_HEADERS = (
    {"order_id", "item_name"}, {"order_id", "item_sku"}, {"order_number", "item_name"}, {"order_number", "item_sku"},
    {"order_number", "sku", "item_name"}, {"order_id", "line_item_sku"},
)  # fmt: skip
_SYSTEM = "WooCommerce"


def read_products(table: RawTable) -> RawTable:
    """Read products and variations; hidden, private and draft products are not available. Raises DataError."""
    export = Export(table, _SYSTEM, ("name",))
    number, sku = export.column("id"), export.column("sku")
    kind = export.column("type").str.lower()
    parent = export.column("parent").str.strip()
    # A parent is named by SKU or as id:12; both lead to its row.
    keys = pd.concat([pd.Series(number.index, index="id:" + number), pd.Series(sku.index, index=sku)])
    rows_by_key = keys[~keys.index.duplicated() & (keys.index != "")]
    parent_row = parent.map(rows_by_key)
    known = parent_row.notna() & (parent != "")
    has_children = pd.Series(export.frame.index.isin(parent_row[known].astype(int)), index=kind.index)
    rows = ~(kind.str.contains("variable|grouped") & has_children)
    by_sku = bool((sku[rows] != "").all())
    if not by_sku:
        export.note_rows(rows & (sku == ""), "have no SKU, so that the number is the id of all", number)
    ids = sku if by_sku else first_filled(number, sku)
    heads = parent_row[known].astype(int)

    def inherited(*names: str) -> pd.Series:
        column = export.column(*names)
        of_parent = column.reindex(heads).set_axis(heads.index).reindex(column.index).fillna("")
        return column.mask(column == "", of_parent)

    group = ids.copy()
    group[known] = (
        first_filled(sku, "id:" + number).reindex(heads).set_axis(heads.index)
        if by_sku
        else number.reindex(heads).set_axis(heads.index)
    )
    published = export.column("published").isin(["", "1"])
    published &= published.reindex(heads).set_axis(heads.index).reindex(published.index).fillna(True)
    visible = ~inherited("visibility_in_catalog").str.lower().isin(["hidden"])
    stock = export.column("in_stock", "stock_status")
    # "backorder" is a stock word, too.
    in_stock = pd.Series(parse_availability(pa.array(stock, pa.string())).values, index=stock.index)
    return export.to_table(
        {
            ITEM_ID: ids,
            ITEM_GROUP_ID: group.where(known, ""),
            TITLE: export.column("name"),
            CATEGORY: join_categories(inherited("categories"), r"(?<!\\),\s*", ">").str.replace(r"\,", ","),
            PRICE: first_filled(export.column("regular_price"), export.column("price")),
            "sale_price": export.column("sale_price"),
            AVAILABLE: describe_truth(published, visible, in_stock),
            IMAGE_URLS: join_addresses(inherited("images")),
            "product_id": number,
            "sku": sku,
            "brand": inherited("brands", "brand"),
            "tags": inherited("tags"),
            "description": strip_html(first_filled(export.column("short_description"), export.column("description"))),
            "gtin": export.column("gtin_upc_ean_or_isbn", "global_unique_id"),
            "stock": export.column("stock"),
        },
        rows & (first_filled(ids, export.column("name")) != ""),
        (TITLE, CATEGORY, ITEM_GROUP_ID, "product_id", "sku", "gtin", "tags", "description", "brand"),
    )


def read_orders(table: RawTable) -> RawTable:
    """Read lines of orders as purchases; the user is the customer's id, else the e-mail. Raises DataError."""
    export = Export(table, _SYSTEM, ())
    order = export.column("order_id", "order_number")
    export.fill_down(
        order, "customer_id", "customer_user", "customer_user_id", "billing_email", "email_billing", "customer_email",
        "date", "order_date", "date_created", "status", "order_status",
    )  # fmt: skip
    customer = export.column("customer_id", "customer_user", "customer_user_id", "customer_user_id")
    email = export.column("billing_email", "email_billing", "customer_email", "email").str.lower()
    # Guests have the number 0.
    users = first_filled(customer.mask(customer == "0", ""), email)
    export.note_rows(users == "", "of guests without an e-mail are users named by their order", order)
    number = export.column("item_variation_id", "variation_id")
    number = first_filled(number.mask(number == "0", ""), export.column("item_product_id", "product_id"))
    return export.to_orders(
        first_filled(users, "order " + order),
        first_filled(
            export.column("item_sku", "sku", "line_item_sku", "product_sku"),
            number,
            export.column("item_name", "product_name"),
        ),
        export.column("date", "order_date", "date_created", "paid_date"),
        export.column("item_quantity", "quantity_refund", "quantity", "item_qty", "qty"),
        export.column("status", "order_status"),
        title=export.column("item_name", "product_name"),
        price=export.column("item_price", "item_cost"),
    )
