"""Pictures that are hostile, damaged or merely odd: each gives its true colors, or an ImageError that names it."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile, TiffImagePlugin, WebPImagePlugin

from style.errors import ImageError
from style.images import FORMATS, Limits, Pixels, check_image, decode_image, from_pixels, open_image, to_pixels

RED, GREEN, BLUE, YELLOW = (220, 30, 40), (20, 160, 60), (30, 50, 200), (230, 210, 20)
CORNERS = (RED, GREEN, BLUE, YELLOW)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Red is stored as blue: who leaves this profile unread shows it.
SWAPPED = SRGB.replace(b"rXYZ", b"____").replace(b"bXYZ", b"rXYZ").replace(b"____", b"bXYZ")


def corners(width: int = 48, height: int = 32) -> Image.Image:
    """Four quarters: red, green / blue, yellow."""
    picture = Image.new("RGB", (2, 2))
    picture.putdata(CORNERS)
    return picture.resize((width, height), Image.Resampling.NEAREST)


def found(picture: Image.Image) -> np.ndarray:
    """The colors in the middles of the four quarters, `(4, 3)`."""
    assert picture.mode == "RGB"
    assert not picture.info
    assert not picture.getexif()
    width, height = picture.size
    return np.array([picture.getpixel((width * x // 4, height * y // 4)) for y in (1, 3) for x in (1, 3)])


def assert_corners(picture: Image.Image, tolerance: int = 0, expected: Any = CORNERS) -> None:
    assert np.abs(found(picture) - np.array(expected)).max() <= tolerance


def encoded(image: Image.Image, name: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, color: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG file of raw `rows`, each with its filter byte."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + data + chunk(b"IEND", b"")


def gif(canvas: tuple[int, int], frame: tuple[int, int]) -> bytes:
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HH", *canvas) + b"\x80\x00\x00" + bytes(6) + image + b";"


def webp(width: int, height: int) -> bytes:
    body = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes(21)
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", 99, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(45)


def jpeg(width: int, height: int) -> bytes:
    """A JPEG file whose header claims a size that its data does not have."""
    data = encoded(Image.new("RGB", (16, 16)), "JPEG")
    return data.replace(b"\x08\x00\x10\x00\x10\x03", b"\x08" + struct.pack(">HH", height, width) + b"\x03")


def tiff(width: int, height: int, *, tile: tuple[int, int] | None = None) -> bytes:
    """A grey deflated TIFF file in one strip, or one tile."""
    data = zlib.compress(bytes(10_000))
    pieces = (
        {273: 0, 278: height, 279: len(data)} if tile is None else {322: tile[0], 323: tile[1], 324: 0, 325: len(data)}
    )
    tags = {256: width, 257: height, 258: 8, 259: 8, 262: 1, 277: 1} | pieces
    start = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag] or start) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The formats whose pixels were decoded."""
    formats: list[str] = []
    for kind in (ImageFile.ImageFile, TiffImagePlugin.TiffImageFile, WebPImagePlugin.WebPImageFile):
        load = kind.load

        def watched(image: Any, load: Any = load) -> Any:
            formats.append(image.format)
            return load(image)

        monkeypatch.setattr(kind, "load", watched)
    return formats


BOMBS = {
    "png": png(60_000, 60_000, 8, 2, b"x"),
    "flat png": png(9_000, 9_000, 1, 0, bytes(9_000 * 1_126)),
    "square png": png(20_000, 20_000, 8, 2, b"x"),
    "wide png": png(20_000, 10, 8, 0, bytes(20_001 * 10)),
    "gif canvas": gif((65_535, 65_535), (16, 16)),
    "gif canvas under Pillow's limit": gif((9_000, 9_000), (16, 16)),
    "gif frame": gif((16, 16), (60_000, 60_000)),
    "webp": webp(16_000, 16_000),
    "bmp": bmp(60_000, 60_000),
    "jpeg": jpeg(65_000, 65_000),
    "tiff": tiff(60_000, 60_000),
    "tiff tile": tiff(16, 16, tile=(60_000, 60_000)),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_a_pixel_is_decoded(kind: str, decoded: list[str]) -> None:
    assert len(BOMBS[kind]) < 50_000
    with pytest.raises(ImageError, match=r"shop/a\.jpg: .*pixels; at most 16384 a side and 64000000 in all are accept"):
        decode_image(BOMBS[kind], name="shop/a.jpg")
    assert not decoded


def test_the_files_that_bombs_are_made_of_are_sound(decoded: list[str]) -> None:
    for data in (png(16, 16, 8, 0, bytes(17 * 16)), jpeg(16, 16), tiff(16, 16), tiff(16, 16, tile=(16, 16))):
        assert decode_image(data).size == (16, 16)
    assert set(decoded) == {"PNG", "JPEG", "TIFF"}


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (300, 7)])
def test_a_picture_that_is_too_small_is_refused(size: tuple[int, int], decoded: list[str]) -> None:
    with pytest.raises(ImageError, match=f"a.png: {size[0]}x{size[1]} pixels; each side needs at least 8"):
        decode_image(encoded(Image.new("RGB", size)), name="a.png")
    assert not decoded


