"""One picture to render, with every choice made, and the key under which its rendering is kept."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from recsys import __version__
from recsys.config import RestyleSettings
from recsys.restyling.originals import state
from style.credit import StyleCredit
from style.errors import ImageError, VectorError
from style.fidelity import FidelityLimits
from style.modes import PaintMode, Strength
from style.preprocess.recipe import NO_RECIPE, Recipe
from style.provenance.mark import ImageFormat
from style.repaint import RestyleOptions
from style.vector import StyleVector

# 128 bytes in base64, without the padding sign.
_ENCODED_STYLE = re.compile(r"[A-Za-z0-9_-]{171}")


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One picture to render. `style` holds only vectors that `encode_style` keeps exactly.

    `photo`: a file, or the bytes of one that somebody lent; it goes through `recipe` before it is painted.
    """

    photo: Path | bytes
    style: StyleVector
    strength: float
    mode: PaintMode
    keep_color: bool
    limits: FidelityLimits | None
    width: int
    engine: str
    image_format: ImageFormat
    credit: StyleCredit | None
    recipe: Recipe = NO_RECIPE

    @property
    def wish(self) -> RestyleOptions:
        """As the style tower takes it."""
        return RestyleOptions(Strength.of(self.strength, self.mode), self.mode, self.keep_color, self.limits)

    @property
    def kept(self) -> bool:
        """Whether the picture may be kept for others: not that of a photo which was only lent."""
        return isinstance(self.photo, Path)

    def key(self) -> str:
        """A hash of all that decides how the picture looks but the engine's weights; of a photo that was only lent, a
        key that no other order has. Raises ImageError."""
        if not isinstance(self.photo, Path):
            return secrets.token_hex(32)
        parts = (
            *state(self.photo),
            encode_style(self.style),
            self.strength,
            self.mode,
            self.keep_color,
            None if self.limits is None else astuple(self.limits),
            self.width,
            self.engine,
            self.image_format,
            None if self.credit is None else (self.credit.style_id, self.credit.license),
            self.recipe.identity,
        )
        return _hash(parts)


def photo_state(photo: Path, style: str | None, made_by: str) -> str:
    """16 hexadecimal digits that change whenever the picture of a link may: with the photo's file, the style that it
    names (as `encode_style` writes it), and what it is made by (`settings_state`). "" where there is no file."""
    try:
        _, *changed = state(photo)
    except ImageError:
        return ""
    return hashlib.sha256(f"{changed}|{style}|{made_by}".encode()).hexdigest()[:16]


@lru_cache(maxsize=8)
def settings_state(settings: RestyleSettings, recipe: str = "") -> str:
    """Changes with all that makes pictures: the limits of fidelity, the engine, this package's version, and `recipe`,
    the identity of the preprocessing."""
    limits = None if settings.limits is None else astuple(settings.limits)
    return _hash((limits, settings.engine, __version__, recipe))


def cache_key(order_key: str, engine_version: str) -> str:
    """The key of a rendering by one version of an engine."""
    # Masking, measuring and encoding change with this package's version, painting with the engine's.
    return _hash((order_key, engine_version, __version__))


def encode_style(style: StyleVector) -> str:
    """A style vector as 171 URL-safe characters: 8 bits a number, relative to the largest.

    The cosine to the vector that `decode_style` gives back is above 0.999; encoding that one again gives the same
    text.
    """
    largest = np.abs(style.values).max()
    numbers = np.rint(style.values / largest * 127).astype(np.int8)
    return base64.urlsafe_b64encode(numbers.tobytes()).decode().rstrip("=")


def decode_style(text: str) -> StyleVector:
    """The style vector in a text of `encode_style`. Raises VectorError where it is none."""
    if not _ENCODED_STYLE.fullmatch(text):
        raise VectorError(
            f"an encoded style vector has 171 characters of A-Z a-z 0-9 - _, got {len(text)}: {text[:8]!r}"
        )
    return StyleVector.of(np.frombuffer(base64.urlsafe_b64decode(text + "="), dtype=np.int8))


def _hash(parts: tuple[object, ...]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
