"""Exports of shop systems with the columns of their documentation: they import with no option but the path."""

# ruff: noqa: E501  Lines of exports are long.

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from recsys.dataset.importers import FileFormat, ImportOptions, import_data
from recsys.dataset.importers.readers.formats import recognize
from recsys.dataset.project import Project
from recsys.errors import DataError

Write = Callable[[str, str | bytes], Path]


def items(project: Project) -> dict[str, Mapping[str, object]]:
    return {row["item_id"]: row for row in project.load_items().to_dict("records")}


def values(project: Project, *names: str) -> dict[str, tuple[object, ...]]:
    return {item: tuple(row[name] for name in names) for item, row in items(project).items()}


def bought(project: Project) -> list[tuple[object, ...]]:
    frame = project.load_interactions().sort_values(["user_id", "item_id"])
    assert set(frame["event"]) == {"purchase"}
    return list(frame[["user_id", "item_id", "timestamp"]].itertuples(index=False, name=None))


SHOPIFY = (
    "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,"
    "Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Price,Image Src,Image Position,Status\n"
    'cup,Red cup,"<p>Hot &amp; red</p>",Acme,Cups,"tea, red",TRUE,Size,S,Color,Red,CUP-S,shopify,5,deny,9.00,https://c/1.jpg,1,active\n'
    "cup,,,,,,,,L,,Red,CUP-L,shopify,0,deny,11.50,https://c/2.jpg,2,\n"
    "cup,,,,,,,,XL,,Red,CUP-XL,shopify,0,continue,13.00,,,\n"
    "cup,,,,,,,,,,,,,,,,https://c/3.jpg,3,\n"
    "bag,Bag,,Acme,Bags,,TRUE,Title,Default Title,,,,,,deny,20.00,,,draft\n"
    "cap,Cap,,Acme,Caps,,FALSE,Title,Default Title,,,CAP,,,deny,7.00,,,active\n"
    "old,Old,,Acme,Caps,,TRUE,Title,Default Title,,,OLD,,,deny,7.00,,,archived\n"
)
SHOPIFY_ORDERS = (
    "Name,Email,Financial Status,Paid at,Currency,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,"
    "Refunded Amount,Cancelled at\n"
    "#1001,Ann@Example.com,paid,2024-05-31 20:00:00 +0200,EUR,2024-05-31 20:00:00 +0200,2,Red cup - S / Red,9.00,CUP-S,0.00,\n"
    "#1001,Ann@Example.com,,,,,1,Bag,20.00,,,\n"
    "#1002,bob@example.com,refunded,,EUR,2024-06-01 10:00:00 +0200,1,Cap,7.00,CAP,7.00,\n"
    "#1003,bob@example.com,voided,,EUR,2024-06-01 11:00:00 +0200,1,Cap,7.00,CAP,0.00,2024-06-02 10:00:00 +0200\n"
    "#1004,,paid,,EUR,2024-06-01 12:00:00 +0200,1,Cap,7.00,CAP,0.00,\n"
)


def test_shopify(project: Project, write: Write) -> None:
    report = import_data(
        project, items=write("products_export.csv", SHOPIFY), interactions=write("orders_export.csv", SHOPIFY_ORDERS)
    )
    assert values(project, "title", "item_group_id", "price", "available", "category", "variant") == {
        "CUP-S": ("Red cup", "cup", 9.0, True, "Cups", "S / Red"),
        "CUP-L": ("Red cup", "cup", 11.5, False, "Cups", "L / Red"),
        "CUP-XL": ("Red cup", "cup", 13.0, True, "Cups", "XL / Red"),
        "bag": ("Bag", "bag", 20.0, False, "Bags", ""),
        "CAP": ("Cap", "cap", 7.0, False, "Caps", ""),
        "OLD": ("Old", "old", 7.0, False, "Caps", ""),
    }
    assert items(project)["CUP-L"]["image_urls"] == "https://c/1.jpg https://c/2.jpg https://c/3.jpg"
    assert items(project)["CUP-L"]["description"] == "Hot & red"
    assert bought(project) == [
        ("#1004", "CAP", 1_717_236_000), ("ann@example.com", "CUP-S", 1_717_178_400), ("ann@example.com", "bag", 1_717_178_400),
    ]  # fmt: skip
    text = str(report)
    assert "2 rows of cancelled or refunded orders are left out" in text
    assert "1 items are named by their title (Bag -> bag)" in text
    assert "1 rows of guests without an e-mail are users named by their order (#1004)" in text
    assert "1 rows are variants without a SKU; their id is the handle (bag)" in text