def test_pillows_own_limit_takes_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    # Another library of the process may have set it, up or down to a size that Pillow merely warns of.
    for limit in (None, 1_000):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert_corners(decode_image(encoded(corners())))
        with pytest.raises(ImageError, match="pixels; at most 16384 a side"):
            decode_image(BOMBS["square png"])


def test_a_jpeg_of_very_many_scans_is_refused(decoded: list[str]) -> None:
    whole = encoded(corners(), "JPEG", progressive=True, quality=95)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageError, match=r"a.jpg: a JPEG of \d+ scans; at most 64 are accepted"):
        decode_image(whole[:-2] + scan * 100 + whole[-2:], name="a.jpg")
    assert not decoded
    assert_corners(decode_image(whole[:-2] + scan * 3 + whole[-2:]), tolerance=6)


def test_a_film_behind_a_photo_is_not_taken_for_scans() -> None:
    assert_corners(decode_image(encoded(corners(), "JPEG", quality=95) + b"\xff\xda" * 1_000), tolerance=6)
    assert_corners(decode_image(encoded(corners(), "JPEG", quality=95, comment=b"\xff\xda" * 1_000)), tolerance=6)


def test_a_text_that_unpacks_to_very_much_is_refused() -> None:
    for text in (b"zTXt", b"iTXt"):
        flags = b"a\0\1\0\0\0" if text == b"iTXt" else b"a\0\0"
        bomb = png(16, 16, 8, 0, bytes(17 * 16), chunk(text, flags + zlib.compress(bytes(5_000_000))))
        with pytest.raises(ImageError, match=r"a.png: not a whole image \(.*too large.*\); accepted formats: JPEG"):
            decode_image(bomb, name="a.png")


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(10**12)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("it was read"))
    with pytest.raises(ImageError, match=r"a.png: 1000000000000 bytes; at most 33554432 are accepted"):
        open_image(path)


