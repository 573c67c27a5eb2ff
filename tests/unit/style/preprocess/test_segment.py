"""Segmentations against masks that are known: products of the sample drawn anew, and cut out onto busy grounds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from recsys.dataset import sample
from style.errors import RecipeError
from style.images import Pixels, read_image
from style.mask import Mask, product_mask
from style.preprocess.segment import SEGMENTERS, Isolate, segment

ROOT = Path(__file__).resolve().parents[4]


def iou(mask: Mask, true: np.ndarray) -> float:
    found = mask > 0.5
    return float((found & true).sum() / (found | true).sum())


def on_stripes(name: str) -> tuple[Pixels, np.ndarray]:
    """Place a product of the sample in the middle of a green striped ground; return its true mask too."""
    photo = read_image(sample.sample_folder() / "images" / f"{name}.jpg", short_side=160)
    cut = product_mask(photo)
    stripes = 0.35 + 0.15 * np.sin(np.arange(160) / 3)[None, :, None] * np.ones((160, 1, 1))
    ground = np.clip(stripes * np.array([0.4, 1.3, 0.5]), 0, 1)
    return (cut[..., None] * photo + (1 - cut[..., None]) * ground).astype(np.float32), cut > 0.5


@pytest.mark.parametrize("name", ["p0001", "p0051", "p0126"])
def test_grabcut_finds_a_product_on_a_busy_ground(name: str) -> None:
    picture, true = on_stripes(name)
    assert product_mask(picture).min() == 1  # nothing stands out by its border alone
    assert iou(segment(picture, "grabcut"), true) > 0.9


@pytest.mark.parametrize("method", sorted(SEGMENTERS))
def test_every_method_finds_a_disc_on_paper(method: str) -> None:
    y, x = np.mgrid[0:140, 0:200]
    true = (y - 70) ** 2 + (x - 100) ** 2 < 45**2
    picture = np.where(true[..., None], [0.7, 0.2, 0.3], 0.93).astype(np.float32)
    assert iou(segment(picture, method), true) > 0.9


@pytest.mark.parametrize("method", sorted(SEGMENTERS))
def test_where_nothing_stands_out_the_mask_is_whole(method: str) -> None:
    np.testing.assert_array_equal(segment(np.full((40, 50, 3), 0.5, np.float32), method), np.ones((40, 50)))


def test_the_same_pixels_give_the_same_mask() -> None:
    picture, _ = on_stripes("p0001")
    np.testing.assert_array_equal(segment(picture, "grabcut"), segment(picture, "grabcut"))


def test_an_isolated_product_lies_on_white() -> None:
    picture, true = on_stripes("p0001")
    alone = Isolate("grabcut")(picture)
    assert alone[~true].mean() > 0.97
    assert np.abs(alone[true] - picture[true]).mean() < 0.02


def test_an_unknown_method_is_said() -> None:
    with pytest.raises(RecipeError, match="known ones: border, threshold, edges, grabcut"):
        segment(np.zeros((8, 8, 3), np.float32), "magic")


@pytest.mark.slow
def test_masks_of_the_sample_are_those_that_it_was_drawn_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Return the product hit by the ray of each pixel, from the program that draws the sample."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "data"), *sys.path])
    import make_sample
    from render.scene import Placed, aim, trace
    from render.shapes import MAKERS, plains
    from render.surfaces import draw

    from recsys.rng import generator

    found: dict[str, list[float]] = {method: [] for method in ("border", "edges", "grabcut")}
    for plan in make_sample.plan_items()[:200:25]:
        rng = generator(make_sample.SEED, "photo", plan.item_id)
        surface = draw(rng, plan.style, plan.color, make_sample.TEXTURE_PIXELS, make_sample.TEXTURE_EXTENT)
        if plan.category in make_sample.CLOTH:
            surface = make_sample.as_cloth(rng, surface, make_sample.CLOTH[plan.category])
        dark = bool(surface.albedo.mean() < make_sample.DARK)
        finish = make_sample.ROUGHNESS[plan.style.finish]
        materials = plains(plan.style.lining[plan.color], plan.style.trim, finish, dark)
        placed = Placed(MAKERS[plan.category](rng, materials))
        camera = aim(placed)
        photo = read_image(sample.sample_folder() / "images" / f"{plan.item_id}.jpg")
        hit = np.isfinite(trace(placed, camera.eye, camera.rays(len(photo)))).reshape(photo.shape[:2])
        true = ndimage.binary_fill_holes(hit)  # as masks have it: what a handle encloses belongs to the product
        for method, values in found.items():
            values.append(iou(segment(photo, method), true))
    means = {method: float(np.mean(values)) for method, values in found.items()}
    assert means["grabcut"] > 0.94
    assert means["edges"] > 0.93
    # Generous by a few pixels, and with soft shadows.
    assert 0.83 < means["border"] < means["grabcut"]
