"""BigCommerce: product exports of both layouts, and orders.

The present layout has `Item` (Product, Variant, Image), `ID`, `Name`, `SKU`; the older one `Item Type` (Product, SKU,
Rule), `Product ID`, `Product Name`, `Product Code/SKU`. Rows below a product belong to it. Variants are the items of a
product that has some; the product's number is their `item_group_id`.
Source: support.bigcommerce.com/s/article/Importing-Exporting-Products
"""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd

from recsys.dataset.importers.readers.shops.export import (
    Export,
    describe_truth,
    first_filled,
    is_no,
    is_positive,
    join_addresses,
    join_categories,
    strip_html,
)
from recsys.dataset.importers.table import RawTable
from recsys.schema import AVAILABLE, CATEGORY, IMAGE_URLS, ITEM_GROUP_ID, ITEM_ID, PRICE, TITLE

PRODUCT_HEADERS = (
    {"item", "id", "name", "sku"}, {"item_type", "product_name"}, {"item_type", "product_id", "name"},
    {"product_id", "product_name", "product_code_sku"}, {"item_type", "product_code_sku"},
)  # fmt: skip
ORDER_HEADERS = ({"order_id", "product_details"},)
_SYSTEM = "BigCommerce"
_DETAIL = re.compile(r"Product (ID|Qty|SKU|Name|Unit Price|Variation Details|Total Price|Weight|Notes): ?")


def read_products(table: RawTable) -> RawTable:
    """Read products and variants; hidden, disabled and sold out ones are not available. Raises DataError."""
    export = Export(table, _SYSTEM, ())
    kind = export.column("item", "item_type").str.strip().str.lower()
    is_product = kind.isin(["product", ""])
    number = export.column("id", "product_id").mask(~is_product, "")
    product = number.mask(number == "").ffill().fillna("")
    is_variant = kind.isin(["variant", "sku"])
    rows_of = pd.Series(export.frame.index, index=export.frame.index).where(is_product).ffill()
    head = rows_of.fillna(0).astype(int)

    def inherited(*names: str) -> pd.Series:
        column = export.column(*names)
        return column.mask(column == "", column.reindex(head).set_axis(column.index))

    name = export.column("name", "product_name")
    own_sku = export.column("sku", "product_code_sku", "code")
    has_variants = (is_variant & (own_sku != "")).groupby(product).transform("any") & (product != "")
    rows = is_variant & (own_sku != "") | is_product & ~has_variants
    images = export.column(
        "image_url_import",
        "internal_image_url_export",
        "variant_image_url",
        "product_image_url_1",
        "product_images",
        "images",
    )
    of_product = images.groupby(product, sort=False).transform(lambda cells: " ".join(cell for cell in cells if cell))
    visible = ~is_no(inherited("is_visible", "product_visible"))
    purchasable = ~is_no(export.column("purchasable", "allow_purchases"))
    enabled = ~inherited("product_availability", "availability").str.lower().isin(["disabled"])
    tracking = inherited("inventory_tracking", "track_inventory", "product_inventoried").str.lower()
    untracked = tracking.isin(["", "none", "n", "no", "0", "false"])
    group = product.where(is_variant, "")
    return export.to_table(
        {
            ITEM_ID: first_filled(own_sku, number, product),
            ITEM_GROUP_ID: group,
            TITLE: name.reindex(head).set_axis(name.index),
            CATEGORY: join_categories(inherited("categories", "category", "category_string"), r";\s*", r"\s*/\s*"),
            PRICE: inherited("price"),
            "sale_price": export.column("sale_price"),
            AVAILABLE: describe_truth(
                visible,
                purchasable,
                enabled,
                untracked | is_positive(export.column("current_stock", "stock_level", "current_stock_level")),
            ),
            IMAGE_URLS: join_addresses(of_product),
            "variant": first_filled(export.column("options"), name.where(is_variant, "")),
            "product_id": product,
            "brand": inherited("brand_name", "brand"),
            "description": strip_html(inherited("description", "product_description")),
            "gtin": export.column("gtin", "upc_ean", "product_upc_ean"),
        },
        rows,
        (TITLE, CATEGORY, ITEM_GROUP_ID, "variant", "product_id", "brand", "description", "gtin"),
    )


def read_orders(table: RawTable) -> RawTable:
    """Read orders, whose column `Product Details` lists what was bought. Raises DataError."""
    export = Export(table, _SYSTEM, ("order_id", "product_details"))
    bought = [_read_details(cell) for cell in export.column("product_details")]
    lines = [position for position, products in enumerate(bought) for _ in products]
    export.frame = export.frame.iloc[lines].reset_index(drop=True)
    export.table = replace(export.table, lines=export.table.lines[lines])
    products = pd.DataFrame([product for some in bought for product in some], dtype="str").fillna("")
    for name in ("ID", "Qty", "SKU", "Name", "Unit Price"):
        if name not in products:
            products[name] = ""
    order = export.column("order_id")
    customer = export.column("customer_id")
    users = first_filled(customer.mask(customer == "0", ""), export.column("customer_email").str.lower())
    return export.to_orders(
        first_filled(users, "order " + order),
        first_filled(products["SKU"], products["ID"], products["Name"]),
        first_filled(export.column("order_date", "date_created") + " " + export.column("order_time")).str.strip(),
        products["Qty"],
        export.column("order_status", "status"),
        title=products["Name"],
        price=products["Unit Price"],
    )


def _read_details(text: str) -> list[dict[str, str]]:
    """Return the products of an order: `Product ID: 1, Product Qty: 2, ...`, parted by `|`."""
    products = []
    for part in text.split("|"):
        marks = list(_DETAIL.finditer(part))
        ends = [*(mark.start() for mark in marks[1:]), len(part)][: len(marks)]
        fields = {mark[1]: part[mark.end() : end].strip(" ,") for mark, end in zip(marks, ends, strict=True)}
        if fields:
            products.append(fields)
    return products
