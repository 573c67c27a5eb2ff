"""Render requests: defaults from the settings, and keys that change with whatever changes the image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.config import RestyleSettings
from recsys.restyling.render_request import MAX_WIDTH, RenderRequest, cache_key
from recsys.restyling.target import StyleTarget
from style.credit import StyleCredit
from style.errors import ImageError, VectorError
from style.modes import PaintMode
from style.preprocess.recipe import Recipe
from style.provenance.mark import ImageFormat
from style.vector import StyleVector

SETTINGS = RestyleSettings(strength=0.4, size=200, deadline_ms=70)
TARGET = StyleTarget(StyleVector.from_values(np.random.default_rng(0).normal(size=128)))
OTHER = StyleTarget(StyleVector.from_values(np.random.default_rng(1).normal(size=128)))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "photo.jpg").write_bytes(b"pixels")
    return tmp_path / "photo.jpg"


def request(photo: Path | bytes, target: StyleTarget | None = TARGET, **options: Any) -> RenderRequest:
    return RenderRequest.from_settings(SETTINGS, photo, target, **options)


def test_options_that_are_not_given_come_from_the_settings(photo: Path) -> None:
    given = request(photo)
    assert (given.strength, given.width, given.deadline_ms) == (0.4, 200, 70)
    assert (given.mode, given.keep_color, given.engine) == (SETTINGS.mode, SETTINGS.keep_color, SETTINGS.engine)
    assert given.limits == SETTINGS.limits
    assert request(photo, width=10 * MAX_WIDTH).width == MAX_WIDTH
    assert request(photo, strength=0.33349).strength == 0.333


def test_an_original_has_no_target_or_no_strength(photo: Path) -> None:
    assert not request(photo).is_original
    assert request(photo, None).is_original
    assert request(photo, strength=0.0).is_original


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_an_error(photo: Path, strength: float) -> None:
    with pytest.raises(VectorError, match="strength"):
        request(photo, strength=strength)


def test_the_key_changes_with_whatever_changes_the_image(photo: Path) -> None:
    same = request(photo)
    assert same.key() == replace(same, deadline_ms=1).key()
    others = [
        request(photo, OTHER),
        request(photo, None),
        request(photo, StyleTarget(TARGET.vector, StyleCredit("linen", "CC0-1.0"))),
        request(photo, strength=0.5),
        request(photo, mode=PaintMode.TONE),
        request(photo, keep_color=not same.keep_color),
        request(photo, width=100),
        request(photo, engine="color"),
        request(photo, image_format=ImageFormat.PNG),
        request(photo, recipe=Recipe.from_texts(["clahe"])),
        replace(same, limits=None),
    ]
    keys = {same.key(), *(other.key() for other in others)}
    assert len(keys) == 1 + len(others)
    before = same.key()
    photo.write_bytes(b"other pixels")
    assert same.key() != before
    assert cache_key(before, "1") != cache_key(before, "2")


def test_a_photo_in_bytes_is_not_cached() -> None:
    given = request(b"pixels")
    assert not given.is_cacheable
    assert given.key() != given.key()
    assert given.link_state() == ""


def test_the_state_of_a_link_changes_with_the_image_and_not_with_its_options(photo: Path) -> None:
    state = request(photo).link_state()
    assert len(state) == 16
    assert request(photo, strength=0.9, width=50).link_state() == state
    others = [
        request(photo, OTHER),
        request(photo, engine="color"),
        request(photo, recipe=Recipe.from_texts(["clahe"])),
    ]
    assert len({state, *(other.link_state() for other in others)}) == 4
    photo.write_bytes(b"other pixels")
    assert request(photo).link_state() != state


def test_a_photo_that_is_missing_has_no_key_and_no_state(tmp_path: Path) -> None:
    missing = request(tmp_path / "missing.jpg")
    assert missing.link_state() == ""
    with pytest.raises(ImageError, match=r"missing\.jpg"):
        missing.key()
