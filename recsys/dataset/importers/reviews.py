"""Reviews: texts about items, joined into one text per item, from which words about style are learned."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.interactions import describe_unknown_item
from recsys.dataset.importers.table import RowCheck
from recsys.dataset.importers.values import as_bools, as_series, is_blank
from recsys.schema import ITEM_ID, REVIEWS, TEXT

MAX_REVIEW_CHARACTERS = 2_000
"""Characters stored of one review; later text is seldom about style."""
MAX_REVIEWS_PER_ITEM = 50
"""Reviews stored of one item: the first ones."""


def parse_reviews(check: RowCheck, known_items: pd.Series) -> pd.DataFrame:
    """Parse all N rows into `item_id` and `text`; bad ones are flagged in `check`. Authors are not stored."""
    items, texts = check.require(ITEM_ID), check.require(TEXT)
    check.flag(is_blank(items), ITEM_ID, lambda _: "empty id; name the item")
    known = as_bools(pc.is_in(items, pa.array(known_items, pa.string())))
    check.flag(~known & ~is_blank(items), ITEM_ID, lambda value: describe_unknown_item(value, frozenset()))
    check.flag(is_blank(texts), TEXT, lambda _: "empty review; leave the row out")
    return pd.DataFrame({ITEM_ID: as_series(items), TEXT: as_series(texts)})


def add_reviews(items: pd.DataFrame, reviews: pd.DataFrame, *, keep: bool) -> pd.DataFrame:
    """Add reviews to items as the attribute `reviews`, one per line; with `keep`, after those that are there."""
    lines = reviews[TEXT].str.split().str.join(" ").str.slice(0, MAX_REVIEW_CHARACTERS)
    texts = lines.groupby(reviews[ITEM_ID], sort=False).agg(lambda text: "\n".join(text.head(MAX_REVIEWS_PER_ITEM)))
    new = items[ITEM_ID].map(texts).fillna("")
    if keep and REVIEWS in items:
        both = (items[REVIEWS] + "\n" + new).str.split("\n")
        new = both.map(lambda texts: "\n".join([text for text in texts if text][:MAX_REVIEWS_PER_ITEM]))
    return items.assign(**{REVIEWS: new.astype("str")})