WHOLE = {
    "jpeg": encoded(corners(), "JPEG", quality=95),
    "progressive jpeg": encoded(corners(), "JPEG", quality=95, progressive=True),
    "png": encoded(corners()),
    "webp": encoded(corners(), "WEBP", quality=95),
    "lossless webp": encoded(corners(), "WEBP", lossless=True),
    "gif": encoded(corners().quantize(4), "GIF"),
    "bmp": encoded(corners(), "BMP"),
    "tiff": encoded(corners(), "TIFF"),
    "lzw tiff": encoded(corners(), "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_that_breaks_off_is_refused_or_lacks_nothing(kind: str) -> None:
    data = WHOLE[kind]
    whole = np.asarray(decode_image(data))
    messages = []
    for cut in range(0, len(data), max(1, len(data) // 60)):
        try:
            picture = decode_image(data[:cut], name="a.jpg")
        except ImageError as error:
            messages.append(str(error))
        else:
            # Only what comes after the last pixel was cut.
            assert np.array_equal(np.asarray(picture), whole), cut
    assert len(messages) > 40
    assert all(
        text.startswith(("a.jpg: not a", "a.jpg: is empty"))
        and text.endswith(f"; accepted formats: {', '.join(FORMATS)}")
        for text in messages
    )


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_with_wrong_bytes_is_decoded_or_refused(kind: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        data = bytearray(WHOLE[kind])
        for place in rng.integers(0, min(len(data), 400), size=3):
            data[place] = rng.integers(0, 256)
        with contextlib.suppress(ImageError):
            assert decode_image(bytes(data), short_side=32).mode == "RGB"


def test_whatever_a_decoder_trips_over_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, reason in ((struct.error("short"), "short"), (KeyError("K"), "'K'"), (MemoryError(), "MemoryError")):

        def trip(image: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(ImageFile.ImageFile, "load", trip)
        with pytest.raises(ImageError, match=rf"a.png: not a whole image \({reason}\); accepted formats: JPEG"):
            decode_image(WHOLE["png"], name="a.png")


OTHERS = {
    "empty": b"",
    "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'/>",
    "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "zip": b"PK\x03\x04" + bytes(60),
    "noise": np.random.default_rng(0).bytes(5_000),
    "zeros": bytes(5_000),
    # Pillow would run a program over this one.
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n",
    "a format not accepted": encoded(corners(), "PPM"),
    "a header alone": b"\xff\xd8\xff\xe0",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_picture_is_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(OTHERS[kind])
    with pytest.raises(ImageError, match=rf"a\.jpg: (not an image|is empty); accepted formats: {', '.join(FORMATS)}$"):
        check_image(tmp_path / "a.jpg")


def test_the_bytes_count_and_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(WHOLE["png"])
    assert_corners(open_image(tmp_path / "a.jpg"))


def test_what_is_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "a.png").write_bytes(WHOLE["png"])
    for path, message in (
        (tmp_path, "not a file; accepted formats: JPEG, PNG"),
        (tmp_path / "pipe", "not a file; accepted formats: JPEG, PNG"),
        (Path("/dev/zero"), "not a file; accepted formats: JPEG, PNG"),
        (tmp_path / "gone.jpg", "no such file"),
        (tmp_path / "loop", "cannot be read: "),
        (tmp_path / "a.png" / "b.jpg", "cannot be read: Not a directory"),
        (tmp_path / ("a" * 300), "cannot be read: File name too long"),
    ):
        with pytest.raises(ImageError) as refused:
            open_image(path)
        assert str(refused.value).startswith(f"{path}: {message}")
    with pytest.raises(ImageError, match=r"'a\\x00.png': not the path of a file"):
        open_image(Path("a\0.png"))
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
    )
    with pytest.raises(ImageError, match=r"a\.png: cannot be read: Permission denied"):
        open_image(tmp_path / "a.png")


def ink_profile() -> bytes:
    """An ICC profile of a printer with red ink for cyan, and none for magenta and yellow."""
    white, red, black = bytes((255, 128, 128)), bytes((136, 208, 195)), bytes((0, 128, 128))  # Lab in 8 bits
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + struct.pack(">9i", *(np.eye(3, dtype=int) * 65_536).ravel())
    table += ramp * 4 + (white + black) * 4 + (red + black) * 4 + ramp * 3
    size = 128 + 4 + 12 + len(table)
    illuminant = struct.pack(">3i", 63_190, 65_536, 54_061)
    header = struct.pack(">I4sI4s4s4s", size, b"", 0x02100000, b"prtr", b"CMYK", b"Lab ")
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + illuminant
    return header.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


def test_inks_become_colors() -> None:
    inks = Image.new("CMYK", (2, 2))
    inks.putdata([(255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255)])
    inks = inks.resize((64, 64), Image.Resampling.NEAREST)
    data = encoded(inks, "JPEG", quality=95)
    assert b"Adobe" in data  # such files hold the inks inverted
    plain = ((0, 255, 255), (255, 0, 255), (255, 255, 0), (0, 0, 0))
    assert_corners(decode_image(data), 8, plain)
    assert_corners(decode_image(data, short_side=32), 8, plain)
    assert_corners(decode_image(encoded(inks, "TIFF")), 0, plain)
    printed = decode_image(encoded(inks, "JPEG", quality=95, icc_profile=ink_profile()))
    assert_corners(printed, 8, ((255, 0, 0), (255, 255, 255), (255, 255, 255), (0, 0, 0)))
    assert_corners(decode_image(encoded(inks, "JPEG", quality=95, icc_profile=ink_profile()[:200])), 8, plain)


def test_palettes_become_colors() -> None:
    clear_red = ((255, 255, 255), *CORNERS[1:])
    indexed = corners().quantize(4, method=Image.Quantize.MEDIANCUT)
    index = indexed.getpixel((1, 1))
    for name in ("PNG", "GIF", "TIFF", "BMP"):
        assert_corners(decode_image(encoded(indexed, name)), 1)
    for name in ("PNG", "GIF"):
        assert_corners(decode_image(encoded(indexed, name, transparency=index)), 1, clear_red)
    shares = bytes(0 if place == index else 255 for place in range(4))
    assert_corners(decode_image(encoded(indexed, "PNG", transparency=shares)), 1, clear_red)


def test_transparency_is_laid_on_white() -> None:
    half = corners().convert("RGBA")
    half.putalpha(102)
    expected = np.round(255 + (np.array(CORNERS) - 255) * 0.4)
    for name in ("PNG", "WEBP", "TIFF"):
        options = {"lossless": True, "exact": True} if name == "WEBP" else {}
        assert_corners(decode_image(encoded(half, name, **options)), 1, expected)
    grey = Image.merge("LA", [Image.new("L", (16, 16), 100), Image.new("L", (16, 16), 51)])
    assert_corners(decode_image(encoded(grey)), 1, (224, 224, 224))
    keyed = encoded(corners(), transparency=RED)
    assert_corners(decode_image(keyed), 0, ((255, 255, 255), *CORNERS[1:]))


def test_one_bit_is_black_and_white() -> None:
    bits = Image.fromarray(np.kron([[0, 1], [1, 0]], np.ones((8, 8))) > 0)
    for name in ("PNG", "TIFF", "BMP"):
        assert_corners(decode_image(encoded(bits, name)), 0, [[0] * 3, [255] * 3, [255] * 3, [0] * 3])


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    levels = np.array([[0, 12_850], [32_768, 65_535]], dtype=np.uint16)
    expected = np.repeat([[0], [50], [128], [255]], 3, axis=1)
    deep = np.kron(levels, np.ones((8, 8), dtype=np.uint16))
    for name in ("PNG", "TIFF"):
        assert_corners(decode_image(encoded(Image.fromarray(deep), name)), 1, expected)
    assert_corners(decode_image(encoded(Image.fromarray(deep.astype(np.int32)), "TIFF")), 1, expected)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    key = chunk(b"tRNS", struct.pack(">H", 12_850))
    assert_corners(decode_image(png(16, 16, 16, 0, rows, key)), 1, [[0] * 3, [255] * 3, [128] * 3, [255] * 3])


def test_sixteen_bit_colors_are_scaled() -> None:
    deep = np.asarray(corners(16, 16)).astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    assert_corners(decode_image(png(16, 16, 16, 2, rows)), 1)
    key = chunk(b"tRNS", struct.pack(">HHH", *(257 * value for value in RED)))
    assert_corners(decode_image(png(16, 16, 16, 2, rows, key)), 1, ((255, 255, 255), *CORNERS[1:]))


def test_floats_are_taken_as_0_to_1_and_must_be_numbers() -> None:
    levels = np.kron(np.array([[0, 0.2], [1, 7]]), np.ones((8, 8))).astype(np.float32)
    expected = [[0] * 3, [51] * 3, [255] * 3, [255] * 3]
    assert_corners(decode_image(encoded(Image.fromarray(levels), "TIFF")), 0, expected)
    levels[3, 3] = np.inf
    assert decode_image(encoded(Image.fromarray(levels), "TIFF")).getpixel((3, 3)) == (255, 255, 255)
    levels[3, 3] = np.nan
    with pytest.raises(ImageError, match=r"a\.tif: not a whole image \(it has values that are not numbers\)"):
        decode_image(encoded(Image.fromarray(levels), "TIFF"), name="a.tif")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        # Which corner of the true picture lies in the stored one's top left, top right, bottom left, bottom right.
        (1, (0, 1, 2, 3)),
        (2, (1, 0, 3, 2)),
        (3, (3, 2, 1, 0)),
        (4, (2, 3, 0, 1)),
        (5, (0, 2, 1, 3)),
        (6, (1, 3, 0, 2)),
        (7, (3, 1, 2, 0)),
        (8, (2, 0, 3, 1)),
    ],
)
def test_every_orientation_is_turned_upright(name: str, orientation: int, stored: tuple[int, ...]) -> None:
    picture = Image.new("RGB", (2, 2))
    picture.putdata([CORNERS[place] for place in stored])
    sides = (48, 32) if orientation < 5 else (32, 48)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a private place"
    options = {"lossless": True} if name == "WEBP" else {"quality": 95} if name == "JPEG" else {}
    data = encoded(picture.resize(sides, Image.Resampling.NEAREST), name, exif=exif, **options)
    decoded = decode_image(data)
    assert decoded.size == (48, 32)
    assert_corners(decoded, tolerance=6)
    assert b"private" not in encoded(decoded)
    assert decode_image(data, short_side=16).size == (24, 16)


@pytest.mark.parametrize(
    "exif",
    [
        b"noise" * 9,
        b"Exif\0\0",
        b"Exif\0\0II*\0" + struct.pack("<I", 5_000),
        b"Exif\0\0II*\0" + struct.pack("<IH", 8, 60_000),
        b"Exif\0\0II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 3, 2**31, 2**31),
        b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x0112, 3, 1, 99, 8),
        b"Exif\0\0II*\0" + struct.pack("<IHHHI4sI", 8, 1, 0x0112, 2, 4, b"abc\0", 0),
    ],
)
def test_corrupt_exif_is_passed_over(exif: bytes) -> None:
    assert_corners(decode_image(encoded(corners(), "JPEG", quality=95, exif=exif)), tolerance=6)
    assert_corners(decode_image(encoded(corners(), "WEBP", lossless=True, exif=exif)))
    assert_corners(decode_image(png(16, 16, 8, 0, bytes(17 * 16), chunk(b"eXIf", exif))), expected=(0, 0, 0))


def test_a_profile_is_converted_in_every_mode() -> None:
    swapped = np.array(CORNERS)[:, ::-1]
    for picture in (corners(), corners().convert("RGBA"), corners().quantize(4)):
        assert_corners(decode_image(encoded(picture, icc_profile=SWAPPED)), 40, swapped)


@pytest.mark.parametrize("profile", [b"noise" * 50, SRGB[:300], b"\0" * 200, SRGB[:128] + b"\xff" * 400, ink_profile()])
def test_without_a_sound_profile_a_picture_is_taken_as_srgb(profile: bytes) -> None:
    assert_corners(decode_image(encoded(corners(), icc_profile=profile)))
    assert_corners(decode_image(encoded(corners().quantize(4), icc_profile=profile)), 1)
    assert_corners(decode_image(encoded(corners(), "JPEG", quality=95, icc_profile=profile)), tolerance=6)
    grey = corners().convert("L")
    assert_corners(decode_image(encoded(grey, icc_profile=SRGB)), 0, found(grey.convert("RGB")))


def test_a_profile_that_cannot_be_unpacked_is_passed_over() -> None:
    broken = chunk(b"iCCP", b"name\0\0" + b"not deflated")
    assert_corners(decode_image(png(16, 16, 8, 0, bytes(17 * 16), broken)), expected=(0, 0, 0))


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_the_first_frame_of_many_is_read(name: str) -> None:
    later = [Image.new("RGB", (48, 32), color) for color in ("white", "black")]
    options = {"lossless": True} if name == "WEBP" else {"quality": 95} if name == "MPO" else {}
    data = encoded(corners(), name, save_all=True, append_images=later, **options)
    assert_corners(decode_image(data), tolerance=6)


def test_a_tiff_of_many_and_wrong_tags_is_read() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in range(40_000, 40_500):
        tags[tag] = "x" * 20
        tags.tagtype[tag] = 2
    data = encoded(corners(), "TIFF", tiffinfo=tags)
    assert_corners(decode_image(data))
    # A tag that claims four gigabytes.
    place = data.index(struct.pack("<HH", 40_100, 2))
    assert_corners(decode_image(data[: place + 4] + struct.pack("<I", 2**32 - 1) + data[place + 8 :]))


def test_odd_shapes_within_the_limits_are_read() -> None:
    assert decode_image(encoded(Image.new("L", (16_384, 8))), short_side=8).size == (16_384, 8)
    limits = Limits(max_side=20_000)
    assert decode_image(BOMBS["wide png"], short_side=8, limits=limits).size == (16_000, 8)


def test_pixels_that_are_no_numbers_are_not_made_black() -> None:
    pixels: Pixels = np.full((8, 8, 3), 0.5, dtype=np.float32)
    pixels[0, :2, 0] = np.inf, -np.inf
    assert to_pixels(from_pixels(pixels))[0, :2, 0].tolist() == [1.0, 0.0]
    pixels[2, 2] = np.nan
    with pytest.raises(ImageError, match="3 of 192 values of an image are not numbers"):
        from_pixels(pixels)
