"""The tables of `recsys bench style`, by name."""

from __future__ import annotations

from enum import StrEnum


class Table(StrEnum):
    """Do vectors mean style, do engines obey them, and how fast?"""

    VECTORS = "vectors"
    TRANSFER = "transfer"
    SPEED = "speed"
