"""Engines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from style.errors import UnknownEngineError
from style.transfer.base import Stylizer
from style.transfer.color import ColorStylizer
from style.transfer.film import FilmStylizer

ENGINES: Mapping[str, Callable[..., Stylizer]] = {
    FilmStylizer.name: FilmStylizer.load,
    ColorStylizer.name: ColorStylizer.load,
}


def load_stylizer(name: str, threads: int | None = None) -> Stylizer:
    """The engine of that name, ready to paint with `threads` threads (default: as many as torch has).

    Raises UnknownEngineError that lists the names.
    """
    if name not in ENGINES:
        raise UnknownEngineError(f"unknown engine {name!r}; known ones: {', '.join(ENGINES)}")
    return ENGINES[name]() if threads is None else ENGINES[name](threads=threads)
