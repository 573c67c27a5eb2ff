"""H&M Personalized Fashion Recommendations: `transactions_train.csv`, `articles.csv`, `customers.csv`, `images/`.

Article ids are ten digits with leading zeros, and stay text. An image is in the folder of the first three digits:
`images/010/0108775015.jpg`; 442 articles have none.
Source: kaggle.com/competitions/h-and-m-personalized-fashion-recommendations/data
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from recsys.dataset.importers.images import find_images
from recsys.dataset.importers.readers.delimited import read_delimited
from recsys.dataset.importers.table import RawTable
from recsys.errors import DataError
from recsys.schema import EVENT, IMAGE, EventKind

TRANSACTION_COLUMNS = ("t_dat", "customer_id", "article_id")
ARTICLE_COLUMNS = ("article_id", "prod_name", "product_type_name")
CUSTOMER_COLUMNS = ("customer_id", "club_member_status")
_IMAGES = "images"


def read_transactions(path: Path) -> RawTable:
    """Read purchases by day; prices are scaled by an unknown factor and not used. Raises DataError."""
    table = _require_columns(read_delimited(path), TRANSACTION_COLUMNS)
    columns = {name: table.columns[name] for name in TRANSACTION_COLUMNS}
    purchases = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), len(table)), [EventKind.PURCHASE])
    columns[EVENT] = purchases.cast(pa.string())
    return RawTable(path, columns, table.lines, table.text_columns, table.rejects)


def read_articles(path: Path, images: Path | None = None) -> RawTable:
    """Read articles and their images, if any, as paths relative to `images` (default: the file's folder).

    The images may be in `images` itself or in its folder `images`. Raises DataError.
    """
    table = _require_columns(read_delimited(path), ARTICLE_COLUMNS)
    root = path.parent if images is None else images
    within = _IMAGES if (root / _IMAGES).is_dir() else ""
    # Without a folder of images the file's own folder is not searched: it may hold anything.
    by_article = find_images(root / within) if within or images is not None else {}
    names = [by_article.get(article, "") for article in table.columns["article_id"].to_pylist()]
    paths = [f"{within}/{name}" if name and within else name for name in names]
    columns = {**table.columns, IMAGE: pa.array(paths, pa.string())}
    return RawTable(path, columns, table.lines, table.text_columns, table.rejects)


def read_customers(path: Path) -> RawTable:
    """Read customers and their attributes. Raises DataError."""
    return _require_columns(read_delimited(path), CUSTOMER_COLUMNS[:1])


def _require_columns(table: RawTable, needed: tuple[str, ...]) -> RawTable:
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise DataError(f"{table.path}: no column {', '.join(missing)}; this file of H&M has {', '.join(needed)}")
    return table
