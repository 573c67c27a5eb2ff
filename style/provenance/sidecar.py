"""The mark of a restyled picture as a JSON file beside it, for tools that drop what is inside the picture."""

from __future__ import annotations

import hashlib
import json

from style.errors import ImageError
from style.provenance.mark import Mark

SUFFIX = ".json"
_PICTURE = "PictureSha256"


def sidecar(data: bytes, mark: Mark) -> str:
    """The JSON of a picture's bytes and its mark: one object of texts, named as in the picture's XMP."""
    return json.dumps({_PICTURE: _sha256(data), **mark.properties()}, ensure_ascii=False, indent=2) + "\n"


def read_sidecar(text: str, data: bytes) -> Mark:
    """The mark in a sidecar. Raises ImageError where it is none, or is another picture's."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ImageError(f"not a sidecar: no JSON ({error})") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ImageError("not a sidecar: expected one JSON object of texts")
    if found.get(_PICTURE) != _sha256(data):
        raise ImageError(f"the sidecar belongs to another picture: its {_PICTURE} is not the one of these bytes")
    mark = Mark.of(found)
    if mark is None:
        raise ImageError("not a sidecar: its properties are not those of a restyled picture")
    return mark


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
