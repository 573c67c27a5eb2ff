"""Pictures inside the page: shrunk, restyled without a deadline, and written as data URIs."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from statistics import median

from recsys.dataset.project import Project
from recsys.errors import ConfigError, ProjectError
from recsys.restyling.engines import engines_of
from recsys.restyling.render_result import RenderResult
from recsys.restyling.renderer import Renderer, render_cache
from recsys.storage.artifacts import write_bytes
from style.credit import StyleCredit
from style.errors import ImageError
from style.images import open_image
from style.modes import PaintMode
from style.preprocess.recipe import Recipe
from style.provenance.mark import ImageFormat
from style.vector import StyleVector

PATIENCE_MS = 600_000
THUMBNAIL_WIDTH = 160
SUFFIXES = {
    ".jpg": ImageFormat.JPEG,
    ".jpeg": ImageFormat.JPEG,
    ".png": ImageFormat.PNG,
    ".webp": ImageFormat.WEBP,
}


def ready_restyler(project: Project, engine: str | None = None, *, fidelity: bool = True) -> Renderer:
    """A restyler whose engine (default: the setting) is loaded, so that a fault shows now and not as plain photos.

    `fidelity` False switches the limits off, whatever the setting. Raises WeightsError or UnknownEngineError.
    """
    settings = project.settings.restyle
    if engine is not None:
        settings = settings.model_copy(update={"engine": engine})
    if not fidelity:
        settings = settings.model_copy(update={"fidelity": False})
    stylizer = engines_of(project, threads=None)(settings.engine)
    recipe = Recipe.of(project.settings.preprocess.steps)
    return Renderer(settings, render_cache(project), load_engine=lambda _: stylizer, recipe=recipe)


def render_patiently(
    restyler: Renderer,
    image: Path,
    style: StyleVector,
    *,
    strength: float | None = None,
    mode: PaintMode | None = None,
    keep_color: bool | None = None,
    width: int | None = None,
    image_format: ImageFormat = ImageFormat.JPEG,
    credit: StyleCredit | None = None,
) -> RenderResult:
    """`Renderer.render` that waits. Raises ProjectError where the picture could not be restyled."""
    picture = restyler.render(
        image,
        style,
        strength=strength,
        mode=mode,
        keep_color=keep_color,
        width=width,
        image_format=image_format,
        deadline_ms=PATIENCE_MS,
        credit=credit,
    )
    if not picture.settled:
        raise ProjectError(f"{image}: could not be restyled; the log says why")
    return picture


def format_of(path: Path) -> ImageFormat:
    """The picture format that a file's suffix names. Raises ConfigError."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"{path}: pictures are written as {', '.join(SUFFIXES)}, not {suffix or 'without a suffix'}")
    return SUFFIXES[suffix]


def refuse_overwriting(out: Path, photos: Iterable[Path]) -> None:
    """Raise ConfigError where `out` is one of the photos, by its own name, through a link, or as a hard link."""
    try:
        there = out.stat()
    except OSError:
        return
    for photo in photos:
        with suppress(OSError):
            if os.path.samestat(there, photo.stat()):
                raise ConfigError(
                    f"{out}: is the photo {photo}, which restyling must never overwrite; give another --out"
                )


def write_file(path: Path, data: bytes) -> None:
    """Write atomically, making folders as needed. Raises ProjectError where that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
    except OSError as error:
        raise ProjectError(f"{path}: cannot be written: {error.strerror}") from None


class Pictures:
    """Data URIs of photos and their restyled versions; "" where there is no readable photo."""

    def __init__(self, restyler: Renderer) -> None:
        self._restyler = restyler

    def original(self, image: Path | None, width: int | None = None) -> str:
        """A photo at most `width` pixels wide (default: the setting)."""
        if image is None:
            return ""
        try:
            return _data_uri(self._restyler.original(image, width=width))
        except ImageError:
            # One damaged file must not cost the page.
            return ""

    def restyled(self, image: Path | None, style: StyleVector, credit: StyleCredit | None = None) -> str:
        """A photo repainted toward a style; "" where fidelity allowed nothing."""
        source, used = self.at_strength(image, style, None, credit)
        return source if used else ""

    def at_strength(
        self, image: Path | None, style: StyleVector, strength: float | None, credit: StyleCredit | None = None
    ) -> tuple[str, float]:
        """A photo repainted toward a style, and the strength that fidelity allowed."""
        if image is None:
            return "", 0.0
        try:
            picture = render_patiently(self._restyler, image, style, strength=strength, credit=credit)
        except ImageError:
            return "", 0.0
        return _data_uri(picture), picture.strength


def usual_ratio(images: Iterable[Path]) -> float:
    """The median width over height of photos, within [0.6, 1.5]; 1 without any that can be read."""
    ratios = []
    for image in images:
        with suppress(ImageError):
            width, height = open_image(image, short_side=64).size
            ratios.append(width / height)
    return min(max(median(ratios), 0.6), 1.5) if ratios else 1.0


def _data_uri(picture: RenderResult) -> str:
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"
