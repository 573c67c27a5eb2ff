from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from style.errors import ImageError
from style.images import FORMATS, Limits, decode_image, from_pixels, open_image, read_image, to_pixels

RED = (200, 30, 40)


def encoded(image: Image.Image, name: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def test_pixels_survive_the_round_trip(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.float32) / np.float32(255)
    from_pixels(pixels).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), pixels)


def test_the_short_side_is_shrunk_and_never_enlarged(tmp_path: Path) -> None:
    Image.new("RGB", (400, 300), RED).save(tmp_path / "a.jpg")
    assert open_image(tmp_path / "a.jpg", short_side=60).size == (80, 60)
    assert open_image(tmp_path / "a.jpg", short_side=999).size == (400, 300)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    name = "TIFF" if mode == "CMYK" else "PNG"
    image = Image.new("I;16", (16, 16), 65535) if mode == "I;16" else Image.new("RGB", (16, 16), "white").convert(mode)
    decoded = decode_image(encoded(image, name))
    assert decoded.mode == "RGB"
    assert to_pixels(decoded).min() > 0.98


def test_transparency_is_laid_on_white() -> None:
    assert decode_image(encoded(Image.new("RGBA", (16, 16), (0, 0, 0, 0)))).getpixel((3, 3)) == (255, 255, 255)


def test_exif_turns_are_applied_and_metadata_is_dropped() -> None:
    image = Image.new("RGB", (40, 20), RED)
    exif = image.getexif()
    exif[0x0112] = 6
    exif[0x010E] = "a private place"
    decoded = decode_image(encoded(image, "JPEG", exif=exif))
    assert decoded.size == (20, 40)
    assert not decoded.getexif()
    assert not decoded.info


def test_a_color_profile_is_converted() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    decoded = decode_image(encoded(Image.new("RGB", (16, 16), RED), "PNG", icc_profile=srgb))
    assert np.abs(np.array(decoded.getpixel((2, 2))) - RED).max() <= 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.jpg: is empty; accepted formats: JPEG, PNG"),
        (b"no image", "a.jpg: not an image; accepted formats: JPEG, PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), "a.jpg: (a HEIC image; `pip install .*heif|not a)"),
        (b"GIF89a nonsense", "a.jpg: not a"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.jpg: not an image"),
        (encoded(Image.new("RGB", (64, 64), RED), "JPEG")[:-200], "a.jpg: not a whole image"),
        (encoded(Image.new("RGB", (4, 64), RED)), "a.jpg: 4x64 pixels; each side needs at least 8"),
    ],
)
def test_bad_bytes_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode_image(data, name="a.jpg")


def test_limits_are_checked_before_pixels_are_decoded() -> None:
    wide = encoded(Image.new("1", (20_000, 10)))
    with pytest.raises(ImageError, match="20000x10 pixels; at most 16384 a side"):
        decode_image(wide)
    with pytest.raises(ImageError, match="at most 100 are accepted"):
        decode_image(wide, limits=Limits(max_bytes=100))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone.jpg: no such file"):
        read_image(tmp_path / "gone.jpg")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0, "restart_marker_blocks": 2}])
def test_a_jpeg_may_lack_its_end_marker_but_no_pixel(options: dict[str, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG", **options)
    whole = decode_image(data).tobytes()
    assert decode_image(data[:-2]).tobytes() == whole
    assert decode_image(data[:-1]).tobytes() == whole
    for cut in (4, 8, 20, 100, 1000):
        with pytest.raises(ImageError, match="not a whole image"):
            decode_image(data[:-cut])


def test_avif_is_read_if_its_decoder_is_here() -> None:
    if "AVIF" not in FORMATS:
        pytest.skip("this Pillow has no decoder for AVIF")
    pixels = np.asarray(decode_image(encoded(Image.new("RGB", (64, 64), RED), "AVIF")))
    assert np.abs(pixels.astype(int) - RED).max() <= 8
