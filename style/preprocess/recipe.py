"""A catalog's recipe: the steps that every photo goes through, written as short texts."""

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
"""Counts up with every change of what a step does: vectors made before belong to another recipe."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps in the order in which they are applied; none changes nothing.

    `identity` is 8 hexadecimal digits of all steps with all their settings, however they were written; "" for none.
    """

    steps: tuple[Step, ...] = ()

    @classmethod
    def of(cls, texts: Sequence[str]) -> Recipe:
        """From texts like "clahe", "denoise:wavelet" or "crop:margin=0.1,mask=grabcut".

        Raises RecipeError that names the step and lists what is known.
        """
        return cls(tuple(step_of(text) for text in texts))

    def __call__(self, pixels: Pixels) -> Pixels:
        """`(H, W, 3)` after all steps. Raises ExtraError where a step needs an extra that is missing."""
        for step in self.steps:
            pixels = step(pixels)
        return pixels

    @property
    def identity(self) -> str:
        """What tells vectors of one recipe from those of another."""
        return hashlib.sha256(f"{VERSION}{self.steps!r}".encode()).hexdigest()[:8] if self.steps else ""


NO_RECIPE = Recipe()
"""Photos as they are."""


def step_of(text: str) -> Step:
    """One step from its text: a name, then perhaps a colon and settings; the first may stand without its name."""
    name, _, settings = text.partition(":")
    if name not in STEPS:
        raise RecipeError(f"step {name!r} is unknown; known ones: {', '.join(STEPS)}")
    kinds = {field.name: type(field.default) for field in fields(STEPS[name])}  # type: ignore[arg-type]
    given: dict[str, str | float | int] = {}
    for place, part in enumerate(settings.split(",") if settings else ()):
        key, equals, value = part.partition("=")
        key, value = (key.strip(), value.strip()) if equals else (next(iter(kinds)), part.strip())
        if (not equals and place) or key not in kinds or key in given:
            raise RecipeError(f"step {text!r}: {part!r} is no setting of {name}; it has {', '.join(kinds)}")
        given[key] = _number(text, key, value, kinds[key])
    return STEPS[name](**given)


def _number(text: str, key: str, value: str, kind: type) -> str | float | int:
    try:
        return kind(value)  # type: ignore[no-any-return]
    except ValueError:
        raise RecipeError(f"step {text!r}: {key} must be a number, got {value!r}") from None
