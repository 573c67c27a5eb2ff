"""Safe decoding and encoding of images.

Inside the project an image is a float32 array `(H, W, 3)`, or a tensor `(B, 3, H, W)`, of sRGB values in [0, 1].
Limits are checked on the header, before any pixel is decoded.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from style.errors import ImageError

Pixels = NDArray[np.float32]
"""`(H, W, 3)` float32 sRGB in [0, 1]."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_SRGB = ImageCms.createProfile("sRGB")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a decoder accepts. `max_bytes` of file, `max_pixels` and `max_side` of picture, `min_side` pixels."""

    max_bytes: int = 32 * 1024 * 1024
    max_pixels: int = 64_000_000
    max_side: int = 16_384
    min_side: int = 8


DEFAULT_LIMITS = Limits()


def read_image(path: Path, *, short_side: int | None = None, limits: Limits = DEFAULT_LIMITS) -> Pixels:
    """Decode a file to `(H, W, 3)` float32 sRGB in [0, 1].

    `short_side` shrinks (never enlarges) so that the shorter side has that many pixels; JPEG is then decoded
    at a reduced scale directly. Raises ImageError that names the file.
    """
    return to_pixels(open_image(path, short_side=short_side, limits=limits))


def open_image(path: Path, *, short_side: int | None = None, limits: Limits = DEFAULT_LIMITS) -> Image.Image:
    """Like `read_image`, but returns an upright RGB Pillow image without metadata."""
    try:
        size = path.stat().st_size
        if size > limits.max_bytes:
            raise ImageError(f"{path}: {size} bytes; at most {limits.max_bytes} are accepted")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from None
    return decode_image(data, name=str(path), short_side=short_side, limits=limits)


def decode_image(
    data: bytes, *, name: str = "image", short_side: int | None = None, limits: Limits = DEFAULT_LIMITS
) -> Image.Image:
    """Decode bytes to an upright RGB Pillow image without metadata; see `read_image`.

    EXIF rotation is applied, an ICC profile is converted to sRGB, transparency is laid on white, only the first
    frame is read. Raises ImageError where the bytes are no image, are truncated, or pass a limit.
    """
    if len(data) > limits.max_bytes:
        raise ImageError(f"{name}: {len(data)} bytes; at most {limits.max_bytes} are accepted")
    try:
        with warnings.catch_warnings():
            # Pillow warns at a size of its own; the limits below decide, before pixels are decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                _check_size(opened, name, limits)
                if short_side is not None:
                    opened.draft("RGB", _shrunk(opened.size, short_side))
                opened.load()
                return _shrink(_to_srgb(ImageOps.exif_transpose(opened)), short_side)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: too many pixels: {error}") from None
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not an image; accepted formats: {', '.join(FORMATS)}") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, ImageCms.PyCMSError) as error:
        raise ImageError(f"{name}: not a whole image ({error}); accepted formats: {', '.join(FORMATS)}") from None


def check_image(path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
    """Raise ImageError unless the file can be decoded whole (at reduced scale where the format allows it)."""
    open_image(path, short_side=32, limits=limits)


def to_pixels(image: Image.Image) -> Pixels:
    """A Pillow RGB image as `(H, W, 3)` float32 in [0, 1]."""
    return np.asarray(image, dtype=np.float32) / np.float32(255.0)


def from_pixels(pixels: Pixels) -> Image.Image:
    """`(H, W, 3)` float32 in [0, 1] as a Pillow RGB image; values outside are clipped, halves round up."""
    return Image.fromarray((np.clip(pixels, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8), "RGB")


def center_square(image: Image.Image, side: int) -> Image.Image:
    """The largest centred square, resampled to `side` x `side` pixels."""
    return ImageOps.fit(image, (side, side), method=Image.Resampling.BICUBIC)


def _check_size(image: Image.Image, name: str, limits: Limits) -> None:
    width, height = image.size
    if min(width, height) < limits.min_side:
        raise ImageError(f"{name}: {width}x{height} pixels; each side needs at least {limits.min_side}")
    if max(width, height) > limits.max_side or width * height > limits.max_pixels:
        raise ImageError(
            f"{name}: {width}x{height} pixels; at most {limits.max_side} a side and "
            f"{limits.max_pixels} in all are accepted"
        )


def _shrunk(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    scale = short_side / min(size)
    if scale >= 1:
        return size
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _shrink(image: Image.Image, short_side: int | None) -> Image.Image:
    if short_side is None or min(image.size) <= short_side:
        return image
    return image.resize(_shrunk(image.size, short_side), Image.Resampling.BICUBIC, reducing_gap=2.0)


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile and image.mode in {"RGB", "CMYK", "L"}:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
        assert converted is not None  # noqa: S101  only None when converting in place
        return _bare(converted)
    if image.mode.startswith("I") or image.mode == "F":
        return _bare(_from_deep(image))
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        layered = image.convert("RGBA")
        canvas = Image.new("RGBA", layered.size, "white")
        return _bare(Image.alpha_composite(canvas, layered).convert("RGB"))
    return _bare(image.convert("RGB"))


def _from_deep(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    # 16-bit files open as integers up to 65535; float files are taken as [0, 1].
    scale = 1.0 if image.mode == "F" else 65535.0
    grey = (np.clip(values / scale, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return Image.fromarray(grey, "L").convert("RGB")


def _bare(image: Image.Image) -> Image.Image:
    """A copy of the pixels alone: `info` may carry a place, a device or a person."""
    copy = Image.new("RGB", image.size)
    copy.paste(image)
    return copy
