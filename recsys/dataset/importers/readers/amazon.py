"""Amazon Reviews 2023: reviews and products as JSON lines, compressed (`.jsonl.gz`) or not.

Products are identified by `parent_asin`, as the authors advise: variants of one product share their reviews. Images
are web addresses; they are stored as text in the attribute `image_urls`, and nothing is fetched. An image file in a
folder becomes the product's image if its name is the product's id.
Source: Hou et al. 2024, "Bridging Language and Items for Retrieval and Recommendation", amazon-reviews-2023.github.io
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from recsys.dataset.importers.images import find_images
from recsys.dataset.importers.readers.lines import Rows, numbered_lines
from recsys.dataset.importers.table import RawTable
from recsys.schema import CATEGORY, IMAGE, IMAGE_URLS, ITEM_ID, PRICE, RATING, TEXT, TIMESTAMP, TITLE, USER_ID

_REVIEW_FIELDS = ("user_id", "parent_asin", "rating", "timestamp")
_NAMES = {"parent_asin": ITEM_ID, "user_id": USER_ID, "rating": RATING, "timestamp": TIMESTAMP}
_PRODUCT_COLUMNS = (ITEM_ID, TITLE, CATEGORY, PRICE, "store", IMAGE_URLS)
_SIZES = ("hi_res", "large", "thumb")
_UNKNOWN_PRICES = ("", "None", "—", "-")
_PRICE = re.compile(r"(?:from )?\$?([\d,]*\.?\d+)")


def read_reviews(path: Path) -> RawTable:
    """Read ratings: user, product, 1 to 5 stars, milliseconds. Raises DataError if the file is unreadable."""
    rows = Rows(path, [_NAMES[field] for field in _REVIEW_FIELDS])
    for number, line in numbered_lines(path):
        review = _parse_object(rows, number, line)
        if review is None:
            continue
        missing = next((field for field in _REVIEW_FIELDS if review.get(field) is None), None)
        if missing is not None:
            rows.reject(number, missing, f"a review without {missing!r}; it needs {', '.join(_REVIEW_FIELDS)}", line)
        else:
            rows.add(number, [_text(review[field]) for field in _REVIEW_FIELDS])
    return rows.table((USER_ID, ITEM_ID))


def read_review_texts(path: Path) -> RawTable:
    """Read review texts: product, title and text. Reviews without words are left out silently.

    Raises DataError if the file is unreadable.
    """
    rows = Rows(path, [ITEM_ID, TEXT])
    for number, line in numbered_lines(path):
        review = _parse_object(rows, number, line)
        if review is None:
            continue
        words = " ".join(part for name in ("title", "text") if (part := _text(review.get(name)).strip()))
        if words:
            rows.add(number, [_text(review.get("parent_asin")), words])
    return rows.table((ITEM_ID, TEXT))


def read_products(path: Path, images: Path | None = None) -> RawTable:
    """Read products: title, main category, price, store, addresses of images (separated by spaces).

    With `images`, a file in that folder named by the product, `B0001.jpg`, becomes its image. A price such as
    `from 12.99` is read as its number; `—` is unknown. Raises DataError if the file is unreadable.
    """
    by_product = {} if images is None else find_images(images)
    rows = Rows(path, _PRODUCT_COLUMNS if images is None else (*_PRODUCT_COLUMNS, IMAGE))
    for number, line in numbered_lines(path):
        product = _parse_object(rows, number, line)
        if product is None:
            continue
        item = product.get("parent_asin")
        if not item:
            rows.reject(number, "parent_asin", "a product without 'parent_asin'; it is the item's id", line)
            continue
        price = _text(product.get("price")).strip()
        if price in _UNKNOWN_PRICES:
            price = ""
        elif (match := _PRICE.fullmatch(price)) is not None:
            price = match.group(1).replace(",", "")
        # Other text stays, so that the check of prices reports it.
        values = [
            _text(item),
            _text(product.get("title")),
            _text(product.get("main_category")),
            price,
            _text(product.get("store")),
            _text(" ".join(_image_urls(product.get("images")))),
        ]
        rows.add(number, values if images is None else [*values, by_product.get(str(item), "")])
    return rows.table((ITEM_ID, TITLE, CATEGORY, "store", IMAGE_URLS))


def _parse_object(rows: Rows, number: int, line: str) -> dict[str, Any] | None:
    """Return the line's JSON object, or None after rejecting the line."""
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
    # Half of a UTF-16 pair is legal in JSON, but cannot be encoded in a file.
    return "" if value is None else str(value).encode(errors="replace").decode()


def _image_urls(images: object) -> list[str]:
    """Return the address of each image's largest size.

    The data set holds either the sizes of each image, or the images of each size.
    """
    if isinstance(images, dict):
        columns = [images.get(size) or [] for size in _SIZES]
        entries: list[object] = [dict(zip(_SIZES, urls, strict=False)) for urls in zip(*columns, strict=False)]
    else:
        entries = images if isinstance(images, list) else []
    return [address for address in map(_largest_size, entries) if address]


def _largest_size(image: object) -> str:
    if isinstance(image, dict):
        return next((str(image[size]) for size in _SIZES if image.get(size)), "")
    return image if isinstance(image, str) else ""
