"""Sidecars repeat the mark of their image, and belong to no other image."""

from __future__ import annotations

import json

import numpy as np
import pytest

from style.credit import StyleCredit
from style.errors import ImageError
from style.modes import PaintMode, Strength
from style.provenance.mark import ImageFormat, Mark, encode, read_mark
from style.provenance.sidecar import read_sidecar, sidecar

MARK = Mark(
    "film", "film-1", Strength(0.0, 0.412), PaintMode.TONE, True, "ab" * 32, StyleCredit("Zoë <花>", 'CC0 "1.0"')
)


@pytest.fixture(scope="module")
def data() -> bytes:
    return encode(np.full((8, 8, 3), 0.5, dtype=np.float32), ImageFormat.PNG, MARK)


@pytest.mark.parametrize("mark", [MARK, Mark("color", "color-1", Strength(0.6, 0.6))])
def test_it_is_read_back(data: bytes, mark: Mark) -> None:
    assert read_sidecar(sidecar(data, mark), data) == mark


def test_it_says_what_the_picture_says(data: bytes) -> None:
    assert read_sidecar(sidecar(data, MARK), data) == read_mark(data)
    said = json.loads(sidecar(data, MARK))
    assert said["DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert (said["ModelSha256"], said["ColorStrength"]) == ("ab" * 32, "0.412")
    assert (said["StyleReference"], said["StyleLicense"]) == ("Zoë <花>", 'CC0 "1.0"')


def test_another_picture_is_told(data: bytes) -> None:
    with pytest.raises(ImageError, match="another image"):
        read_sidecar(sidecar(data, MARK), data + b"\0")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ImageSha256": 3}'])
def test_what_is_no_sidecar_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(ImageError, match="not a sidecar"):
        read_sidecar(text, data)


@pytest.mark.parametrize(("name", "value"), [("Mode", "oil"), ("TextureStrength", "2"), ("DigitalSourceType", "x")])
def test_properties_that_make_no_mark_are_refused(data: bytes, name: str, value: str) -> None:
    changed = json.loads(sidecar(data, MARK)) | {name: value}
    with pytest.raises(ImageError, match="not those of a restyled image"):
        read_sidecar(json.dumps(changed), data)
