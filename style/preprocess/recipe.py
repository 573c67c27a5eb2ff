"""Recipe of a catalog: steps applied to every photo, written as short texts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

from style.errors import RecipeError
from style.images import Pixels
from style.preprocess.balance import Balance
from style.preprocess.base import Step
from style.preprocess.contrast import Gamma, Stretch
from style.preprocess.denoise import Denoise
from style.preprocess.equalize import Clahe, Equalize
from style.preprocess.frame import Crop, Straighten
from style.preprocess.segment import Isolate

STEPS: dict[str, type[Step]] = {
    step.name: step for step in (Denoise, Balance, Equalize, Clahe, Stretch, Gamma, Isolate, Crop, Straighten)
}

VERSION = 1
"""Counts up with every change of a step's result: earlier vectors belong to another recipe."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps in order of application; an empty recipe changes nothing.

    `identity` is 8 hexadecimal digits of all steps with all their settings, independent of spelling; "" without steps.
    """

    steps: tuple[Step, ...] = ()

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> Recipe:
        """Parse texts like "clahe", "denoise:wavelet" or "crop:margin=0.1,mask=grabcut".

        Raises RecipeError that names the step and lists the known ones.
        """
        return cls(tuple(parse_step(text) for text in texts))

    def __call__(self, pixels: Pixels) -> Pixels:
        """Apply all steps to `(H, W, 3)`. Raises ExtraError if a step needs an extra that is missing."""
        for step in self.steps:
            pixels = step(pixels)
        return pixels

    @property
    def identity(self) -> str:
        """Hash that separates vectors of different recipes."""
        return hashlib.sha256(f"{VERSION}{self.steps!r}".encode()).hexdigest()[:8] if self.steps else ""


NO_RECIPE = Recipe()
"""Recipe that leaves photos unchanged."""


def parse_step(text: str) -> Step:
    """Parse a step: a name, optionally a colon and settings; the first setting may omit its name."""
    name, _, settings = text.partition(":")
    if name not in STEPS:
        raise RecipeError(f"step {name!r} is unknown; known ones: {', '.join(STEPS)}")
    kinds = {field.name: type(field.default) for field in fields(STEPS[name])}  # type: ignore[arg-type]
    given: dict[str, str | float | int] = {}
    for position, part in enumerate(settings.split(",") if settings else ()):
        key, equals, value = part.partition("=")
        key, value = (key.strip(), value.strip()) if equals else (next(iter(kinds)), part.strip())
        if (not equals and position) or key not in kinds or key in given:
            raise RecipeError(f"step {text!r}: {part!r} is no setting of {name}; it has {', '.join(kinds)}")
        try:
            given[key] = kinds[key](value)  # type: ignore[misc]
        except ValueError:
            raise RecipeError(f"step {text!r}: {key} must be a number, got {value!r}") from None
    return STEPS[name](**given)