def test_shopify_with_the_new_names_of_columns(project: Project, write: Write) -> None:
    new = (
        "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,Barcode,"
        "Option1 name,Option1 value,Price,Compare-at price,Inventory tracker,Inventory quantity,"
        "Continue selling when out of stock,Product image URL,Image position\n"
        "Cup,cup,,Acme,Home > Kitchen > Cups,,,TRUE,Active,C-1,4006381333931,Size,S,9.00,12.00,shopify,0,DENY,https://c/1.jpg,1\n"
        ",cup,,,,,,,,C-2,,,M,9.50,,shopify,3,DENY,,\n"
    )
    import_data(project, items=write("products.csv", new))
    assert values(project, "item_group_id", "price", "available", "category", "gtin") == {
        "C-1": ("cup", 9.0, False, "Home > Kitchen > Cups", "4006381333931"),
        "C-2": ("cup", 9.5, True, "Home > Kitchen > Cups", ""),
    }


def test_shopify_saved_by_a_german_spreadsheet(project: Project, write: Write) -> None:
    german = (
        "Handle;Title;Published;Option1 Name;Option1 Value;Variant SKU;Variant Price;Image Src;Status\n"
        "cup;Becher;WAHR;Size;S;C-S;19,90;https://c/1.jpg;active\ncup;;;;M;C-M;1.021,00;;\n"
        "bag;Tasche;FALSCH;Title;Default Title;BAG;9,00;;active\n"
    )
    import_data(project, items=write("p.csv", german.encode("utf-8-sig")))
    assert values(project, "price", "available") == {"C-S": (19.9, True), "C-M": (1021.0, True), "BAG": (9.0, False)}


def test_orders_alone_build_a_catalog_of_what_was_bought(project: Project, write: Write) -> None:
    report = import_data(project, interactions=write("orders_export.csv", SHOPIFY_ORDERS))
    assert values(project, "title", "price") == {
        "CUP-S": ("Red cup - S / Red", 9.0), "Bag": ("Bag", 20.0), "CAP": ("Cap", 7.0),
    }  # fmt: skip
    assert "no catalog: 3 items are described by the events alone (title, price)" in str(report)


WOO = (
    'ID,Type,SKU,"GTIN, UPC, EAN, or ISBN",Name,Published,"Is featured?","Visibility in catalog","Short description",'
    '"In stock?",Stock,"Sale price","Regular price",Categories,Tags,Images,Parent\n'
    '10,variable,TEE,,Tee,1,0,visible,"<b>Soft</b>",1,,,,"Clothing, Clothing > Tees",,"https://w/a.jpg, https://w/b.jpg",\n'
    "11,variation,TEE-S,,Tee - S,1,0,visible,,1,3,,12,,,,TEE\n"
    "12,variation,TEE-M,,Tee - M,1,0,visible,,backorder,0,10,12,,,https://w/m.jpg,id:10\n"
    "13,simple,HAT,4006381333931,Hat,1,0,visible,,0,0,,9,Hats,,,\n"
    "14,simple,PRIVATE,,Private,0,0,visible,,1,1,,9,Hats,,,\n"
    "15,simple,DRAFT,,Draft,-1,0,visible,,1,1,,9,Hats,,,\n"
    "16,simple,HIDDEN,,Hidden,1,0,hidden,,1,1,,9,Hats,,,\n"
)
WOO_ORDERS = (
    "order_id,date,status,customer_id,billing_email,item_product_id,item_name,item_sku,item_quantity,item_total\n"
    "501,2024-05-31 18:00:00,completed,7,ann@example.com,11,Tee - S,TEE-S,2,24.00\n"
    "502,2024-05-31 18:00:00,wc-processing,0,Bob@example.com,13,Hat,,1,9.00\n"
    "503,2024-05-31 18:00:00,cancelled,0,bob@example.com,13,Hat,HAT,1,9.00\n"
)


