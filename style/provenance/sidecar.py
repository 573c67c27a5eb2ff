"""Sidecar: the mark of a restyled image as a JSON file, for tools that drop metadata inside the image."""

from __future__ import annotations

import hashlib
import json

from style.errors import ImageError
from style.provenance.mark import Mark

SUFFIX = ".json"
_IMAGE_HASH = "ImageSha256"


def sidecar(data: bytes, mark: Mark) -> str:
    """Return the JSON of an image's hash and mark: one object of texts, named as in the image's XMP."""
    return json.dumps({_IMAGE_HASH: _sha256(data), **mark.properties()}, ensure_ascii=False, indent=2) + "\n"


def read_sidecar(text: str, data: bytes) -> Mark:
    """Read the mark of a sidecar. Raises ImageError if it is not one, or belongs to another image."""
    try:
        properties = json.loads(text)
    except ValueError as error:
        raise ImageError(f"not a sidecar: no JSON ({error})") from None
    if not isinstance(properties, dict) or not all(isinstance(value, str) for value in properties.values()):
        raise ImageError("not a sidecar: expected one JSON object of texts")
    if properties.get(_IMAGE_HASH) != _sha256(data):
        raise ImageError(f"the sidecar belongs to another image: its {_IMAGE_HASH} is not the one of these bytes")
    mark = Mark.from_properties(properties)
    if mark is None:
        raise ImageError("not a sidecar: its properties are not those of a restyled image")
    return mark


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
