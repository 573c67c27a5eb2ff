"""The one door to OpenCV and scikit-image, which the extra `vision` brings: imported by the step that needs them."""

from __future__ import annotations

from types import ModuleType

from style.errors import ExtraError

EXTRA = "vision"


def opencv() -> ModuleType:
    """OpenCV, its random numbers seeded, so that the same pixels always give the same answer. Raises ExtraError."""
    try:
        import cv2
    except ImportError:
        raise ExtraError("opencv-python-headless", EXTRA) from None
    # GrabCut's clusters begin at random; the generator is the thread's own.
    cv2.setRNGSeed(0)
    return cv2


def restoration() -> ModuleType:
    """`skimage.restoration`, whose wavelets are those of `wavelets`. Raises ExtraError."""
    wavelets()  # scikit-image would say that they are missing in the middle of its work
    try:
        import skimage.restoration
    except ImportError:
        raise ExtraError("scikit-image", EXTRA) from None
    return skimage.restoration


def wavelets() -> ModuleType:
    """PyWavelets. Raises ExtraError."""
    try:
        import pywt
    except ImportError:
        raise ExtraError("PyWavelets", EXTRA) from None
    found: ModuleType = pywt
    return found


def exposure() -> ModuleType:
    """`skimage.exposure`. Raises ExtraError."""
    try:
        import skimage.exposure
    except ImportError:
        raise ExtraError("scikit-image", EXTRA) from None
    return skimage.exposure


def texture() -> ModuleType:
    """`skimage.feature`, which has local binary patterns and co-occurrence matrices. Raises ExtraError."""
    try:
        import skimage.feature
    except ImportError:
        raise ExtraError("scikit-image", EXTRA) from None
    return skimage.feature
