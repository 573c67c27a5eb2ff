"""Frames of a product from a folder of images, an animation, or a video; and frames as marked files.

A video needs OpenCV (extra `vision`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from style.errors import ImageError
from style.images import DEFAULT_LIMITS, Limits, Pixels, read_image, to_pixels
from style.provenance.mark import ImageFormat, Mark, encode, encode_animation
from style.training.crops import find_images
from style.vision import opencv

MOST_FRAMES = 600
ANIMATED = frozenset({".gif", ".webp", ".png", ".apng"})
VIDEOS = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"})
DURATION = 100
"""Milliseconds per frame if the source has no duration."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames `(H, W, 3)` in [0, 1], in order, and the milliseconds of each."""

    frames: list[Pixels]
    milliseconds: int


def read_frames(path: Path, *, short_side: int = 512, limits: Limits = DEFAULT_LIMITS) -> Frames:
    """Read the frames of a folder (by name), an animated GIF, WebP or PNG, or a video; larger ones are shrunk.

    Args:
        path: Folder or file.
        short_side: Largest short side in pixels.
        limits: Limits of the decoder.

    Raises:
        ImageError: If there is no frame, more than `MOST_FRAMES`, or one passes a limit.
        ExtraError: If a video needs OpenCV and it is missing.
    """
    if path.is_dir():
        images = (read_image(file, short_side=short_side, limits=limits) for file in find_images([path]))
        return Frames(_collect(images, path), DURATION)
    if path.suffix.lower() in VIDEOS:
        return _read_video(path, short_side)
    if path.suffix.lower() not in ANIMATED:
        raise ImageError(
            f"{path}: not a sequence; give a folder of images, an animated {', '.join(sorted(ANIMATED))}, "
            f"or a video ({', '.join(sorted(VIDEOS))})"
        )
    return _read_animation(path, short_side, limits)


def write_frames(restyled: Sequence[Pixels], milliseconds: int, out: Path, mark: Mark) -> list[Path]:
    """Write one animated `.webp` or `.png`, or a folder of PNG files, all marked as synthetic; return the files.

    Args:
        restyled: Frames in order.
        milliseconds: Duration of each frame.
        out: File, or a name without a suffix for a folder.
        mark: Mark of the frames.

    Raises:
        ImageError: If the suffix is another one, or frames of an animation differ in size. GIF has no place for the
            mark and only 256 colors. Nothing is written then.
    """
    kinds = {".webp": ImageFormat.WEBP, ".png": ImageFormat.PNG, ".apng": ImageFormat.PNG}
    if not out.suffix:
        out.mkdir(parents=True, exist_ok=True)
        names = [out / f"{index:04d}.png" for index in range(len(restyled))]
        for name, frame in zip(names, restyled, strict=True):
            _write(name, encode(frame, ImageFormat.PNG, mark))
        return names
    if out.suffix.lower() not in kinds:
        raise ImageError(f"{out}: use .webp or .png for one animated file, or a name without a suffix for a folder")
    sizes = {frame.shape[:2] for frame in restyled}
    if len(sizes) > 1:
        raise ImageError(f"{out}: one animation cannot hold frames of {len(sizes)} sizes; write a folder instead")
    _write(out, encode_animation(restyled, milliseconds, kinds[out.suffix.lower()], mark))
    return [out]


def _read_animation(path: Path, short_side: int, limits: Limits) -> Frames:
    if not path.is_file():
        raise ImageError(f"{path}: no such file")
    if path.stat().st_size > limits.max_bytes:
        raise ImageError(f"{path}: {path.stat().st_size} bytes; at most {limits.max_bytes} are accepted")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            with Image.open(path, formats=["GIF", "WEBP", "PNG"]) as opened:
                if opened.width * opened.height > limits.max_pixels:
                    raise ImageError(f"{path}: {opened.width}x{opened.height} pixels; at most {limits.max_pixels}")

                def decode() -> Iterator[Pixels]:
                    for frame in ImageSequence.Iterator(opened):
                        white = Image.new("RGBA", frame.size, "white")
                        white.alpha_composite(frame.convert("RGBA"))
                        scale = min(1.0, short_side / min(frame.size))
                        size = (round(frame.width * scale), round(frame.height * scale))
                        small = white.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
                        yield to_pixels(small)

                frames = _collect(decode(), path)
                return Frames(frames, int(opened.info.get("duration", 0)) or DURATION)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path}: not a whole animation ({error})") from None


def _read_video(path: Path, short_side: int) -> Frames:
    cv2 = opencv()
    if not path.is_file():
        raise ImageError(f"{path}: no such file")
    video = cv2.VideoCapture(str(path))
    rate = float(video.get(cv2.CAP_PROP_FPS))

    def decode() -> Iterator[Pixels]:
        while True:
            available, frame = video.read()
            if not available:
                return
            scale = min(1.0, short_side / min(frame.shape[:2]))
            small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else frame
            yield np.ascontiguousarray(small[:, :, ::-1], dtype=np.float32) / np.float32(255)  # OpenCV's BGR to RGB

    try:
        return Frames(_collect(decode(), path), round(1000 / rate) if rate > 0 else DURATION)
    finally:
        video.release()


def _collect(frames: Iterator[Pixels], path: Path) -> list[Pixels]:
    collected = list(islice(frames, MOST_FRAMES + 1))
    if not collected:
        raise ImageError(f"{path}: no frame could be read")
    if len(collected) > MOST_FRAMES:
        raise ImageError(f"{path}: more than {MOST_FRAMES} frames; cut it into parts")
    return collected


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
