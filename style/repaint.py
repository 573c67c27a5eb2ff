"""From photos to restyled photos: product mask, painting, mode and fidelity, in this order.

Several photos of one product are restyled as one: with one style, one palette that the engine judges colors by, and
one strength, so that the same product has the same color in all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from style.errors import ImageError
from style.fidelity import (
    DEFAULT_LIMITS,
    Composite,
    FidelityLimits,
    FidelityReport,
    Limit,
    Ruler,
    faithful,
    untouched,
)
from style.images import Pixels
from style.mask import Mask, matte, product_mask
from style.modes import PaintMode, Strength, painted_where
from style.transfer.base import Painting, Stylizer
from style.vector import StyleVector

PALETTE = 2048
"""Colors of a gallery's palette, all its photos together."""

MARGIN = 32
"""Rows between a photo and the palette below it, so that no engine's texture carries colors across."""


@dataclass(frozen=True, slots=True)
class RestyleOptions:
    """How photos are to be restyled. `limits` None: as strongly as asked, whatever becomes of the product.

    `keep_color` changes lightness alone, so that hues stay.
    """

    strength: Strength
    mode: PaintMode = PaintMode.PRODUCT
    keep_color: bool = False
    limits: FidelityLimits | None = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True, eq=False)
class Repainted:
    """A restyled picture `(H, W, 3)` in [0, 1], and what fidelity has to say of it."""

    pixels: Pixels
    report: FidelityReport


def repaint(
    engine: Stylizer, photo: Pixels, style: StyleVector, wish: RestyleOptions, product: Mask | None = None
) -> Repainted:
    """One photo `(H, W, 3)` in [0, 1] restyled; `product` is its mask `(H, W)` (default: `product_mask`).

    Strength 0 is the photo bit for bit; so is what an empty mask gives in a mode that paints the product. Raises
    BackdropError for the mode `background` on a photo without a backdrop, ImageError for a mask of another size.
    """
    where, product = paint_masks(photo, product, wish.mode)
    if not wish.strength.largest:
        return Repainted(photo.copy(), FidelityReport(wish.strength, wish.strength, None, ()))
    if not where.any():
        return Repainted(photo.copy(), untouched(wish.strength, Limit.NO_PRODUCT))
    painting = engine.paint([photo], style, [judged(product)])[0]
    composite = Composite(photo, painting, product, where, wish.keep_color)
    report = faithful(composite, wish.strength, wish.limits)
    return Repainted(composite.at(report.used), report)


def repaint_gallery(
    engine: Stylizer,
    photos: Sequence[Pixels],
    style: StyleVector,
    wish: RestyleOptions,
    products: Sequence[Mask] | None = None,
) -> list[Repainted]:
    """Photos of one product restyled alike, whatever their backdrops, sizes and crops.

    The engine judges colors by a palette of the product in all photos, so that its map from color to color is the
    same for all. The strength is the smallest that fidelity allows for any of them; `limited_by` is that photo's.
    Sizes may differ. Raises like `repaint`, and ImageError without a photo.
    """
    if not photos:
        raise ImageError("a gallery needs at least one photo")
    masks = [
        paint_masks(photo, None if products is None else products[index], wish.mode)
        for index, photo in enumerate(photos)
    ]
    palette = gallery_palette(photos, [product for _, product in masks])
    composites = [
        Composite(photo, painted_by_palette(engine, photo, palette, style), product, where, wish.keep_color)
        for photo, (where, product) in zip(photos, masks, strict=True)
    ]
    reports = [faithful(composite, wish.strength, wish.limits) for composite in composites]
    shared = min(reports, key=lambda report: report.used.largest)
    return [_at_shared(composite, wish, shared) for composite in composites]


def paint_masks(photo: Pixels, product: Mask | None, mode: PaintMode) -> tuple[Mask, Mask]:
    """Where to paint, and where the product is, `(H, W)` each; `product` is given, or found.

    A mask that is found is generous: paint needs a matte of it. Raises like `repaint`.
    """
    given = product
    product = product_mask(photo) if given is None else given
    if product.shape != photo.shape[:2]:
        raise ImageError(f"the mask of a photo {photo.shape[:2]} has to have its size, got {product.shape}")
    generous = given is None and mode is not PaintMode.BACKGROUND
    return painted_where(mode, matte(product, photo) if generous else product), product


def judged(product: Mask) -> Mask:
    """By which pixels the engine judges colors: the product's, or all where there is none."""
    return product if product.any() else np.ones_like(product)


def _at_shared(composite: Composite, wish: RestyleOptions, shared: FidelityReport) -> Repainted:
    measures = None if wish.limits is None else Ruler(composite).measures(shared.used)
    report = FidelityReport(wish.strength, shared.used, measures, shared.limited_by)
    return Repainted(composite.at(shared.used), report)


def gallery_palette(photos: Sequence[Pixels], products: Sequence[Mask]) -> Pixels:
    """Colors of the product `(N, 3)`, as many from each photo, evenly spread over it."""
    colors = [photo[product > 0.5] for photo, product in zip(photos, products, strict=True)]
    colors = [own for own in colors if len(own)] or [photo.reshape(-1, 3) for photo in photos]
    share = max(1, PALETTE // len(colors))
    return np.concatenate([own[np.linspace(0, len(own) - 1, share).astype(int)] for own in colors])


def painted_by_palette(engine: Stylizer, photo: Pixels, palette: Pixels, style: StyleVector) -> Painting:
    """The photo's painting, with colors judged by the palette instead of the photo.

    Engines judge colors where a mask says, so the palette goes below the photo, and the mask says there.
    """
    height, width = photo.shape[:2]
    rows = math.ceil(len(palette) / width)
    strip = np.resize(palette, (rows, width, 3))
    extended = np.concatenate([np.pad(photo, ((0, MARGIN), (0, 0), (0, 0)), mode="edge"), strip])
    judged = np.zeros(extended.shape[:2], dtype=np.float32)
    judged[height + MARGIN :].reshape(-1)[: len(palette)] = 1.0
    painting = engine.paint([extended], style, [judged])[0]
    return Painting(painting.texture[:height].copy(), painting.color[:height].copy())
