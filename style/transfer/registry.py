"""Engines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from style.errors import UnknownEngineError
from style.transfer.base import Stylizer
from style.transfer.color import COLOR_SHA256, ColorStylizer
from style.transfer.film import FILM_SHA256, FilmStylizer

ENGINES: Mapping[str, Callable[[], Stylizer]] = {
    FilmStylizer.name: FilmStylizer.load,
    ColorStylizer.name: ColorStylizer.load,
}

MODEL_HASHES: Mapping[str, str] = {FilmStylizer.name: FILM_SHA256, ColorStylizer.name: COLOR_SHA256}
"""SHA-256 of each engine's weights, which loading them checks."""


def load_stylizer(name: str) -> Stylizer:
    """The engine of that name, ready to paint. Raises UnknownEngineError that lists the names."""
    if name not in ENGINES:
        raise UnknownEngineError(f"unknown engine {name!r}; known ones: {', '.join(ENGINES)}")
    engine = ENGINES[name]()
    engine.model_sha256 = MODEL_HASHES[name]
    return engine
