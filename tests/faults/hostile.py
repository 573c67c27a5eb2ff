"""Hostile and unusual files, each with its description and the expected result."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL import Image, TiffImagePlugin

from tests.faults.test_bad_images import SRGB, bmp, chunk, corners, encoded, gif, jpeg, png, tiff, webp

REFUSED = "refused"
DECODED = "decoded"

MEGABYTES = bytes(60_000_000)
JPG = encoded(corners(), "JPEG", quality=95)
PNG = encoded(corners())
GRAY_ROWS = bytes(17 * 16)


def grey(*extra: bytes) -> bytes:
    """Build a sound grey PNG of 16 x 16 with other chunks before its data."""
    return png(16, 16, 8, 0, GRAY_ROWS, *extra)


def segment(marker: int, data: bytes) -> bytes:
    """One segment of a JPEG."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def nested_exif(depth: int, *, loop: bool) -> bytes:
    """EXIF whose directories lie in each other, or point back to the first."""
    parts = []
    for level in range(depth):
        start = 8 + 18 * level
        after = 8 if loop and level == depth - 1 else start + 18
        parts.append(struct.pack("<HHHIII", 1, 0x8769, 4, 1, after, 8 if loop else 0))
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + b"".join(parts) + bytes(6)


def many_gif_frames(count: int) -> bytes:
    """Build a GIF of a canvas of 16,000 x 4,000 and `count` frames of one pixel."""
    frame = b"\x21\xf9\x04\x04\x01\x00\x00\x00\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HH", 1_000, 1_000) + b"\x80\x00\x00" + bytes(6) + frame * count + b";"


def apng(frames: int) -> bytes:
    """Build a PNG that says it has very many frames, and has one."""
    return grey(chunk(b"acTL", struct.pack(">II", frames, 0)))


def bad_crc(data: bytes, kind: bytes) -> bytes:
    """Return the PNG with a wrong check sum on its first chunk of that kind."""
    start = data.index(kind)
    end = start + 4 + struct.unpack(">I", data[start - 4 : start])[0]
    return data[:end] + bytes(4) + data[end + 4 :]


def mpo(frames: int) -> bytes:
    """Build a JPEG of several pictures, as cameras with two lenses write."""
    later = [Image.new("RGB", (48, 32))] * frames
    return encoded(corners(), "MPO", save_all=True, append_images=later, quality=95)


def tiff_loop() -> bytes:
    """Build a TIFF whose second directory is its first."""
    data = bytearray(tiff(16, 16))
    count = struct.unpack("<H", data[8:10])[0]
    data[10 + 12 * count : 14 + 12 * count] = struct.pack("<I", 8)
    return bytes(data)


def tiff_of(tag: int, kind: int, count: int, value: int) -> bytes:
    """Build a TIFF with one entry changed."""
    data = tiff(16, 16)
    start = data.index(struct.pack("<HH", tag, 4), 10)
    return data[:start] + struct.pack("<HHII", tag, kind, count, value) + data[start + 12 :]


def deep_tiff() -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[258] = 32
    return encoded(Image.new("I", (16, 16), 70_000), "TIFF", tiffinfo=tags)


def progressive(scans: int) -> bytes:
    whole = encoded(corners(), "JPEG", progressive=True)
    scan = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + scan * scans + whole[-2:]


def ico() -> bytes:
    return b"\0\0\1\0\1\0\x30\x20\0\0\1\0\x20\0" + struct.pack("<II", len(PNG), 22) + PNG


AVIF = struct.pack(">I", 28) + b"ftypavif\0\0\0\0avifmif1miaf" + bytes(200)
HEIC = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(200)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1:1/a.png' width='9' height='9'/></svg>"
XXE = b"<?xml version='1.0'?><!DOCTYPE s [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg>&x;</svg>"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n(/etc/passwd) (r) file showpage\n"
PDF = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/OpenAction<</S/URI/URI(http://127.0.0.1:1/)>>>>\nendobj\n%%EOF\n"
PSD = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 64, 64, 8, 3) + bytes(64)
QOI = b"qoif" + struct.pack(">IIBB", 64, 64, 3, 0) + bytes(64)
ICNS = b"icns" + struct.pack(">I", 8 + 8 + len(PNG)) + b"ic07" + struct.pack(">I", 8 + len(PNG)) + PNG
JP2 = b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(200)
FLI = struct.pack("<IHHHHHH", 128, 0xAF11, 10, 64, 64, 8, 3) + bytes(112)

