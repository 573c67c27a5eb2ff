"""What can go wrong with pixels and style vectors.

    StyleError
    ├── ImageError            an image cannot be read, or passes a limit
    ├── WeightsError          network weights are missing, or their hash is wrong
    ├── VectorError           a style vector has the wrong size or is not finite
    ├── UnknownEngineError    no stylizer of that name
    ├── BackdropError         the backdrop is to be painted, and the photo has none
    ├── LibraryError          a style reference is missing or its record is wrong
    ├── RightsError           a license does not allow what is asked of a picture
    ├── CredentialError       a certificate or key cannot sign, or a signed picture cannot be read
    ├── RecipeError           a step of preprocessing is unknown, or set to what it cannot be
    ├── DescriptorError       a descriptor is unknown, or two that cannot be compared are
    ├── NetworkRuntimeError   no runtime of that name, or the one asked for cannot run a network
    ├── TrainingError         a training cannot begin, or a folder holds another one
    ├── ShapeError            a network cannot be made that small
    ├── ExportError           a network cannot be written in a format, or its file does not give what it gave
    └── ExtraError            an optional dependency is needed; names the extra

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


class BackdropError(StyleError):
    """The backdrop is to be painted, and the photo has none."""


class LibraryError(StyleError):
    """A style reference is missing or its record is wrong."""


class RightsError(StyleError):
    """A license does not allow what is asked of a picture."""


class CredentialError(StyleError):
    """A certificate or key cannot sign, or a signed picture cannot be read."""


class RecipeError(StyleError):
    """A step of preprocessing is unknown, or set to what it cannot be."""


class DescriptorError(StyleError):
    """A descriptor is unknown, or two that cannot be compared are."""


class NetworkRuntimeError(StyleError):
    """No runtime of that name, or the one asked for cannot run a network."""


class TrainingError(StyleError):
    """A training cannot begin with what it was given, or a folder holds another one."""


class ShapeError(StyleError):
    """A network cannot be made that small."""


class ExportError(StyleError):
    """A network cannot be written in a format, or its file does not give what the network gave."""


class ExtraError(StyleError):
    """An optional dependency is needed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'style-recsys[{extra}]'")
