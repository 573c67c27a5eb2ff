"""Checks of a bundle's content before it serves.

A hash proves that a file is as it was written, not that its numbers make sense.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype

from recsys.errors import BundleError, DataError
from recsys.models.validation import Expected, check_array, check_matrix
from recsys.schema import AVAILABLE, CATEGORY, FEATURES, IMAGE, ITEM_ID, PRICE, TITLE, FloatArray
from style.vector import DIMENSIONS

if TYPE_CHECKING:
    from recsys.bundle.types import Bundle

UNIT = 1e-3
"""Largest difference of the length of a style vector from 1."""


def check_bundle(bundle: Bundle) -> None:
    """Check that numbers are finite and that all parts agree in their numbers of items, users, factors and dimensions.

    Raises BundleError that names the wrong part, and the remedy.
    """
    try:
        check_items(bundle.items)
        for name, array, expected in _arrays(bundle):
            check_array(name, array, expected)
        shape = (len(bundle.user_ids), len(bundle.catalog))
        check_matrix("recent", bundle.recent, shape)
        check_matrix("interacted", bundle.interacted, shape, np.uint8)
        check_unit("item_vectors.npy", bundle.space.vectors)
        check_unit("style_vectors.npy", bundle.style_vectors)
        bundle.descriptors.check(len(bundle.catalog))
        users, items = len(bundle.user_ids), len(bundle.catalog)
        for part, model in (("factors", bundle.factors), ("neighbors", bundle.neighbors)):
            try:
                model.check()
            except DataError as error:
                raise DataError(f"{part}: {error}") from None
            if model.shape[1] != items:
                raise DataError(f"{part}: knows {model.shape[1]} items, and the catalog has {items}")
        # A model without events has no users.
        if bundle.factors.shape[0] not in (0, users):
            raise DataError(f"factors: knows {bundle.factors.shape[0]} users, and there are {users}")
        _check_learned(bundle)
    except DataError as error:
        raise BundleError(f"bundle {bundle.version}: {error}; `recsys build` makes a new bundle") from None


def check_items(items: pd.DataFrame) -> None:
    """Raise DataError unless columns are as `recsys.schema.ITEM_COLUMNS` defines, and no price is infinite."""
    for column in (ITEM_ID, TITLE, CATEGORY, IMAGE):
        if pd.api.types.infer_dtype(items[column], skipna=False) not in ("string", "empty"):
            raise DataError(f"items.parquet: column {column!r} holds something else than text")
    if not is_bool_dtype(items[AVAILABLE].dtype) or items[AVAILABLE].hasnans:
        raise DataError(f"items.parquet: column {AVAILABLE!r} holds {items[AVAILABLE].dtype}, and bool is right")
    if not is_float_dtype(items[PRICE].dtype):
        raise DataError(f"items.parquet: column {PRICE!r} holds {items[PRICE].dtype}, and float64 is right")
    if np.isinf(items[PRICE].to_numpy(dtype=np.float64)).any():
        raise DataError(f"items.parquet: column {PRICE!r} holds infinities")


def check_unit(name: str, vectors: FloatArray) -> None:
    """Raise DataError unless each vector (N, D) has length 1 or is all zeros."""
    squares = np.einsum("nd,nd->n", vectors, vectors)
    wrong = (squares > 0) & (np.abs(squares - 1.0) > 2 * UNIT)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{name}: row {row} has length {squares[row] ** 0.5:.3f}; a style vector has 1, or 0 if unknown"
        )


def _arrays(bundle: Bundle) -> Iterator[tuple[str, FloatArray, Expected]]:
    items, width = len(bundle.catalog), bundle.factors.settings.factors
    yield "item_vectors.npy", bundle.space.vectors, Expected((items, DIMENSIONS))
    yield "style_vectors.npy", bundle.style_vectors, Expected((len(bundle.styles), DIMENSIONS))
    yield "trend.npy", bundle.trend, Expected((items,), low=0.0, high=1.0)
    yield "recency.npy", bundle.recency, Expected((items,), low=0.0, high=1.0)
    yield "taste_weight.npy", bundle.taste.weight, Expected((width, DIMENSIONS))
    yield "taste_bias.npy", bundle.taste.bias, Expected((DIMENSIONS,))
    words = len(bundle.text_style.terms)
    yield "word_weights.npy", bundle.text_style.weights, Expected((words, DIMENSIONS))


def _check_learned(bundle: Bundle) -> None:
    blend, curves, taste = bundle.blend, bundle.blend.curves, bundle.taste
    numbers = [*blend.weights.values(), *blend.new_weights.values(), blend.new_offset]
    if not np.isfinite(numbers).all():
        raise DataError("learned.json: a weight of the blend is NaN or infinite")
    if curves is not None:
        shape = (2 * len(FEATURES), curves.knots.shape[-1] if curves.knots.ndim else 0)
        check_array("learned.json: knots", curves.knots, Expected(shape))
        check_array("learned.json: values", curves.values, Expected(shape))
        if not shape[1] or (np.diff(curves.knots, axis=1) < 0).any():
            raise DataError("learned.json: the knots of a curve do not ascend")
    if not (0 < taste.prior < np.inf) or taste.max_components < 1:
        raise DataError(
            f"learned.json: taste_prior {taste.prior}, max_components {taste.max_components} are not above 0"
        )
    if len({card.style_id for card in bundle.styles}) < len(bundle.styles):
        raise DataError("styles.json: a style id is there twice")
    if not np.isfinite([float(value) for value in bundle.metrics.values()]).all():
        raise DataError("manifest.json: a metric is NaN or infinite")
