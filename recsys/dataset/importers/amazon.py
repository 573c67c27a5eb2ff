"""Amazon Reviews 2023: reviews and products as JSON lines, packed (`.jsonl.gz`) or not.

Products are told apart by `parent_asin`, as its authors advise: variants of one product share their reviews. Pictures
are web addresses; they are kept as text in the attribute `image_urls`, and nothing is fetched. Pictures that lie in a
folder under the product's id become its image.
Source: Hou et al. 2024, "Bridging Language and Items for Retrieval and Recommendation", amazon-reviews-2023.github.io
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from recsys.dataset.importers.images import pictures_by_name
from recsys.dataset.importers.lines import Rows, numbered_lines
from recsys.dataset.importers.table import RawTable
from recsys.schema import CATEGORY, IMAGE, ITEM_ID, PRICE, RATING, TEXT, TIMESTAMP, TITLE, USER_ID

_REVIEW_FIELDS = ("user_id", "parent_asin", "rating", "timestamp")
_NAMES = {"parent_asin": ITEM_ID, "user_id": USER_ID, "rating": RATING, "timestamp": TIMESTAMP}
IMAGE_URLS = "image_urls"
_PRODUCT_COLUMNS = (ITEM_ID, TITLE, CATEGORY, PRICE, "store", IMAGE_URLS)
_SIZES = ("hi_res", "large", "thumb")
_UNKNOWN_PRICES = ("", "None", "—", "-")
_PRICE = re.compile(r"(?:from )?\$?([\d,]*\.?\d+)")


def read_reviews(path: Path) -> RawTable:
    """Who rated what, 1 to 5 stars, and when (milliseconds). Raises DataError if the file is unreadable."""
    rows = Rows(path, [_NAMES[field] for field in _REVIEW_FIELDS])
    for number, line in numbered_lines(path):
        review = _object(rows, number, line)
        if review is None:
            continue
        missing = next((field for field in _REVIEW_FIELDS if review.get(field) is None), None)
        if missing is not None:
            rows.reject(number, missing, f"a review without {missing!r}; it needs {', '.join(_REVIEW_FIELDS)}", line)
        else:
            rows.add(number, [_text(review[field]) for field in _REVIEW_FIELDS])
    return rows.table((USER_ID, ITEM_ID))


def read_words(path: Path) -> RawTable:
    """What was written of which product, title and text. Reviews without words are left out without a word.

    Raises DataError if the file is unreadable.
    """
    rows = Rows(path, [ITEM_ID, TEXT])
    for number, line in numbered_lines(path):
        review = _object(rows, number, line)
        if review is None:
            continue
        words = " ".join(part for name in ("title", "text") if (part := _text(review.get(name)).strip()))
        if words:
            rows.add(number, [_text(review.get("parent_asin")), words])
    return rows.table((ITEM_ID, TEXT))


def read_products(path: Path, images: Path | None = None) -> RawTable:
    """Products: title, main category, price, store, addresses of pictures (parted by spaces).

    With `images`, files in that folder named like the product, `B0001.jpg`, become its image. A price such as
    `from 12.99` is its number; `—` is unknown. Raises DataError if the file is unreadable.
    """
    found = {} if images is None else pictures_by_name(images)
    rows = Rows(path, _PRODUCT_COLUMNS if images is None else (*_PRODUCT_COLUMNS, IMAGE))
    for number, line in numbered_lines(path):
        product = _object(rows, number, line)
        if product is None:
            continue
        item = product.get("parent_asin")
        if not item:
            rows.reject(number, "parent_asin", "a product without 'parent_asin'; it is the item's id", line)
            continue
        values = [
            _text(item),
            _text(product.get("title")),
            _text(product.get("main_category")),
            _price(product.get("price")),
            _text(product.get("store")),
            _text(" ".join(_addresses(product.get("images")))),
        ]
        rows.add(number, values if images is None else [*values, found.get(str(item), "")])
    return rows.table((ITEM_ID, TITLE, CATEGORY, "store", IMAGE_URLS))


def _object(rows: Rows, number: int, line: str) -> dict[str, Any] | None:
    """The line's JSON object; None, and a reject, where it is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        rows.reject(number, None, f"not valid JSON ({error}); each line must be one object", line)
        return None
    if not isinstance(value, dict):
        rows.reject(number, None, "not a JSON object; each line must be one, in braces", line)
        return None
    return value


def _text(value: object) -> str:
    # Half of a pair of UTF-16 is legal in JSON, and not in any file.
    return "" if value is None else str(value).encode(errors="replace").decode()


def _price(value: object) -> str:
    text = _text(value).strip()
    if text in _UNKNOWN_PRICES:
        return ""
    found = _PRICE.fullmatch(text)
    # What is no price stays as it is, for the check of prices to name.
    return found.group(1).replace(",", "") if found else text


def _addresses(images: object) -> list[str]:
    """The largest size of each picture; published as sizes for each picture, and as lists of pictures for each size."""
    if isinstance(images, dict):
        columns = [images.get(size) or [] for size in _SIZES]
        pictures: list[object] = [dict(zip(_SIZES, urls, strict=False)) for urls in zip(*columns, strict=False)]
    else:
        pictures = images if isinstance(images, list) else []
    return [address for address in map(_largest, pictures) if address]


def _largest(picture: object) -> str:
    if isinstance(picture, dict):
        return next((str(picture[size]) for size in _SIZES if picture.get(size)), "")
    return picture if isinstance(picture, str) else ""
