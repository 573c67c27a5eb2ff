"""Names of the tables of `recsys bench style`."""

from __future__ import annotations

from enum import StrEnum


class Table(StrEnum):
    """Table: do vectors mean style, do engines follow them, and how fast are both?"""

    VECTORS = "vectors"
    TRANSFER = "transfer"
    SPEED = "speed"
