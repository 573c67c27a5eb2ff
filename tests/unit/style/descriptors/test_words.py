"""Names of colors, shapes and surfaces."""

from __future__ import annotations

import numpy as np
import pytest

from style.descriptors.registry import DESCRIPTORS, descriptors
from style.descriptors.words import color_name, lab_of_hex, shape_name, texture_name
from style.errors import DescriptorError


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ("#ff0000", "red"),
        ("#0000a0", "deep blue"),
        ("#ffffff", "white"),
        ("#000000", "black"),
        ("#787878", "grey"),
        ("#228b22", "green"),
        ("#ffd9df", "pale pink"),
        ("#5c3a1a", "brown"),
        ("#f7f0d8", "cream"),
    ],
)
def test_colors_have_the_names_that_people_give_them(color: str, name: str) -> None:
    assert color_name(lab_of_hex(color).astype(np.float32)) == name


@pytest.mark.parametrize("text", ["c83232", "#c8323", "#c8323g", "red", "#c83232 ", "#+1 2 3"])
def test_what_is_no_color_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="written like #c83232"):
        lab_of_hex(text)


def shape(draw: str) -> str | None:
    y, x = np.mgrid[0:120, 0:120].astype(np.float64)
    masks = {
        "disc": (y - 60) ** 2 + (x - 60) ** 2 < 1600,
        "square": (np.abs(y - 60) < 35) & (np.abs(x - 60) < 35),
        "panel": (np.abs(y - 60) < 45) & (np.abs(x - 60) < 28),
        "stick": (np.abs(y - 60) < 8) & (np.abs(x - 60) < 50),
        "cross": ((np.abs(y - 60) < 8) & (np.abs(x - 60) < 50)) | ((np.abs(x - 60) < 8) & (np.abs(y - 60) < 50)),
    }
    mask = masks[draw].astype(np.float32)
    return shape_name(DESCRIPTORS["contour"].describe(np.zeros((120, 120, 3), np.float32), mask))


@pytest.mark.parametrize(
    ("draw", "name"),
    [("disc", "round"), ("square", "square"), ("panel", "rectangular"), ("stick", "long"), ("cross", "branched")],
)
def test_shapes_have_names(draw: str, name: str) -> None:
    assert shape(draw) == name


def test_surfaces_have_names() -> None:
    y, x = np.mgrid[0:120, 0:120]
    rng = np.random.default_rng((0, 1))
    surfaces = {
        "plain": np.full((120, 120), 0.5),
        "fine": rng.random((120, 120)),
        "bold": 0.5 + 0.4 * np.sign(np.sin(x / 8.0)) * np.sign(np.sin(y / 8.0)),
    }
    for name, gray in surfaces.items():
        pixels = np.repeat(gray[..., None], 3, axis=2).astype(np.float32)
        assert texture_name(DESCRIPTORS["glcm"].describe(pixels, np.ones((120, 120), np.float32))) == name


def test_the_dominant_color_is_that_of_most_of_the_product() -> None:
    pixels = np.full((60, 60, 3), 0.9, dtype=np.float32)
    pixels[10:50, 10:50], pixels[10:20, 10:50] = (0.75, 0.15, 0.15), (0.1, 0.2, 0.6)
    mask = np.zeros((60, 60), dtype=np.float32)
    mask[10:50, 10:50] = 1
    *lab, share = DESCRIPTORS["dominant-color"].describe(pixels, mask)
    np.testing.assert_allclose(lab, lab_of_hex("#bf2626"), atol=1)
    assert share == pytest.approx(0.75)


def test_unknown_and_repeated_names_are_said() -> None:
    with pytest.raises(DescriptorError, match="'sift' is unknown; known ones: color-histogram"):
        descriptors(["lbp", "sift"])
    with pytest.raises(DescriptorError, match="named twice"):
        descriptors(["lbp", "lbp"])
