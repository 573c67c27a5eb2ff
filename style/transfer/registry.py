"""Engines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from style.errors import LibraryError, UnknownEngineError
from style.transfer.adain import AdaInStylizer
from style.transfer.base import Stylizer
from style.transfer.color import ColorStylizer
from style.transfer.engine_names import trained_names
from style.transfer.feedforward import FeedforwardStylizer
from style.transfer.film import FilmStylizer
from style.transfer.gatys import GatysStylizer
from style.transfer.histogram import HistogramStylizer
from style.transfer.patch import PatchStylizer
from style.transfer.presets import LooksStylizer
from style.transfer.reinhard import ReinhardStylizer
from style.transfer.style_images import StylePictures
from style.transfer.trained import load_shipped, load_trained

PictureSource = Callable[[], StylePictures]
"""Gives the pictures of styles, when an engine needs them."""


class _OfPictures(Protocol):
    def __call__(self, pictures: StylePictures, threads: int | None = None) -> Stylizer: ...


ENGINES: Mapping[str, Callable[..., Stylizer]] = {
    FilmStylizer.name: FilmStylizer.load,
    ColorStylizer.name: ColorStylizer.load,
    LooksStylizer.name: LooksStylizer.load,
    FeedforwardStylizer.name: partial(load_shipped, FeedforwardStylizer.name),
}
"""Engines that paint from z alone, or in a style of their own: `load(threads)`."""

PICTURE_ENGINES: Mapping[str, _OfPictures] = {
    ReinhardStylizer.name: ReinhardStylizer.load,
    HistogramStylizer.name: HistogramStylizer.load,
    PatchStylizer.name: PatchStylizer.load,
    AdaInStylizer.name: AdaInStylizer.load,
    GatysStylizer.name: GatysStylizer.load,
}
"""Engines that know styles by pictures of them: `load(pictures, threads)`."""


def load_stylizer(
    name: str, threads: int | None = None, pictures: PictureSource | None = None, trained: Path | None = None
) -> Stylizer:
    """The engine of that name, ready to paint with `threads` threads (default: as many as torch has).

    `pictures` gives the styles that engines of `PICTURE_ENGINES` paint from. `trained`: a folder of engines that
    somebody trained (`style.transfer.trained`), known by the names of their folders. Raises UnknownEngineError that
    lists the names, LibraryError where pictures are needed and not given, WeightsError for a damaged engine.
    """
    if name in ENGINES:
        return ENGINES[name]() if threads is None else ENGINES[name](threads=threads)
    own = () if trained is None else trained_names(trained)
    if trained is not None and name in own:
        return load_trained(trained / name, threads)
    check_engine(name, own)
    if pictures is None:
        raise LibraryError(f"the engine {name} paints from pictures of styles: give some, or use {', '.join(ENGINES)}")
    return PICTURE_ENGINES[name](pictures(), threads)


def check_engine(name: str, own: Sequence[str] = ()) -> None:
    """Raise UnknownEngineError that lists the names where there is no engine of that name, nor among one's `own`."""
    known = (*ENGINES, *PICTURE_ENGINES, *own)
    if name not in known:
        raise UnknownEngineError(f"unknown engine {name!r}; known ones: {', '.join(known)}")
