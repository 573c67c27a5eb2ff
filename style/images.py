"""Safe decoding and encoding of images.

Inside the project an image is a float32 array `(H, W, 3)`, or a tensor `(B, 3, H, W)`, of sRGB values in [0, 1]. Limits
are checked on the header, before any pixel is decoded.
"""

from __future__ import annotations

import importlib
import io
import re
import stat
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError, features
from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH, TiffImageFile

from style.errors import ImageError

Pixels = NDArray[np.float32]
"""`(H, W, 3)` float32 sRGB in [0, 1]."""


def _accepted_formats() -> tuple[str, ...]:
    """Return the formats whose decoders are here: AVIF comes with Pillow 11.3, HEIC with the extra `heif`."""
    formats = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]
    if "avif" in features.get_supported_modules():
        formats.append("AVIF")
    with suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()
        formats.append("HEIF")
    return tuple(formats)


FORMATS = _accepted_formats()
_ACCEPTED = f"accepted formats: {', '.join(FORMATS)}"
_JPEG_SEGMENT = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
_SUFFIXES = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif",
    "AVIF": ".avif", "HEIF": ".heic",
}  # fmt: skip
_JPEG_END = b"\xff\xd9"
_JPEG_PROGRESSIVE = 0xC2
_JPEG_FILLS = tuple(bytes([byte]) * 64 for byte in (0x00, 0x55, 0x77, 0xA5, 0xD2, 0xFE))
"""Bits that change an image if its pixels are not complete: for each code that they could stand for, another."""
_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_SRGB = ImageCms.createProfile("sRGB")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a decoder: `max_bytes` of the file, `max_pixels`, `max_side` and `min_side` of the image.

    `max_scans` is for JPEG: each scan costs a pass over the whole image, but takes only some 30 bytes of the file.
    Pillow has a limit of its own, twice `PIL.Image.MAX_IMAGE_PIXELS`, that a larger `max_pixels` does not raise.
    """

    max_bytes: int = 32 * 1024 * 1024
    max_pixels: int = 64_000_000
    max_side: int = 16_384
    min_side: int = 8
    max_scans: int = 64


DEFAULT_LIMITS = Limits()

UPLOAD_LIMITS = Limits(max_bytes=12 * 1024 * 1024, max_pixels=36_000_000)
"""Limits for uploads by strangers: many at once must fit into memory; decoding takes up to 12 bytes per pixel."""


def read_image(path: Path, *, short_side: int | None = None, limits: Limits = DEFAULT_LIMITS) -> Pixels:
    """Decode a file to `(H, W, 3)` float32 sRGB in [0, 1].

    Args:
        path: Image file.
        short_side: Shrink (never enlarge) so that the shorter side has that many pixels; JPEG is then decoded directly
            at a reduced scale.
        limits: Limits of the decoder.

    Raises:
        ImageError: If the file cannot be decoded; names the file.
    """
    return to_pixels(open_image(path, short_side=short_side, limits=limits))


def open_image(path: Path, *, short_side: int | None = None, limits: Limits = DEFAULT_LIMITS) -> Image.Image:
    """Read like `read_image`, but return an upright RGB Pillow image without metadata."""
    try:
        status = path.stat()
        # Reading a pipe or a device may never end.
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{path}: not a file; {_ACCEPTED}")
        if status.st_size > limits.max_bytes:
            raise ImageError(f"{path}: {status.st_size} bytes; at most {limits.max_bytes} are accepted")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ImageError(f"{str(path)!r}: not the path of a file: {error}") from None
    return decode_image(data, name=str(path), short_side=short_side, limits=limits)


def decode_image(
    data: bytes, *, name: str = "image", short_side: int | None = None, limits: Limits = DEFAULT_LIMITS
) -> Image.Image:
    """Decode bytes to an upright RGB Pillow image without metadata; see `read_image`.

    EXIF rotation is applied, an ICC profile is converted to sRGB, transparency is laid on white, only the first frame
    is read. Numbers of 16 bits are taken as [0, 65535] and floats as [0, 1]. Broken metadata is ignored: without a
    valid profile an image is taken as sRGB, without valid EXIF as upright. A JPEG may lack its end marker.

    Args:
        data: Image file.
        name: Name of the image in error messages.
        short_side: See `read_image`.
        limits: Limits of the decoder.

    Raises:
        ImageError: If the bytes are no image, are truncated, or pass a limit.
    """
    if not data:
        raise ImageError(f"{name}: is empty; {_ACCEPTED}")
    if len(data) > limits.max_bytes:
        raise ImageError(f"{name}: {len(data)} bytes; at most {limits.max_bytes} are accepted")
    try:
        image = _decode(data, name, short_side, limits)
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(f"{name}: too many pixels; {_size_limits(limits)}") from None
    except UnidentifiedImageError:
        raise ImageError(f"{name}: {_missing_decoder(data) or f'not an image; {_ACCEPTED}'}") from None
    except Exception as error:
        # Decoders fail on damaged files with OSError, KeyError, struct.error, OverflowError and more.
        reason = str(error) or type(error).__name__
        closed = _close_jpeg(data, name, short_side, limits)
        if closed is None:
            raise ImageError(f"{name}: not a whole image ({reason}); {_ACCEPTED}") from None
        image = closed
    if short_side is None or min(image.size) <= short_side:
        return image
    return image.resize(_shrunk_size(image.size, short_side), Image.Resampling.BICUBIC, reducing_gap=2.0)


def _decode(data: bytes, name: str, short_side: int | None, limits: Limits) -> Image.Image:
    """Decode bytes to an upright RGB image, at least `short_side` pixels a side if it has as many."""
    with warnings.catch_warnings():
        # Pillow warns about sizes that the limits below reject, and about metadata that is dropped.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            width, height = opened.size
            if min(width, height) < limits.min_side:
                raise ImageError(f"{name}: {width}x{height} pixels; each side needs at least {limits.min_side}")
            if max(width, height) > limits.max_side or width * height > limits.max_pixels:
                raise ImageError(f"{name}: {width}x{height} pixels; {_size_limits(limits)}")
            _check_work(opened, data, name, limits)
            if short_side is not None:
                opened.draft("RGB", _shrunk_size(opened.size, short_side))
            opened.load()
            return _to_srgb(_upright(opened))


def _close_jpeg(data: bytes, name: str, short_side: int | None, limits: Limits) -> Image.Image | None:
    """Decode a JPEG that lacks only its end marker, as browsers do; return None for other data.

    The marker is added. If pixels were missing, too, further bytes before the marker would change the image.
    """
    if not data.startswith(b"\xff\xd8"):
        return None
    pixels = data.removesuffix(_JPEG_END[:1])
    try:
        if not _has_all_scans(data):
            return None
        image = _decode(pixels + _JPEG_END, name, short_side, limits)
        filled = (_decode(pixels + fill + _JPEG_END, name, short_side, limits) for fill in _JPEG_FILLS)
        return image if all(other.tobytes() == image.tobytes() for other in filled) else None
    except Exception:
        return None


def _missing_decoder(data: bytes) -> str:
    """Return which decoder an image needs that is not installed, "" if none would help."""
    if data[4:8] != b"ftyp":
        return ""
    brands = [data[8:12], *(data[start : start + 4] for start in range(16, min(len(data), 64), 4))]
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "" if "AVIF" in FORMATS else "an AVIF image; install Pillow 11.3 or newer, which decodes it"
    if "HEIF" not in FORMATS and any(brand in _HEIC_BRANDS for brand in brands):
        return "a HEIC image; `pip install 'style-recsys[heif]'` adds its decoder, or convert it to JPEG"
    return ""


def check_image(path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
    """Raise ImageError unless the file can be decoded completely (at reduced scale if the format allows it)."""
    open_image(path, short_side=32, limits=limits)


def image_suffix(path: Path) -> str:
    """Return the usual suffix of an image file by its content. Raises ImageError if it is none that is accepted."""
    try:
        with Image.open(path, formats=FORMATS) as opened:
            return _SUFFIXES[str(opened.format)]
    except (OSError, KeyError, Image.DecompressionBombError):
        raise ImageError(f"{path}: not an image; {_ACCEPTED}") from None


def to_pixels(image: Image.Image) -> Pixels:
    """Convert a Pillow RGB image to `(H, W, 3)` float32 in [0, 1]."""
    return np.asarray(image, dtype=np.float32) / np.float32(255.0)


def from_pixels(pixels: Pixels) -> Image.Image:
    """Convert `(H, W, 3)` float32 in [0, 1] to a Pillow RGB image; values outside are clipped, halves round up.

    Raises ImageError if a value is not a number: it has no color, and black would hide the failure of an engine.
    """
    if np.isnan(pixels).any():
        raise ImageError(f"{np.isnan(pixels).sum()} of {pixels.size} values of an image are not numbers")
    return Image.fromarray(_bytes(pixels), "RGB")


def center_square(image: Image.Image, side: int) -> Image.Image:
    """Crop the largest centered square and resample it to `side` x `side` pixels."""
    return ImageOps.fit(image, (side, side), method=Image.Resampling.BICUBIC)


def _check_work(image: Image.Image, data: bytes, name: str, limits: Limits) -> None:
    """Reject small images in small files that take minutes, or gigabytes, to decode."""
    if image.format in {"JPEG", "MPO"} and (scans := _scans(data)) > limits.max_scans:
        raise ImageError(f"{name}: a JPEG of {scans} scans; at most {limits.max_scans} are accepted")
    if isinstance(image, TiffImageFile):
        width, height = (image.tag_v2.get(tag, 0) for tag in (TILEWIDTH, TILELENGTH))
        if width * height > limits.max_pixels:
            raise ImageError(f"{name}: tiles of {width}x{height} pixels; {_size_limits(limits)}")


def _scans(jpeg: bytes) -> int:
    """Count the scans of the first image in a file; later data, or a segment, may hold the same two bytes."""
    scans = position = 0
    while (segment := _JPEG_SEGMENT.search(jpeg, position)) and segment[0] != b"\xff\xd9":
        scans += segment[0] == b"\xff\xda"
        position = segment.end() + int.from_bytes(jpeg[segment.end() : segment.end() + 2])
    return scans


def _has_all_scans(jpeg: bytes) -> bool:
    """Return whether a progressive JPEG has a final scan of each coefficient; True for other JPEGs.

    Without its last scans it is a whole image of lower quality, so its pixels cannot tell (ITU-T T.81, B.2.3, G.1.1).
    """
    final: dict[int, set[int]] = {}
    position = 0
    while (segment := _JPEG_SEGMENT.search(jpeg, position)) and segment[0] != _JPEG_END:
        length = int.from_bytes(jpeg[segment.end() : segment.end() + 2])
        body = jpeg[segment.end() + 2 : segment.end() + length]
        if segment[0][1] == _JPEG_PROGRESSIVE:
            # Precision, height, width, number of components; then three bytes each, of which the first is the id.
            final = {body[6 + 3 * index]: set() for index in range(body[5])}
        elif segment[0] == b"\xff\xda" and final:
            # Number of components, two bytes each; then the first and last coefficient, and the bits that are left out.
            components, (first, last, bits) = body[1 : 1 + 2 * body[0] : 2], body[-3:]
            for component in components:
                final.get(component, set()).update(range(first, last + 1) if bits & 0x0F == 0 else ())
        position = segment.end() + length
    return all(len(coefficients) == 64 for coefficients in final.values())


def _size_limits(limits: Limits) -> str:
    return f"at most {limits.max_side} a side and {limits.max_pixels} in all are accepted"


def _shrunk_size(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    scale = short_side / min(size)
    if scale >= 1:
        return size
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        # Corrupt EXIF is dropped with all other metadata.
        turn = None
    return image if turn is None else image.transpose(turn)


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        if np.isnan(values).any():
            raise ValueError("it has values that are not numbers")
        gray = _bytes(values.astype(np.float32) / np.float32(1.0 if image.mode == "F" else 65535.0))
        transparent = image.info.get("transparency")
        if isinstance(transparent, int):
            gray[values == transparent] = 255
        image = Image.fromarray(gray, "L")
    if not image.has_transparency_data:
        # Copy the pixels only: `info` may carry a location, a device or a name.
        bare = Image.new("RGB", image.size)
        bare.paste(_without_profile(image, profile))
        return bare
    layered = image.convert("RGBA")
    canvas = Image.new("RGB", layered.size, "white")
    canvas.paste(_without_profile(layered, profile), mask=layered.getchannel("A"))
    return canvas


def _without_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode not in {"RGB", "CMYK", "L"}:
        image = image.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
            assert converted is not None  # noqa: S101  only None when converting in place
            return converted
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            # A photo with a broken profile is still a good photo, and most are sRGB.
            pass
    return image if image.mode == "RGB" else image.convert("RGB")


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (np.clip(values, 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
