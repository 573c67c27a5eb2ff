"""Names of engines, to check a name without loading torch."""

from __future__ import annotations

import re
from pathlib import Path

IMAGE_ENGINE_NAMES: tuple[str, ...] = ("reinhard", "histogram", "patch", "adain", "gatys")
ENGINE_NAMES = ("film", "color", "looks", "feedforward", *IMAGE_ENGINE_NAMES)
"""Names in `style.transfer.registry`, whose import needs torch."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""Allowed names of engines: a name is also a folder and a setting."""
RECORD_FILE = "engine.json"
"""File that makes a folder an engine; see `style.transfer.trained`."""


def is_engine_name(name: str) -> bool:
    """Check that an engine can have this name; the engine need not exist."""
    return NAME.fullmatch(name) is not None


def trained_names(folder: Path) -> tuple[str, ...]:
    """List the engines that users trained in `folder`, sorted; empty if the folder does not exist."""
    names = (file.parent.name for file in folder.glob(f"*/{RECORD_FILE}"))
    return tuple(sorted(name for name in names if is_engine_name(name) and name not in ENGINE_NAMES))
