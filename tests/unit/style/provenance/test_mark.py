"""Restyled pictures carry their mark, and nothing of the input's."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from style.credit import StyleCredit
from style.errors import ImageError, LibraryError
from style.images import Pixels, decode_image, to_pixels
from style.modes import PaintMode, Strength
from style.provenance.mark import DIGITAL_SOURCE_TYPE, ImageFormat, Mark, encode, read_mark

FORMATS = list(ImageFormat)
MARK = Mark(
    "film",
    "film-1a2b3c4d",
    Strength(0.7, 0.4),
    PaintMode.FULL,
    keep_color=True,
    model_sha256="0f" * 32,
    credit=StyleCredit("linen", "CC0-1.0"),
)


@pytest.fixture
def picture() -> Pixels:
    y, x = np.mgrid[0:1:40j, 0:1:60j]
    return np.stack([x, y, 1 - x], axis=2).astype(np.float32)


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize(
    "mark",
    [
        MARK,
        Mark("color", "color-2", Strength(0.0, 1.0), PaintMode.TONE),
        Mark(
            "film",
            "film-1",
            Strength(0.125, 0.5),
            credit=StyleCredit('<a href="x">&amp; Zoë ]]> 花', "© 2025 <b>\n'all' & \"more\""),
        ),
    ],
)
def test_the_mark_is_read_back(picture: Pixels, image_format: ImageFormat, mark: Mark) -> None:
    assert read_mark(encode(picture, image_format, mark)) == mark


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_packet_is_xmp_that_names_the_source_type(picture: Pixels, image_format: ImageFormat) -> None:
    data = encode(picture, image_format, MARK)
    assert data.count(b"http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia") == 1
    assert b"<?xpacket begin=" in data
    assert b"Iptc4xmpExt:DigitalSourceType>" in data
    assert b"restyle:ModelSha256>" + b"0f" * 32 in data


@pytest.mark.parametrize("mode", list(PaintMode))
def test_no_mode_claims_more_or_less_than_a_composite(mode: PaintMode) -> None:
    assert Mark("film", "film-1", Strength(1.0, 1.0), mode).properties()["DigitalSourceType"] == DIGITAL_SOURCE_TYPE
    assert DIGITAL_SOURCE_TYPE.endswith("/compositeWithTrainedAlgorithmicMedia")


@pytest.mark.parametrize("image_format", FORMATS)
def test_an_original_is_not_marked(picture: Pixels, image_format: ImageFormat) -> None:
    assert read_mark(encode(picture, image_format, None)) is None


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_mark_leaves_the_pixels_alone(picture: Pixels, image_format: ImageFormat) -> None:
    plain, marked = (decode_image(encode(picture, image_format, mark)) for mark in (None, MARK))
    assert plain.tobytes() == marked.tobytes()
    assert np.abs(to_pixels(marked) - picture).mean() < 0.02


def test_png_is_exact(picture: Pixels) -> None:
    exact = np.round(picture * 255) / np.float32(255)
    np.testing.assert_array_equal(to_pixels(decode_image(encode(exact, ImageFormat.PNG, MARK))), exact)


@pytest.mark.parametrize("image_format", FORMATS)
def test_nothing_but_the_mark_is_in_the_file(picture: Pixels, image_format: ImageFormat) -> None:
    with Image.open(io.BytesIO(encode(picture, image_format, MARK))) as image:
        image.load()
        assert not image.getexif()
        assert not {"exif", "icc_profile", "comment", "photoshop"} & set(image.info)
        assert image.format == image_format.value.upper()


@pytest.mark.parametrize("text", ["a\x00b", "a\x1bb", "\ud800", "x" * 501])
def test_text_that_a_picture_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(LibraryError, match="license"):
        StyleCredit("linen", text)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_reading_what_is_no_image_says_so(data: bytes) -> None:
    with pytest.raises(ImageError, match="jpeg, png, webp"):
        read_mark(data)


@pytest.mark.parametrize(
    "packet",
    [
        "not xml",
        "<x/>",
        f'<!DOCTYPE r [<!ENTITY e "{DIGITAL_SOURCE_TYPE}">]><r>&e;</r>',
        f"<r xmlns:i='http://iptc.org/std/Iptc4xmpExt/2008-02-29/'>"
        f"<i:DigitalSourceType>{DIGITAL_SOURCE_TYPE}</i:DigitalSourceType></r>",
    ],
)
def test_a_foreign_packet_is_no_mark(picture: Pixels, packet: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    assert read_mark(buffer.getvalue()) is None