def test_woocommerce(project: Project, write: Write) -> None:
    report = import_data(project, items=write("wc.csv", WOO), interactions=write("orders.csv", WOO_ORDERS))
    assert values(project, "title", "item_group_id", "price", "available", "category") == {
        "TEE-S": ("Tee - S", "TEE", 12.0, True, "Clothing|Clothing > Tees"),
        "TEE-M": ("Tee - M", "TEE", 12.0, True, "Clothing|Clothing > Tees"),
        "HAT": ("Hat", "", 9.0, False, "Hats"),
        "PRIVATE": ("Private", "", 9.0, False, "Hats"),
        "DRAFT": ("Draft", "", 9.0, False, "Hats"),
        "HIDDEN": ("Hidden", "", 9.0, False, "Hats"),
    }
    assert items(project)["TEE-S"]["image_urls"] == "https://w/a.jpg https://w/b.jpg"
    assert bought(project) == [("7", "TEE-S", 1_717_178_400), ("bob@example.com", "HAT", 1_717_178_400)]
    assert "1 items are named by their product_id (13 -> HAT)" in str(report)


def test_renamed_columns_of_an_export_stay_as_they_were_named(project: Project, write: Write) -> None:
    options = ImportOptions(columns={"ID": "woo_id", "Regular price": "price"})
    import_data(project, items=write("wc.csv", WOO), options=options)
    assert values(project, "woo_id", "price", "available")["HAT"] == (13, 9.0, False)


def test_woocommerce_without_skus_uses_the_numbers(project: Project, write: Write) -> None:
    import_data(project, items=write("wc.csv", WOO.replace("13,simple,HAT", "13,simple,")))
    assert sorted(items(project)) == ["11", "12", "13", "14", "15", "16"]
    assert items(project)["12"]["item_group_id"] == "10"


MAGENTO = (
    "sku,store_view_code,attribute_set_code,product_type,categories,product_websites,name,short_description,product_online,"
    "visibility,price,special_price,base_image,additional_attributes,qty,is_in_stock,configurable_variations\n"
    'MH01-S,,Top,simple,"Default Category/Men/Tops,Default Category/Sale",base,Hoodie-S,,1,Not Visible Individually,52.00,,'
    '/m/h/mh01.jpg,"color=Gray,size=S,climate=Cold, windy",10,1,\n'
    'MH01-M,,Top,simple,"Default Category/Men/Tops",base,Hoodie-M,,1,Not Visible Individually,52.00,45.00,,"color=Gray,size=M",0,0,\n'
    'MH01,,Top,configurable,"Default Category/Men/Tops",base,Hoodie,<p>Warm</p>,1,"Catalog, Search",52.00,,/m/h/mh01.jpg,,0,1,'
    '"sku=MH01-S,size=S,color=Gray|sku=MH01-M,size=M,color=Gray"\n'
    "MH01-S,de,Top,simple,,,Kapuzenpulli-S,,,,,,,,,,\n"
    'BAG,,Bag,simple,Default Category/Gear,base,Bag,,2,"Catalog, Search",34.00,,,,5,1,\n'
)


def test_magento(project: Project, write: Write) -> None:
    report = import_data(
        project, items=write("catalog_product.csv", MAGENTO), options=ImportOptions(check_images=False)
    )
    assert values(project, "title", "item_group_id", "price", "available", "category", "color", "size") == {
        "MH01-S": ("Hoodie-S", "MH01", 52.0, True, "Men > Tops|Sale", "Gray", "S"),
        "MH01-M": ("Hoodie-M", "MH01", 52.0, False, "Men > Tops", "Gray", "M"),
        "BAG": ("Bag", "", 34.0, False, "Gear", "", ""),
    }
    assert str(items(project)["MH01-M"]["image"]).endswith("m/h/mh01.jpg")
    assert not str(items(project)["MH01-M"]["image"]).startswith("/m/")
    assert "1 rows of other store views are left out (de)" in str(report)


PRESTASHOP = (
    "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Reference #;Manufacturer;EAN13;Quantity;"
    "Summary;Image URLs (x,y,z...)\n"
    "1;1;Tasse rouge;Maison > Tasses,Soldes;1.299,00;REF-1;Acme;4006381333931;5;<p>Chaude</p>;https://p/1.jpg,https://p/2.jpg\n"
    "2;0;Sac;Sacs;12,90;REF-2;;;5;;\n"
    "3;1;Vase;Maison;2.450;REF-3;;;0;;\n"
)


