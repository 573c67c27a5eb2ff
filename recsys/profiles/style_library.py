"""Style references that users can choose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StyleCard:
    """A style reference that people can choose; `image` is a path like a catalog's, `uses` as in
    `style.library.StyleReference`."""

    style_id: str
    title: str
    image: str
    scenes: tuple[str, ...]
    artist: str
    license: str
    source: str = ""
    uses: str = ""
