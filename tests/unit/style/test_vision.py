"""Without the extra `vision`, steps that need it say so, and the others work."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from style.errors import ExtraError
from style.preprocess.recipe import Recipe
from style.vision import exposure, opencv, restoration, texture, wavelets

PICTURE = np.random.default_rng(0).random((32, 32, 3), dtype=np.float32)


@pytest.mark.parametrize(
    ("missing", "door"),
    [
        ("cv2", opencv),
        ("pywt", wavelets),
        ("skimage.restoration", restoration),
        ("skimage.exposure", exposure),
        ("skimage.feature", texture),
    ],
)
def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch, missing: str, door: object) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ExtraError, match=r"style-recsys\[vision\]"):
        door()  # type: ignore[operator]


def test_a_step_without_it_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert not np.array_equal(Recipe.from_texts(["stretch"])(0.5 * PICTURE), 0.5 * PICTURE)
    with pytest.raises(ExtraError, match="opencv-python-headless is not installed"):
        Recipe.from_texts(["denoise:nlm"])(PICTURE)
