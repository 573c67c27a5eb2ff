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
from style.transfer.presets import PresetStylizer
from style.transfer.reinhard import ReinhardStylizer
from style.transfer.style_images import StyleImages
from style.transfer.trained import load_shipped, load_trained

StyleImageSource = Callable[[], StyleImages]
"""Function that returns style images, called only if an engine needs them."""


class _LoadFromImages(Protocol):
    def __call__(self, styles: StyleImages, threads: int | None = None) -> Stylizer: ...


ENGINES: Mapping[str, Callable[..., Stylizer]] = {
    FilmStylizer.name: FilmStylizer.load,
    ColorStylizer.name: ColorStylizer.load,
    PresetStylizer.name: PresetStylizer.load,
    FeedforwardStylizer.name: partial(load_shipped, FeedforwardStylizer.name),
}
"""Engines that paint from z only, or in their own style: `load(threads)`."""

IMAGE_ENGINES: Mapping[str, _LoadFromImages] = {
    ReinhardStylizer.name: ReinhardStylizer.load,
    HistogramStylizer.name: HistogramStylizer.load,
    PatchStylizer.name: PatchStylizer.load,
    AdaInStylizer.name: AdaInStylizer.load,
    GatysStylizer.name: GatysStylizer.load,
}
"""Engines that paint from style images: `load(styles, threads)`."""


def load_stylizer(
    name: str, threads: int | None = None, styles: StyleImageSource | None = None, trained: Path | None = None
) -> Stylizer:
    """Load an engine by name.

    Args:
        name: Name in `ENGINES`, `IMAGE_ENGINES` or `trained`.
        threads: Threads to paint with; default: as many as torch has.
        styles: Returns the images that engines of `IMAGE_ENGINES` paint from.
        trained: Folder of engines that users trained (`style.transfer.trained`), known by the names of their folders.

    Raises:
        UnknownEngineError: If no engine has that name; lists the names.
        LibraryError: If the engine needs style images and there are none.
        WeightsError: If an engine's files are damaged.
    """
    if name in ENGINES:
        return ENGINES[name]() if threads is None else ENGINES[name](threads=threads)
    own = () if trained is None else trained_names(trained)
    if trained is not None and name in own:
        return load_trained(trained / name, threads)
    check_engine(name, own)
    if styles is None:
        raise LibraryError(f"the engine {name} paints from style images: give some, or use {', '.join(ENGINES)}")
    return IMAGE_ENGINES[name](styles(), threads)


def check_engine(name: str, own: Sequence[str] = ()) -> None:
    """Raise UnknownEngineError, which lists the names, unless the engine is registered or among a project's `own`."""
    known = (*ENGINES, *IMAGE_ENGINES, *own)
    if name not in known:
        raise UnknownEngineError(f"unknown engine {name!r}; known ones: {', '.join(known)}")
