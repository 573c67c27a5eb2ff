"""Credit for the style reference that a restyled image follows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from style.errors import LibraryError

_UNFIT_FOR_XML = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CREDIT_LIMIT = 500


@dataclass(frozen=True, slots=True)
class StyleCredit:
    """Style reference that an image was restyled toward, and the license of that reference.

    Raises LibraryError for text that XML cannot hold, or of more than 500 characters.
    """

    style_id: str
    license: str

    def __post_init__(self) -> None:
        for name in ("style_id", "license"):
            text = getattr(self, name)
            if len(text) > _CREDIT_LIMIT or _UNFIT_FOR_XML.search(text):
                raise LibraryError(
                    f"{name} {text[:40]!r}: use at most {_CREDIT_LIMIT} characters and no control codes, "
                    "so that it can be written into an image"
                )
