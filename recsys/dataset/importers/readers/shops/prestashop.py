"""PrestaShop: the product list of the back office, and files for its product import.

Columns are named as on its pages: `Product ID`, `Active (0/1)`, `Name *`, `Categories (x,y,z...)`.
The product's number is the id, since orders and links name it; its reference stays as `sku`.
Source: docs.prestashop-project.org, sample files of the page Advanced Parameters > Import
"""

from __future__ import annotations

from recsys.dataset.importers.readers.shops.export import (
    Export,
    describe_truth,
    first_filled,
    is_positive,
    join_addresses,
    join_categories,
    strip_html,
)
from recsys.dataset.importers.table import RawTable
from recsys.schema import AVAILABLE, CATEGORY, IMAGE_URLS, ITEM_ID, PRICE, TITLE

PRODUCT_HEADERS = (
    {"product_id", "active_0_1", "name"}, {"id", "active_0_1", "name"}, {"product_id", "name", "price_tax_excl"},
    {"product_id", "name", "price_tax_excluded"}, {"id", "name", "price_tax_excluded"},
    {"product_id", "name", "price_tax_included"}, {"id", "name", "price_tax_included"},
)  # fmt: skip
_SYSTEM = "PrestaShop"


def read_products(table: RawTable) -> RawTable:
    """Read products; inactive ones and those out of stock are not available. Raises DataError."""
    export = Export(table, _SYSTEM, ("name",))
    number, sku = export.column("product_id", "id"), export.column("reference", "reference_code")
    ids = first_filled(number, sku)
    active = ~export.column("active_0_1", "status", "active", "enabled").str.lower().isin(
        ["0", "no", "false", "disabled"]
    )
    orders = ~export.column("available_for_order_0_no_1_yes", "available_for_order").isin(["0", "no"])
    late = export.column("out_of_stock_action", "when_out_of_stock", "action_when_out_of_stock") == "1"
    return export.to_table(
        {
            ITEM_ID: ids,
            "sku": sku,
            TITLE: export.column("name"),
            CATEGORY: join_categories(
                export.column("categories_x_y_z", "category", "categories"), r",\s*", r"\s*[>/]\s*"
            ),
            PRICE: export.column(
                "price_tax_included", "price_tax_incl", "price_tax_excluded", "price_tax_excl", "price"
            ),
            AVAILABLE: describe_truth(active, orders, late | is_positive(export.column("quantity"))),
            IMAGE_URLS: join_addresses(export.column("image_urls_x_y_z", "image_url", "image")),
            "brand": export.column("manufacturer", "brand"),
            "tags": export.column("tags_x_y_z", "tags"),
            "description": strip_html(
                first_filled(export.column("summary", "short_description"), export.column("description"))
            ),
            "gtin": export.column("ean13", "ean", "gtin"),
        },
        ids != "",
        (TITLE, CATEGORY, "sku", "brand", "tags", "description", "gtin"),
    )
