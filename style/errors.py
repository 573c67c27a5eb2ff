"""What can go wrong with pixels and style vectors.

    StyleError
    ├── ImageError            an image cannot be read, or passes a limit
    ├── WeightsError          network weights are missing, or their hash is wrong
    ├── VectorError           a style vector has the wrong size or is not finite
    ├── UnknownEngineError    no stylizer of that name
    └── LibraryError          a style reference is missing or its record is wrong

Every message says what was wrong, where, and what to do about it.
"""

from __future__ import annotations


class StyleError(Exception):
    """Base of all errors that this package raises on purpose."""


class ImageError(StyleError):
    """An image cannot be read, or passes a limit."""


class WeightsError(StyleError):
    """Network weights are missing, or their hash is wrong."""


class VectorError(StyleError):
    """A style vector has the wrong size or is not finite."""


class UnknownEngineError(StyleError):
    """No stylizer of that name."""


class LibraryError(StyleError):
    """A style reference is missing or its record is wrong."""
