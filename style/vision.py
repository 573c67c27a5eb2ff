"""Adapter to OpenCV and scikit-image of the extra `vision`; each step imports them when it needs them."""

from __future__ import annotations

from types import ModuleType

from style.errors import ExtraError

EXTRA = "vision"


def opencv() -> ModuleType:
    """Import OpenCV and seed its random numbers, so that the same pixels always give the same result.

    Raises ExtraError.
    """
    try:
        import cv2
    except ImportError:
        raise ExtraError("opencv-python-headless", EXTRA) from None
    # GrabCut's clusters start at random; the generator belongs to the thread.
    cv2.setRNGSeed(0)
    return cv2


def restoration() -> ModuleType:
    """Import `skimage.restoration`, whose wavelets are those of `wavelets`. Raises ExtraError."""
    wavelets()  # otherwise scikit-image would only report them missing during its work
    try:
        import skimage.restoration
    except ImportError:
        raise ExtraError("scikit-image", EXTRA) from None
    return skimage.restoration


def wavelets() -> ModuleType:
    """Import PyWavelets. Raises ExtraError."""
    try:
        import pywt
    except ImportError:
        raise ExtraError("PyWavelets", EXTRA) from None
    library: ModuleType = pywt
    return library


def exposure() -> ModuleType:
    """Import `skimage.exposure`. Raises ExtraError."""
    try:
        import skimage.exposure
    except ImportError:
        raise ExtraError("scikit-image", EXTRA) from None
    return skimage.exposure


def texture() -> ModuleType:
    """Import `skimage.feature`, which has local binary patterns and co-occurrence matrices. Raises ExtraError."""
    try:
        import skimage.feature
    except ImportError:
        raise ExtraError("scikit-image", EXTRA) from None
    return skimage.feature
