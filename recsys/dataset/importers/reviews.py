"""Reviews: what people write of items, gathered as a text of each item, for what words say of looks."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.dataset.importers.interactions import unknown_item
from recsys.dataset.importers.table import RowCheck
from recsys.dataset.importers.values import as_bools, as_series, blank
from recsys.schema import ITEM_ID, REVIEWS, TEXT

MOST_LETTERS = 2_000
"""Of one review: more is seldom about looks."""
MOST_OF_AN_ITEM = 50
"""Reviews of one item that are kept: the first of them."""


def parse_reviews(check: RowCheck, known_items: pd.Series) -> pd.DataFrame:
    """All N rows, `item_id` and `text`, bad ones flagged in `check`. Who wrote them is not taken."""
    items, texts = check.required(ITEM_ID), check.required(TEXT)
    check.flag(blank(items), ITEM_ID, lambda _: "empty id; say which item")
    known = as_bools(pc.is_in(items, pa.array(known_items, pa.string())))
    check.flag(~known & ~blank(items), ITEM_ID, lambda value: unknown_item(value, frozenset()))
    check.flag(blank(texts), TEXT, lambda _: "empty review; leave the row out")
    return pd.DataFrame({ITEM_ID: as_series(items), TEXT: as_series(texts)})


def with_reviews(items: pd.DataFrame, reviews: pd.DataFrame, *, keep: bool) -> pd.DataFrame:
    """Items with their reviews as the attribute `reviews`, one to a line; `keep`: after those that they have."""
    lines = reviews[TEXT].str.split().str.join(" ").str.slice(0, MOST_LETTERS)
    texts = lines.groupby(reviews[ITEM_ID], sort=False).agg(lambda found: "\n".join(found.head(MOST_OF_AN_ITEM)))
    new = items[ITEM_ID].map(texts).fillna("")
    if keep and REVIEWS in items:
        both = (items[REVIEWS] + "\n" + new).str.split("\n")
        new = both.map(lambda found: "\n".join([line for line in found if line][:MOST_OF_AN_ITEM]))
    return items.assign(**{REVIEWS: new.astype("str")})
