"""Images inside of HTML pages: shrunk, restyled without a deadline, and written as data URIs."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from statistics import median

from recsys.dataset.project import Project
from recsys.errors import ConfigError, ProjectError
from recsys.restyling.engines import engine_loader
from recsys.restyling.render_request import RenderRequest
from recsys.restyling.renderer import Renderer, open_render_cache
from recsys.restyling.target import StyleTarget
from recsys.storage.artifacts import write_bytes
from style.errors import ImageError
from style.images import open_image
from style.preprocess.recipe import Recipe
from style.provenance.mark import ImageFormat

THUMBNAIL_WIDTH = 160
SUFFIXES = {
    ".jpg": ImageFormat.JPEG,
    ".jpeg": ImageFormat.JPEG,
    ".png": ImageFormat.PNG,
    ".webp": ImageFormat.WEBP,
}


def load_renderer(project: Project, engine: str | None = None, *, fidelity: bool = True) -> Renderer:
    """Return a renderer whose engine is loaded, so that a fault of the engine is an error and not a plain photo.

    Args:
        project: Project with settings, engines and cache.
        engine: Name of an engine; default: the setting.
        fidelity: False switches the limits off, whatever the setting.

    Raises:
        WeightsError: The weights of the engine are missing.
        UnknownEngineError: There is no such engine.
    """
    settings = project.settings.restyle
    if engine is not None:
        settings = settings.model_copy(update={"engine": engine})
    if not fidelity:
        settings = settings.model_copy(update={"fidelity": False})
    stylizer = engine_loader(project, threads=None)(settings.engine)
    recipe = Recipe.from_texts(project.settings.preprocess.steps)
    return Renderer(settings, open_render_cache(project), load_engine=lambda _: stylizer, recipe=recipe)


def format_of(path: Path) -> ImageFormat:
    """Return the image format that a file's suffix names. Raises ConfigError."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"{path}: images are written as {', '.join(SUFFIXES)}, not {suffix or 'without a suffix'}")
    return SUFFIXES[suffix]


def refuse_overwriting(out: Path, photos: Iterable[Path]) -> None:
    """Raise ConfigError if `out` is one of the photos, by its own name, through a link, or as a hard link."""
    try:
        status = out.stat()
    except OSError:
        return
    for photo in photos:
        with suppress(OSError):
            if os.path.samestat(status, photo.stat()):
                raise ConfigError(
                    f"{out}: is the photo {photo}, which restyling must never overwrite; give another --out"
                )


def write_file(path: Path, data: bytes) -> None:
    """Write a file atomically, and make its folder. Raises ProjectError if that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
    except OSError as error:
        raise ProjectError(f"{path}: cannot be written: {error.strerror}") from None


class InlineImages:
    """Data URIs of photos and their restyled images; "" if a photo cannot be read."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def original(self, photo: Path | None, width: int | None = None) -> str:
        """Return a photo, at most `width` pixels wide (default: the setting)."""
        return self._render(photo, None, width=width)[0]

    def restyle(self, photo: Path | None, target: StyleTarget | None) -> str:
        """Return a photo restyled toward a target, "" if there is none, or if fidelity allowed nothing."""
        uri, strength = self.restyle_at(photo, target, None)
        return uri if strength else ""

    def restyle_at(self, photo: Path | None, target: StyleTarget | None, strength: float | None) -> tuple[str, float]:
        """Return a photo restyled toward a target at a strength, and the strength that fidelity allowed."""
        return ("", 0.0) if target is None else self._render(photo, target, strength=strength)

    def _render(
        self,
        photo: Path | None,
        target: StyleTarget | None,
        *,
        strength: float | None = None,
        width: int | None = None,
    ) -> tuple[str, float]:
        if photo is None:
            return "", 0.0
        renderer = self._renderer
        request = RenderRequest.from_settings(
            renderer.settings, photo, target, recipe=renderer.recipe, strength=strength, width=width
        )
        try:
            result = renderer.render_or_raise(request)
        except ImageError:
            # A damaged photo must not cost the page.
            return "", 0.0
        return f"data:{result.media_type};base64,{base64.b64encode(result.data).decode()}", result.strength


def typical_aspect_ratio(photos: Iterable[Path]) -> float:
    """Return the median of width over height of photos, within [0.6, 1.5]; 1 if none can be read."""
    ratios = []
    for photo in photos:
        with suppress(ImageError):
            width, height = open_image(photo, short_side=64).size
            ratios.append(width / height)
    return min(max(median(ratios), 0.6), 1.5) if ratios else 1.0
