"""The names of the engines, for those who check a name without loading what paints."""

from __future__ import annotations

ENGINE_NAMES = ("film", "color")
"""Those of `style.transfer.registry.ENGINES`, which brings torch."""