_huge_palette = chunk(b"PLTE", bytes(3 * 256))
_zipped = zlib.compress(MEGABYTES)

KINDS: dict[str, tuple[bytes, str]] = {
    # Sizes that are only said.
    "png of 60,000 a side": (png(60_000, 60_000, 8, 2, b"x"), REFUSED),
    "png of 2^31 - 1 a side": (png(2**31 - 1, 2**31 - 1, 8, 2, b"x"), REFUSED),
    "png of no width": (png(0, 16, 8, 0, b"x"), REFUSED),
    "png of 20,000 by 10": (png(20_000, 10, 8, 0, bytes(20_001 * 10)), REFUSED),
    "png of 20,000 a side": (png(20_000, 20_000, 1, 0, b"x"), REFUSED),
    "gif canvas of 65,535 a side": (gif((65_535, 65_535), (16, 16)), REFUSED),
    "gif frame beyond its canvas": (gif((16, 16), (60_000, 60_000)), REFUSED),
    "webp of 16,000 a side": (webp(16_000, 16_000), REFUSED),
    "bmp of 60,000 a side": (bmp(60_000, 60_000), REFUSED),
    "bmp of a negative height": (bmp(60_000, -60_000), REFUSED),
    "jpeg of 65,000 a side": (jpeg(65_000, 65_000), REFUSED),
    "jpeg of no height": (jpeg(16, 0), REFUSED),
    "tiff of 60,000 a side": (tiff(60_000, 60_000), REFUSED),
    "tiff tile of 60,000 a side": (tiff(16, 16, tile=(60_000, 60_000)), REFUSED),
    "tiff of 2^32 - 1 rows a strip": (tiff_of(278, 4, 1, 2**32 - 1), DECODED),
    "tiff strip of 4 gigabytes": (tiff_of(279, 4, 1, 2**32 - 1), REFUSED),
    "tiff strip beyond the file": (tiff_of(273, 4, 1, 2**31), REFUSED),
    "one pixel": (encoded(Image.new("RGB", (1, 1))), REFUSED),
    "one row": (encoded(Image.new("RGB", (300, 1))), REFUSED),
    # Much from little.
    "flat png of 81 million pixels": (png(9_000, 9_000, 1, 0, bytes(9_000 * 1_126)), REFUSED),
    "png whose data unpack to more than its size": (png(16, 16, 8, 0, MEGABYTES), DECODED),
    "png text bomb": (grey(chunk(b"zTXt", b"a\0\0" + _zipped)), REFUSED),
    "png international text bomb": (grey(chunk(b"iTXt", b"a\0\1\0\0\0" + _zipped)), REFUSED),
    "png profile bomb": (grey(chunk(b"iCCP", b"a\0\0" + _zipped)), REFUSED),
    "png of 20,000 text chunks": (grey(chunk(b"tEXt", b"a\0" + b"b" * 50) * 20_000), DECODED),
    "png of 20,000 empty data chunks": (grey(chunk(b"IDAT", b"") * 20_000), DECODED),
    "png of 4 billion frames": (apng(2**32 - 1), DECODED),
    "gif of 50,000 frames": (many_gif_frames(50_000), DECODED),
    "mpo of 40 frames": (mpo(40), DECODED),
    "jpeg of 2,000 scans": (progressive(2_000), REFUSED),
    "jpeg with 600 profile parts": (
        JPG[:2]
        + b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes((1 + i % 255, 255)) + bytes(9_000)) for i in range(600))
        + JPG[2:],
        DECODED,
    ),
    "jpeg with 30,000 comments": (JPG[:2] + segment(0xFE, b"x" * 100) * 30_000 + JPG[2:], DECODED),
    "tiff whose directories go in a circle": (tiff_loop(), DECODED),
    # Wrong inside.
    "png with a wrong sum on its header": (bad_crc(PNG, b"IHDR"), REFUSED),
    "png with a wrong sum on its data": (bad_crc(PNG, b"IDAT"), DECODED),
    "png without data": (PNG[: PNG.index(b"IDAT") - 4] + chunk(b"IEND", b""), REFUSED),
    "png with data that are no deflate stream": (PNG[: PNG.index(b"IDAT") - 4] + chunk(b"IDAT", b"x" * 99), REFUSED),
    "png with a palette of indexes beyond it": (
        png(16, 16, 8, 3, bytes([0]) * 17 * 15 + bytes([0]) + bytes([255]) * 16, chunk(b"PLTE", bytes(6))),
        DECODED,
    ),
    "png with a palette but no need of one": (grey(_huge_palette), DECODED),
    "png of an unknown kind of color": (png(16, 16, 8, 5, GRAY_ROWS), REFUSED),
    "png of 3 bits": (png(16, 16, 3, 0, GRAY_ROWS), REFUSED),
    "png of an unknown filter": (png(16, 16, 8, 0, bytes([9]) * 17 * 16), REFUSED),
    "png with a chunk of 2^31 bytes": (PNG[:33] + struct.pack(">I", 2**31) + b"teXt" + PNG[33:], REFUSED),
    "jpeg that is said to be of arithmetic coding": (JPG.replace(b"\xff\xc0", b"\xff\xc9", 1), DECODED),
    "jpeg without its tables": (JPG.replace(b"\xff\xc4", b"\xff\xec"), DECODED),
    "jpeg with a segment of no length": (JPG[:2] + b"\xff\xe1\0\0" + JPG[2:], DECODED),
    "jpeg exif in exif, 2,000 deep": (JPG[:2] + segment(0xE1, nested_exif(2_000, loop=False)) + JPG[2:], DECODED),
    "jpeg exif that points to itself": (JPG[:2] + segment(0xE1, nested_exif(5, loop=True)) + JPG[2:], DECODED),
    "jpeg of inks with a broken profile": (encoded(Image.new("CMYK", (16, 16)), "JPEG", icc_profile=SRGB), DECODED),
    "webp animated, with no frame": (
        b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02" + bytes(9) + b"ANIM",
        REFUSED,
    ),
    "webp that says another length": (
        encoded(corners(), "WEBP")[:4] + b"\xff\xff\xff\x7f" + encoded(corners(), "WEBP")[8:],
        REFUSED,
    ),
    "tiff of 32 bits": (deep_tiff(), DECODED),
    "tiff of an unknown compression": (tiff_of(259, 4, 1, 60_000), REFUSED),
    "tiff that is jpeg inside, without it": (tiff_of(259, 4, 1, 7), REFUSED),
    "bmp of an unknown compression": (
        encoded(corners(), "BMP")[:30] + b"\x63" + encoded(corners(), "BMP")[31:],
        REFUSED,
    ),
    "16 bits": (encoded(Image.fromarray(np.full((16, 16), 40_000, dtype=np.uint16))), DECODED),
    # Two things at once.
    "jpeg and zip": (JPG + b"PK\x03\x04" + bytes(2_000) + b"PK\x05\x06" + bytes(18), DECODED),
    "gif and script": (encoded(corners().quantize(4), "GIF") + b"*/alert(1);/*", DECODED),
    "png and html": (PNG + b"<script>alert(1)</script>", DECODED),
    "html and jpeg": (b"<html><!--" + JPG, REFUSED),
    "jpeg in a pdf": (PDF + JPG, REFUSED),
    # Other things.
    "ico": (ico(), REFUSED),
    "icns": (ICNS, REFUSED),
    "svg that links": (SVG, REFUSED),
    "xml that includes a file": (XXE, REFUSED),
    "pdf": (PDF, REFUSED),
    "postscript": (EPS, REFUSED),
    "avif": (AVIF, REFUSED),
    "heic": (HEIC, REFUSED),
    "psd": (PSD, REFUSED),
    "qoi": (QOI, REFUSED),
    "jpeg 2000": (JP2, REFUSED),
    "fli": (FLI, REFUSED),
    "a text": ("Zwölf Boxkämpfer".encode() * 50, REFUSED),
    "empty": (b"", REFUSED),
    "one byte": (b"\xff", REFUSED),
    "zeros": (bytes(100_000), REFUSED),
    "noise": (np.random.default_rng(0).bytes(100_000), REFUSED),
}


def cut_at_every_part(data: bytes) -> list[bytes]:
    """Build a PNG, or a JPEG, that ends after each of its chunks or segments, after each one's head, and amid each."""
    places: set[int] = set()
    if data.startswith(b"\x89PNG"):
        at = 8
        while at < len(data):
            size = 12 + struct.unpack(">I", data[at : at + 4])[0]
            places |= {at, at + 4, at + 8, at + size // 2, at + size - 4}
            at += size
    else:
        at = 2
        while data[at + 1] != 0xDA:
            size = 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
            places |= {at, at + 2, at + 4, at + size // 2}
            at += size
        places |= {at, at + 2, (at + len(data)) // 2}
    return [data[:place] for place in sorted(places)]