def test_prestashop(project: Project, write: Write) -> None:
    import_data(project, items=write("products_import.csv", PRESTASHOP))
    assert values(project, "title", "price", "available", "category", "sku", "image_urls") == {
        "1": ("Tasse rouge", 1299.0, True, "Maison > Tasses|Soldes", "REF-1", "https://p/1.jpg https://p/2.jpg"),
        "2": ("Sac", 12.9, False, "Sacs", "REF-2", ""),
        "3": ("Vase", 2450.0, False, "Maison", "REF-3", ""),
    }


BIGCOMMERCE = (
    "Item,ID,Name,Type,SKU,Options,Inventory Tracking,Current Stock,Price,Sale Price,Categories,Is Visible,Image URL (Import)\n"
    "Product,77,Lamp,physical,LAMP,,variant,0,30,,Home/Lamps;Sale,TRUE,https://b/1.jpg\n"
    "Variant,,,,LAMP-R,Type=Rectangles|Name=Color|Value=Red,,2,,,,,\n"
    "Variant,,,,LAMP-B,Type=Rectangles|Name=Color|Value=Blue,,0,32,,,,\n"
    "Image,,,,,,,,,,,,https://b/2.jpg\n"
    "Product,78,Rug,physical,,,none,0,99,,Home,FALSE,\n"
)
BIGCOMMERCE_OLD = (
    '"Item Type","Product ID","Product Name","Product Type","Product Code/SKU","Price","Product Visible?","Track Inventory",'
    '"Current Stock Level","Category"\n'
    'Product,77,Lamp,P,LAMP,30,Y,none,0,Home/Lamps\n"  SKU",79,"[S]Color=Red",,LAMP-R,,,,2,\n'
)
BIGCOMMERCE_ORDERS = (
    "Order ID,Customer ID,Customer Email,Order Date,Order Status,Product Details\n"
    '900,5,ann@example.com,2024-05-31,Completed,"Product ID: 77, Product Qty: 2, Product SKU: LAMP-R, Product Name: Lamp, red,'
    ' Product Unit Price: 30.00, Product Total Price: 60.00|Product ID: 78, Product Qty: 1, Product SKU: , Product Name: Rug"\n'
    '901,0,Bob@example.com,2024-05-31,Cancelled,"Product ID: 78, Product Qty: 1, Product SKU: , Product Name: Rug"\n'
)


def test_bigcommerce(project: Project, write: Write) -> None:
    import_data(project, items=write("p.csv", BIGCOMMERCE), interactions=write("o.csv", BIGCOMMERCE_ORDERS))
    assert values(project, "title", "item_group_id", "price", "available", "category") == {
        "LAMP-R": ("Lamp", "77", 30.0, True, "Home > Lamps|Sale"),
        "LAMP-B": ("Lamp", "77", 32.0, False, "Home > Lamps|Sale"),
        "78": ("Rug", "", 99.0, False, "Home"),
    }
    assert items(project)["LAMP-R"]["image_urls"] == "https://b/1.jpg https://b/2.jpg"
    assert bought(project) == [("5", "78", 1_717_113_600), ("5", "LAMP-R", 1_717_113_600)]


def test_bigcommerce_in_its_older_layout(project: Project, write: Write) -> None:
    import_data(project, items=write("p.csv", BIGCOMMERCE_OLD))
    assert values(project, "title", "item_group_id", "price") == {"LAMP-R": ("Lamp", "77", 30.0)}


