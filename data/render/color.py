"""Color spaces of the drawing: palettes are written in sRGB, light is added up in linear RGB."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def linear(srgb: Array) -> Array:
    """sRGB in [0, 1] to linear light in [0, 1], any shape (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encode(light: Array) -> Array:
    """Linear light in [0, 1] to sRGB in [0, 1], any shape."""
    light = np.clip(light, 0.0, 1.0)
    curve = 1.055 * np.maximum(light, 1e-8) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, 12.92 * light, curve).astype(np.float32)


def rgb(code: str) -> Array:
    """Six hex digits to sRGB, shape (3,), in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)], dtype=np.float32)


def ink(code: str) -> Array:
    """Six hex digits to linear light, shape (3,)."""
    return linear(rgb(code))


def jitter(rng: np.random.Generator, code: str, hue: float = 0.015, lightness: float = 0.03) -> str:
    """Neighboring color: hue turned by up to `hue` of a circle, lightness moved by up to `lightness`."""
    h, level, s = colorsys.rgb_to_hls(*map(float, rgb(code)))
    h = (h + rng.uniform(-hue, hue)) % 1.0
    level = float(np.clip(level + rng.uniform(-lightness, lightness), 0.02, 0.98))
    s = float(np.clip(s * rng.uniform(0.92, 1.08), 0.0, 1.0))
    return "".join(f"{round(channel * 255):02x}" for channel in colorsys.hls_to_rgb(h, level, s))


def mix(a: Array, b: Array, share: Array) -> Array:
    """`a` where share is 0, `b` where it is 1; colors (3,) or (..., 3), share (...)."""
    weight = share[..., None]
    return (a * (1 - weight) + b * weight).astype(np.float32)


def smoothstep(low: float, high: float, x: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def filmic(light: Array) -> Array:
    """Tone curve: linear radiance >= 0 to linear display light in [0, 1] (Narkowicz's fit of ACES, 2015)."""
    x = light * 0.72
    return np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0).astype(np.float32)
