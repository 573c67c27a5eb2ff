"""Search, filter and words by descriptors, in a catalog whose products are drawn so that the answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.bundle.store import load_bundle, save_bundle
from recsys.errors import BundleError, RequestError
from recsys.profiles.product_descriptors import ProductDescriptors, with_dominant_color
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request
from recsys.ranking.similar import SimilarBy
from recsys.schema import ItemId
from recsys.serving.catalog_overlay import with_changes
from recsys.storage.artifacts import write_array
from style.descriptors.base import Family
from style.descriptors.registry import DESCRIPTORS
from style.images import Pixels
from style.mask import Mask
from tests.small_bundles import Change, lie, small_bundle

NAMES = ("color-histogram", "dominant-color", "lbp", "glcm", "contour")
COLORS = ((0.75, 0.12, 0.12), (0.1, 0.15, 0.55))


def drawn(color: int, shape: int, surface: int) -> tuple[Pixels, Mask]:
    """A red or blue disc or bar, plain or chequered, on white."""
    y, x = np.mgrid[0:64, 0:64]
    mask = (y - 32) ** 2 + (x - 32) ** 2 < 500 if shape == 0 else (np.abs(y - 32) < 7) & (np.abs(x - 32) < 28)
    tone = np.where(((x // 3 + y // 3) % 2 == 0) & (surface == 1), 0.75, 1.0)
    pixels = np.where(mask[..., None], tone[..., None] * np.array(COLORS[color]), 0.97)
    return pixels.astype(np.float32), mask.astype(np.float32)


def kind(row: int) -> tuple[int, int, int]:
    return row % 2, row // 2 % 2, row // 4 % 2


def described(count: int = 40) -> ProductDescriptors:
    """Item n has kind n; the last two have no photo."""
    arrays = {}
    for name in NAMES:
        found = np.stack([DESCRIPTORS[name].describe(*drawn(*kind(row))) for row in range(8)])
        arrays[name] = found[np.arange(count) % 8]
        arrays[name][-2:] = 0
    return ProductDescriptors(arrays)


BUNDLE = replace(small_bundle(), descriptors=described())
SHOP = Recommender(BUNDLE)
ROW = ItemId("i00")


def rows(found: tuple) -> list[int]:
    return [int(one.item_id[1:]) for one in found]


@pytest.mark.parametrize(
    ("by", "part", "reason"),
    [
        (SimilarBy.COLOR, 0, "Same red as Item 0"),
        (SimilarBy.SHAPE, 1, "Similar round shape to Item 0"),
        (SimilarBy.TEXTURE, 2, "Similar plain surface to Item 0"),
    ],
)
def test_the_nearest_share_what_is_asked_for_and_say_so(by: SimilarBy, part: int, reason: str) -> None:
    answer = SHOP.similar.to_item(ROW, by=by, limit=18)
    same = [row for row in range(1, 38) if kind(row)[part] == kind(0)[part]]
    assert set(rows(answer.recommendations)) <= set(same)
    assert len(answer.recommendations) == 18
    assert answer.recommendations[0].reason == reason
    scores = [one.score for one in answer.recommendations]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(1.0)
    assert all(one.contributions == {by.value: one.score} for one in answer.recommendations)


def test_what_looks_alike_says_what_is_shared() -> None:
    reasons = {row: one.reason for one in SHOP.similar.to_item(ROW, limit=39).recommendations for row in rows((one,))}
    assert reasons[8] == "Looks like Item 0: same red, similar plain surface, similar round shape"
    assert reasons[2] == "Looks like Item 0: same red, similar plain surface"
    assert reasons[1] == "Looks like Item 0: similar plain surface, similar round shape"
    assert reasons[39] == "Looks like Item 0"


def test_lists_are_filtered_by_color() -> None:
    red = SHOP.recommend(Request(limit=40, filters=Filters(color="#c01f1f")))
    assert sorted(rows(red.recommendations)) == [row for row in range(38) if row % 2 == 0]
    blue = SHOP.recommend(Request(limit=40, filters=Filters(color="#1a268c", categories=frozenset(["lamp"]))))
    assert sorted(rows(blue.recommendations)) == [row for row in range(38) if row % 2 == 1]
    exact = Filters(color="#00ff00", color_tolerance=5.0)
    assert not SHOP.recommend(Request(filters=exact)).recommendations


@pytest.mark.parametrize(("color", "tolerance"), [("red", 20.0), ("#c8323", 20.0), ("#c83232", -1.0), ("#c83232", 101)])
def test_a_filter_that_cannot_be_is_refused(color: str, tolerance: float) -> None:
    with pytest.raises(RequestError, match="color"):
        Filters(color=color, color_tolerance=tolerance)


def test_a_bundle_without_descriptors_says_what_to_do() -> None:
    bare = Recommender(small_bundle())
    with pytest.raises(RequestError, match=r"no descriptors of shape; name some in \[descriptors\] of recsys.toml"):
        bare.similar.to_item(ROW, by=SimilarBy.SHAPE)
    with pytest.raises(RequestError, match="color: this shop's items have no descriptors of color"):
        bare.recommend(Request(filters=Filters(color="#c83232")))
    assert bare.similar.to_item(ROW).recommendations[0].reason == "Looks like Item 0"


def test_an_item_without_a_photo_is_like_nothing() -> None:
    with pytest.raises(RequestError, match="nothing is known of this item's color"):
        SHOP.similar.to_item(ItemId("i39"), by=SimilarBy.COLOR)


def test_they_are_saved_with_the_bundle_and_make_another_version(tmp_path: Path) -> None:
    bare = save_bundle(small_bundle(), tmp_path, 0)
    assert load_bundle(tmp_path, Path()).descriptors.arrays == {}
    assert save_bundle(BUNDLE, tmp_path, 0) != bare
    read = load_bundle(tmp_path, Path()).descriptors
    assert list(read.arrays) == list(NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(read.arrays[name], BUNDLE.descriptors.arrays[name])


def test_a_bundle_with_another_kind_of_descriptor_is_refused(tmp_path: Path) -> None:
    save_bundle(BUNDLE, tmp_path, 0)
    short = BUNDLE.descriptors.arrays["lbp"][:, 1:]
    lie(tmp_path, lambda folder: write_array(folder / "descriptor_lbp.npy", short))
    with pytest.raises(BundleError, match=r"descriptors: lbp: has shape \(40, 27\), and \(40, 28\) is right"):
        load_bundle(tmp_path, Path())


def test_live_changes_forget_what_a_former_photo_showed() -> None:
    same = Change(ItemId("i08"), 1, image=BUNDLE.catalog.images[8])
    other = Change(ItemId("i16"), 2, image="live/uploads/other.jpg")
    now = with_changes(SHOP, [same, other, Change(ItemId("new"), 3, image="live/uploads/new.jpg")])
    found = rows(now.similar.to_item(ROW, by=SimilarBy.COLOR, limit=60).recommendations)
    assert 8 in found
    assert 16 not in found
    assert len(found) == 36


def test_one_color_descriptor_brings_the_dominant_color() -> None:
    assert with_dominant_color(("lbp", "color-moments")) == ("lbp", "color-moments", "dominant-color")
    assert with_dominant_color(("lbp",)) == ("lbp",)
    assert with_dominant_color(("dominant-color", "hu")) == ("dominant-color", "hu")
    assert BUNDLE.descriptors.name_of(Family.TEXTURE) == "lbp"
