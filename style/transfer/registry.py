"""Engines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from style.errors import LibraryError, UnknownEngineError
from style.transfer.adain import AdaInStylizer
from style.transfer.base import Stylizer
from style.transfer.color import ColorStylizer
from style.transfer.film import FilmStylizer
from style.transfer.gatys import GatysStylizer
from style.transfer.pictures import StylePictures

PictureSource = Callable[[], StylePictures]
"""Gives the pictures of styles, when an engine needs them."""


class _OfPictures(Protocol):
    def __call__(self, pictures: StylePictures, threads: int | None = None) -> Stylizer: ...


ENGINES: Mapping[str, Callable[..., Stylizer]] = {
    FilmStylizer.name: FilmStylizer.load,
    ColorStylizer.name: ColorStylizer.load,
}
"""Engines that paint from z alone: `load(threads)`."""

PICTURE_ENGINES: Mapping[str, _OfPictures] = {
    AdaInStylizer.name: AdaInStylizer.load,
    GatysStylizer.name: GatysStylizer.load,
}
"""Engines that know styles by pictures of them: `load(pictures, threads)`."""


def load_stylizer(name: str, threads: int | None = None, pictures: PictureSource | None = None) -> Stylizer:
    """The engine of that name, ready to paint with `threads` threads (default: as many as torch has).

    `pictures` gives the styles that engines of `PICTURE_ENGINES` paint from. Raises UnknownEngineError that lists the
    names, LibraryError where pictures are needed and not given.
    """
    if name in ENGINES:
        return ENGINES[name]() if threads is None else ENGINES[name](threads=threads)
    if name not in PICTURE_ENGINES:
        raise UnknownEngineError(f"unknown engine {name!r}; known ones: {', '.join((*ENGINES, *PICTURE_ENGINES))}")
    if pictures is None:
        raise LibraryError(f"the engine {name} paints from pictures of styles: give some, or use {', '.join(ENGINES)}")
    return PICTURE_ENGINES[name](pictures(), threads)
