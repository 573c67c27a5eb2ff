"""The names of the engines, for those who check a name without loading what paints."""

from __future__ import annotations

import re
from pathlib import Path

PICTURE_ENGINE_NAMES: tuple[str, ...] = ("reinhard", "histogram", "patch", "adain", "gatys")
ENGINE_NAMES = ("film", "color", "looks", "feedforward", *PICTURE_ENGINE_NAMES)
"""Those of `style.transfer.registry`, which brings torch."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""What an engine may be called: it is a folder and a setting."""
RECORD_FILE = "engine.json"
"""What makes a folder an engine; see `style.transfer.trained`."""


def is_engine_name(name: str) -> bool:
    """Whether an engine can be called so; not whether there is one."""
    return NAME.fullmatch(name) is not None


def trained_names(folder: Path) -> tuple[str, ...]:
    """The engines that somebody trained and that lie in `folder`, sorted; none where there is no such folder."""
    found = (file.parent.name for file in folder.glob(f"*/{RECORD_FILE}"))
    return tuple(sorted(name for name in found if is_engine_name(name) and name not in ENGINE_NAMES))
