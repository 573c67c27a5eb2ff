"""Shopify: `products_export.csv` and `orders_export.csv`.

A product has a row for each variant and each image; only its first row has title, type and status. Each variant is an
item: its SKU is its id, since orders name it, and the product's handle is its `item_group_id`. In orders, each row is
one line of an order.
Source: help.shopify.com/en/manual/products/import-export/using-csv, help.shopify.com/en/manual/orders/exporting-orders
"""

from __future__ import annotations

from recsys.dataset.importers.readers.shops.export import (
    Export,
    apply_rows,
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
    {"handle", "title", "variant_price"},
    {"handle", "title", "variant_sku"},
    {"handle", "title", "image_src"},
    {"url_handle", "title", "price"},
    {"url_handle", "title", "sku"},
)
ORDER_HEADERS = ({"name", "lineitem_name", "lineitem_quantity"},)
_SYSTEM = "Shopify"
_NO_OPTION = "Default Title"


def read_products(table: RawTable) -> RawTable:
    """Read variants as items; drafts, archived and unpublished products are not available. Raises DataError."""
    export = Export(table, _SYSTEM, ("title",))
    handle = export.column("handle", "url_handle")
    if not (handle != "").any():
        handle = export.column("title")
    group = handle.mask(handle == "").ffill().fillna("")
    export.fill_down(
        group, "title", "body_html", "description", "vendor", "type", "product_category", "product_type", "tags",
        "published", "published_on_online_store", "status", "option1_name", "option2_name", "option3_name",
    )  # fmt: skip
    options = [export.column(f"option{number}_value") for number in (1, 2, 3)]
    variant = apply_rows(lambda *cells: " / ".join(cell for cell in cells if cell and cell != _NO_OPTION), *options)
    sku, price = export.column("variant_sku", "sku"), export.column("variant_price", "price")
    first = ~group.duplicated()
    # Rows with none of these carry one more image.
    rows = first | (options[0] != "") | (sku != "") | (price != "")
    count = rows.groupby(group).transform("sum")
    slug = variant.str.lower().str.replace(r"[^\w]+", "-", regex=True).str.strip("-")
    named = group.mask((count > 1) & (slug != ""), group + "-" + slug)
    export.note_rows(rows & (sku == ""), "are variants without a SKU; their id is the handle", named)
    images = export.column("image_src", "product_image_url")
    of_product = images.groupby(group, sort=False).transform(lambda cells: " ".join(cell for cell in cells if cell))
    policy, tracker = (
        export.column("variant_inventory_policy", "continue_selling_when_out_of_stock"),
        export.column("variant_inventory_tracker", "inventory_tracker"),
    )
    stock = export.column("variant_inventory_qty", "inventory_quantity")
    untracked = (tracker == "") | policy.str.lower().isin(["continue", "true"])
    status = export.column("status").str.lower()
    published = ~is_no(export.column("published", "published_on_online_store"))
    return export.to_table(
        {
            ITEM_ID: first_filled(sku, named),
            ITEM_GROUP_ID: group,
            TITLE: export.column("title"),
            CATEGORY: join_categories(
                first_filled(export.column("type", "product_type"), export.column("product_category")), r"\|", ">"
            ),
            PRICE: price,
            AVAILABLE: describe_truth(status.isin(["", "active"]), published, untracked | is_positive(stock)),
            IMAGE_URLS: join_addresses(export.column("variant_image", "variant_image_url"), of_product),
            "variant": variant,
            "brand": export.column("vendor"),
            "tags": export.column("tags"),
            "description": strip_html(export.column("body_html", "description")),
            "gtin": export.column("variant_barcode", "barcode").str.lstrip("'"),
            "compare_at_price": export.column("variant_compare_at_price", "compare_at_price"),
        },
        rows & (group != ""),
        (TITLE, CATEGORY, ITEM_GROUP_ID, "gtin", "variant", "brand", "tags", "description"),
    )


def read_orders(table: RawTable) -> RawTable:
    """Read lines of orders as purchases; the user is the customer's id, else the e-mail. Raises DataError."""
    export = Export(table, _SYSTEM, ("name", "lineitem_name"))
    order = export.column("name")
    export.fill_down(
        order, "email", "customer_id", "phone", "financial_status", "created_at", "paid_at", "processed_at",
        "cancelled_at", "currency",
    )  # fmt: skip
    users = first_filled(export.column("customer_id"), export.column("email").str.lower(), export.column("phone"))
    export.note_rows(users == "", "of guests without an e-mail are users named by their order", order)
    status = export.column("financial_status")
    cancelled = export.column("cancelled_at") != ""
    return export.to_orders(
        first_filled(users, order),
        first_filled(export.column("lineitem_sku"), export.column("lineitem_name")),
        first_filled(export.column("created_at"), export.column("processed_at"), export.column("paid_at")),
        export.column("lineitem_quantity"),
        status.mask(cancelled, "cancelled"),
        title=export.column("lineitem_name"),
        price=export.column("lineitem_price"),
    )
