"""Restyling of photos: product mask, painting, mode and fidelity, in this order.

Several photos of one product are restyled together: with one style, one palette by which the engine judges colors, and
one strength. The product then has the same color in all of them.
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
    FidelityMeter,
    FidelityReport,
    Limit,
    limit_strength,
    unpainted_report,
)
from style.images import Pixels
from style.mask import Mask, matte, product_mask
from style.modes import PaintMode, Strength, paint_mask
from style.transfer.base import Painting, Stylizer
from style.vector import StyleVector

PALETTE = 2048
"""Colors of a gallery's palette, for all its photos together."""

MIN_SIDE = 8
"""Fewest pixels of a side that is painted: engines pad by reflection, which needs some, and see textures no smaller."""

MARGIN = 32
"""Rows between a photo and the palette below it, so that no engine's texture carries colors across."""


@dataclass(frozen=True, slots=True)
class RestyleOptions:
    """Options of restyling. `limits` None: use the requested strength, however much the product changes.

    `keep_color` changes lightness only, so hues stay.
    """

    strength: Strength
    mode: PaintMode = PaintMode.PRODUCT
    keep_color: bool = False
    limits: FidelityLimits | None = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True, eq=False)
class RestyledPhoto:
    """Restyled image `(H, W, 3)` in [0, 1], and its fidelity report."""

    pixels: Pixels
    report: FidelityReport


def restyle_photo(
    engine: Stylizer, photo: Pixels, style: StyleVector, options: RestyleOptions, product: Mask | None = None
) -> RestyledPhoto:
    """Restyle one photo.

    Strength 0 returns the photo bit for bit. So does an empty mask in a mode that paints the product, and a photo with
    a side below `MIN_SIDE`.

    Args:
        engine: Engine that paints.
        photo: `(H, W, 3)` in [0, 1].
        style: Style vector to follow.
        options: Strength, mode and limits.
        product: Mask `(H, W)` of the product; default: `product_mask`.

    Raises:
        BackdropError: If the mode is `background` and the photo has no backdrop.
        ImageError: If the mask has another size.
    """
    where, product = paint_masks(photo, product, options.mode)
    if not options.strength.largest:
        return RestyledPhoto(photo.copy(), FidelityReport(options.strength, options.strength, None, ()))
    if not where.any():
        return RestyledPhoto(photo.copy(), unpainted_report(options.strength, Limit.NO_PRODUCT))
    if min(photo.shape[:2]) < MIN_SIDE:
        return RestyledPhoto(photo.copy(), unpainted_report(options.strength, Limit.TOO_NARROW))
    painting = engine.paint([photo], style, [judging_mask(product)])[0]
    composite = Composite(photo, painting, product, where, options.keep_color)
    report = limit_strength(composite, options.strength, options.limits)
    return RestyledPhoto(composite.at(report.used), report)


def restyle_gallery(
    engine: Stylizer,
    photos: Sequence[Pixels],
    style: StyleVector,
    options: RestyleOptions,
    products: Sequence[Mask] | None = None,
) -> list[RestyledPhoto]:
    """Restyle photos of one product consistently, for any backdrops, sizes and crops.

    The engine judges colors by a palette of the product in all photos, so its map from color to color is the same for
    all. The strength is the smallest that fidelity allows for any photo; `limited_by` is that photo's.

    Args:
        engine: Engine that paints.
        photos: `(H, W, 3)` in [0, 1] each; sizes may differ.
        style: Style vector to follow.
        options: Strength, mode and limits.
        products: Masks of the product; default: `product_mask`.

    Raises:
        BackdropError: If the mode is `background` and a photo has no backdrop.
        ImageError: If a mask has another size, a photo has a side below `MIN_SIDE`, or there is no photo.
    """
    if not photos:
        raise ImageError("a gallery needs at least one photo")
    narrow = next((photo.shape for photo in photos if min(photo.shape[:2]) < MIN_SIDE), None)
    if narrow is not None:
        raise ImageError(f"a photo of a gallery is {narrow[1]}x{narrow[0]} pixels; each side needs at least {MIN_SIDE}")
    masks = [
        paint_masks(photo, None if products is None else products[index], options.mode)
        for index, photo in enumerate(photos)
    ]
    palette = gallery_palette(photos, [product for _, product in masks])
    composites = [
        Composite(photo, paint_with_palette(engine, photo, palette, style), product, where, options.keep_color)
        for photo, (where, product) in zip(photos, masks, strict=True)
    ]
    reports = [limit_strength(composite, options.strength, options.limits) for composite in composites]
    shared = min(reports, key=lambda report: report.used.largest)
    return [
        RestyledPhoto(
            composite.at(shared.used),
            FidelityReport(
                options.strength,
                shared.used,
                None if options.limits is None else FidelityMeter(composite).measure(shared.used),
                shared.limited_by,
            ),
        )
        for composite in composites
    ]


def paint_masks(photo: Pixels, product: Mask | None, mode: PaintMode) -> tuple[Mask, Mask]:
    """Return the painted area and the product's mask, `(H, W)` each.

    A detected mask is too large, so paint gets a matte of it.

    Args:
        photo: `(H, W, 3)` in [0, 1].
        product: Mask of the product; None: detect it.
        mode: Part of the photo to paint.

    Raises:
        BackdropError: If the mode is `background` and the photo has no backdrop.
        ImageError: If the mask has another size.
    """
    given = product
    product = product_mask(photo) if given is None else given
    if product.shape != photo.shape[:2]:
        raise ImageError(f"the mask of a photo {photo.shape[:2]} must have its size, got {product.shape}")
    too_large = given is None and mode is not PaintMode.BACKGROUND
    return paint_mask(mode, matte(product, photo) if too_large else product), product


def judging_mask(product: Mask) -> Mask:
    """Return the pixels by which the engine judges colors: the product's, or all if there is none."""
    return product if product.any() else np.ones_like(product)


def gallery_palette(photos: Sequence[Pixels], products: Sequence[Mask]) -> Pixels:
    """Sample colors of the product `(N, 3)`, equally many from each photo, evenly spread over it."""
    colors = [photo[product > 0.5] for photo, product in zip(photos, products, strict=True)]
    colors = [own for own in colors if len(own)] or [photo.reshape(-1, 3) for photo in photos]
    share = max(1, PALETTE // len(colors))
    return np.concatenate([own[np.linspace(0, len(own) - 1, share).astype(int)] for own in colors])


def paint_with_palette(engine: Stylizer, photo: Pixels, palette: Pixels, style: StyleVector) -> Painting:
    """Paint the photo, with colors judged by the palette instead of the photo.

    Engines judge colors inside a mask, so the palette is placed below the photo and the mask covers it.
    """
    height, width = photo.shape[:2]
    rows = math.ceil(len(palette) / width)
    strip = np.resize(palette, (rows, width, 3))  # repeats colors to fill the last row
    extended = np.concatenate([np.pad(photo, ((0, MARGIN), (0, 0), (0, 0)), mode="edge"), strip])
    judging_mask = np.zeros(extended.shape[:2], dtype=np.float32)
    judging_mask[height + MARGIN :].reshape(-1)[: len(palette)] = 1.0
    painting = engine.paint([extended], style, [judging_mask])[0]
    return Painting(painting.texture[:height].copy(), painting.color[:height].copy())
