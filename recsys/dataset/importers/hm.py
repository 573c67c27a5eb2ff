"""H&M Personalized Fashion Recommendations: `transactions_train.csv`, `articles.csv`, `customers.csv`, `images/`.

Article ids are ten digits with zeros in front, and stay text. A picture lies under the first three of them:
`images/010/0108775015.jpg`; 442 articles have none.
Source: kaggle.com/competitions/h-and-m-personalized-fashion-recommendations/data
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from recsys.dataset.importers.delimited import read_delimited
from recsys.dataset.importers.images import pictures_by_name
from recsys.dataset.importers.table import RawTable
from recsys.errors import DataError
from recsys.schema import EVENT, IMAGE, EventKind

TRANSACTION_COLUMNS = ("t_dat", "customer_id", "article_id")
ARTICLE_COLUMNS = ("article_id", "prod_name", "product_type_name")
CUSTOMER_COLUMNS = ("customer_id", "club_member_status")
_IMAGES = "images"


def read_transactions(path: Path) -> RawTable:
    """Purchases by day; what was paid is a share of an unknown amount and is not used. Raises DataError."""
    table = _with(read_delimited(path), TRANSACTION_COLUMNS)
    kept = {name: table.columns[name] for name in TRANSACTION_COLUMNS}
    purchases = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), len(table)), [EventKind.PURCHASE])
    kept[EVENT] = purchases.cast(pa.string())
    return RawTable(path, kept, table.lines, table.text_columns, table.rejects)


def read_articles(path: Path, images: Path | None = None) -> RawTable:
    """Articles and, where there is one, the picture of each, relative to `images` (default: the file's folder).

    The pictures may lie in `images` itself or in its folder `images`. Raises DataError.
    """
    table = _with(read_delimited(path), ARTICLE_COLUMNS)
    root = path.parent if images is None else images
    within = _IMAGES if (root / _IMAGES).is_dir() else ""
    # Without a folder of pictures the file's own folder is not searched: it may hold anything.
    found = pictures_by_name(root / within) if within or images is not None else {}
    names = [found.get(article, "") for article in table.columns["article_id"].to_pylist()]
    pictures = [f"{within}/{name}" if name and within else name for name in names]
    columns = {**table.columns, IMAGE: pa.array(pictures, pa.string())}
    return RawTable(path, columns, table.lines, table.text_columns, table.rejects)


def read_customers(path: Path) -> RawTable:
    """Customers and what is known of them. Raises DataError."""
    return _with(read_delimited(path), CUSTOMER_COLUMNS[:1])


def _with(table: RawTable, needed: tuple[str, ...]) -> RawTable:
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise DataError(f"{table.path}: no column {', '.join(missing)}; this file of H&M has {', '.join(needed)}")
    return table
