"""Errors of the package `style`.

    StyleError
    ├── ImageError            unreadable image, or one beyond a limit
    ├── WeightsError          network weights are missing, or their hash is wrong
    ├── VectorError           wrong size or range of numbers in a style vector, strength or setting
    ├── UnknownEngineError    no engine has that name
    ├── BackdropError         mode `background` on a photo without a backdrop
    ├── LibraryError          a style reference is missing or its record is wrong
    ├── RightsError           a license does not allow a use of an image
    ├── CredentialError       a certificate or key cannot sign, or a signed image cannot be read
    ├── RecipeError           unknown preprocessing step, or invalid setting of a step
    ├── DescriptorError       unknown descriptor, or descriptors that cannot be compared
    ├── NetworkRuntimeError   unknown runtime, or the requested one cannot run a network
    ├── TrainingError         a training cannot start, or its folder belongs to another one
    ├── ShapeError            a network cannot be made that small
    ├── ExportError           a network cannot be written in a format, or the file's outputs differ
    └── ExtraError            an optional dependency is missing; names the extra

Every message says what was wrong, where, and how to fix it.
"""

from __future__ import annotations


class StyleError(Exception):
    """Base of all errors that this package raises on purpose."""


class ImageError(StyleError):
    """Unreadable image, or one beyond a limit."""


class WeightsError(StyleError):
    """Missing network weights, or a wrong hash."""


class VectorError(StyleError):
    """Wrong size or range of numbers in a style vector, strength or setting."""


class UnknownEngineError(StyleError):
    """Unknown name of an engine."""


class BackdropError(StyleError):
    """Mode `background` on a photo without a backdrop."""


class LibraryError(StyleError):
    """Missing style reference, or an error in its record."""


class RightsError(StyleError):
    """License that does not allow a use of an image."""


class CredentialError(StyleError):
    """Certificate or key that cannot sign, or unreadable signed image."""


class RecipeError(StyleError):
    """Unknown preprocessing step, or invalid setting of a step."""


class DescriptorError(StyleError):
    """Unknown descriptor, or descriptors that cannot be compared."""


class NetworkRuntimeError(StyleError):
    """Unknown runtime, or one that cannot run a network."""


class TrainingError(StyleError):
    """Training that cannot start, or a folder that belongs to another training."""


class ShapeError(StyleError):
    """Network that cannot be made that small."""


class ExportError(StyleError):
    """Network that cannot be written in a format, or exported file whose outputs differ from the network's."""


class ExtraError(StyleError):
    """Missing optional dependency; the message names the extra that installs it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'style-recsys[{extra}]'")