GOOGLE = (
    "id\ttitle\tdescription\tlink\timage link\tadditional image link\tavailability\tprice\tsale price\titem group id\t"
    "product type\tgtin\n"
    "1\tCup S\tHot\thttps://g/1\thttps://g/1.jpg\thttps://g/2.jpg,https://g/3.jpg\tin stock\t1,299.00 USD\t999.00 USD\tG1\tHome > Cups\t004006381333931\n"
    "2\tCup M\tHot\thttps://g/2\thttps://g/1.jpg\t\tout_of_stock\t19.99 USD\t\tG1\tHome > Cups\t\n"
    "3\tBag\tBig\thttps://g/3\thttps://g/4.jpg\t\tpreorder\t5 USD\t\t\tBags\t\n"
    "4\tCap\tNew\thttps://g/4\thttps://g/5.jpg\t\tbackorder\t5.00 USD\t\t\tCaps\t\n"
)
GOOGLE_XML = """<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop</title><link>https://g</link>
<item><g:id>1</g:id><title>Cup &amp; saucer</title><g:image_link>https://g/1.jpg</g:image_link>
<g:additional_image_link>https://g/2.jpg</g:additional_image_link><g:additional_image_link>https://g/3.jpg</g:additional_image_link>
<g:price>19.99 EUR</g:price><g:availability>in_stock</g:availability><g:item_group_id>G1</g:item_group_id>
<g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping><g:product_type><![CDATA[Home > Cups]]></g:product_type></item>
<item><g:id>2</g:id><g:title>Bag</g:title><g:price>5.00 EUR</g:price><g:availability>out of stock</g:availability></item>
</channel></rss>
"""
GOOGLE_ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>Shop</title>
<entry><g:id>a</g:id><title>A</title><link href="https://g/a"/><g:price>1.50 GBP</g:price><g:availability>in stock</g:availability></entry>
</feed>"""


def test_google_merchant_as_text(project: Project, write: Write) -> None:
    report = import_data(project, items=write("feed.tsv", GOOGLE))
    assert values(project, "title", "price", "available", "item_group_id", "category", "gtin") == {
        "1": ("Cup S", 1299.0, True, "G1", "Home > Cups", "004006381333931"),
        "2": ("Cup M", 19.99, False, "G1", "Home > Cups", ""),
        "3": ("Bag", 5.0, True, "", "Bags", ""),
        "4": ("Cap", 5.0, True, "", "Caps", ""),
    }
    assert items(project)["1"]["image_urls"] == "https://g/1.jpg https://g/2.jpg https://g/3.jpg"
    assert "backorder, preorder count as available" in str(report)


def test_google_merchant_as_xml(project: Project, write: Write) -> None:
    import_data(project, items=write("feed.xml", GOOGLE_XML))
    assert values(project, "title", "price", "available", "item_group_id", "category") == {
        "1": ("Cup & saucer", 19.99, True, "G1", "Home > Cups"),
        "2": ("Bag", 5.0, False, "", ""),
    }
    assert items(project)["1"]["image_urls"] == "https://g/1.jpg https://g/2.jpg https://g/3.jpg"
    import_data(project, items=write("atom.xml", GOOGLE_ATOM))
    assert values(project, "title", "price") == {"a": ("A", 1.5)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<rss><channel><item><id>1</id></channel></rss>", r"feed.xml: line 1: not valid XML: mismatched tag"),
        (
            '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "x">]><rss><item><id>&a;</id></item></rss>',
            "entities of its own",
        ),
        ("<rss><channel></channel></rss>", "no rows"),
    ],
)
def test_defective_feeds(project: Project, write: Write, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        import_data(project, items=write("feed.xml", content))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (SHOPIFY, FileFormat.SHOPIFY), (SHOPIFY_ORDERS, FileFormat.SHOPIFY), (WOO, FileFormat.WOOCOMMERCE),
        (WOO_ORDERS, FileFormat.WOOCOMMERCE), (MAGENTO, FileFormat.MAGENTO), (PRESTASHOP, FileFormat.PRESTASHOP),
        (BIGCOMMERCE, FileFormat.BIGCOMMERCE), (BIGCOMMERCE_OLD, FileFormat.BIGCOMMERCE),
        (BIGCOMMERCE_ORDERS, FileFormat.BIGCOMMERCE), (GOOGLE, FileFormat.GOOGLE_MERCHANT),
        (GOOGLE_XML, FileFormat.GOOGLE_XML), (GOOGLE_ATOM, FileFormat.GOOGLE_XML),
        ("item_id,title,price\n1,a,2\n", FileFormat.CSV), ("id,name,sku,price\n1,a,s,2\n", FileFormat.CSV),
    ],
)  # fmt: skip
def test_exports_are_recognized_by_their_columns(write: Write, content: str, expected: FileFormat) -> None:
    assert recognize(write("any.csv", content)) is expected


def test_an_export_of_the_wrong_table_says_which_columns_it_lacks(project: Project, write: Write) -> None:
    with pytest.raises(DataError, match=r"no column name, lineitem_name; this export of Shopify has"):
        import_data(project, interactions=write("p.csv", SHOPIFY))
