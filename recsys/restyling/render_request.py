"""Render requests: one photo, one style target and all options, with defaults taken from the settings."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path

from recsys import __version__
from recsys.config import RestyleSettings
from recsys.restyling.originals import file_state
from recsys.restyling.target import StyleTarget
from style.errors import ImageError
from style.fidelity import FidelityLimits
from style.modes import PaintMode, Strength, check_strength
from style.preprocess.recipe import NO_RECIPE, Recipe
from style.provenance.mark import ImageFormat
from style.restyle import RestyleOptions

MAX_WIDTH = 2048
"""Largest width of an image in pixels."""
CACHE_FORMAT = 2
"""Format of cached images (`render_result.pack`). Images of another format are rendered again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RenderRequest:
    """Request for one image. Build it with `from_settings`, then pass it whole.

    Raises VectorError if the strength lies outside [0, 1].

    Attributes:
        photo: File, or the bytes of a photo that belongs to the caller and is not stored.
        target: Style to restyle toward. Without one, the answer is the original.
        strength: Requested strength in [0, 1], three decimals. At 0, the answer is the original.
        mode: Part of the photo that is painted.
        keep_color: Change only the lightness.
        limits: Limits of fidelity, None for no limits.
        width: Largest width in pixels; the image is at most twice as high. Images are never enlarged.
        engine: Name of the engine.
        image_format: File format of the answer.
        deadline_ms: Milliseconds after which the original is the answer. At 0, only a cached image is used.
        recipe: Preprocessing of the photo before it is painted; originals are not preprocessed.
    """

    photo: Path | bytes
    target: StyleTarget | None
    strength: float
    mode: PaintMode
    keep_color: bool
    limits: FidelityLimits | None
    width: int
    engine: str
    image_format: ImageFormat
    deadline_ms: int
    recipe: Recipe

    def __post_init__(self) -> None:
        check_strength(self.strength)

    @classmethod
    def from_settings(
        cls,
        settings: RestyleSettings,
        photo: Path | bytes,
        target: StyleTarget | None,
        *,
        recipe: Recipe = NO_RECIPE,
        strength: float | None = None,
        mode: PaintMode | None = None,
        keep_color: bool | None = None,
        width: int | None = None,
        engine: str | None = None,
        image_format: ImageFormat = ImageFormat.JPEG,
        deadline_ms: int | None = None,
    ) -> RenderRequest:
        """Build a request; options that are None take the value of the settings."""
        return cls(
            photo=photo,
            target=target,
            strength=round(settings.strength if strength is None else strength, 3),
            mode=mode or settings.mode,
            keep_color=settings.keep_color if keep_color is None else keep_color,
            limits=settings.limits,
            width=min(width or settings.size, MAX_WIDTH),
            engine=engine or settings.engine,
            image_format=image_format,
            deadline_ms=settings.deadline_ms if deadline_ms is None else deadline_ms,
            recipe=recipe,
        )

    @property
    def is_original(self) -> bool:
        """True if the photo itself is requested: there is no target, or the strength is 0."""
        return self.target is None or self.strength == 0

    @property
    def is_cacheable(self) -> bool:
        """True if the image may be stored in the cache: its photo is a file, not bytes of the caller."""
        return isinstance(self.photo, Path)

    @property
    def options(self) -> RestyleOptions:
        """Options for `style.restyle`."""
        return RestyleOptions(Strength.from_number(self.strength, self.mode), self.mode, self.keep_color, self.limits)

    def key(self) -> str:
        """Return a hash of everything that decides the pixels, except for the version of the engine.

        For a photo given as bytes, it is random. Raises ImageError if the file cannot be read.
        """
        if not isinstance(self.photo, Path):
            return secrets.token_hex(32)
        credit = None if self.target is None else self.target.credit
        return _hash(
            (
                *file_state(self.photo),
                None if self.target is None else self.target.style.text,
                self.strength,
                self.mode,
                self.keep_color,
                None if self.limits is None else astuple(self.limits),
                self.width,
                self.engine,
                self.image_format,
                None if credit is None else (credit.style_id, credit.license),
                self.recipe.identity,
            )
        )

    def link_state(self) -> str:
        """Return 16 hexadecimal digits that change whenever the image behind a link may change.

        They depend on the photo's file, the style, the limits, the engine, this package's version and the recipe.
        Returns "" if there is no file.
        """
        if not isinstance(self.photo, Path):
            return ""
        try:
            _, *changed = file_state(self.photo)
        except ImageError:
            return ""
        style = None if self.target is None else self.target.style.text
        made_by = _hash_settings(self.limits, self.engine, self.recipe)
        return hashlib.sha256(f"{changed}|{style}|{made_by}".encode()).hexdigest()[:16]


def cache_key(request_key: str, engine_version: str) -> str:
    """Return the key of an image in the cache, for one version of the engine.

    Masks, fidelity and encoding change with this package's version, the painting with the engine's.
    """
    return _hash((request_key, engine_version, __version__, CACHE_FORMAT))


# A list has twenty links, all of them with the same settings.
@lru_cache(maxsize=32)
def _hash_settings(limits: FidelityLimits | None, engine: str, recipe: Recipe) -> str:
    return _hash((None if limits is None else astuple(limits), engine, __version__, recipe.identity))


def _hash(parts: tuple[object, ...]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
