"""The names of the engines, for those who check a name without loading what paints."""

from __future__ import annotations

PICTURE_ENGINE_NAMES: tuple[str, ...] = ("adain", "gatys")
ENGINE_NAMES = ("film", "color", *PICTURE_ENGINE_NAMES)
"""Those of `style.transfer.registry`, which brings torch."""
