"""Descriptors by name."""

from __future__ import annotations

from collections.abc import Sequence

from style.descriptors.base import Descriptor
from style.descriptors.color import Chromaticity, ColorHistogram, ColorMoments, DominantColor
from style.descriptors.shape import Contour, HuMoments
from style.descriptors.texture import CoOccurrence, LocalBinaryPatterns
from style.errors import DescriptorError

DESCRIPTORS: dict[str, Descriptor] = {
    each.name: each
    for each in (
        ColorHistogram(),
        ColorMoments(),
        ColorHistogram(balanced=True),
        Chromaticity(),
        DominantColor(),
        LocalBinaryPatterns(),
        CoOccurrence(),
        HuMoments(),
        Contour(),
    )
}


def descriptor(name: str) -> Descriptor:
    """Return a descriptor by name. Raises DescriptorError that lists the known ones."""
    if name not in DESCRIPTORS:
        raise DescriptorError(f"descriptor {name!r} is unknown; known ones: {', '.join(DESCRIPTORS)}")
    return DESCRIPTORS[name]


def descriptors(names: Sequence[str]) -> tuple[Descriptor, ...]:
    """Return several descriptors. Raises DescriptorError for one that is unknown or named twice."""
    if len(set(names)) < len(names):
        raise DescriptorError(f"descriptors {', '.join(names)}: one is named twice; name each once")
    return tuple(descriptor(name) for name in names)
